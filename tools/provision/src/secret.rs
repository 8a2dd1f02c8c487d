//! Passphrases: from a file, the environment or a prompt.

use std::io::IsTerminal as _;
use std::path::Path;

use provision_issuer::{KeyProtection, Passphrase, PrivateKey, SealedKey};
use zeroize::Zeroizing;

use crate::arguments::{KeyPassphrase, NewKeyPassphrase};
use crate::cli::CaPlace;
use crate::fault::Fault;
use crate::files;

/// What a passphrase is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A CA that is there.
    TheCa,
    /// A CA that is made.
    ANewCa,
    /// A file that is read.
    AKey,
    /// A file that is written.
    ANewKey,
}

impl Of {
    const fn variable(self) -> &'static str {
        match self {
            Self::TheCa | Self::ANewCa => "PROVISION_PASSPHRASE",
            Self::AKey => "PROVISION_KEY_PASSPHRASE",
            Self::ANewKey => "PROVISION_NEW_KEY_PASSPHRASE",
        }
    }

    /// How it can be given, or done without.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::TheCa => {
                "give it with `--passphrase-file FILE` or in PROVISION_PASSPHRASE, or run in a \
                 terminal"
            }
            Self::ANewCa => {
                "give it with `--passphrase-file FILE` or in PROVISION_PASSPHRASE, or run in a \
                 terminal; for development, `--insecure-plaintext-keys` does without one"
            }
            Self::AKey => {
                "give it with `--key-passphrase-file FILE` or in PROVISION_KEY_PASSPHRASE, or run \
                 in a terminal"
            }
            Self::ANewKey => {
                "give it with `--new-passphrase-file FILE` or in PROVISION_NEW_KEY_PASSPHRASE, or \
                 run in a terminal; a key can be made without one by `--insecure-plaintext-key` \
                 (`kit`: `--insecure-plaintext-keys`)"
            }
        }
    }
}

/// For a CA that is there: asks only if its keys are encrypted.
pub(crate) fn for_opening(place: &CaPlace, encrypted: bool) -> Result<KeyProtection, Fault> {
    if !encrypted {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    let given = given(place.passphrase_file.as_deref(), Of::TheCa)?;
    given
        .map_or_else(|| prompt("Passphrase of the CA: ", Of::TheCa), Ok)
        .and_then(|text| protection(text, Of::TheCa))
}

/// For a CA that is to be made: a prompt asks twice.
pub(crate) fn for_making(place: &CaPlace) -> Result<KeyProtection, Fault> {
    new(place.passphrase_file.as_deref(), Of::ANewCa, "New passphrase for the CA: ")
}

/// For a key that is to be written.
pub(crate) fn for_new_key(arguments: &NewKeyPassphrase) -> Result<KeyProtection, Fault> {
    if arguments.insecure_plaintext_key {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    let file = arguments.new_passphrase_file.as_deref();
    new(file, Of::ANewKey, "Passphrase for the new key: ")
}

/// Reads a private key from a file, whatever its form, and asks for its passphrase if it has one.
pub(crate) fn read_key(path: &Path, arguments: &KeyPassphrase) -> Result<PrivateKey, Fault> {
    let contents = files::read(path)?;
    open_key(path, &contents, arguments)
}

/// The same of contents that were read.
pub(crate) fn open_key(
    path: &Path,
    contents: &[u8],
    arguments: &KeyPassphrase,
) -> Result<PrivateKey, Fault> {
    let sealed = SealedKey::find(contents).map_err(|fault| files::document(path, &fault))?;
    let protection = if sealed.is_encrypted() { Some(for_key(path, arguments)?) } else { None };
    sealed
        .open(protection.as_ref().unwrap_or(&KeyProtection::InsecurePlaintext))
        .map_err(|fault| files::document(path, &fault))
}

/// What opens a file that is known to be under a passphrase.
pub(crate) fn for_key(path: &Path, arguments: &KeyPassphrase) -> Result<KeyProtection, Fault> {
    let given = given(arguments.key_passphrase_file.as_deref(), Of::AKey)?;
    let text = format!("Passphrase of {}: ", path.display());
    given.map_or_else(|| prompt(&text, Of::AKey), Ok).and_then(|text| protection(text, Of::AKey))
}

fn new(file: Option<&Path>, of: Of, text: &str) -> Result<KeyProtection, Fault> {
    if let Some(given) = given(file, of)? {
        return protection(given, of);
    }
    let first = prompt(text, of)?;
    if *prompt("The same once more: ", of)? != *first {
        return Err(Fault::Passphrase { of, what: "the two passphrases differ".into() });
    }
    protection(first, of)
}

fn protection(mut text: Zeroizing<String>, of: Of) -> Result<KeyProtection, Fault> {
    let passphrase = Passphrase::new(core::mem::take(&mut *text))
        .map_err(|fault| Fault::Passphrase { of, what: fault.to_string() })?;
    Ok(KeyProtection::Encrypted(passphrase))
}

/// From a file or the environment.
fn given(file: Option<&Path>, of: Of) -> Result<Option<Zeroizing<String>>, Fault> {
    match file {
        Some(path) => files::first_line(path).map(Some),
        None => Ok(std::env::var(of.variable()).ok().map(Zeroizing::new)),
    }
}

fn prompt(text: &str, of: Of) -> Result<Zeroizing<String>, Fault> {
    if !std::io::stdin().is_terminal() {
        let what = "a passphrase is needed, and none is given".into();
        return Err(Fault::Passphrase { of, what });
    }
    rpassword::prompt_password(text)
        .map(Zeroizing::new)
        .map_err(|cause| Fault::Passphrase { of, what: format!("cannot ask for it: {cause}") })
}
