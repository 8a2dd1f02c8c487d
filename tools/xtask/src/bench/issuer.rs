//! Certificates per second, beside what others do in the same run on the same machine; and a CRL
//! with a million entries, made and believed by the real program.
//!
//! Each certificate begins as a CSR in DER, whose own signature is checked. *Signed* ends with the
//! certificate in DER, *durable* with its row on the disk: a batch shares one wait for it, and
//! nothing of a batch is returned before.
//!
//! They take turns: for every thousand that becomes durable, ten times a hundred by each of the other
//! two, one after the other, each first in every second pair. Of all turns the median counts, so that
//! what the machine does besides, which stops one in the middle, slows none of them. How many times as
//! fast as rcgen we sign is the median over the pairs, not of two medians: a processor that is shared
//! with others has two speeds, for longer than a pair and for less than a run.

mod crl;
mod openssl;
mod peer;

use core::hint::black_box;
use std::env;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use provision_issuer::{
    CaNames, CaRequest, CertificateRequest, FileIssuer, KeyProtection, KeyType, PrivateKey,
    Profile, Subject, Variables,
};
use provision_ledger::{Certificates as _, NewCertificate, SqliteLedger};
use serde::Serialize;

use super::run_optimised;
use crate::needs::{self, OPENSSL};
use crate::process::{Fault, While as _};

#[derive(Debug, Serialize)]
struct Report {
    csrs: usize,
    signed_per_second: f64,
    signed_per_second_two_threads: f64,
    durable_per_second: f64,
    durable_per_second_two_threads: f64,
    rcgen_loop_per_second: f64,
    rcgen_loop_per_second_two_threads: f64,
    /// Of the rcgen loop, within a pair of turns.
    signed_ratio: f64,
    signed_ratio_two_threads: f64,
    openssl_loop_per_second: f64,
    crl_entries: u64,
    crl_seconds: f64,
    crl_cpu_seconds: f64,
    crl_peak_bytes: u64,
    crl_bytes: u64,
    verify_seconds: f64,
    verify_cpu_seconds: f64,
    verify_peak_bytes: u64,
}

/// `cargo xtask bench issuer`
pub(crate) fn run(json: bool) -> Result<(), Fault> {
    if cfg!(debug_assertions) {
        return run_optimised(&["issuer"], json);
    }
    needs::ensure(&[OPENSSL])?;
    let report = measure()?;
    if json {
        println!("{}", serde_json::to_string(&report).while_doing("JSON")?);
    } else {
        print(&report);
    }
    Ok(())
}

fn measure() -> Result<Report, Fault> {
    let program = env::current_exe().while_doing("where is this program")?;
    // On the disk that holds the build, not in a file system in memory.
    let built = program.parent().unwrap_or(Path::new("."));
    let place = tempfile::tempdir_in(built).while_doing("a directory for the measurement")?;
    let ca = place.path().join("ca");
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).while_doing("the clock")?.as_secs();
    let names = CaNames::of("Bench").while_doing("names")?;
    let request = CaRequest::new(names, KeyProtection::InsecurePlaintext, now_s);
    provision_issuer::init(&ca, &request).while_doing("a CA")?;
    let ledger = SqliteLedger::create(&ca.join("ledger.sqlite")).while_doing("a ledger")?;
    let bench = Bench { csrs: make_csrs(CSRS)?, profile: shipped()?, now_s, ca: ca.clone() };
    let ledger = Mutex::new(ledger);
    let peer = peer::Peer::new()?;

    let [one, two] = [1, 2].map(|threads| bench.turns(threads, &peer, &ledger));
    let (one, two) = (one?, two?);
    let openssl_loop_per_second = openssl::per_second(&bench.csrs, &ca, place.path())?;
    let crl = crl::measure(&built.join("provision"), place.path(), &bench)?;
    Ok(Report {
        csrs: CSRS,
        signed_per_second: one.signed,
        signed_per_second_two_threads: two.signed,
        durable_per_second: one.durable,
        durable_per_second_two_threads: two.durable,
        rcgen_loop_per_second: one.rcgen,
        rcgen_loop_per_second_two_threads: two.rcgen,
        signed_ratio: one.signed_ratio,
        signed_ratio_two_threads: two.signed_ratio,
        openssl_loop_per_second,
        crl_entries: crl::ENTRIES,
        crl_seconds: crl.made.seconds,
        crl_cpu_seconds: crl.made.cpu_seconds,
        crl_peak_bytes: crl.made.peak_bytes,
        crl_bytes: crl.bytes,
        verify_seconds: crl.verified.seconds,
        verify_cpu_seconds: crl.verified.cpu_seconds,
        verify_peak_bytes: crl.verified.peak_bytes,
    })
}

