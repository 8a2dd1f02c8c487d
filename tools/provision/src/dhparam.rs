//! `provision dhparam`: a group for Diffie-Hellman, of RFC 7919.

use clap::Args;
use provision_issuer::{DhGroup, DocumentKind};
use serde_json::json;

use crate::arguments::Output;
use crate::fault::Fault;
use crate::files;
use crate::report::Report;

const ADVICE: &str = "\
You most likely do not need it: TLS 1.3, and TLS 1.2 with ECDHE, use no such file. It is for servers
that must serve clients so old that they know DHE alone. The groups of RFC 7919 are made once and
known to be good; `openssl dhparam` spends minutes on one of its own that is not better.

Example, for `ssl_dhparam` of nginx:
  provision dhparam --bits 2048 --out dhparam.pem";

#[derive(Debug, Args)]
#[command(after_help = ADVICE)]
pub(crate) struct Dhparam {
    /// 2048, 3072 or 4096.
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub bits: u32,

    #[command(flatten)]
    pub output: Output,
}

pub(crate) fn run(arguments: &Dhparam, report: &mut Report) -> Result<(), Fault> {
    let group = DhGroup::of_bits(arguments.bits).ok_or_else(|| {
        Fault::Usage(format!("no group of {} bits: 2048, 3072 or 4096", arguments.bits))
    })?;
    let event = json!({ "bits": arguments.bits });
    files::put(&arguments.output, DocumentKind::DhParameters, &group.to_der(), event, report)
}
