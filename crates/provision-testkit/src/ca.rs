//! A CA for tests that need one and are not about it.

use std::io;

use provision_csr::{
    CSR_LEN_MAX, IdentityKey as _, PortableKey, PortableP256, SoftwareKey as _, Subject, write_csr,
};
use provision_issuer::{CaNames, CaRequest, FileIssuer, Issuer, KeyProtection, Lifetime, Profile};
use provision_station::evidence::{Chain, Csr, Decision, Policy, Standing};
use provision_wire::DeviceSerial;

use crate::device::SeededEntropy;
use crate::pki::pem_to_der;
use crate::random::Random;

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

/// A certificate for a device that never was, by the whole way: key, CSR, possession, policy, CA.
///
/// # Errors
///
/// The CA did not sign.
pub fn certified(
    issuer: &mut impl Issuer,
    device: &DeviceSerial,
    seed: u64,
    now_s: u64,
) -> io::Result<Chain> {
    let key = PortableKey::generate(&mut SeededEntropy(Random::new(seed)));
    let key = key.map_err(|_| io::Error::other("seeded entropy makes a key"))?;
    let (mut out, challenge) = ([0; CSR_LEN_MAX], [7; 32]);
    let subject = Subject::new(device.as_str()).map_err(io::Error::other)?;
    let csr = write_csr(&subject, &key, &challenge, &mut out).map_err(io::Error::other)?;
    let csr = Csr::parse(csr.as_bytes()).map_err(io::Error::other)?;
    let csr = csr.prove_possession::<PortableP256>(&challenge).map_err(io::Error::other)?;
    let decided = Policy::default().decide(csr, device, &key.public_key(), Standing::Unknown);
    match decided.map_err(io::Error::other)? {
        Decision::Issue(approved) => issuer
            .issue(&approved, &Profile::new(Lifetime::Days(3650)), now_s)
            .map_err(io::Error::other),
        Decision::DeliverAgain(_) => Err(io::Error::other("a new device has no certificate")),
    }
}
