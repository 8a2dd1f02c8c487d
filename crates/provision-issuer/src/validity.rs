//! From when until when a certificate is valid.

use core::fmt;
use core::time::Duration;

use der::DateTime;
use thiserror::Error;
use x509_cert::time::{Time, Validity as X509Validity};

use crate::certificate::AnyTbs;

/// A span of time, both ends included, in seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before_s: u64,
    pub(crate) not_after_s: u64,
}

impl Validity {
    /// `days` from `now_s` on, begun `backdate_s` earlier.
    pub(crate) fn days(now_s: u64, backdate_s: u64, days: u32) -> Result<Self, ValidityError> {
        if days == 0 {
            return Err(ValidityError::NoTime);
        }
        let length_s = u64::from(days) * SECONDS_PER_DAY;
        let not_after_s = now_s.saturating_add(length_s);
        if not_after_s > LAST_S {
            return Err(ValidityError::BeyondYear9999 { not_after_s });
        }
        Ok(Self { not_before_s: now_s.saturating_sub(backdate_s), not_after_s })
    }

    /// From `now_s` on, begun `backdate_s` earlier, without a well-defined end: until
    /// 9999-12-31T23:59:59Z (RFC 5280 section 4.1.2.5).
    pub(crate) const fn without_end(now_s: u64, backdate_s: u64) -> Self {
        Self { not_before_s: now_s.saturating_sub(backdate_s), not_after_s: LAST_S }
    }

    pub(crate) fn of(certificate: &AnyTbs) -> Self {
        let validity = certificate.validity();
        Self {
            not_before_s: validity.not_before.to_unix_duration().as_secs(),
            not_after_s: validity.not_after.to_unix_duration().as_secs(),
        }
    }

    pub(crate) const fn contains(self, now_s: u64) -> bool {
        self.not_before_s <= now_s && now_s <= self.not_after_s
    }

    /// In X.509: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
    pub(crate) fn to_x509(self) -> der::Result<X509Validity> {
        Ok(X509Validity::new(time(self.not_before_s)?, time(self.not_after_s)?))
    }
}

/// A span of time that no certificate can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ValidityError {
    /// Zero days.
    #[error("a certificate cannot be valid for 0 days")]
    NoTime,
    /// X.509 writes the year in four digits.
    #[error("a certificate cannot be valid beyond the year 9999 (asked for {})", Moment(*.not_after_s))]
    BeyondYear9999 {
        /// The end asked for, in seconds since 1970-01-01 UTC.
        not_after_s: u64,
    },
}

/// A moment in seconds since 1970-01-01 UTC, shown as `2031-05-17T08:00:00Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_secs(self.0)) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{} s after 1970-01-01", self.0),
        }
    }
}

pub(crate) fn time(unix_s: u64) -> der::Result<Time> {
    Ok(Time::from(DateTime::from_unix_duration(Duration::from_secs(unix_s))?))
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// 9999-12-31T23:59:59Z.
pub(crate) const LAST_S: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2049-12-31T23:59:59Z.
    const LAST_OF_2049_S: u64 = 2_524_607_999;

    #[test]
    fn utc_time_through_2049_and_generalized_time_from_2050() {
        let is_utc = |unix_s| matches!(time(unix_s).unwrap(), Time::UtcTime(_));
        assert!(is_utc(0));
        assert!(is_utc(LAST_OF_2049_S));
        assert!(!is_utc(LAST_OF_2049_S + 1));
        assert!(!is_utc(LAST_S));
        assert_eq!(Moment(LAST_OF_2049_S).to_string(), "2049-12-31T23:59:59Z");
        assert_eq!(Moment(LAST_S).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn spans() {
        let validity = Validity::days(1_000_000, 300, 2).unwrap();
        assert_eq!(validity, Validity { not_before_s: 999_700, not_after_s: 1_172_800 });
        assert!(validity.contains(999_700) && validity.contains(1_172_800));
        assert!(!validity.contains(999_699) && !validity.contains(1_172_801));
        assert_eq!(Validity::days(0, 300, 1).unwrap().not_before_s, 0);
        assert_eq!(Validity::days(0, 0, 0), Err(ValidityError::NoTime));
        assert_eq!(
            Validity::days(LAST_S, 0, 1),
            Err(ValidityError::BeyondYear9999 { not_after_s: LAST_S + 86_400 })
        );
        assert!(Validity::days(0, 0, u32::MAX).is_err());
    }
}
