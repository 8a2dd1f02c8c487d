//! nginx on what `config nginx` writes, and curl.

use std::fs;
use std::io::BufRead as _;

use provision_testkit::servers::{Ready, Started};

use crate::site::{Site, free_address};
use crate::station::Station;
use crate::tools::{openssl, openssl_refuses};

/// Answers with what it was told of the client.
fn upstream(site: &Site) -> Started {
    let address = free_address();
    fs::create_dir(site.path().join("upstream")).unwrap();
    let names = ["Verify", "S-DN", "I-DN", "CN", "Serial", "Fingerprint", "Cert"];
    let lines: String = names
        .iter()
        .map(|name| {
            let variable = name.to_lowercase().replace('-', "_");
            format!("{name}: $http_x_ssl_client_{variable}\n")
        })
        .collect();
    let configuration = format!(
        "events {{ }}\npid nginx.pid;\nerror_log error.log;\nhttp {{\n access_log off;\n \
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n \
         uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n server {{ listen {address};\n \
         location / {{ return 200 \"{lines}\"; }} }} }}\n"
    );
    fs::write(site.path().join("upstream/nginx.conf"), configuration).unwrap();
    site.nginx_in("upstream", address)
}

#[test]
fn nginx_takes_clients_of_the_ca_and_tells_upstream_who_they_are() {
    let site = Site::new();
    site.client("alice", &[]);
    site.stranger();
    site.late();
    let upstream = upstream(&site);
    let address = free_address();
    site.config("nginx", address, &["--upstream", &upstream.address().to_string()]);
    let nginx = site.nginx(address);

    let serial = site.shown("alice", &["-serial"]);
    let fingerprint = site.shown("alice", &["-fingerprint", "-sha1"]);
    let fingerprint = fingerprint.replace(':', "").to_lowercase();
    let told = site.ask_as("alice", address);
    for line in [
        "Verify: SUCCESS",
        "S-DN: CN=alice",
        "I-DN: CN=Test Device Issuing CA",
        "CN: alice",
        &format!("Serial: {serial}"),
        &format!("Fingerprint: {fingerprint}"),
        "Cert: -----BEGIN%20CERTIFICATE-----",
    ] {
        told.is(200, line);
    }
    // Who claims to be somebody else is not believed.
    let claims = ["--cert", "alice/client.crt", "--key", "alice/client.key"];
    let claims = [&claims[..], &["-H", "X-SSL-Client-CN: root", "-H", "X_SSL_Client_CN: root"]];
    let claimed = site.ask(address, &claims.concat());
    claimed.is(200, "CN: alice");
    assert!(!claimed.text.contains("root"), "{claimed:?}");

    // PKCS#12.
    fs::write(site.path().join("pass"), "p12 password\n").unwrap();
    let make = ["p12", "make", "--key", "alice/client.key", "--certificate", "alice/client.crt"];
    site.done(&[&make[..], &["--new-passphrase-file", "pass", "--out", "alice.p12"]].concat());
    let p12 = ["--cert-type", "P12", "--cert"];
    site.ask(address, &[&p12[..], &["alice.p12:p12 password"]].concat()).is(200, "CN: alice");
    site.ask(address, &[&p12[..], &["alice.p12:another"]].concat()).is(0, "");

    site.ask(address, &[]).is(400, "No required SSL certificate was sent");
    for client in ["stranger", "late"] {
        site.ask_as(client, address).is(400, "The SSL certificate error");
    }
    // Of the one that came late, the time alone is wrong.
    let verify = ["verify", "-CAfile", "ca/device-ca-bundle.crt"];
    let said = openssl_refuses(site.path(), &[&verify[..], &["late/client.crt"]].concat());
    assert!(said.contains("certificate has expired"), "{said}");
    openssl(site.path(), &[&verify[..], &["-no_check_time", "late/client.crt"]].concat());
    // A server's certificate is no client's: another tree.
    let server = ["--cert", "server/server.crt", "--key", "server/server.key"];
    site.ask(address, &server).is(400, "The SSL certificate error");
    drop(nginx);
    site.ask_as("alice", address).is(0, "Failed to connect");
}

#[test]
fn nginx_with_certificates_that_are_optional() {
    let site = Site::new();
    site.client("alice", &[]);
    site.stranger();
    site.late();
    for (demand, nobody, stranger, late) in [
        ("on", (400, "No required"), (400, "certificate error"), (400, "certificate error")),
        ("optional", (200, "NONE"), (400, "certificate error"), (400, "certificate error")),
        // What nobody vouches for gets through, what is out of date does not.
        (
            "optional_no_ca",
            (200, "NONE"),
            (200, "FAILED:unable to verify the first certificate CN=stranger"),
            (400, "certificate error"),
        ),
    ] {
        let address = free_address();
        site.config("nginx", address, &["--verify-client", demand]);
        let _nginx = site.nginx(address);
        site.ask_as("alice", address).is(200, "SUCCESS CN=alice");
        site.ask(address, &[]).is(nobody.0, nobody.1);
        site.ask_as("stranger", address).is(stranger.0, stranger.1);
        site.ask_as("late", address).is(late.0, late.1);
    }
}

