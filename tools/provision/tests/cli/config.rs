//! `config` and the files that are there already; and what cannot be configured.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::site::Site;
use crate::station::events;
use crate::tools::openssl;

const SERVERS: [(&str, &str, &[&str]); 6] = [
    ("nginx", "server.key", &["provision.conf", "nginx.conf", "device-ca-bundle.crt"]),
    ("mosquitto", "server.key", &["provision.conf", "acl", "device-ca-bundle.crt"]),
    ("haproxy", "server.pem", &["haproxy.cfg", "device-ca-bundle.crt"]),
    ("envoy", "server.key", &["envoy.yaml", "device-ca-bundle.crt"]),
    ("zookeeper", "server.p12", &["zoo.cfg", "device-cas.p12"]),
    ("iis", "server.p12", &["install.ps1", "root-1.cer", "issuing-2.cer"]),
];

#[test]
fn no_key_is_ever_replaced_and_nothing_else_unasked() {
    let site = Site::new();
    site.done(&["server-cert", "--dns", "localhost", "--out", "next"]);
    for (server, key, others) in SERVERS {
        let config = ["--json", "config", server, "--out", server];
        let made = site.run(&config);
        assert_eq!(made.code, 0, "{server}: {made:?}");
        let files = events(&made)[0]["files"].clone();
        let named = |name: &str| {
            let path = format!("{server}/{name}");
            files.as_array().unwrap().iter().any(|file| file.as_str() == Some(&path))
        };
        assert!(others.iter().chain([&key]).all(|name| named(name)), "{server}: {files}");
        let path = site.path().join(server).join(key);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{server}");
        let before = fs::read(&path).unwrap();

        // Once more, word for word.
        assert_eq!(site.run(&config).code, 0, "{server}");
        assert_eq!(fs::read(&path).unwrap(), before, "{server}");

        // Something was changed by hand: it stays, unless it may go.
        let changed = site.path().join(server).join(others[0]);
        fs::write(&changed, "# by hand\n").unwrap();
        let refused = site.run(&config);
        assert_eq!(refused.code, 1, "{server}: {refused:?}");
        assert!(refused.stdout.contains("`--replace`"), "{refused:?}");
        assert_eq!(fs::read_to_string(&changed).unwrap(), "# by hand\n");
        let replace = [&config[..], &["--replace"]].concat();
        assert_eq!(site.run(&replace).code, 0, "{server}");
        assert_ne!(fs::read(&changed).unwrap(), b"# by hand\n");

        // Another key: not even then.
        let next = ["--certificate", "next/server.crt", "--key", "next/server.key"];
        let refused = site.run(&[&replace[..], &next].concat());
        assert_eq!(refused.code, 1, "{server}: {refused:?}");
        assert!(refused.stdout.contains("a key is never replaced"), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), before, "{server}");
    }
}

