//! What pkilint (<https://github.com/digicert/pkilint>) has to say of certificates and CRLs made here.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::certificates::with_csr;
use crate::station::Station;
use crate::tools::{from_pypi, openssl};

/// Findings that are known, and why they stay.
const ACCEPTED: [(&str, &str); 2] = [
    // It asks the Python package `validators` for a URL, which knows a list of schemes, and `spiffe` is not among them.
    // RFC 5280 section 4.2.1.6 wants a URI (RFC 3986), and SPIFFE-ID section 2 wants this one.
    ("spiffe", "pkix.invalid_uri_syntax"),
    // RFC 5280 section 4.2.1.6 leaves wildcards to the application, and RFC 6125 section 6.4.3 has them for TLS.
    ("wildcard", "pkix.invalid_domain_name_syntax"),
];

/// The codes of its findings, of warnings and worse.
fn findings(dir: &Path, program: &str, more: &[&str], file: &str) -> Vec<String> {
    let found = Command::new(from_pypi("pkilint").join(program))
        .current_dir(dir)
        .arg("lint")
        .args(more)
        .args(["-s", "WARNING", "-f", "JSON", file])
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; `cargo xtask ci` installs pkilint"));
    let said = String::from_utf8_lossy(&found.stdout);
    let report: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&found.stderr)));
    let results = report["results"].as_array().unwrap().iter();
    results
        .flat_map(|result| result["finding_descriptions"].as_array().unwrap())
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nothing_that_is_made_here_is_found_fault_with() {
    let station = with_csr();
    let dir = station.path();
    let no_end = ["ca", "init", "--no-end", "--ca", "long", "--insecure-plaintext-keys"];
    assert_eq!(station.run(&no_end).code, 0);
    let name = ["--name", "sensor-0042"];
    for (what, profile, more) in [
        ("device", "device", &name[..]),
        ("client", "client", &name),
        ("server", "server", &["--dns", "mqtt.example.org", "--ip", "::1"]),
        ("wildcard", "server", &["--dns", "*.example.org"]),
        ("ldevid", "ldevid", &name),
        ("aws", "aws", &name),
        ("azure", "azure", &name),
        ("spiffe", "spiffe", &[name[0], name[1], "--set", "trust_domain=example.org"]),
        (
            "idevid",
            "idevid",
            &[name[0], name[1], "--set", "hardware_type=1.3.6.1.4.1.99999.1", "--ca", "long"],
        ),
    ] {
        let out = format!("{what}.crt");
        let sign = ["sign", "--csr", "host.csr", "--profile", profile, "--out", &out];
        let ran = station.run(&[&sign[..], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let accepted = ACCEPTED.iter().filter(|(of, _)| *of == what);
        let accepted: Vec<_> = accepted.map(|(_, code)| (*code).to_owned()).collect();
        assert_eq!(findings(dir, "lint_pkix_cert", &[], &out), accepted, "{what}");
    }
    for ca in ["ca/device-root", "ca/device-issuing", "ca/server-root", "long/device-issuing"] {
        let file = format!("{ca}.crt");
        assert_eq!(findings(dir, "lint_pkix_cert", &[], &file), [""; 0], "{ca}");
    }

    assert_eq!(station.run(&["revoke", "--certificate", "client.crt"]).code, 0);
    assert_eq!(station.run(&["crl", "--out", "crl"]).code, 0);
    let placed = ["crl", "--out", "placed", "--url", "http://pki.example.org"];
    assert_eq!(station.run(&placed).code, 0);
    for out in ["crl", "placed"] {
        for crl in ["device-issuing", "device-root", "server-root"] {
            let (file, kind) = (format!("{out}/{crl}.crl"), ["-t", "CRL", "-p", "PKIX"]);
            assert_eq!(findings(dir, "lint_crl", &kind, &file), [""; 0], "{file}");
        }
    }
}

/// It does find what is wrong.
#[test]
fn a_certificate_with_faults_is_found_fault_with() {
    let station = Station::new();
    let dir = station.path();
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out bad.crt \
                -subj /CN=bad -addext keyUsage=keyCertSign -addext basicConstraints=CA:FALSE \
                -addext subjectAltName=DNS:a_b..c";
    openssl(dir, &make.split_whitespace().collect::<Vec<_>>());
    let found = findings(dir, "lint_pkix_cert", &[], "bad.crt");
    assert!(found.iter().any(|code| code == "pkix.invalid_domain_name_syntax"), "{found:?}");
    assert!(found.len() > 1, "{found:?}");
}
