//! A CRL with a million entries, by the program that people use: from the ledger to the file, and
//! a certificate verified against it.

use std::fs;
use std::path::Path;

use provision_issuer::{CrlSource, KeyProtection, to_pem};
use rusqlite::Connection;

use super::Bench;
use crate::cost::Cost;
use crate::process::{Fault, While as _};

/// How many certificates were revoked.
pub(super) const ENTRIES: u64 = 1_000_000;

pub(super) struct Crl {
    /// Of the file, PEM.
    pub(super) bytes: u64,
    pub(super) made: Cost,
    pub(super) verified: Cost,
}

pub(super) fn measure(program: &Path, dir: &Path, bench: &Bench) -> Result<Crl, Fault> {
    revoke(bench)?;
    let mut issuer = bench.issuer()?;
    let leaf = bench.certify(&mut issuer, &bench.csrs[0], 0)?;
    let pem = to_pem(provision_issuer::DocumentKind::Certificate, &leaf);
    fs::write(dir.join("leaf.crt"), pem).while_doing("a file")?;

    let made = Cost::of(program, dir, &["crl"])?;
    let file = "crl/device-issuing.crl";
    let bytes = fs::metadata(dir.join(file)).while_doing(file)?.len();
    let verify = ["verify", "leaf.crt", "--trusted", "ca/device-ca-bundle.crt", "--crl", file];
    let verified = Cost::of(program, dir, &verify)?;
    Ok(Crl { bytes, made, verified })
}

/// A million rows, straight into the table: by `provision revoke` it would be a million waits for
/// the disk.
fn revoke(bench: &Bench) -> Result<(), Fault> {
    let sources = CrlSource::all(&bench.ca).while_doing("the CA")?;
    let source = sources.first().ok_or_else(|| Fault::new("the CA has no key"))?;
    let signer = source.open(&KeyProtection::InsecurePlaintext).while_doing("the CA")?;
    let rows = "
        INSERT INTO revocation (issuer_key_id, cert_serial, name, reason, revoked_at_s, not_after_s)
        WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ?2)
        SELECT ?1, unhex('5A' || hex(randomblob(19))), 'sensor-' || i, i % 6, ?3, ?3 + 86400
        FROM number";
    let ledger = Connection::open(bench.ca.join("ledger.sqlite")).while_doing("the ledger")?;
    let now_s = i64::try_from(bench.now_s).while_doing("the clock")?;
    let count = i64::try_from(ENTRIES).while_doing("a number")?;
    ledger.execute(rows, (signer.key_id(), count, now_s)).while_doing("the ledger")?;
    Ok(())
}
