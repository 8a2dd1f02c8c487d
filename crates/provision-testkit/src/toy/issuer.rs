//! The toy CA.

use provision_issuer::{IssueError, Issuer, Lifetime, Profile};
use provision_station::evidence::{ApprovedCsr, Chain};

use super::certificate::{Purpose, Statement, certify};
use crate::planted::Bug;
use crate::random::Random;
use crate::toy_p256::ToyKey;

/// The CA certificates and keys of a toy factory, always the same.
#[derive(Clone)]
pub struct ToyCa {
    root: Vec<u8>,
    issuing: Vec<u8>,
    server_root: Vec<u8>,
}

impl ToyCa {
    /// Makes them.
    #[must_use]
    pub fn new() -> Self {
        let ca = |subject, secret, issuer, signer: [u8; 32], path_len| {
            let statement = Statement {
                serial: [path_len + 1; 8],
                issuer,
                not_before_s: MADE_S,
                not_after_s: ENDS_S,
                subject,
                public_key: ToyKey::public_of(&secret),
                purpose: Purpose::Ca { path_len },
            };
            certify(&statement, &ToyKey::new(signer))
        };
        Self {
            root: ca(ROOT, ROOT_SECRET, ROOT, ROOT_SECRET, 1),
            issuing: ca(ISSUING, ISSUING_SECRET, ROOT, ROOT_SECRET, 0),
            server_root: ca(SERVER_ROOT, SERVER_ROOT_SECRET, SERVER_ROOT, SERVER_ROOT_SECRET, 0),
        }
    }

    /// An issuer whose serial numbers are drawn from `random`. Devices hang from the root
    /// directly, or, if `with_issuing_ca`, from a CA below it.
    #[must_use]
    pub fn issuer(&self, random: Random, with_issuing_ca: bool, bug: Bug) -> ToyIssuer {
        let (name, secret, issuers) = if with_issuing_ca {
            (ISSUING, ISSUING_SECRET, vec![self.issuing.clone()])
        } else {
            (ROOT, ROOT_SECRET, Vec::new())
        };
        ToyIssuer {
            name,
            key: ToyKey::new(secret),
            issuers,
            anchor: self.root.clone(),
            random,
            bug,
        }
    }

    /// The device root, DER.
    #[must_use]
    pub fn device_root(&self) -> &[u8] {
        &self.root
    }

    /// What devices trust for servers, DER.
    #[must_use]
    pub fn server_root(&self) -> &[u8] {
        &self.server_root
    }
}

impl Default for ToyCa {
    fn default() -> Self {
        Self::new()
    }
}

/// An [`Issuer`] over a [`ToyCa`]. Of the profile it takes the lifetime and the backdating; it
/// writes neither O, OU nor C.
pub struct ToyIssuer {
    name: &'static str,
    key: ToyKey,
    issuers: Vec<Vec<u8>>,
    anchor: Vec<u8>,
    random: Random,
    bug: Bug,
}

impl Issuer for ToyIssuer {
    fn issue(
        &mut self,
        approved: &ApprovedCsr,
        profile: &Profile,
        now_s: u64,
    ) -> Result<Chain, IssueError> {
        let mut serial = self.random.bytes::<8>();
        // Positive, and without a leading zero.
        serial[0] = serial[0] & 0x3f | 0x40;
        if self.bug == Bug::IssuerRepeatsSerials {
            serial = [0x40; 8];
        }
        let not_after_s = match profile.lifetime {
            Lifetime::Days(days) => now_s + u64::from(days) * 24 * 60 * 60,
            Lifetime::UntilIssuerEnds => ENDS_S,
            Lifetime::NoEnd => {
                return Err(IssueError::IssuerEnds { issuer_not_after_s: ENDS_S });
            }
        };
        let purpose = if self.bug == Bug::IssuerMakesCas {
            Purpose::Ca { path_len: 0 }
        } else {
            Purpose::Device
        };
        let leaf = Statement {
            serial,
            issuer: self.name,
            not_before_s: now_s.saturating_sub(u64::from(profile.backdate_s)),
            not_after_s,
            subject: approved.device().as_str(),
            public_key: *approved.public_key(),
            purpose,
        };
        let leaf = certify(&leaf, &self.key);
        Ok(approved.certified(leaf, self.issuers.clone(), self.anchor.clone())?)
    }
}

const ROOT: &str = "Root";
const ISSUING: &str = "Issuing";
const SERVER_ROOT: &str = "Server";
const ROOT_SECRET: [u8; 32] = *b"the secret of the toy root......";
const ISSUING_SECRET: [u8; 32] = *b"the secret of the toy issuing CA";
const SERVER_ROOT_SECRET: [u8; 32] = *b"the secret of the toy servers...";
/// 2023-11-14.
const MADE_S: u64 = 1_700_000_000;
/// 2049-12-31T23:59:59Z: the last moment that UTCTime can say.
const ENDS_S: u64 = 2_524_607_999;
