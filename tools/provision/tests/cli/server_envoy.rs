//! Envoy's YAML: against a reader of YAML and the names of its fields, and against Envoy itself,
//! which Debian has no package for and PyPI does.

use core::net::SocketAddr;
use std::collections::BTreeSet;
use std::fs;

use provision_testkit::servers::Started;
use yaml_rust2::{Yaml, YamlLoader};

use crate::site::{REFUSED, Site, free_address};
use crate::tools::from_pypi;

#[test]
fn envoys_fields_have_the_names_they_have_in_its_api() {
    let site = Site::new();
    let crls = site.crls("envoy");
    let address = free_address();
    let known: BTreeSet<(String, String)> = FIELDS
        .iter()
        .flat_map(|(of, names)| names.iter().map(|name| ((*of).to_owned(), (*name).to_owned())))
        .collect();
    let mut written = BTreeSet::new();
    let allow = ["--allow-cn", "a.b+c \"d\" é", "--allow-ou", "Line 1"];
    let allow = [&allow[..], &["--allow-san", "spiffe://example.org/a", "--crl", &crls]].concat();
    let open = ["--verify-client", "optional_no_ca", "--upstream", "127.0.0.1:8080"];
    for more in [&allow[..], &open] {
        site.config("envoy", address, more);
        let text = fs::read_to_string(site.path().join("envoy/envoy.yaml")).unwrap();
        let documents = YamlLoader::load_from_str(&text).unwrap();
        assert_eq!(documents.len(), 1, "{text}");
        fields(&documents[0], "", &mut written);
        // What has to be there, and where.
        let listener = &documents[0]["static_resources"]["listeners"][0];
        assert_eq!(listener["address"]["socket_address"]["address"].as_str(), Some("127.0.0.1"));
        let port = &listener["address"]["socket_address"]["port_value"];
        assert_eq!(port.as_i64(), Some(address.port().into()));
        let tls = &listener["filter_chains"][0]["transport_socket"]["typed_config"];
        let required = &tls["require_client_certificate"];
        assert_eq!(required.as_bool(), Some(more.len() == allow.len()), "{text}");
    }
    assert_eq!(written, known, "written, and known");
}

/// Every field, with the field it is in.
fn fields(yaml: &Yaml, of: &str, found: &mut BTreeSet<(String, String)>) {
    match yaml {
        Yaml::Hash(fields_of_it) => {
            for (name, value) in fields_of_it {
                let name = name.as_str().unwrap();
                found.insert((of.to_owned(), name.to_owned()));
                fields(value, name, found);
            }
        }
        Yaml::Array(values) => values.iter().for_each(|value| fields(value, of, found)),
        Yaml::BadValue | Yaml::Alias(_) | Yaml::Null => panic!("{yaml:?} in {of}"),
        _ => {}
    }
}

fn envoy(site: &Site, address: SocketAddr) -> Started {
    let program = from_pypi("envoy").join("envoy");
    assert!(program.is_file(), "`cargo xtask ci` installs envoy, in {}", program.display());
    let arguments = ["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart"];
    site.start(program.to_str().unwrap(), "envoy", &arguments, address)
}

