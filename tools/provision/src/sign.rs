//! `provision sign`: a certificate for a CSR that was made elsewhere.

use std::path::PathBuf;

use clap::Args;
use provision_issuer::{CertificateRequest, DocumentKind, Profile, SignedBy};
use serde_json::json;

use crate::arguments::{HostNames, Output, Signing};
use crate::fault::Fault;
use crate::files;
use crate::report::Report;
use crate::signing::{Desk, for_names};

const EXAMPLES: &str = "\
Examples:
  provision sign --csr host.csr --profile server --dns www.acme.com --out host.crt
  provision sign --csr host.csr --profile server --names-from-csr --chain --out host.crt
  provision sign --csr sensor.csr --profile idevid --name sensor-0042 \\
      --set hardware_type=1.3.6.1.4.1.99999.1 --out sensor.crt

Profiles: device, server, client, idevid, ldevid, spiffe, aws, azure, or a file in TOML.";

/// Nothing but the key comes from the CSR, unless `--names-from-csr` says so.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sign {
    /// The CSR, PEM or DER; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub csr: PathBuf,

    /// A shipped profile, or a file with one.
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: String,

    /// Whom it is for: {common_name} and {device_serial} in the profile.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    pub names: HostNames,

    /// Take common name, DNS names and addresses from the CSR: look at them first
    /// (`provision inspect`).
    #[arg(long, conflicts_with_all = ["name", "dns", "ip"])]
    pub names_from_csr: bool,

    /// Put the issuing CAs behind the certificate, as servers want it.
    #[arg(long)]
    pub chain: bool,

    #[command(flatten)]
    pub signing: Signing,

    #[command(flatten)]
    pub output: Output,
}

pub(crate) fn run(arguments: &Sign, report: &mut Report) -> Result<(), Fault> {
    let profile = Profile::find(&arguments.profile)?;
    let der = files::read_one(&arguments.csr, DocumentKind::Request)?;
    let csr = CertificateRequest::from_der(der)
        .map_err(|error| files::document(&arguments.csr, &error))?;
    let key = csr.prove().map_err(|fault| files::document(&arguments.csr, &fault))?;

    let (name, names) = if arguments.names_from_csr {
        (csr.common_name(), csr.server_names())
    } else {
        (arguments.name.clone(), arguments.names.names()?)
    };
    if profile.signed_by == SignedBy::Server && names.is_empty() {
        return Err(Fault::Usage(
            "a server has at least one name: --dns, --ip or --names-from-csr".into(),
        ));
    }
    let (profile, values) = for_names(profile, name.as_deref(), &names)?;
    let mut desk = Desk::open(&arguments.signing, profile, values)?;
    let certificate =
        desk.issuer.inner().issue_to_host(&key, &desk.profile, &desk.values, desk.now_s)?;
    let values = desk.record(&certificate)?;
    let mut documents = vec![(DocumentKind::Certificate, certificate.as_slice())];
    if arguments.chain {
        let issuers = desk.issuer.inner().issuers();
        documents.extend(issuers.iter().map(|der| (DocumentKind::Certificate, der.as_slice())));
    }
    let event = json!({
        "subject": values.subject,
        "cert_serial": values.serial,
        "not_after_s": values.not_after_s,
        "profile": desk.profile.name,
    });
    files::put_all(&arguments.output, "certificate", &documents, event, report)
}