#[test]
fn nginx_with_crls_and_past_their_end() {
    let site = Site::new();
    site.client("alice", &[]);
    site.client("mallory", &[]);
    site.revoke("mallory");
    let crls = site.crls("nginx");
    let address = free_address();
    site.config("nginx", address, &["--crl", &crls]);
    {
        let _nginx = site.nginx(address);
        site.ask_as("alice", address).is(200, "SUCCESS CN=alice");
        site.ask_as("mallory", address).is(400, "The SSL certificate error");
    }
    // New CRLs by `provision crl` alone.
    site.revoke("alice");
    site.crls("nginx");
    {
        let _nginx = site.nginx(address);
        site.ask_as("alice", address).is(400, "The SSL certificate error");
    }
    // The same configuration, its CRLs a day past their nextUpdate: nobody, revoked or not.
    site.client("bob", &[]);
    site.ended_crls("ended.crl");
    site.ended_crls(&crls);
    {
        let nginx = site.nginx(address);
        site.ask_as("bob", address).is(400, "The SSL certificate error");
        drop(nginx);
        site.crls("nginx");
        let _nginx = site.nginx(address);
        site.ask_as("bob", address).is(200, "SUCCESS CN=bob");
    }
    // So neither those nor some of them alone get into a configuration.
    let config = ["config", "nginx", "--out", "n", "--crl"];
    for (file, cause) in [
        ("ended.crl", "ended on"),
        ("nginx/crl/device-issuing.crl", "no CRL of /CN=Test Device Root CA is in it"),
    ] {
        let refused = site.run(&[&config[..], &[file]].concat());
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(cause), "{refused:?}");
        assert!(!site.path().join("n").exists());
    }
}

/// `crl --url` and the profile's `[revocation] crl` must name the same place: nginx takes a CRL with a place for the
/// certificates that name it, and nobody without a CRL.
#[test]
fn nginx_with_crls_that_say_where_they_are() {
    let site = Site::new();
    let profile = |file: &str, revocation: &str| {
        let text = format!(
            "signed_by = \"device\"\nsubject = \"/CN={{common_name}}\"\nvalid = 90\n\
             key_usage = [\"digitalSignature\"]\nextended_key_usage = [\"clientAuth\"]\n{revocation}"
        );
        fs::write(site.path().join(file), text).unwrap();
    };
    let at = |host: &str| format!("[revocation]\ncrl = [\"http://{host}/device-issuing.crl\"]\n");
    profile("pki.toml", &at("pki.example"));
    profile("moved.toml", &at("moved.example"));
    for (name, profile) in [
        ("alice", "pki.toml"),
        ("mallory", "pki.toml"),
        ("moved", "moved.toml"),
        // The shipped profile names no place.
        ("nowhere", "client"),
    ] {
        site.client(name, &["--profile", profile]);
    }
    site.revoke("mallory");
    let crls = "nginx/crl/all.crl";
    site.done(&["crl", "--out", "nginx/crl", "--url", "http://pki.example"]);
    let address = free_address();
    site.config("nginx", address, &["--crl", crls]);
    let _nginx = site.nginx(address);
    let log = || fs::read_to_string(site.path().join("nginx/error.log")).unwrap_or_default();
    site.ask_as("alice", address).is(200, "SUCCESS CN=alice");
    for (client, says) in [
        ("mallory", "(23:certificate revoked)"),
        // OpenSSL finds one of another place first, and nginx has it look for more.
        ("moved", "(3:unable to get certificate CRL)"),
        ("nowhere", "(3:unable to get certificate CRL)"),
    ] {
        let before = log().len();
        site.ask_as(client, address).is(400, "The SSL certificate error");
        assert!(log()[before..].contains(says), "{client}: {}", &log()[before..]);
        // Ours is of the same mind.
        let file = format!("{client}/client.crt");
        let verify = ["verify", &file, "--trusted", "ca/device-ca-bundle.crt", "--crl", crls];
        assert_eq!(site.run(&verify).code, 18, "{client}");
    }
}

