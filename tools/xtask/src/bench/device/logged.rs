//! What an image logs.

use crate::process::Fault;

/// A result, as the image logs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) instructions: u64,
    pub(crate) instructions_min: u64,
    pub(crate) instructions_max: u64,
    pub(crate) stack_bytes: u64,
}

impl Logged {
    /// `measured instructions=240 min=240 max=240 stack=16`, in a line of a log.
    pub(crate) fn parse(log: &str) -> Result<Self, Fault> {
        let line = log.lines().find_map(|line| line.trim().strip_prefix("measured "));
        let number = |name: &str| {
            let mut words = line?.split(' ');
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        let found = || {
            Some(Self {
                instructions: number("instructions")?,
                instructions_min: number("min")?,
                instructions_max: number("max")?,
                stack_bytes: number("stack")?,
            })
        };
        found().ok_or_else(|| Fault::new(format!("no result in the log:\n{log}")))
    }

    /// The mean, the extremes, and the deepest stack of several runs.
    pub(crate) fn of_all(runs: &[Self]) -> Option<Self> {
        let count = u64::try_from(runs.len()).ok()?;
        let sum: u64 = runs.iter().map(|run| run.instructions).sum();
        Some(Self {
            instructions: sum.checked_div(count)?,
            instructions_min: runs.iter().map(|run| run.instructions_min).min()?,
            instructions_max: runs.iter().map(|run| run.instructions_max).max()?,
            stack_bytes: runs.iter().map(|run| run.stack_bytes).max()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Logged;

    #[test]
    fn a_result_is_found_among_other_lines() {
        let log = "boot\r\nmeasured instructions=240 min=200 max=280 stack=16\r\n";
        let expected = Logged {
            instructions: 240,
            instructions_min: 200,
            instructions_max: 280,
            stack_bytes: 16,
        };
        assert_eq!(Logged::parse(log).ok(), Some(expected));
        assert!(Logged::parse("panicked at the disco").is_err());
        assert!(Logged::parse("measured instructions=240 min=200 max=280 stack=").is_err());
    }

    #[test]
    fn several_runs_are_one_result() {
        let run = |instructions, stack_bytes| Logged {
            instructions,
            instructions_min: instructions,
            instructions_max: instructions,
            stack_bytes,
        };
        let expected = Logged {
            instructions: 300,
            instructions_min: 200,
            instructions_max: 480,
            stack_bytes: 24,
        };
        assert_eq!(Logged::of_all(&[run(220, 16), run(480, 8), run(200, 24)]), Some(expected));
        assert_eq!(Logged::of_all(&[]), None);
    }
}
