//! `provision server-cert`.

use provision_issuer::{
    DnsName, ServerName, ServerRequest, issue_server_certificate, server_root_needs_passphrase,
};
use serde_json::json;

use crate::cli::ServerCert;
use crate::fault::Fault;
use crate::report::Report;
use crate::{secret, system};

pub(crate) fn run(arguments: &ServerCert, report: &mut Report) -> Result<(), Fault> {
    let dns = arguments.dns.iter().map(|name| DnsName::new(name).map(ServerName::Dns));
    let mut names =
        dns.collect::<Result<Vec<_>, _>>().map_err(|fault| Fault::Usage(fault.to_string()))?;
    names.extend(arguments.ip.iter().copied().map(ServerName::Ip));
    if names.is_empty() {
        return Err(Fault::Usage("a server has at least one name: --dns or --ip".into()));
    }
    let place = &arguments.place;
    let protection = secret::for_opening(place, server_root_needs_passphrase(&place.ca)?)?;
    let request = ServerRequest { names, days: arguments.days, now_s: system::now_s()? };
    let files = issue_server_certificate(&place.ca, &protection, &request, &arguments.out)?;
    report.result(
        &format!(
            "made {} and {} (not encrypted: servers start without people)",
            files.certificate.display(),
            files.key.display()
        ),
        &json!({
            "event": "result",
            "certificate": files.certificate,
            "key": files.key,
            "not_after_s": files.not_after_s,
        }),
    )
}
