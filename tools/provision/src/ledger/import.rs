//! `provision ledger import`: what `export` wrote, into another ledger.

mod csv_rows;
mod json_lines;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use der::DecodePem as _;
use provision_issuer::verify::{CrlScope, Purpose, VerifyRequest, verify};
use provision_issuer::{CaDirectory, DocumentKind, Reason};
use provision_ledger::{Expected, ImportError, ImportHolder, ImportRow, Lot, StorageError};
use provision_station::evidence::Chain;
use serde_json::json;
use sha2_device::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Encode as _;

use super::export::Format;
use crate::arguments::{bytes_of_hex, cert_serial};
use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::report::{Report, hex};
use crate::{files, system};

const EXAMPLES: &str = "\
Examples:
  provision ledger export --format json --out all.json
  provision ledger create --ledger new.sqlite
  provision ledger import --format json --in all.json --ledger new.sqlite
  provision ledger import --format csv --in plant-2.csv --issuers plant-2-ca.crt

All of the file is imported, or nothing. What is on record already stays as it is, so the same file
again changes nothing. docs/ledger.md says what the formats keep, and what not.

The others cannot be imported, because what they were made for needs less: aws-bulk, azure-dps and nrf
have certificates without their times, states and revocations; aws-mar has not even names; and
mosquitto-acl has names alone.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// What wrote it: csv or json.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Format,

    /// The file; - for standard input.
    #[arg(long = "in", value_name = "FILE")]
    pub input: PathBuf,

    /// Certificates above those of the devices, in a PEM file each, issuing CA first, root last; may
    /// be given several times [default: those of the CA].
    #[arg(long, value_name = "FILE")]
    pub issuers: Vec<PathBuf>,

    #[command(flatten)]
    pub place: LedgerPlace,
}

/// Why a line is not imported.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// What it says makes no sense, or is not believed.
    Line(u64, String),
    /// It cannot stand beside what is on record.
    Import(ImportError),
    /// It cannot be read.
    Input(io::Error),
}

impl From<ImportError> for Wrong {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

impl From<StorageError> for Wrong {
    fn from(error: StorageError) -> Self {
        Self::Import(error.into())
    }
}

/// What a line of either format says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub name: String,
    /// `device`, or the profile of what is none.
    pub kind: String,
    pub state: String,
    pub cert_serial: String,
    pub sha256: String,
    /// None for what is no device's.
    pub public_key: Option<String>,
    pub lot: Option<String>,
    pub generation: Option<u64>,
    pub issued_at_s: u64,
    pub not_after_s: u64,
    pub revoked_at_s: Option<u64>,
    pub reason: Option<String>,
    pub certificate: String,
    pub enrolled_at_s: Option<u64>,
    pub delivery_sha256: Option<String>,
}

/// Hands over one line after the other, with its number.
pub(crate) trait Lines {
    fn next(&mut self) -> Result<Option<(u64, Fields)>, Wrong>;
}

pub(crate) fn import(arguments: &Import, report: &mut Report) -> Result<(), Fault> {
    let path = &arguments.input;
    let upper = upper_chains(arguments)?;
    let open = || -> Result<Box<dyn Read>, Fault> {
        if files::is_dash(path) {
            return Ok(Box::new(files::standard_input()?));
        }
        let opened = File::open(path).map_err(|cause| Fault::Read { path: path.clone(), cause })?;
        Ok(Box::new(opened))
    };
    let mut lines: Box<dyn Lines> = match arguments.format {
        Format::Csv => Box::new(csv_rows::CsvRows::new(open()?)),
        Format::Json => Box::new(json_lines::JsonLines::new(open()?)),
        other => return Err(Fault::Usage(no_import(other))),
    };
    let mut ledger = super::open_in(&arguments.place)?;
    let mut at = 0;
    let mut next = || match lines.next()? {
        None => Ok(None),
        Some((line, fields)) => {
            at = line;
            let row = fields.judged(&upper).map_err(|why| Wrong::Line(line, why))?;
            Ok(Some(row))
        }
    };
    let imported = ledger.import(&mut next, system::now_s()?);
    let imported = imported.map_err(|wrong| match wrong {
        Wrong::Line(line, why) => Fault::NotImported { path: path.clone(), line, why },
        Wrong::Import(ImportError::Storage(error)) => error.into(),
        Wrong::Import(error) => {
            Fault::NotImported { path: path.clone(), line: at, why: error.to_string() }
        }
        Wrong::Input(cause) => Fault::Read { path: path.clone(), cause },
    })?;
    // What was there and what came is one chain.
    let links = ledger.audit(&Expected::default())?.links;
    report.result(
        &format!(
            "{}: {} certificates imported, {} were on record, {} revoked; {links} links, nothing \
             was changed",
            ledger.place(),
            imported.added,
            imported.known,
            imported.revoked
        ),
        &json!({
            "event": "result",
            "ledger": ledger.place(),
            "imported": imported.added,
            "known": imported.known,
            "revoked": imported.revoked,
            "links": links,
        }),
    )
}

fn no_import(format: Format) -> String {
    let why = match format {
        Format::MosquittoAcl => "mosquitto-acl has names alone, and no certificates",
        Format::AwsMar => "aws-mar has certificates without names, times, states and revocations",
        _ => "it has certificates without their times, states and revocations",
    };
    format!("{why}: csv and json can be imported")
}

