//! `provision config nginx`.

use core::fmt::Write as _;

use clap::Args;

use super::words::{Listen, Upstream, plain_url, subject_pattern};
use super::{Access, Crls, Demand, Folder, Material, Revocation, Source};
use crate::fault::Fault;
use crate::report::Report;

const EXAMPLES: &str = "\
Examples:
  provision config nginx --for ca --out /etc/nginx/mtls --upstream 127.0.0.1:8080
      makes server.crt, server.key, device-ca-bundle.crt, and provision.conf with a map or two
      and a server, for `include /etc/nginx/mtls/provision.conf;` inside http { };
      nginx.conf is a whole configuration around it: nginx -p /etc/nginx/mtls -c nginx.conf
  provision config nginx --for ca --allow-ou Operators --allow-cn backup
  provision crl --ca ca --out nginx/crl && provision config nginx --for ca --crl nginx/crl/all.crl

The identity of a client goes upstream as X-SSL-Client-Verify, -S-DN, -I-DN, -CN, -Serial,
-Fingerprint (SHA-1) and -Cert.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NginxConfig {
    #[command(flatten)]
    pub source: Source,

    #[command(flatten)]
    pub serving: Serving,

    #[command(flatten)]
    pub revocation: Revocation,

    /// Ask this OCSP responder about each client (nginx 1.19 and later).
    #[arg(long, value_name = "URL", value_parser = plain_url)]
    pub ocsp_responder: Option<String>,

    /// About whom it is asked: the client's certificate, or the issuing CAs above it too.
    #[arg(long, value_name = "WHOM", default_value = "leaf", requires = "ocsp_responder",
          value_parser = ["leaf", "on"])]
    pub ocsp: String,
}

/// What is served, and to whom.
#[derive(Debug, Args)]
pub(crate) struct Serving {
    /// Where it listens.
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "443")]
    pub listen: Listen,

    /// What is asked of a client.
    #[arg(long, value_name = "DEMAND", value_enum, default_value = "on")]
    pub verify_client: Demand,

    /// Certificates between a client's own and the root, and the root.
    #[arg(long, value_name = "N", default_value_t = 2,
          value_parser = clap::value_parser!(u8).range(1..=20))]
    pub verify_depth: u8,

    #[command(flatten)]
    pub access: Access,

    /// Who gets the requests, over HTTP [default: nobody; the server answers with who asks].
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<Upstream>,
}

pub(super) fn run(arguments: &NginxConfig, report: &mut Report) -> Result<(), Fault> {
    let crls = Crls::read(&arguments.revocation)?;
    let material = Material::read(&arguments.source)?;
    let mut folder = Folder::of(&arguments.source, "nginx")?;
    put(&mut folder, &material, crls, arguments)?;
    folder.write(report)
}

/// Adds all of it to a folder.
pub(crate) fn put(
    folder: &mut Folder,
    material: &Material,
    crls: Option<Crls>,
    arguments: &NginxConfig,
) -> Result<(), Fault> {
    let server = server(folder.at()?, material, arguments);
    if let Some(crls) = crls {
        folder.put_crls(CRL, crls.of_every_ca(material)?);
    }
    folder.put_secret("server.key", material.key_pem()?.as_bytes());
    folder.put("server.crt", material.chain_pem());
    folder.put("device-ca-bundle.crt", material.device_cas_pem());
    folder.put("provision.conf", server);
    folder.put("nginx.conf", WHOLE);
    Ok(())
}

/// Where the CRLs are in the directory: as `provision crl --out DIR/crl` writes them.
pub(super) const CRL: &str = "crl/all.crl";

