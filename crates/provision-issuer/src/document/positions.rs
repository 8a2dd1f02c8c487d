//! Where the characters of a text that was read line by line stand in its file.

/// Where each of a number of characters stands, between which there are line ends and indents.
///
/// Lines of one length take no more room than one of them. Of a text in which no line is like another, only the last
/// ones are known.
#[derive(Default)]
pub(super) struct Positions {
    runs: Vec<Run>,
    /// How many characters there are.
    count: usize,
}

/// Words of one length, the last of which may be shorter, at one distance from each other.
struct Run {
    /// The first of its characters.
    first: usize,
    /// How many characters it has.
    count: usize,
    /// Where the first one stands in the file, in bytes.
    at: usize,
    /// How many characters a word has.
    word: usize,
    /// From the beginning of a word to that of the next, in bytes.
    stride: usize,
}

impl Positions {
    /// Adds characters that stand together, from byte `at` of the file on.
    pub(super) fn push(&mut self, len: usize, at: usize) {
        let first = self.count;
        self.count += len;
        if let Some(run) = self.runs.last_mut()
            && run.takes(len, at)
        {
            run.count += len;
            return;
        }
        if self.runs.len() == RUNS_MAX {
            self.runs.drain(..RUNS_MAX / 2);
        }
        self.runs.push(Run { first, count: len, at, word: len, stride: 0 });
    }

    /// The byte of the file at which a character stands; behind the last one, where that one ends. None if it is
    /// not known any more.
    pub(super) fn of(&self, character: usize) -> Option<usize> {
        if character >= self.count {
            return Some(self.of(self.count.checked_sub(1)?)? + 1);
        }
        let after = self.runs.partition_point(|run| run.first <= character);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let within = character - run.first;
        Some(run.at + within / run.word * run.stride + within % run.word)
    }

    /// How many characters there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }
}

impl Run {
    /// Whether a word goes on with it.
    const fn takes(&mut self, len: usize, at: usize) -> bool {
        if !self.count.is_multiple_of(self.word) || len > self.word || at < self.at {
            return false;
        }
        let words = self.count / self.word;
        if words == 1 {
            self.stride = at - self.at;
        }
        at == self.at + words * self.stride
    }
}

/// More than the words in a piece that is decoded at once, of which every position is needed.
const RUNS_MAX: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_where_they_stand() {
        // Word by word: how long, and how many bytes behind the end of the one before.
        for words in [
            vec![(64, 30), (64, 1), (64, 1), (10, 1)],
            vec![(64, 0), (64, 2), (20, 2), (44, 0), (64, 2), (64, 2)],
            vec![(4, 1), (3, 1), (5, 1), (5, 0), (1, 7), (1, 7), (1, 8)],
        ] {
            let (mut positions, mut expected, mut at) = (Positions::default(), Vec::new(), 0);
            for (len, gap) in words {
                at += gap;
                positions.push(len, at);
                expected.extend(at..at + len);
                at += len;
            }
            let found: Vec<usize> =
                (0..expected.len()).map(|character| positions.of(character).unwrap()).collect();
            assert_eq!(found, expected);
            assert_eq!((positions.of(expected.len()), positions.of(9999)), (Some(at), Some(at)));
        }
        assert_eq!(Positions::default().of(0), None);
    }

    #[test]
    fn lines_of_one_length_are_one_run_and_others_do_not_fill_the_memory() {
        let mut positions = Positions::default();
        (0..1_000_000).for_each(|line| positions.push(64, 65 * line));
        assert_eq!(positions.runs.len(), 1);
        let mut positions = Positions::default();
        let (mut at, mut end) = (0, 0);
        for line in 0..1_000_000 {
            let len = 1 + line % 3;
            positions.push(len, at);
            end = at + len;
            at += 10 + line % 7;
        }
        assert!(positions.runs.len() <= RUNS_MAX);
        assert_eq!((positions.of(0), positions.of(usize::MAX)), (None, Some(end)));
        assert!(positions.of(positions.count() - PIECE_AND_MORE).is_some());
    }

    const PIECE_AND_MORE: usize = 2 * super::super::base64_lines::PIECE;
}