/// What stands above devices' certificates: for each CA, issuers and root.
fn upper_chains(arguments: &Import) -> Result<Vec<Vec<Vec<u8>>>, Fault> {
    if arguments.issuers.is_empty() {
        let ca = CaDirectory::at(&arguments.place.ca);
        let read = |path: PathBuf| files::read_one(&path, DocumentKind::Certificate);
        let chain = [ca.device_issuing_certificate(), ca.device_root_certificate()];
        if !chain.iter().all(|path| path.exists()) {
            return Ok(Vec::new());
        }
        return Ok(vec![chain.into_iter().map(read).collect::<Result<_, _>>()?]);
    }
    let read = |path: &PathBuf| files::read_all(path, DocumentKind::Certificate);
    arguments.issuers.iter().map(read).collect()
}

impl Fields {
    /// A row to import, if all that the line says fits together.
    fn judged(self, upper: &[Vec<Vec<u8>>]) -> Result<ImportRow, String> {
        let certificate = Certificate::from_pem(self.certificate.as_bytes())
            .map_err(|error| format!("`certificate` is no certificate in PEM ({error})"))?;
        let leaf = certificate.to_der().map_err(|error| error.to_string())?;
        let tbs = certificate.tbs_certificate();
        let not_after_s = tbs.validity().not_after.to_unix_duration().as_secs();
        fits("sha256", &self.sha256, &hex(&Sha256::digest(&leaf)))?;
        let serial = provision_station::evidence::CertSerial::new(tbs.serial_number().as_bytes());
        if cert_serial(&self.cert_serial).as_ref() != Some(&serial) {
            return Err(differs("cert_serial", &self.cert_serial, &serial.to_string()));
        }
        fits("not_after", &self.not_after_s.to_string(), &not_after_s.to_string())?;
        let revoked = match (self.revoked_at_s, &self.reason) {
            (None, None) => None,
            (Some(at_s), Some(name)) => {
                let reason: Reason =
                    name.parse().map_err(|_| format!("{name:?} is no reason of revocation"))?;
                Some((at_s, reason.code()))
            }
            _ => return Err("a revocation has a time and a reason".into()),
        };
        let Some(public_key) = &self.public_key else {
            let expected = if revoked.is_some() { "revoked" } else { "host" };
            fits("state", &self.state, expected)?;
            let holder = ImportHolder::Host { der: leaf, name: self.name, profile: self.kind };
            return Ok(ImportRow { holder, issued_at_s: self.issued_at_s, revoked });
        };
        fits("kind", &self.kind, "device")?;
        let proof = match (self.enrolled_at_s, &self.delivery_sha256) {
            (None, None) => None,
            (Some(at_s), Some(digest)) => {
                let digest = bytes_of_hex(digest).and_then(|bytes| bytes.try_into().ok());
                let digest = digest.ok_or("`delivery_sha256` is no digest in hexadecimal")?;
                Some((at_s, digest))
            }
            _ => return Err("an enrollment has a time and the digest of a delivery".into()),
        };
        let expected = match (&revoked, &proof) {
            (Some(_), _) => "revoked",
            (None, Some(_)) => "enrolled",
            (None, None) => "issued",
        };
        fits("state", &self.state, expected)?;
        let lot = self.lot.as_deref().map(str::parse::<Lot>).transpose();
        let lot = lot.map_err(|error| error.to_string())?;
        let generation = self.generation.filter(|generation| *generation > 0);
        let generation = generation.ok_or("`generation` is no number from 1 on")?;
        let chain = chain_of(leaf, upper, self.issued_at_s)?;
        fits("name", &self.name, chain.device().as_str())?;
        fits("public_key", public_key, &hex(chain.public_key().as_sec1()))?;
        let holder = ImportHolder::Device { chain: Box::new(chain), lot, generation, proof };
        Ok(ImportRow { holder, issued_at_s: self.issued_at_s, revoked })
    }
}

/// The chain whose issuer has signed the leaf: a line is not believed for what it says.
fn chain_of(leaf: Vec<u8>, upper: &[Vec<Vec<u8>>], at_s: u64) -> Result<Chain, String> {
    let mut fault = "no issuers are known: `--issuers` gives them".to_owned();
    for certificates in upper {
        let Some((anchor, issuers)) = certificates.split_last() else { continue };
        let request = VerifyRequest {
            leaf: leaf.clone(),
            untrusted: issuers.to_vec(),
            anchors: vec![anchor.clone()],
            purpose: Purpose::Any,
            name: None,
            at_s,
            crls: &[],
            crl_scope: CrlScope::Leaf,
        };
        match verify(&request) {
            Ok(_) => {
                let chain = Chain::from_der(leaf, issuers.to_vec(), anchor.clone());
                return chain.map_err(|fault| fault.to_string());
            }
            Err(error) => fault = format!("it is not signed by the CA given ({error})"),
        }
    }
    Err(fault)
}

fn fits(name: &str, said: &str, is: &str) -> Result<(), String> {
    if said.eq_ignore_ascii_case(is) { Ok(()) } else { Err(differs(name, said, is)) }
}

fn differs(name: &str, said: &str, is: &str) -> String {
    let short = |text: &str| text.chars().take(80).collect::<String>();
    format!("`{name}` says {:?}, and it should be {:?}", short(said), short(is))
}

/// A line is much shorter: certificates have a few kilobytes.
pub(crate) const LINE_LEN_MAX: u64 = 256 * 1024;

pub(crate) fn too_long(line: u64) -> Wrong {
    Wrong::Line(line, format!("it is longer than {LINE_LEN_MAX} bytes"))
}
