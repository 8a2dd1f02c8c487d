//! A serial line on which things go wrong.

use std::borrow::Cow;

use crate::random::Random;

/// How often what goes wrong: once in so many writes; 0 is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineFaults {
    /// Some bytes are lost.
    pub lose: u64,
    /// Some bytes come twice.
    pub repeat: u64,
    /// A bit flips.
    pub corrupt: u64,
    /// Log text stands between the bytes.
    pub log_text: u64,
}

impl LineFaults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self { lose: 0, repeat: 0, corrupt: 0, log_text: 0 };
    /// Worse than any cable that anybody would keep.
    pub const BAD: Self = Self { lose: 12, repeat: 20, corrupt: 12, log_text: 6 };
}

/// What one end writes on its way to the other.
#[derive(Debug, Clone)]
pub struct FaultyLine {
    faults: LineFaults,
    random: Random,
    /// Writes that did not arrive as they were sent.
    pub hits: u64,
}

const LOG_TEXT: [&[u8]; 4] = [
    b"\r\n*** Booting firmware v1.4.2 ***\r\n",
    b"[00:00:01.204] <inf> sensor: calibrated\r\n",
    b"E (312) wifi: no AP found\n",
    b"\xff\x00\xfe\x00\x00garbage\x80\x81",
];

impl FaultyLine {
    /// A line with these faults, the same for the same seed.
    #[must_use]
    pub const fn new(faults: LineFaults, seed: u64) -> Self {
        Self { faults, random: Random::new(seed), hits: 0 }
    }

    /// What arrives of `bytes`.
    pub fn carry<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut arrived = Cow::Borrowed(bytes);
        let faults = self.faults;
        let random = &mut self.random;
        let strikes = |random: &mut Random, times: u64| times > 0 && random.once_in(times);
        if strikes(random, faults.lose) {
            let (from, to) = range(random, arrived.len());
            arrived.to_mut().drain(from..to);
        }
        if strikes(random, faults.repeat) {
            let (from, to) = range(random, arrived.len());
            let again = arrived[from..to].to_vec();
            arrived.to_mut().splice(to..to, again);
        }
        if strikes(random, faults.corrupt) && !arrived.is_empty() {
            let at = random.below(arrived.len() as u64) as usize;
            arrived.to_mut()[at] ^= 1 << random.below(8);
        }
        if strikes(random, faults.log_text) {
            let text = LOG_TEXT[random.below(LOG_TEXT.len() as u64) as usize];
            // Mostly between frames, now and then inside one.
            let at = if random.once_in(4) { random.below(arrived.len() as u64 + 1) } else { 0 };
            arrived.to_mut().splice(at as usize..at as usize, text.iter().copied());
        }
        self.hits += u64::from(matches!(&arrived, Cow::Owned(arrived) if arrived != bytes));
        arrived
    }
}

/// Some part of `len` bytes; now and then all of them.
fn range(random: &mut Random, len: usize) -> (usize, usize) {
    if random.once_in(3) {
        return (0, len);
    }
    let from = random.below(len as u64 + 1) as usize;
    let to = from + random.below((len - from) as u64 + 1) as usize;
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_line_carries_everything_and_a_bad_one_does_not() {
        let message = [7; 100];
        let mut good = FaultyLine::new(LineFaults::NONE, 1);
        let mut bad = FaultyLine::new(LineFaults::BAD, 1);
        for _ in 0..1000 {
            assert_eq!(*good.carry(&message), message);
            bad.carry(&message);
        }
        assert_eq!(good.hits, 0);
        assert!((150..600).contains(&bad.hits), "{} of 1000 were hit", bad.hits);
    }
}