#[test]
fn envoy_takes_clients_of_the_ca_and_lets_in_by_name() {
    let site = Site::new();
    site.client("alice", &[]);
    site.client("olga", &["--subject", "/OU=Line 1, north/CN=olga"]);
    site.client("bob", &["--subject", "/O=x,CN=alice/CN=bob"]);
    site.client("mallory", &[]);
    site.revoke("mallory");
    site.done(&["csr", "--key", "bob/client.key", "--subject", "/CN=x", "--out", "spiffe.csr"]);
    fs::create_dir(site.path().join("spiffe")).unwrap();
    fs::copy(site.path().join("bob/client.key"), site.path().join("spiffe/client.key")).unwrap();
    let sign = ["sign", "--csr", "spiffe.csr", "--profile", "spiffe", "--name", "x"];
    let domain = ["--set", "trust_domain=example.org", "--out", "spiffe/client.crt"];
    site.done(&[&sign[..], &domain].concat());
    site.stranger();
    site.late();
    let crls = site.crls("envoy");
    let address = free_address();
    let allow = ["--allow-cn", "alice", "--allow-ou", "Line 1, north", "--crl", &crls];
    let allow = [&allow[..], &["--allow-san", "spiffe://example.org/device/x"]].concat();
    site.config("envoy", address, &allow);
    {
        let _envoy = envoy(&site, address);
        for client in ["alice", "olga", "spiffe"] {
            site.ask_as(client, address).is(200, "ok");
        }
        site.ask_as("bob", address).is(403, "RBAC: access denied");
        for client in ["mallory", "stranger", "late"] {
            site.ask_as(client, address).is(0, REFUSED);
        }
        site.ask(address, &[]).is(0, REFUSED);
    }
    site.ended_crls(&crls);
    {
        let _envoy = envoy(&site, address);
        site.ask_as("alice", address).is(0, REFUSED);
    }
    for (demand, stranger) in [("optional", (0, REFUSED)), ("optional_no_ca", (200, "ok"))] {
        site.config("envoy", address, &["--verify-client", demand]);
        let _envoy = envoy(&site, address);
        site.ask_as("bob", address).is(200, "ok");
        site.ask(address, &[]).is(200, "ok");
        site.ask_as("stranger", address).is(stranger.0, stranger.1);
    }
}

/// The fields that are written, as Envoy's API names them (envoyproxy/data-plane-api): of
/// config.bootstrap.v3, config.listener.v3, config.cluster.v3, config.route.v3, config.rbac.v3,
/// config.core.v3, type.matcher.v3, extensions.transport_sockets.tls.v3,
/// extensions.filters.network.http_connection_manager.v3 and extensions.filters.http.
const FIELDS: [(&str, &[&str]); 39] = [
    ("", &["static_resources"]),
    ("static_resources", &["listeners", "clusters"]),
    ("listeners", &["name", "address", "filter_chains"]),
    ("address", &["socket_address"]),
    ("socket_address", &["address", "port_value"]),
    ("filter_chains", &["transport_socket", "filters"]),
    ("transport_socket", &["name", "typed_config"]),
    ("filters", &["name", "typed_config"]),
    ("http_filters", &["name", "typed_config"]),
    (
        "typed_config",
        &[
            "@type",
            // DownstreamTlsContext
            "require_client_certificate",
            "disable_stateless_session_resumption",
            "disable_stateful_session_resumption",
            "common_tls_context",
            // HttpConnectionManager
            "stat_prefix",
            "forward_client_cert_details",
            "set_current_client_cert_details",
            "http_filters",
            "route_config",
            // RBAC
            "rules",
        ],
    ),
    ("common_tls_context", &["tls_params", "tls_certificates", "validation_context"]),
    ("tls_params", &["tls_minimum_protocol_version"]),
    ("tls_certificates", &["certificate_chain", "private_key"]),
    ("certificate_chain", &["filename"]),
    ("private_key", &["filename"]),
    ("validation_context", &["trusted_ca", "crl", "max_verify_depth", "trust_chain_verification"]),
    ("trusted_ca", &["filename"]),
    ("crl", &["filename"]),
    ("set_current_client_cert_details", &["subject", "uri", "dns", "cert"]),
    ("rules", &["action", "policies"]),
    ("policies", &["allowed"]),
    ("allowed", &["permissions", "principals"]),
    ("permissions", &["any"]),
    ("principals", &["authenticated"]),
    ("authenticated", &["principal_name"]),
    ("principal_name", &["exact", "safe_regex"]),
    ("safe_regex", &["regex"]),
    ("route_config", &["name", "virtual_hosts"]),
    ("virtual_hosts", &["name", "domains", "routes"]),
    ("routes", &["match", "route", "direct_response"]),
    ("match", &["prefix"]),
    ("route", &["cluster"]),
    ("direct_response", &["status", "body"]),
    ("body", &["inline_string"]),
    ("clusters", &["name", "type", "connect_timeout", "load_assignment"]),
    ("load_assignment", &["cluster_name", "endpoints"]),
    ("endpoints", &["lb_endpoints"]),
    ("lb_endpoints", &["endpoint"]),
    ("endpoint", &["address"]),
];