/// Certificates per second.
struct Rates {
    signed: f64,
    durable: f64,
    rcgen: f64,
    /// Of `signed` to `rcgen`, within a pair of turns.
    signed_ratio: f64,
}

/// What every measurement has.
struct Bench {
    /// DER.
    csrs: Vec<Vec<u8>>,
    profile: Profile,
    now_s: u64,
    ca: std::path::PathBuf,
}

impl Bench {
    /// Each does all the CSRs, a share at a time, one after the other.
    fn turns<'a>(
        &'a self,
        threads: usize,
        peer: &peer::Peer,
        ledger: &Mutex<SqliteLedger>,
    ) -> Result<Rates, Fault> {
        thread::scope(|scope| {
            let (told, results) = mpsc::channel();
            // They live as long as the measurement, as an issuer's threads do: aws-lc seeds the
            // random numbers of each new one, which takes as long as some certificates.
            let mut workers = Vec::with_capacity(threads);
            for _ in 0..threads {
                let (orders, received) = mpsc::channel::<Order<'_>>();
                // A CA is opened once, there as here.
                let (mut issuer, told) = (self.issuer()?, told.clone());
                workers.push(orders);
                scope.spawn(move || {
                    for Order { work, csrs } in received {
                        let result = match work {
                            Work::Rcgen => peer.certify(csrs),
                            Work::Sign => self.sign(&mut issuer, csrs),
                            Work::SignAndRecord => self.sign_and_record(&mut issuer, csrs, ledger),
                        };
                        if told.send(result).is_err() {
                            break;
                        }
                    }
                });
            }
            // Only the workers hold it now, so that their end is heard.
            drop(told);
            let rate = |work, csrs: &'a [Vec<u8>]| rate(&workers, &results, work, csrs);
            let (mut signed, mut rcgen, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            let mut durable = Vec::new();
            for batch in self.csrs.chunks(BATCH * threads) {
                for (at, csrs) in batch.chunks(TURN * threads).enumerate() {
                    let (ours, theirs) = if at % 2 == 0 {
                        let theirs = rate(Work::Rcgen, csrs)?;
                        (rate(Work::Sign, csrs)?, theirs)
                    } else {
                        (rate(Work::Sign, csrs)?, rate(Work::Rcgen, csrs)?)
                    };
                    signed.push(ours);
                    rcgen.push(theirs);
                    ratios.push(ours / theirs);
                }
                durable.push(rate(Work::SignAndRecord, batch)?);
            }
            Ok(Rates {
                signed: median(signed),
                durable: median(durable),
                rcgen: median(rcgen),
                signed_ratio: median(ratios),
            })
        })
    }

    fn issuer(&self) -> Result<FileIssuer, Fault> {
        FileIssuer::open(&self.ca, &KeyProtection::InsecurePlaintext).while_doing("the CA")
    }

    /// What `provision sign` does, but for files.
    fn certify(&self, issuer: &mut FileIssuer, csr: &[u8], at: usize) -> Result<Vec<u8>, Fault> {
        let csr = CertificateRequest::from_der(csr.to_vec()).while_doing("a CSR")?;
        let key = csr.prove().while_doing("a CSR's signature")?;
        let values = Variables::default().with("common_name", name(at));
        issuer
            .inner()
            .issue_to_host(&key, &self.profile, &values, self.now_s)
            .while_doing("a certificate")
    }

    fn sign(&self, issuer: &mut FileIssuer, csrs: &[Vec<u8>]) -> Result<(), Fault> {
        for (at, csr) in csrs.iter().enumerate() {
            black_box(self.certify(issuer, csr, at)?);
        }
        Ok(())
    }

    fn sign_and_record(
        &self,
        issuer: &mut FileIssuer,
        csrs: &[Vec<u8>],
        ledger: &Mutex<SqliteLedger>,
    ) -> Result<(), Fault> {
        for batch in csrs.chunks(BATCH) {
            let made: Vec<(Vec<u8>, String)> = batch
                .iter()
                .enumerate()
                .map(|(at, csr)| Ok((self.certify(issuer, csr, at)?, name(at))))
                .collect::<Result<_, Fault>>()?;
            let new: Vec<NewCertificate<'_>> = made
                .iter()
                .map(|(der, name)| NewCertificate { der, name, profile: "client" })
                .collect();
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.record_certificates(&new, self.now_s).while_doing("the ledger")?;
            drop(ledger);
            // Only now they would leave.
            black_box(made);
        }
        Ok(())
    }
}

