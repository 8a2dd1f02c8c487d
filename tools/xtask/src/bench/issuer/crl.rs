//! A CRL with a million entries, by the program that people use: from the ledger to the file, and
//! a certificate verified against it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use provision_issuer::{CrlSource, KeyProtection, to_pem};
use rusqlite::Connection;

use super::Bench;
use crate::process::{Fault, While as _};

/// How many certificates were revoked.
pub(super) const ENTRIES: u64 = 1_000_000;

pub(super) struct Crl {
    /// Of the file, PEM.
    pub(super) bytes: u64,
    pub(super) made: Cost,
    pub(super) verified: Cost,
}

/// What one run of the program takes.
pub(super) struct Cost {
    pub(super) seconds: f64,
    /// What other programs do meanwhile is not in this.
    pub(super) cpu_seconds: f64,
    /// The largest run so far.
    pub(super) peak_bytes: u64,
}

pub(super) fn measure(program: &Path, dir: &Path, bench: &Bench) -> Result<Crl, Fault> {
    revoke(bench)?;
    let mut issuer = bench.issuer()?;
    let leaf = bench.certify(&mut issuer, &bench.csrs[0], 0)?;
    let pem = to_pem(provision_issuer::DocumentKind::Certificate, &leaf);
    fs::write(dir.join("leaf.crt"), pem).while_doing("a file")?;

    let made = run(program, dir, &["crl"])?;
    let file = "crl/device-issuing.crl";
    let bytes = fs::metadata(dir.join(file)).while_doing(file)?.len();
    let verify = ["verify", "leaf.crt", "--trusted", "ca/device-ca-bundle.crt", "--crl", file];
    let verified = run(program, dir, &verify)?;
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

fn run(program: &Path, dir: &Path, arguments: &[&str]) -> Result<Cost, Fault> {
    let before = cpu_seconds(&children()?);
    let started = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .while_doing(program.display())?;
    let seconds = started.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(Fault::new(String::from_utf8_lossy(&output.stderr)));
    }
    let usage = children()?;
    let rounded = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    Ok(Cost {
        seconds: rounded(seconds),
        cpu_seconds: rounded(cpu_seconds(&usage) - before),
        // In KiB on Linux, of the largest child so far: what ran before was small.
        peak_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
    })
}

fn children() -> Result<Usage, Fault> {
    getrusage(UsageWho::RUSAGE_CHILDREN).while_doing("what the programs took")
}

fn cpu_seconds(usage: &Usage) -> f64 {
    [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .iter()
        .sum()
}
