//! Passphrases: from a file, the environment or a prompt.

use std::io::IsTerminal as _;
use std::path::Path;

use provision_issuer::{KeyProtection, Passphrase, PrivateKey, SealedKey};
use zeroize::Zeroizing;

use crate::arguments::{KeyPassphrase, NewKeyPassphrase};
use crate::cli::CaPlace;
use crate::fault::Fault;
use crate::files;

const OF_THE_CA: &str = "PROVISION_PASSPHRASE";
const OF_A_KEY: &str = "PROVISION_KEY_PASSPHRASE";
const OF_A_NEW_KEY: &str = "PROVISION_NEW_KEY_PASSPHRASE";

/// For a CA that is there: asks only if its keys are encrypted.
pub(crate) fn for_opening(place: &CaPlace, encrypted: bool) -> Result<KeyProtection, Fault> {
    if !encrypted {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    let given = given(place.passphrase_file.as_deref(), OF_THE_CA)?;
    given.map_or_else(|| prompt("Passphrase of the CA: "), Ok).and_then(protection)
}

/// For a CA that is to be made: a prompt asks twice.
pub(crate) fn for_making(place: &CaPlace) -> Result<KeyProtection, Fault> {
    new(place.passphrase_file.as_deref(), OF_THE_CA, "New passphrase for the CA: ")
}

/// For a key that is to be written.
pub(crate) fn for_new_key(arguments: &NewKeyPassphrase) -> Result<KeyProtection, Fault> {
    if arguments.insecure_plaintext_key {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    let file = arguments.new_passphrase_file.as_deref();
    new(file, OF_A_NEW_KEY, "Passphrase for the new key: ")
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
    let given = given(arguments.key_passphrase_file.as_deref(), OF_A_KEY)?;
    let text = format!("Passphrase of {}: ", path.display());
    given.map_or_else(|| prompt(&text), Ok).and_then(protection)
}

fn new(file: Option<&Path>, variable: &str, text: &str) -> Result<KeyProtection, Fault> {
    if let Some(given) = given(file, variable)? {
        return protection(given);
    }
    let first = prompt(text)?;
    if *prompt("The same once more: ")? != *first {
        return Err(Fault::Passphrase("the two passphrases differ".into()));
    }
    protection(first)
}

fn protection(mut text: Zeroizing<String>) -> Result<KeyProtection, Fault> {
    let passphrase = Passphrase::new(core::mem::take(&mut *text))
        .map_err(|fault| Fault::Passphrase(fault.to_string()))?;
    Ok(KeyProtection::Encrypted(passphrase))
}

/// From a file or the environment.
fn given(file: Option<&Path>, variable: &str) -> Result<Option<Zeroizing<String>>, Fault> {
    match file {
        Some(path) => files::first_line(path).map(Some),
        None => Ok(std::env::var(variable).ok().map(Zeroizing::new)),
    }
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Fault> {
    if !std::io::stdin().is_terminal() {
        return Err(Fault::Passphrase("a passphrase is needed, and none is given".into()));
    }
    rpassword::prompt_password(text)
        .map(Zeroizing::new)
        .map_err(|cause| Fault::Passphrase(format!("cannot ask for the passphrase: {cause}")))
}