fn server(at: &str, material: &Material, arguments: &NginxConfig) -> String {
    let mut text = format!(
        "# Written by `provision config nginx`. Include it inside http {{ }}.\n\n\
         # The common name of a client whose certificate was verified, as RFC 2253 writes it.\n\
         map \"$ssl_client_verify:$ssl_client_s_dn\" $provision_client_cn {{\n    \
         default \"\";\n    {} $provision_cn;\n}}\n",
        regex(r"SUCCESS:(?:(?:[^\\]|\\.)*?[,+])?CN=(?<provision_cn>(?:[^,+\\]|\\.)*)(?:[,+].*)?"),
    );
    let serving = &arguments.serving;
    let attributes = serving.access.attributes();
    if !attributes.is_empty() {
        text.push_str(
            "\n# Who is let in: of those whose certificate was verified, these.\n\
             map \"$ssl_client_verify:$ssl_client_s_dn\" $provision_allowed {\n    default 0;\n",
        );
        for (attribute, value) in &attributes {
            let pattern = format!("SUCCESS:{}", subject_pattern(attribute, value));
            let _ = writeln!(text, "    {} 1;", regex(&pattern));
        }
        text.push_str("}\n");
    }
    let names = if material.names.is_empty() { "_".into() } else { material.names.join(" ") };
    let demand = match serving.verify_client {
        Demand::On => "on",
        Demand::Optional => "optional",
        Demand::OptionalNoCa => "optional_no_ca",
    };
    let _ = write!(
        text,
        "\nserver {{\n    listen {} ssl;\n    server_name {names};\n\n    \
         # In TLS 1.2 the certificates of clients pass in the clear.\n    \
         ssl_protocols TLSv1.3;\n    ssl_certificate {at}/server.crt;\n    \
         ssl_certificate_key {at}/server.key;\n    \
         # Who comes back by a ticket is not verified again, nor looked for in newer CRLs.\n    \
         ssl_session_tickets off;\n\n    \
         # Root and issuing CA: devices send their own certificate alone.\n    \
         ssl_client_certificate {at}/device-ca-bundle.crt;\n    \
         ssl_verify_client {demand};\n    ssl_verify_depth {};\n",
        serving.listen, serving.verify_depth,
    );
    if arguments.revocation.crl.is_some() {
        let _ = write!(
            text,
            "    # One of every CA. Past the nextUpdate of any of them nobody is taken: renew them \
             in time\n    # (provision crl --out {at}/crl), then: nginx -s reload\n    \
             ssl_crl {at}/{CRL};\n",
        );
    }
    if let Some(url) = &arguments.ocsp_responder {
        let _ = write!(
            text,
            "    # While the responder does not answer, nobody is taken.\n    \
             ssl_ocsp {};\n    ssl_ocsp_responder {url};\n    \
             ssl_ocsp_cache shared:provision_ocsp:1m;\n",
            arguments.ocsp,
        );
    }
    if !attributes.is_empty() {
        text.push_str("\n    if ($provision_allowed = 0) {\n        return 403;\n    }\n");
    }
    text.push_str(&location(serving));
    text.push_str("}\n");
    text
}

fn location(serving: &Serving) -> String {
    let mut text = String::from("\n    location / {\n");
    if serving.verify_client != Demand::On {
        text.push_str(
            "        # Not everybody who comes here was verified: $ssl_client_verify says SUCCESS, \
             NONE or\n        # FAILED:reason, and what is upstream has to look at it.\n",
        );
    }
    match &serving.upstream {
        None => text.push_str(
            "        default_type text/plain;\n        \
             return 200 \"$ssl_client_verify $ssl_client_s_dn\\n\";\n",
        ),
        Some(upstream) => {
            let _ = writeln!(text, "        proxy_pass http://{upstream};");
            text.push_str("        proxy_set_header Host $host;\n");
            text.push_str(
                "        # What a client sends under these names does not get through.\n",
            );
            for (name, value) in HEADERS {
                let _ = writeln!(text, "        proxy_set_header {name} {value};");
            }
        }
    }
    text + "    }\n"
}

const HEADERS: [(&str, &str); 7] = [
    ("X-SSL-Client-Verify", "$ssl_client_verify"),
    ("X-SSL-Client-S-DN", "$ssl_client_s_dn"),
    ("X-SSL-Client-I-DN", "$ssl_client_i_dn"),
    ("X-SSL-Client-CN", "$provision_client_cn"),
    ("X-SSL-Client-Serial", "$ssl_client_serial"),
    ("X-SSL-Client-Fingerprint", "$ssl_client_fingerprint"),
    ("X-SSL-Client-Cert", "$ssl_client_escaped_cert"),
];

/// A regular expression for the whole of a map's key. In nginx's quotes a backslash is written
/// twice.
fn regex(pattern: &str) -> String {
    format!("\"~^{}$\"", pattern.replace('\\', r"\\").replace('"', "\\\""))
}

/// Everything that is not said elsewhere, for a start without root's rights.
const WHOLE: &str = "\
# Written by `provision config nginx`: a whole configuration around provision.conf.
#   nginx -p DIRECTORY -c nginx.conf -e error.log
# All that is written stays in DIRECTORY.

pid nginx.pid;
error_log error.log;

events {
}

http {
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;

    include provision.conf;
}
";