/// After a rotation servers get root, old and new issuing CA.
#[test]
fn a_rotated_ca_gets_into_what_is_there() {
    let site = Site::new();
    let count = |file: &str| {
        let show = ["storeutl", "-noout", "-certs", file];
        let text = openssl(site.path(), &show);
        text.lines().find_map(|line| line.strip_prefix("Total found: ")).unwrap().to_owned()
    };
    for (server, _, _) in SERVERS {
        site.done(&["config", server]);
    }
    assert_eq!(count("nginx/device-ca-bundle.crt"), "2");
    site.done(&["ca", "rotate"]);
    for (server, _, _) in SERVERS {
        site.done(&["config", server, "--replace"]);
    }
    for server in ["nginx", "mosquitto", "haproxy", "envoy"] {
        assert_eq!(count(&format!("{server}/device-ca-bundle.crt")), "3", "{server}");
    }
    let password = fs::read_to_string(site.path().join("zookeeper/store.password")).unwrap();
    let show = ["pkcs12", "-in", "zookeeper/device-cas.p12", "-nokeys", "-passin"];
    let text = openssl(site.path(), &[&show[..], &[&format!("pass:{password}")]].concat());
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "{text}");
    assert!(site.path().join("iis/issuing-3.cer").exists());
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let site = Site::new();
    site.done(&["server-cert", "--dns", "localhost", "--out", "next"]);
    fs::write(site.path().join("pass"), "secret\n").unwrap();
    let encrypt = ["key", "encrypt", "server/server.key", "--new-passphrase-file", "pass"];
    site.done(&[&encrypt[..], &["--out", "sealed.key"]].concat());
    fs::create_dir(site.path().join("empty")).unwrap();
    for (arguments, code, cause) in [
        (&["nginx", "--for", "empty"][..], 14, "device-root.crt"),
        (&["nginx", "--for", "nowhere"], 14, "nowhere"),
        (&["nginx", "--key", "next/server.key"], 18, "is of another key"),
        (&["nginx", "--key", "server/server.crt"], 1, "server/server.crt"),
        (&["nginx", "--certificate", "server/server.key"], 1, "no certificate"),
        (&["nginx", "--crl", "server/server.crt"], 1, "no CRL"),
        (&["nginx", "--key", "sealed.key"], 2, "--insecure-plaintext-key"),
        (&["nginx", "--at", "/etc/my site"], 2, "cannot stand in a configuration"),
        (&["nginx", "--listen", "x"], 2, "ADDRESS:PORT"),
        (&["nginx", "--upstream", "http://a/"], 2, "HOST:PORT"),
        (&["nginx", "--ocsp-responder", "https://a/"], 2, "http://HOST"),
        (&["nginx", "--ocsp", "on"], 2, "--ocsp-responder"),
        (&["nginx", "--allow-san", "x"], 2, "--allow-san"),
        (&["mosquitto", "--topic", "a\nuser root"], 2, "is no topic"),
        (&["mosquitto", "--all-topics", "a\ntopic #"], 2, "is no common name"),
        (&["mosquitto", "--verify-client", "optional"], 2, "--verify-client"),
        (&["haproxy", "--allow-cn", "a\nb"], 2, "is no name"),
        (&["zookeeper", "--verify-client", "optional_no_ca"], 2, "on or optional"),
        (&["zookeeper", "--data", "/a b"], 2, "cannot stand"),
        (&["iis", "--verify-client", "optional_no_ca"], 2, "on or optional"),
        (&["envoy", "--verify-client", "optional_no_ca", "--allow-cn", "a"], 2, "any name"),
    ] {
        let arguments = [&["config"], arguments, &["--out", "made"]].concat();
        let refused = site.run(&arguments);
        assert_eq!(refused.code, code, "{arguments:?} {refused:?}");
        assert!(refused.stderr.contains(cause), "{cause:?}: {arguments:?} {refused:?}");
        assert!(refused.stderr.contains("hint:"), "{refused:?}");
        assert!(!site.path().join("made").exists(), "{arguments:?}");
    }
    // By its name the key is written in the clear.
    let sealed = ["config", "nginx", "--key", "sealed.key", "--key-passphrase-file", "pass"];
    site.done(&[&sealed[..], &["--insecure-plaintext-key"]].concat());
    assert_eq!(site.run(&["match", "nginx/server.key", "server/server.crt"]).code, 0);
}

#[test]
fn the_script_for_iis_quotes_what_it_is_given() {
    let site = Site::new();
    let crls = site.crls("iis");
    let odd = ["--site", "It's; $(calc)", "--verify-client", "optional", "--crl", &crls];
    site.config("iis", "192.0.2.7:8443".parse().unwrap(), &odd);
    let script = fs::read_to_string(site.path().join("iis/install.ps1")).unwrap();
    for line in [
        "$site = 'It''s; $(calc)'\r\n",
        "$address = '192.0.2.7'\r\n",
        "$port = 8443\r\n",
        "'sslFlags' -Value 'Ssl,SslNegotiateCert'\r\n",
        "verifyclientcertrevocation=Enable",
    ] {
        assert!(script.contains(line), "{line:?} is not in {script}");
    }
    assert!(!script.contains('{') || !script.contains("{site}"), "{script}");
    // Root, issuing CA and server root each have a CRL, and a file of its own.
    for at in 1..=3 {
        let file = format!("iis/ca-{at}.crl");
        openssl(site.path(), &["crl", "-inform", "DER", "-in", &file, "-noout"]);
    }
    let password = fs::read_to_string(site.path().join("iis/store.password")).unwrap();
    let show = ["pkcs12", "-in", "iis/server.p12", "-noout", "-passin"];
    openssl(site.path(), &[&show[..], &[&format!("pass:{password}")]].concat());
    assert!(!script.contains(&password));
}
