//! HAProxy on what `config haproxy` writes, and curl.

use core::net::SocketAddr;
use std::fs;

use provision_testkit::servers::Started;

use crate::site::{REFUSED, Site, free_address};

/// In the foreground and in one process, so that it does not outlive the test.
fn haproxy(site: &Site, address: SocketAddr) -> Started {
    site.start("haproxy", "haproxy", &["-db", "-f", "haproxy.cfg"], address)
}

#[test]
fn haproxy_takes_clients_of_the_ca_and_refuses_the_revoked() {
    let site = Site::new();
    site.client("alice", &["--subject", "/O=Acme/CN=alice"]);
    site.client("mallory", &[]);
    site.revoke("mallory");
    site.stranger();
    site.late();
    let crls = site.crls("haproxy");
    let address = free_address();
    site.config("haproxy", address, &["--crl", &crls]);
    {
        let _haproxy = haproxy(&site, address);
        site.ask_as("alice", address).is(200, "SUCCESS CN=alice,O=Acme");
        for client in ["mallory", "stranger", "late"] {
            site.ask_as(client, address).is(0, REFUSED);
        }
        site.ask(address, &[]).is(0, REFUSED);
    }
    // Past their end nobody is taken.
    site.ended_crls(&crls);
    {
        let _haproxy = haproxy(&site, address);
        site.ask_as("alice", address).is(0, REFUSED);
    }
    // Without CRLs it has nothing against her.
    site.config("haproxy", address, &[]);
    let _haproxy = haproxy(&site, address);
    site.ask_as("mallory", address).is(200, "SUCCESS CN=mallory");
}

#[test]
fn haproxy_lets_in_by_name_and_tells_upstream_who_it_is() {
    let site = Site::new();
    site.client("alice", &[]);
    site.client("odd", &["--subject", "/O=Acme/CN=it's \"odd\""]);
    site.client("olga", &["--subject", "/OU=Line 1/CN=olga"]);
    site.client("bob", &["--subject", "/O=x,CN=alice/CN=bob"]);
    site.stranger();
    site.client("false", &["--ca", "other", "--subject", "/CN=alice"]);

    let upstream_address = free_address();
    fs::create_dir(site.path().join("upstream")).unwrap();
    let upstream = format!(
        "defaults\n mode http\n timeout connect 5s\n timeout client 9s\n timeout server 9s\n\
         frontend echo\n bind {upstream_address}\n http-request return status 200 content-type \
         text/plain lf-string \"%[req.hdr(X-SSL-Client-Verify)] %[req.hdr(X-SSL-Client-CN)] \
         %[req.hdr(X-SSL-Client-S-DN)] %[req.hdr(X-SSL-Client-Serial)] \
         %[req.hdr(X-SSL-Client-Fingerprint)]\"\n"
    );
    fs::write(site.path().join("upstream/haproxy.cfg"), upstream).unwrap();
    let arguments = ["-db", "-f", "haproxy.cfg"];
    let _upstream = site.start("haproxy", "upstream", &arguments, upstream_address);
    let upstream = upstream_address.to_string();

    let address = free_address();
    let allow = ["--allow-cn", "alice", "--allow-cn", "it's \"odd\"", "--allow-ou", "Line 1"];
    for demand in ["on", "optional_no_ca"] {
        let more = ["--upstream", &upstream, "--verify-client", demand];
        site.config("haproxy", address, &[&allow[..], &more].concat());
        let _haproxy = haproxy(&site, address);
        let serial = site.shown("alice", &["-serial"]);
        let fingerprint = site.shown("alice", &["-fingerprint", "-sha1"]);
        let fingerprint = fingerprint.replace(':', "").to_lowercase();
        let expected = format!("SUCCESS alice CN=alice {serial} {fingerprint}");
        site.ask_as("alice", address).is(200, &expected);
        let claims = ["--cert", "alice/client.crt", "--key", "alice/client.key"];
        let claims = [&claims[..], &["-H", "X-SSL-Client-CN: root"]].concat();
        site.ask(address, &claims).is(200, &expected);
        site.ask_as("odd", address).is(200, "SUCCESS it's \"odd\"");
        site.ask_as("olga", address).is(200, "SUCCESS olga");
        site.ask_as("bob", address).is(403, "");
        let refused = if demand == "on" { (0, REFUSED) } else { (403, "") };
        site.ask_as("false", address).is(refused.0, refused.1);
        site.ask(address, &[]).is(refused.0, refused.1);
    }
    // Whoever is not kept out is told of.
    site.config(
        "haproxy",
        address,
        &["--verify-client", "optional_no_ca", "--upstream", &upstream],
    );
    let _haproxy = haproxy(&site, address);
    site.ask_as("false", address).is(200, "FAILED:");
    site.ask(address, &[]).is(200, "NONE");
}
