//! `provision config envoy`.

use core::fmt::Write as _;

use clap::Args;

use super::nginx::{CRL, Serving};
use super::words::{one_line, subject_pattern};
use super::{Crls, Demand, Folder, Material, Revocation, Source};
use crate::fault::Fault;
use crate::report::Report;

const EXAMPLES: &str = "\
Examples:
  provision config envoy --for ca --out /etc/envoy --upstream 127.0.0.1:8080
      makes envoy.yaml, a whole configuration: envoy -c /etc/envoy/envoy.yaml
  provision config envoy --for ca --allow-san spiffe://example.org/backup --allow-ou Operators

The identity of a client goes upstream in the header x-forwarded-client-cert. For its RBAC, Envoy
takes one name of a client: the first URI SAN, else the first DNS SAN, else the subject. So --allow-cn
and --allow-ou are for certificates without such names, as the profiles device and client make
them.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EnvoyConfig {
    #[command(flatten)]
    pub source: Source,

    #[command(flatten)]
    pub serving: Serving,

    /// Let in who has this URI or DNS name; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub allow_san: Vec<String>,

    #[command(flatten)]
    pub revocation: Revocation,
}

pub(super) fn run(arguments: &EnvoyConfig, report: &mut Report) -> Result<(), Fault> {
    let crls = Crls::read(&arguments.revocation)?;
    let material = Material::read(&arguments.source)?;
    let mut folder = Folder::of(&arguments.source, "envoy")?;
    let configuration = configuration(folder.at()?, arguments)?;
    if let Some(crls) = crls {
        folder.put_crls(CRL, crls.of_every_ca(&material)?);
    }
    folder.put_secret("server.key", material.key_pem()?.as_bytes());
    folder.put("server.crt", material.chain_pem());
    folder.put("device-ca-bundle.crt", material.device_cas_pem());
    folder.put("envoy.yaml", configuration);
    folder.write(report)
}

fn configuration(at: &str, arguments: &EnvoyConfig) -> Result<String, Fault> {
    let serving = &arguments.serving;
    let address = match serving.listen.address {
        Some(address) => address.to_string(),
        None => "0.0.0.0".into(),
    };
    let mut text = LISTENER.replace("{address}", &address);
    text = text.replace("{port}", &serving.listen.port.to_string());
    text.push_str(&tls(at, arguments));
    text.push_str(MANAGER);
    text.push_str(&rbac(arguments)?);
    text.push_str(ROUTER);
    match &serving.upstream {
        None => text.push_str(
            "                direct_response: { status: 200, body: { inline_string: \"ok\\n\" } }\n",
        ),
        Some(upstream) => {
            text.push_str("                route: { cluster: upstream }\n");
            text.push_str(
                &CLUSTER
                    .replace("{host}", &upstream.host)
                    .replace("{port}", &upstream.port.to_string()),
            );
        }
    }
    Ok(text)
}

/// Paths are such that they need no escapes.
fn tls(at: &str, arguments: &EnvoyConfig) -> String {
    let serving = &arguments.serving;
    let required = serving.verify_client == Demand::On;
    let mut text = TLS
        .replace("{at}", at)
        .replace("{required}", if required { "true" } else { "false" })
        .replace("{depth}", &serving.verify_depth.to_string());
    if serving.verify_client == Demand::OptionalNoCa {
        text.push_str("              trust_chain_verification: ACCEPT_UNTRUSTED\n");
    }
    if arguments.revocation.crl.is_some() {
        let _ = write!(
            text,
            "              # Of every CA. Past the nextUpdate of any of them nobody is taken: renew \
             them in\n              # time (provision crl --out {at}/crl), then start Envoy \
             again.\n              crl: {{ filename: \"{at}/{CRL}\" }}\n",
        );
    }
    text
}

/// Who is let in; with nobody named, all whom the handshake let in.
fn rbac(arguments: &EnvoyConfig) -> Result<String, Fault> {
    let attributes = arguments.serving.access.attributes();
    if attributes.is_empty() && arguments.allow_san.is_empty() {
        return Ok(String::new());
    }
    if arguments.serving.verify_client == Demand::OptionalNoCa {
        // Its RBAC looks at the names of certificates that were not verified, too.
        return Err(Fault::Usage(
            "with optional_no_ca anybody can have any name: nobody can be let in by it".into(),
        ));
    }
    let mut text = String::from(RBAC);
    for name in &arguments.allow_san {
        one_line("name", name)?;
        let name = yaml_text(name);
        let _ = writeln!(text, "{PRINCIPAL}exact: {name} }} }}");
    }
    for (attribute, value) in attributes {
        one_line("name", value)?;
        let pattern = yaml_text(&subject_pattern(attribute, value));
        let _ = writeln!(text, "{PRINCIPAL}safe_regex: {{ regex: {pattern} }} }} }}");
    }
    Ok(text)
}

const PRINCIPAL: &str = "                    - authenticated: { principal_name: { ";

/// JSON's strings are YAML's.
fn yaml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const LISTENER: &str = r#"# Written by `provision config envoy`.
static_resources:
  listeners:
  - name: provision
    address:
      socket_address: { address: "{address}", port_value: {port} }
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
"#;

const TLS: &str = r#"          require_client_certificate: {required}
          # Who comes back to an earlier session is not verified again, nor looked for in newer CRLs.
          disable_stateless_session_resumption: true
          disable_stateful_session_resumption: true
          common_tls_context:
            # In TLS 1.2 the certificates of clients pass in the clear.
            tls_params: { tls_minimum_protocol_version: TLSv1_3 }
            tls_certificates:
            - certificate_chain: { filename: "{at}/server.crt" }
              private_key: { filename: "{at}/server.key" }
            validation_context:
              # Root and issuing CA: devices send their own certificate alone.
              trusted_ca: { filename: "{at}/device-ca-bundle.crt" }
              max_verify_depth: {depth}
"#;

const MANAGER: &str = r#"      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: provision
          # What a client sends under this name does not get through.
          forward_client_cert_details: SANITIZE_SET
          set_current_client_cert_details: { subject: true, uri: true, dns: true, cert: true }
          http_filters:
"#;

const RBAC: &str = r#"          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: ALLOW
                policies:
                  allowed:
                    permissions:
                    - any: true
                    principals:
"#;

const ROUTER: &str = r#"          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            name: provision
            virtual_hosts:
            - name: provision
              domains: ["*"]
              routes:
              - match: { prefix: "/" }
"#;

const CLUSTER: &str = r#"  clusters:
  - name: upstream
    type: STRICT_DNS
    connect_timeout: 5s
    load_assignment:
      cluster_name: upstream
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: { address: "{host}", port_value: {port} }
"#;
