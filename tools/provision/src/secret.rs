//! Passphrases: from a file, the environment or a prompt.

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::Command;

use provision_issuer::{KeyProtection, Passphrase, PrivateKey, SealedKey, TokenUri};
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

/// Takes what may be secret out of the environment of a program that is started: a hook is no part
/// of this one, and may show its environment or hand it on.
pub(crate) fn keep_from(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| may_hold_a_secret(name)) {
        command.env_remove(name);
    }
    command
}

/// Every passphrase, and what the ledger's database is opened by: its address may have a password in
/// it.
fn may_hold_a_secret(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.starts_with("PROVISION_") && name.ends_with("PASSPHRASE")
            || matches!(name, "PROVISION_LEDGER" | "PGPASSWORD")
    })
}

/// For a CA that is there: asks only if its keys are encrypted.
pub(crate) fn for_opening(place: &CaPlace, encrypted: bool) -> Result<KeyProtection, Fault> {
    if !encrypted {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    let text = "Passphrase of the CA, or PIN of its token: ";
    given_or_typed(place.passphrase_file.as_deref(), Of::TheCa, text)
}

/// The PIN of a token in which a CA's keys are to be made, unless a file has it.
pub(crate) fn for_token(uri: &TokenUri, place: &CaPlace) -> Result<KeyProtection, Fault> {
    if uri.pin_source().is_some() {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    given_or_typed(place.passphrase_file.as_deref(), Of::TheCa, PIN_PROMPT)
}

/// The same for a key that is in a token already.
pub(crate) fn for_token_key(
    uri: &TokenUri,
    arguments: &KeyPassphrase,
) -> Result<KeyProtection, Fault> {
    if uri.pin_source().is_some() {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    given_or_typed(arguments.key_passphrase_file.as_deref(), Of::AKey, PIN_PROMPT)
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
    let text = format!("Passphrase of {}: ", path.display());
    given_or_typed(arguments.key_passphrase_file.as_deref(), Of::AKey, &text)
}

/// Whether there is one for a file that is read, so that nobody has to be asked.
pub(crate) fn is_given(arguments: &KeyPassphrase) -> bool {
    arguments.key_passphrase_file.is_some() || std::env::var_os(Of::AKey.variable()).is_some()
}

const PIN_PROMPT: &str = "PIN of the token: ";

/// For what is there: a prompt asks once.
fn given_or_typed(file: Option<&Path>, of: Of, text: &str) -> Result<KeyProtection, Fault> {
    match given(file, of)? {
        Some(given) => given,
        None => prompt(text, of)?,
    }
    .protection(of)
}

fn new(file: Option<&Path>, of: Of, text: &str) -> Result<KeyProtection, Fault> {
    if let Some(given) = given(file, of)? {
        return given.protection(of);
    }
    let first = prompt(text, of)?;
    if *prompt("The same once more: ", of)?.text != *first.text {
        return Err(Fault::Passphrase { of, what: "the two passphrases differ".into() });
    }
    first.protection(of)
}

/// A passphrase as it came.
struct Given {
    text: Zeroizing<String>,
    /// The file or the variable it is from; empty if somebody typed it.
    from: String,
}

impl Given {
    fn protection(mut self, of: Of) -> Result<KeyProtection, Fault> {
        let passphrase = Passphrase::new(core::mem::take(&mut *self.text));
        passphrase.map(KeyProtection::Encrypted).map_err(|fault| Fault::Passphrase {
            of,
            what: match self.from.as_str() {
                "" => fault.to_string(),
                from => format!("{from}: {fault}"),
            },
        })
    }
}

/// From a file or the environment.
fn given(file: Option<&Path>, of: Of) -> Result<Option<Given>, Fault> {
    match file {
        Some(path) => {
            let text = files::first_line(path)?;
            Ok(Some(Given { text, from: path.display().to_string() }))
        }
        None => Ok(std::env::var(of.variable())
            .ok()
            .map(|text| Given { text: Zeroizing::new(text), from: of.variable().to_owned() })),
    }
}

fn prompt(text: &str, of: Of) -> Result<Given, Fault> {
    if !std::io::stdin().is_terminal() {
        let what = "a passphrase is needed, and none is given".into();
        return Err(Fault::Passphrase { of, what });
    }
    rpassword::prompt_password(text)
        .map(|text| Given { text: Zeroizing::new(text), from: String::new() })
        .map_err(|cause| Fault::Passphrase { of, what: format!("cannot ask for it: {cause}") })
}
