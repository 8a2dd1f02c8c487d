//! `provision config haproxy`.

use core::fmt::Write as _;

use clap::Args;

use super::nginx::CRL;
use super::words::{Listen, Upstream, one_line};
use super::{Access, Crls, Demand, Folder, Material, Revocation, Source};
use crate::fault::Fault;
use crate::report::Report;

const EXAMPLES: &str = "\
Examples:
  provision config haproxy --for ca --out /etc/haproxy/mtls --upstream 127.0.0.1:8080
      makes haproxy.cfg, a whole configuration: haproxy -f /etc/haproxy/mtls/haproxy.cfg
  provision config haproxy --for ca --allow-cn backup --crl crl/all.crl

The identity of a client goes upstream as X-SSL-Client-Verify, -S-DN, -I-DN, -CN, -Serial and
-Fingerprint (SHA-1).";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HaproxyConfig {
    #[command(flatten)]
    pub source: Source,

    /// Where it listens.
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "443")]
    pub listen: Listen,

    /// What is asked of a client.
    #[arg(long, value_name = "DEMAND", value_enum, default_value = "on")]
    pub verify_client: Demand,

    #[command(flatten)]
    pub access: Access,

    /// Who gets the requests, over HTTP [default: nobody; the server answers with who asks].
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<Upstream>,

    #[command(flatten)]
    pub revocation: Revocation,
}

pub(super) fn run(arguments: &HaproxyConfig, report: &mut Report) -> Result<(), Fault> {
    let crls = Crls::read(&arguments.revocation)?;
    let material = Material::read(&arguments.source)?;
    let mut folder = Folder::of(&arguments.source, "haproxy")?;
    let configuration = configuration(folder.at()?, arguments)?;
    if let Some(crls) = crls {
        folder.put_crls(CRL, crls.of_every_ca(&material)?);
    }
    // Certificate and key in one file, as haproxy likes it best.
    let both = material.chain_pem() + &material.key_pem()?;
    folder.put_secret("server.pem", both);
    folder.put("device-ca-bundle.crt", material.device_cas_pem());
    folder.put("haproxy.cfg", configuration);
    folder.write(report)
}

fn configuration(at: &str, arguments: &HaproxyConfig) -> Result<String, Fault> {
    let listen = match arguments.listen.address {
        Some(_) => arguments.listen.to_string(),
        None => format!(":{}", arguments.listen.port),
    };
    let demand = match arguments.verify_client {
        Demand::On => "verify required",
        Demand::Optional => "verify optional",
        Demand::OptionalNoCa => "verify optional ca-ignore-err all crt-ignore-err all",
    };
    let crl = match &arguments.revocation.crl {
        Some(_) => format!(" crl-file {at}/{CRL}"),
        None => String::new(),
    };
    let mut text = String::from(
        "# Written by `provision config haproxy`.\n\n\
         global\n    \
         # Who comes back to an earlier session is not verified again, nor looked for in newer \
         CRLs.\n    tune.ssl.cachesize 0\n\n\
         defaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    \
         timeout server 60s\n\n\
         frontend provision\n    \
         # device-ca-bundle.crt is root and issuing CA: devices send their own certificate \
         alone.\n    \
         # In TLS 1.2 the certificates of clients pass in the clear.\n",
    );
    if !crl.is_empty() {
        let _ = write!(
            text,
            "    # Past the nextUpdate of any CRL nobody is taken: renew them in time\n    \
             # (provision crl --out {at}/crl), then reload.\n",
        );
    }
    let _ = write!(
        text,
        "    bind {listen} ssl crt {at}/server.pem ssl-min-ver TLSv1.3 no-tls-tickets ca-file \
         {at}/device-ca-bundle.crt {demand}{crl}\n\n    \
         acl presented ssl_c_used\n    acl good ssl_c_verify 0\n",
    );
    let attributes = arguments.access.attributes();
    for (attribute, value) in &attributes {
        one_line("name", value)?;
        let _ =
            writeln!(text, "    acl allowed ssl_c_s_dn({attribute}) -m str -- {}", quoted(value));
    }
    if !attributes.is_empty() {
        text.push_str("    http-request deny deny_status 403 unless presented good allowed\n");
    }
    text.push_str(
        "\n    # What a client sends under these names does not get through.\n    \
         http-request set-header X-SSL-Client-Verify NONE\n    \
         http-request set-header X-SSL-Client-Verify FAILED:%[ssl_c_verify] if presented\n    \
         http-request set-header X-SSL-Client-Verify SUCCESS if presented good\n    \
         http-request del-header X-SSL-Client-CN\n    \
         http-request set-header X-SSL-Client-CN %[ssl_c_s_dn(CN)] if presented good\n    \
         http-request set-header X-SSL-Client-S-DN %[ssl_c_s_dn(,0,rfc2253)]\n    \
         http-request set-header X-SSL-Client-I-DN %[ssl_c_i_dn(,0,rfc2253)]\n    \
         http-request set-header X-SSL-Client-Serial %[ssl_c_serial,hex]\n    \
         http-request set-header X-SSL-Client-Fingerprint %[ssl_c_sha1,hex,lower]\n\n",
    );
    match &arguments.upstream {
        None => text.push_str(
            "    http-request return status 200 content-type text/plain lf-string \
             \"%[req.hdr(X-SSL-Client-Verify)] %[ssl_c_s_dn(,0,rfc2253)]\\n\"\n",
        ),
        Some(upstream) => {
            let _ = write!(
                text,
                "    default_backend upstream\n\nbackend upstream\n    server upstream {upstream}\n",
            );
        }
    }
    Ok(text)
}

/// In single quotes haproxy takes everything for itself, but for the quote.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