#[test]
fn nginx_lets_in_by_common_name_and_unit() {
    let site = Site::new();
    site.client("alice", &["--subject", "/O=Acme/CN=alice"]);
    site.client("olga", &["--subject", "/OU=Line 1, north/CN=olga"]);
    site.client("odd", &["--subject", "/O=Acme/CN=a.b\\+c \"d\" é"]);
    // None of them is alice, nor odd.
    site.client("alice2", &[]);
    site.client("bob", &["--subject", "/O=x,CN=alice/CN=bob"]);
    site.client("carl", &["--subject", "/O=x\\\\,CN=alice/OU=Line 1/CN=carl"]);
    site.client("even", &["--subject", "/CN=aXb\\+c \"d\" é"]);
    site.stranger();
    site.client("false", &["--ca", "other", "--subject", "/CN=alice"]);
    for demand in ["on", "optional_no_ca"] {
        let address = free_address();
        let allow = ["--allow-cn", "alice", "--allow-cn", "a.b+c \"d\" é"];
        let allow = [&allow[..], &["--allow-ou", "Line 1, north", "--verify-client", demand]];
        site.config("nginx", address, &allow.concat());
        let _nginx = site.nginx(address);
        for client in ["alice", "olga", "odd"] {
            site.ask_as(client, address).is(200, "SUCCESS");
        }
        for client in ["alice2", "bob", "carl", "even"] {
            site.ask_as(client, address).is(403, "403 Forbidden");
        }
        let refused = if demand == "on" { 400 } else { 403 };
        site.ask_as("false", address).is(refused, "");
        site.ask(address, &[]).is(refused, "");
    }
}

/// Both as `provision` makes them: the configuration and the responder.
#[test]
fn nginx_asks_our_ocsp_responder_about_devices() {
    let site = Site::new();
    for device in ["sensor-1", "sensor-2"] {
        site.client(device, &["--profile", "device"]);
    }
    site.done(&["ocsp", "cert"]);
    let serve = ["--json", "ocsp", "serve", "--listen", "127.0.0.1:0"];
    let (responder, mut output) = Station::start(&site, &serve);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let event: serde_json::Value = serde_json::from_str(&line).expect(&line);
    let url = format!("http://{}/", event["address"].as_str().unwrap());

    // The issuing CA is asked about too, if that is wished for.
    for which in ["leaf", "on"] {
        let address = free_address();
        site.config("nginx", address, &["--ocsp-responder", &url, "--ocsp", which]);
        let _nginx = site.nginx(address);
        site.ask_as("sensor-1", address).is(200, "SUCCESS CN=sensor-1");
    }
    let address = free_address();
    site.config("nginx", address, &["--ocsp-responder", &url]);
    {
        let _nginx = site.nginx(address);
        site.ask_as("sensor-1", address).is(200, "SUCCESS CN=sensor-1");
        site.revoke("sensor-1");
        // It keeps the answer until that ends.
        site.ask_as("sensor-1", address).is(200, "SUCCESS CN=sensor-1");
    }
    {
        let _nginx = site.nginx(address);
        site.ask_as("sensor-1", address).is(400, "The SSL certificate error");
        site.ask_as("sensor-2", address).is(200, "SUCCESS CN=sensor-2");
    }
    // Without OCSP nobody would know.
    site.config("nginx", address, &[]);
    let nginx = site.nginx(address);
    site.ask_as("sensor-1", address).is(200, "SUCCESS CN=sensor-1");
    drop(nginx);
    // And without an answer nobody is taken.
    drop(responder);
    site.config("nginx", address, &["--ocsp-responder", &url]);
    let _nginx = site.nginx(address);
    site.ask_as("sensor-2", address).is(400, "The SSL certificate error");
}

#[test]
fn nginx_asks_an_ocsp_responder() {
    let site = Site::new();
    for client in ["alice", "mallory", "bob"] {
        site.client(client, &[]);
    }
    let line = |client: &str, state: &str| {
        let serial = site.shown(client, &["-serial"]);
        format!("{state}\t{serial}\tunknown\t/CN={client}\n")
    };
    let index = [
        line("alice", "V\t300101000000Z\t"),
        line("mallory", "R\t300101000000Z\t260101000000Z,keyCompromise"),
        line("bob", "V\t300101000000Z\t"),
    ];
    fs::write(site.path().join("index.txt"), index.concat()).unwrap();
    let responder_address = free_address();
    let port = responder_address.port().to_string();
    let responder = ["ocsp", "-index", "index.txt", "-port", &port, "-CA", "ca/device-issuing.crt"];
    let signer = ["-rsigner", "ca/device-issuing.crt", "-rkey", "ca/device-issuing.key"];
    let arguments = [&responder[..], &signer].concat();
    // It takes a connection without a question for its last.
    let ready = Ready::Says("waiting for OCSP client connections");
    let responder = site.start_when("openssl", "", &arguments, responder_address, ready);

    let address = free_address();
    let url = format!("http://{responder_address}/");
    site.config("nginx", address, &["--ocsp-responder", &url]);
    let _nginx = site.nginx(address);
    site.ask_as("alice", address).is(200, "SUCCESS CN=alice");
    site.ask_as("mallory", address).is(400, "The SSL certificate error");
    // Nobody is taken unasked.
    drop(responder);
    site.ask_as("bob", address).is(400, "The SSL certificate error");
    assert!(
        openssl(site.path(), &["x509", "-in", "bob/client.crt", "-noout", "-ocsp_uri"]).is_empty()
    );
}
