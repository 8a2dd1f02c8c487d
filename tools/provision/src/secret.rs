//! The CA's passphrase: from a file, the environment or a prompt.

use std::fs;
use std::io::IsTerminal as _;

use provision_issuer::{KeyProtection, Passphrase};
use zeroize::{Zeroize as _, Zeroizing};

use crate::cli::CaPlace;
use crate::fault::Fault;

const VARIABLE: &str = "PROVISION_PASSPHRASE";

/// For a CA that is there: asks only if its keys are encrypted.
pub(crate) fn for_opening(place: &CaPlace, encrypted: bool) -> Result<KeyProtection, Fault> {
    if !encrypted {
        return Ok(KeyProtection::InsecurePlaintext);
    }
    given(place)?.map_or_else(|| prompt("Passphrase of the CA: "), Ok).and_then(protection)
}

/// For a CA that is to be made: a prompt asks twice.
pub(crate) fn for_making(place: &CaPlace) -> Result<KeyProtection, Fault> {
    if let Some(text) = given(place)? {
        return protection(text);
    }
    let text = prompt("New passphrase for the CA: ")?;
    if *prompt("The same once more: ")? != *text {
        return Err(Fault::Passphrase("the two passphrases differ".into()));
    }
    protection(text)
}

fn protection(mut text: Zeroizing<String>) -> Result<KeyProtection, Fault> {
    let passphrase = Passphrase::new(core::mem::take(&mut *text))
        .map_err(|fault| Fault::Passphrase(fault.to_string()))?;
    Ok(KeyProtection::Encrypted(passphrase))
}

/// From a file or the environment.
fn given(place: &CaPlace) -> Result<Option<Zeroizing<String>>, Fault> {
    if let Some(path) = &place.passphrase_file {
        let mut text =
            fs::read_to_string(path).map_err(|cause| Fault::Read { path: path.clone(), cause })?;
        let first = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
        text.zeroize();
        return Ok(Some(first));
    }
    Ok(std::env::var(VARIABLE).ok().map(Zeroizing::new))
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Fault> {
    if !std::io::stdin().is_terminal() {
        return Err(Fault::Passphrase(
            "the CA's keys are encrypted, and no passphrase is given".into(),
        ));
    }
    rpassword::prompt_password(text)
        .map(Zeroizing::new)
        .map_err(|cause| Fault::Passphrase(format!("cannot ask for the passphrase: {cause}")))
}
