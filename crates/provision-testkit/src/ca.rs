//! A CA for tests that need one and are not about it.

use std::io;

use provision_issuer::{CaNames, CaRequest, FileIssuer, KeyProtection};

use crate::pki::pem_to_der;

/// An issuer of device certificates, and the server root that goes with it, in DER. Made at this
/// time, in seconds since 1970-01-01 UTC, with keys in the clear; its files are gone already.
///
/// # Errors
///
/// There is no place for temporary files, or the CA could not be made.
pub fn ca(made_s: u64) -> io::Result<(FileIssuer, Vec<u8>)> {
    let place = tempfile::tempdir()?;
    let dir = place.path().join("ca");
    let names = CaNames::of("Test").map_err(io::Error::other)?;
    let request = CaRequest::new(names, KeyProtection::InsecurePlaintext, made_s);
    let made = provision_issuer::init(&dir, &request).map_err(io::Error::other)?;
    let issuer = FileIssuer::open(&dir, &request.protection).map_err(io::Error::other)?;
    let server_root = pem_to_der(&std::fs::read(made.server_root_certificate())?);
    Ok((issuer, server_root))
}
