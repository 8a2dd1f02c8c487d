//! PKCS#12 for servers that want that: a key store, a trust store and the password of both.

use std::path::Path;

use provision_issuer::Passphrase;
use provision_issuer::pkcs12::{self, Strength};
use provision_issuer::read_file;
use zeroize::Zeroizing;

use super::{Folder, Material};
use crate::fault::Fault;
use crate::report::hex;
use crate::{files, system};

/// The server's key and certificates.
pub(super) const KEY_STORE: &str = "server.p12";
/// The CAs of the clients.
pub(super) const TRUST_STORE: &str = "device-cas.p12";
/// Opens both; a random one.
pub(super) const PASSWORD: &str = "store.password";

/// Adds the three to a folder. What is there of an earlier call stays, if it holds the same key and
/// certificates: a store written anew would differ in every byte.
pub(super) fn put(folder: &mut Folder, material: &Material) -> Result<(), Fault> {
    let path = folder.out().join(PASSWORD);
    let text = if path.exists() {
        files::first_line(&path)?
    } else {
        Zeroizing::new(hex(&system::bytes::<24>()?))
    };
    let password =
        Passphrase::new(text.to_string()).map_err(|fault| files::document(&path, &fault))?;
    folder.put_secret(PASSWORD, text.as_bytes());

    let made = || {
        let strength = Strength::Current;
        pkcs12::make("server", &material.key, &material.chain, &password, strength)
    };
    let same = |contents: &pkcs12::Contents| match contents.keys.as_slice() {
        [(_, key, chain)] => {
            key.public_key_der() == material.key.public_key_der() && *chain == material.chain
        }
        _ => false,
    };
    let store = kept(&folder.out().join(KEY_STORE), &password, same)?;
    let store = store.map_or_else(made, Ok)?;
    folder.put_secret(KEY_STORE, store);

    let named: Vec<(String, Vec<u8>)> = material
        .device_cas
        .iter()
        .enumerate()
        .map(|(at, der)| (format!("device-ca-{}", at + 1), der.clone()))
        .collect();
    let same = |contents: &pkcs12::Contents| {
        let mut ders: Vec<&[u8]> = contents.certificates.iter().map(|(_, der)| &der[..]).collect();
        let mut wanted: Vec<&[u8]> = material.device_cas.iter().map(|der| &der[..]).collect();
        ders.sort_unstable();
        wanted.sort_unstable();
        ders == wanted
    };
    let store = kept(&folder.out().join(TRUST_STORE), &password, same)?;
    let made = || pkcs12::make_trust_store(&named, &password, Strength::Current);
    folder.put(TRUST_STORE, store.map_or_else(made, Ok)?);
    Ok(())
}

/// The file that is there, if it opens and holds what it should.
fn kept(
    path: &Path,
    password: &Passphrase,
    is_same: impl Fn(&pkcs12::Contents) -> bool,
) -> Result<Option<Vec<u8>>, Fault> {
    if !path.exists() {
        return Ok(None);
    }
    let found = read_file(path).map_err(Fault::File)?;
    Ok(pkcs12::open(&found, password).is_ok_and(|contents| is_same(&contents)).then_some(found))
}
