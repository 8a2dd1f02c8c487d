//! What can be wrong with a token.

use std::path::PathBuf;

use cryptoki::error::Error as CryptokiError;
use thiserror::Error;

use super::uri::TokenUriError;
use crate::files::FileError;
use crate::random::RandomError;

/// A key in a token could not be made or used.
#[derive(Debug, Error)]
pub enum TokenFault {
    /// The URI makes no sense.
    #[error(transparent)]
    Uri(#[from] TokenUriError),
    /// The library cannot be loaded.
    #[error("the PKCS#11 library {} cannot be used: {why}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// None of the tokens is the one that the URI names.
    #[error("no token is the one of the PKCS#11 URI; there are: {}", listed(there))]
    NoToken {
        /// Labels of those there are.
        there: Vec<String>,
    },
    /// The URI does not say enough.
    #[error("several tokens may be the one of the PKCS#11 URI; there are: {}", listed(there))]
    SeveralTokens {
        /// Labels of those there are.
        there: Vec<String>,
    },
    /// No PIN was given.
    #[error("the token needs its PIN")]
    NeedsPin,
    /// A file for the PIN has none.
    #[error("there is no PIN in the first line of {}", path.display())]
    NoPinInFile {
        /// The file.
        path: PathBuf,
    },
    /// Everybody can read the PIN.
    #[error("others than its owner may read the PIN in {} (mode {mode:04o})", path.display())]
    PinReadableByOthers {
        /// The file.
        path: PathBuf,
        /// The permission bits.
        mode: u32,
    },
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The token refuses the PIN. It counts how often.
    #[error("the token refuses the PIN; it was given once")]
    WrongPin,
    /// The token was given a wrong PIN too often.
    #[error("the token's PIN is locked: it was wrong too often")]
    PinLocked,
    /// There is no such key.
    #[error("the token has no private key of that name")]
    NoKey,
    /// The URI does not say which.
    #[error("the token has several private keys of that name: name one by its id too")]
    SeveralKeys,
    /// The public half is not there.
    #[error("the token has the private key, and no public key of the same id")]
    NoPublicKey,
    /// The public half cannot be made sense of.
    #[error("the token's public key cannot be read")]
    PublicKey,
    /// A kind of key that cannot sign here.
    #[error("the token's key is of the kind {kind}: P-256, P-384 and RSA can sign here")]
    Kind {
        /// Which.
        kind: String,
    },
    /// After the token was away, another key had the name.
    #[error("the token has another key of that name than before")]
    OtherKey,
    /// What it made is no signature.
    #[error("what the token made is no signature")]
    Signature,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The token, or its library, says no.
    #[error("the token does not {what}: {why}")]
    Refused {
        /// What it was asked.
        what: &'static str,
        /// What it said.
        why: String,
    },
}

fn listed(labels: &[String]) -> String {
    if labels.is_empty() { "none".into() } else { labels.join(", ") }
}

pub(super) fn refused(what: &'static str) -> impl FnOnce(CryptokiError) -> TokenFault {
    move |error| TokenFault::Refused { what, why: error.to_string() }
}
