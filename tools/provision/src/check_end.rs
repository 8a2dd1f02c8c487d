//! `provision check-end`: is a certificate good for so many days more?

use std::path::PathBuf;

use clap::Args;
use provision_issuer::DocumentKind;
use provision_issuer::inspect::{CertificateValues, time_text};
use serde_json::json;

use crate::fault::Fault;
use crate::report::Report;
use crate::{files, system};

#[derive(Debug, Args)]
#[command(after_help = "Example, for cron:\n  provision check-end server.crt --days 30 || mail …")]
pub(crate) struct CheckEnd {
    /// Files with certificates, of which each is looked at; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// How many days each must be valid from now on.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub days: u32,
}

pub(crate) fn run(arguments: &CheckEnd, report: &mut Report) -> Result<(), Fault> {
    let now_s = system::now_s()?;
    let until_s = now_s.saturating_add(u64::from(arguments.days) * 86_400);
    let mut first = None;
    for path in &arguments.files {
        for der in files::read_all(path, DocumentKind::Certificate)? {
            let values =
                CertificateValues::of(&der).map_err(|error| files::document(path, &error))?;
            let good = values.not_after_s > until_s;
            let days = values.not_after_s.saturating_sub(now_s) / 86_400;
            report.result(
                &format!(
                    "{}: {} ends on {} ({days} days)",
                    if good { "good" } else { "ends" },
                    values.subject,
                    time_text(values.not_after_s)
                ),
                &json!({
                    "event": "certificate",
                    "file": path,
                    "subject": values.subject,
                    "not_after_s": values.not_after_s,
                    "days_left": days,
                    "good": good,
                }),
            )?;
            if !good && first.is_none() {
                first = Some(Fault::Ends {
                    subject: values.subject,
                    not_after: time_text(values.not_after_s),
                    days: arguments.days,
                });
            }
        }
    }
    first.map_or(Ok(()), Err)
}