/// CSRs for one of the threads.
struct Order<'a> {
    work: Work,
    csrs: &'a [Vec<u8>],
}

/// What is done with them.
#[derive(Debug, Clone, Copy)]
enum Work {
    Rcgen,
    Sign,
    SignAndRecord,
}

/// CSRs per second, shared among these threads.
fn rate<'a>(
    workers: &[Sender<Order<'a>>],
    results: &Receiver<Result<(), Fault>>,
    work: Work,
    csrs: &'a [Vec<u8>],
) -> Result<f64, Fault> {
    let ended = || Fault::new("a measurement panicked");
    let shares = csrs.chunks(csrs.len().div_ceil(workers.len()));
    let started = Instant::now();
    let mut under_way = 0;
    for (worker, csrs) in workers.iter().zip(shares) {
        worker.send(Order { work, csrs }).map_err(|_| ended())?;
        under_way += 1;
    }
    for _ in 0..under_way {
        results.recv().map_err(|_| ended())??;
    }
    Ok(csrs.len() as f64 / started.elapsed().as_secs_f64())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

fn shipped() -> Result<Profile, Fault> {
    Profile::shipped("client").ok_or_else(|| Fault::new("there is no profile for clients"))
}

fn name(at: usize) -> String {
    format!("client-{at:05}")
}

fn make_csrs(count: usize) -> Result<Vec<Vec<u8>>, Fault> {
    let make = |at: usize| {
        let key = PrivateKey::generate(KeyType::P256).while_doing("a key")?;
        let subject: Subject = format!("/CN={}", name(at)).parse().while_doing("a subject")?;
        let csr = CertificateRequest::make(&key, &subject, &[]).while_doing("a CSR")?;
        Ok(csr.as_der().to_vec())
    };
    (0..count).map(make).collect()
}

fn print(report: &Report) {
    let Report { rcgen_loop_per_second: rcgen, openssl_loop_per_second: openssl, .. } = *report;
    println!("certificates per second, from {} CSRs, P-256, one thread / two", report.csrs);
    let row = |what: &str, one: f64, two: Option<f64>| {
        let two = two.map_or_else(|| "-".into(), |two| format!("{two:.0}"));
        println!(
            "  {what:<34} {one:>8.0} / {two:>8}   {:>6.2} of rcgen   {:>6.0} of openssl",
            one / rcgen,
            one / openssl
        );
    };
    row("signed", report.signed_per_second, Some(report.signed_per_second_two_threads));
    row(
        "durable in the ledger",
        report.durable_per_second,
        Some(report.durable_per_second_two_threads),
    );
    row("rcgen with ring", rcgen, Some(report.rcgen_loop_per_second_two_threads));
    row("openssl x509 -req, a process each", openssl, None);
    println!(
        "  signed, beside rcgen in the turn before or after: {:.3} / {:.3}",
        report.signed_ratio, report.signed_ratio_two_threads
    );
    println!(
        "a CRL of {} entries, {} bytes: {:.2} s ({:.2} s of a processor), at most {} MB\n\
         verify against it: {:.2} s ({:.2} s of a processor), at most {} MB",
        report.crl_entries,
        report.crl_bytes,
        report.crl_seconds,
        report.crl_cpu_seconds,
        report.crl_peak_bytes / 1_000_000,
        report.verify_seconds,
        report.verify_cpu_seconds,
        report.verify_peak_bytes / 1_000_000,
    );
}

const CSRS: usize = 10_000;
/// Certificates that share one wait for the disk, by each thread.
const BATCH: usize = 1000;
/// Certificates of each thread's turn, where there is nothing to wait for.
const TURN: usize = 100;
