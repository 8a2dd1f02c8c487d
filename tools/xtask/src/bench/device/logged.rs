//! What an image logs.

use crate::process::Fault;

/// A result, as the image logs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) instructions: u64,
    pub(super) instructions_min: u64,
    pub(super) instructions_max: u64,
    pub(super) stack_bytes: u64,
}

impl Logged {
    /// `measured instructions=240 min=240 max=240 stack=16`, in a line of a log.
    pub(super) fn parse(log: &str) -> Result<Self, Fault> {
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
}
