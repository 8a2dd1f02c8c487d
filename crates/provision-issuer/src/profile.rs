//! What the certificates of devices say beyond name and key.

use crate::name::{Country, NameText};

/// Decides all of a device's certificate but its serial and its key. The device's wishes do not
/// count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Organization (O) in the subject.
    pub organization: Option<NameText>,
    /// Organizational unit (OU) in the subject.
    pub organizational_unit: Option<NameText>,
    /// Country (C) in the subject.
    pub country: Option<Country>,
    /// When it ends.
    pub lifetime: Lifetime,
    /// How long before its making it becomes valid, in seconds: for machines whose clocks run
    /// behind the station's. Never before the issuing CA became valid.
    pub backdate_s: u32,
}

impl Profile {
    /// A profile without further attributes, backdated by five minutes.
    #[must_use]
    pub const fn new(lifetime: Lifetime) -> Self {
        Self {
            organization: None,
            organizational_unit: None,
            country: None,
            lifetime,
            backdate_s: 300,
        }
    }
}

/// When a device's certificate ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// So many days after it was made. If the issuing CA ends before, nothing is issued: a
    /// certificate is never shortened in silence.
    Days(u32),
    /// Together with the issuing CA's.
    UntilIssuerEnds,
}
