//! What a TLS server presented.

use core::fmt;

use pki_types::{CertificateDer, Der, TrustAnchor};
use provision_csr::{BadSignature, PublicKey, Signature, VerifyP256};
use webpki::{EndEntityCert, KeyUsage};

use crate::{AnchorFault, PathFault, ServerName, UnixSeconds, anchor, path::Presented};

/// Most trust anchors looked at for one server.
pub const ANCHORS_MAX: usize = 4;

/// Checks that `end_entity` may speak for `name`: a path for TLS server authentication at `now`
/// leads to one of `anchors`, and the name is among its subjectAltNames.
///
/// `issuers` are the other certificates the server sent, in any order. What is returned is the
/// first of two proofs: the server must still sign with that key.
///
/// # Errors
///
/// [`ServerFault`] names what is wrong and where.
pub fn check_server<V: VerifyP256>(
    end_entity: &[u8],
    issuers: &[&[u8]],
    anchors: &[&[u8]],
    name: &ServerName<'_>,
    now: UnixSeconds,
) -> Result<ServerKey, ServerFault> {
    let presented = Presented::parse(end_entity, issuers)?;

    if anchors.len() > ANCHORS_MAX {
        return Err(ServerFault::TooManyAnchors { found: anchors.len(), max: ANCHORS_MAX });
    }
    let anchor_ders: [CertificateDer<'_>; ANCHORS_MAX] = core::array::from_fn(|nth| {
        CertificateDer::from(anchors.get(nth).copied().unwrap_or_default())
    });
    let mut trusted: [TrustAnchor<'_>; ANCHORS_MAX] = [NOBODY; ANCHORS_MAX];
    for (number, (der, trusted)) in
        (0..).zip(anchor_ders.iter().zip(&mut trusted).take(anchors.len()))
    {
        *trusted =
            anchor::check(der).map_err(|fault| ServerFault::Anchor { anchor: number, fault })?;
    }
    let trusted = trusted.get(..anchors.len()).unwrap_or_default();

    presented.check_path::<V>(trusted, KeyUsage::server_auth(), now)?;
    EndEntityCert::try_from(presented.leaf())
        .and_then(|leaf| leaf.verify_is_valid_for_subject_name(name.as_pki()))
        .map_err(|_| ServerFault::WrongName)?;
    let key = presented.leaf_fields().p256_key().ok_or(PathFault::UnsupportedAlgorithm)?;
    Ok(ServerKey(key))
}

/// The key of a server whose certificate was checked: only [`check_server`] makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerKey(PublicKey);

impl ServerKey {
    /// Checks a signature by this key over a SHA-256 digest.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it is not by this key.
    pub fn verify<V: VerifyP256>(
        &self,
        sha256: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        V::verify_digest(&self.0, sha256, signature)
    }
}

/// Why a server's certificate was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ServerFault {
    /// More trust anchors than are ever looked at.
    TooManyAnchors {
        /// How many were given.
        found: usize,
        /// [`ANCHORS_MAX`].
        max: usize,
    },
    /// A trust anchor given is none.
    Anchor {
        /// Which one, counted from 0.
        anchor: u8,
        /// Why.
        fault: AnchorFault,
    },
    /// The path to an anchor is not valid.
    Path(PathFault),
    /// The certificate is good, but for other names than the one asked for.
    WrongName,
}

impl From<PathFault> for ServerFault {
    fn from(fault: PathFault) -> Self {
        Self::Path(fault)
    }
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyAnchors { found, max } => {
                write!(f, "{found} trust anchors, and at most {max} are looked at")
            }
            Self::Anchor { anchor, fault } => write!(f, "trust anchor {anchor}: {fault}"),
            Self::Path(fault) => fault.fmt(f),
            Self::WrongName => f.write_str("the server's certificate is for other names"),
        }
    }
}

impl core::error::Error for ServerFault {}

/// Fills the places of anchors that were not given; never looked at.
const NOBODY: TrustAnchor<'static> = TrustAnchor {
    subject: Der::from_slice(&[]),
    subject_public_key_info: Der::from_slice(&[]),
    name_constraints: None,
};
