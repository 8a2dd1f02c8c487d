//! `provision crl watch`: CRLs that are always fresh, and servers that know.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs;
use std::io::BufRead as _;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use provision_testkit::servers::{Nginx, ServerFiles};
use serde_json::Value;

use crate::station::{Following, Station};
use crate::tools::{openssl, tool};

fn start(station: &Station, more: &[&str]) -> Following {
    let watch = ["--json", "crl", "watch", "--poll", "1"];
    station.follow(&[&watch[..], more].concat())
}

fn crl_of(ca: &'static str) -> impl Fn(&Value) -> bool {
    move |event| {
        event["event"] == "crl" && event["file"].as_str().is_some_and(|file| file.contains(ca))
    }
}

#[test]
fn nginx_always_has_a_fresh_one_and_takes_nobody_without() {
    let station = Station::new();
    let dir = station.path();
    for name in ["alice", "bob"] {
        let client = ["client-cert", "--name", name, "--insecure-plaintext-key", "--out", name];
        assert_eq!(station.run(&client).code, 0);
    }
    assert_eq!(station.run(&["server-cert", "--ip", "127.0.0.1"]).code, 0);
    assert_eq!(station.run(&["crl", "--lifetime", "10s"]).code, 0);
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
    let files = ServerFiles {
        chain_pem: read("server/server.crt"),
        key_pem: read("server/server.key"),
        device_cas_pem: read("ca/device-ca-bundle.crt"),
        crls_pem: None,
        ocsp_responder: None,
        crl_file: Some(dir.join("crl/all.crl")),
    };
    let nginx = Nginx::start(Ipv4Addr::LOCALHOST, &files).unwrap();
    let url = format!("https://{}/", nginx.address());
    let get = |name: &str| {
        let (certificate, key) = (format!("{name}/client.crt"), format!("{name}/client.key"));
        let client = ["--cert", &certificate, "--key", &key, "--cacert", "ca/server-root.crt"];
        let curl = ["-s", "-o", "body", "-w", "%{http_code}", "--max-time", "20", &url];
        tool(dir, "curl", &[&client[..], &curl].concat()).1
    };
    let hook = nginx.reload_command();
    let watch = start(&station, &["--lifetime", "10s", "--renew-at", "30", "--hook", &hook]);
    watch.wait_for("hook", |event| event["event"] == "hook" && event["exit_code"] == 0);
    assert_eq!((get("alice"), get("bob")), ("200".into(), "200".into()), "{}", nginx.errors());

    // Nobody makes a CRL by hand.
    let revoked = Instant::now();
    assert_eq!(station.run(&["revoke", "--certificate", "bob/client.crt"]).code, 0);
    while get("bob") != "400" {
        assert!(revoked.elapsed() < Duration::from_secs(20), "{}", nginx.errors());
    }
    // Longer than any one of them lives.
    while revoked.elapsed() < Duration::from_secs(13) {
        assert_eq!(get("alice"), "200", "{}", nginx.errors());
        thread::sleep(Duration::from_millis(300));
    }
    let last = watch.wait_for("CRL", crl_of("device-issuing"));
    assert!(last["number"].as_u64().unwrap() > 1, "{last}");

    // Without the watch it ends, and with it everybody is out.
    drop(watch);
    let ended = Instant::now();
    while get("alice") != "400" {
        assert!(ended.elapsed() < Duration::from_secs(20), "{}", nginx.errors());
        thread::sleep(Duration::from_millis(300));
    }
    assert!(nginx.errors().contains("CRL has expired"), "{}", nginx.errors());
}

#[test]
fn whatever_goes_wrong_is_said_and_the_watch_goes_on() {
    let station = Station::new();
    let dir = station.path();
    assert_eq!(station.run(&["crl", "--lifetime", "1h", "--root-lifetime", "1s"]).code, 0);
    fs::remove_file(dir.join("ca/device-root.key")).unwrap();

    let lifetime = ["--lifetime", "4s", "--renew-at", "50"];
    let watch = start(&station, &[&lifetime[..], &["--hook", "sh -c 'exit 3'"]].concat());
    let warning = |text: &'static str| {
        move |event: &Value| {
            event["event"] == "warning" && event["message"].as_str().unwrap().contains(text)
        }
    };
    watch.wait_for("CRL", crl_of("device-issuing"));
    // The root's key is in a safe; its CRL is used as long as it can be, and longer.
    let root = watch.wait_for("warning", warning("its key is needed, and is not here"));
    assert_eq!(root["ca"], "device-root");
    let all = fs::read_to_string(dir.join("crl/all.crl")).unwrap();
    assert_eq!(all.matches("BEGIN X509 CRL").count(), 3, "{all}");
    let failed = watch.wait_for("hook", warning("failed"));
    assert_eq!(failed["exit_code"], 3);
    let next = watch.wait_for("CRL", crl_of("device-issuing"));

    // They cannot be written for a while.
    fs::rename(dir.join("crl"), dir.join("crl-away")).unwrap();
    fs::write(dir.join("crl"), "in the way").unwrap();
    watch.wait_for("warning", warning("no new CRLs, trying again"));
    fs::remove_file(dir.join("crl")).unwrap();
    fs::rename(dir.join("crl-away"), dir.join("crl")).unwrap();
    let after = watch.wait_for("CRL", crl_of("device-issuing"));
    assert!(after["number"].as_u64() > next["number"].as_u64(), "{next} {after}");
    drop(watch);
    let said = openssl(dir, &["crl", "-in", "crl/device-issuing.crl", "-noout", "-crlnumber"]);
    let number = i64::from_str_radix(said.trim().trim_start_matches("crlNumber=0x"), 16);
    assert!(number.unwrap_or(0) >= after["number"].as_i64().unwrap(), "{said}");

    // A hook that hangs, one by a shell, and one that is not there.
    let hang = ["--hook", "sleep 30", "--hook-seconds", "1"];
    let watch = start(&station, &[&lifetime[..], &hang].concat());
    watch.wait_for("hook", warning("did not end within 1 s"));
    watch.wait_for("CRL", crl_of("device-issuing"));
    // Its hook too: who is killed in between leaves it behind, for half a minute.
    watch.wait_for("hook", warning("did not end within 1 s"));
    drop(watch);
    let shell = ["--hook-shell", "test -f crl/all.crl && exit 4"];
    let watch = start(&station, &[&lifetime[..], &shell].concat());
    assert_eq!(watch.wait_for("hook", warning("failed"))["exit_code"], 4);
    drop(watch);
    let watch = start(&station, &[&lifetime[..], &["--hook", "no-such-program"]].concat());
    watch.wait_for("hook", warning("could not be started"));
    drop(watch);

    for wrong in [
        &["crl", "--lifetime", "0s"][..],
        &["crl", "--lifetime", "soon"],
        &["crl", "--days", "0"],
        &["crl", "--days", "3", "--lifetime", "1h"],
        &["crl", "watch", "--hook", ""],
        &["crl", "watch", "--hook", "'open"],
        &["crl", "watch", "--renew-at", "100"],
        &["crl", "watch", "--hook", "a", "--hook-shell", "b"],
    ] {
        let ran = station.run(wrong);
        assert_eq!(ran.code, 2, "{wrong:?}: {ran:?}");
        assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
    }
}

/// `provision crl watch … | head`: servers need the CRLs all the same.
#[test]
fn the_watch_goes_on_when_nobody_reads_what_it_says() {
    let station = Station::new();
    let watch = ["crl", "watch", "--poll", "1", "--lifetime", "4s", "--hook", "touch told"];
    let (mut process, mut output) = station.start(&watch);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("device-issuing.crl"), "{line}");
    drop(output);
    let number = || {
        let shown = station.run(&["inspect", "crl/device-issuing.crl"]).stdout;
        let number = shown.lines().find_map(|line| line.trim().strip_prefix("crlNumber: "));
        u64::from_str_radix(number.unwrap_or("0"), 16).unwrap()
    };
    let closed = Instant::now();
    while number() < 4 {
        assert!(closed.elapsed() < Duration::from_secs(30), "{}", number());
        assert_eq!(process.0.try_wait().unwrap(), None, "it has ended");
        thread::sleep(Duration::from_millis(300));
    }
    let told = station.path().join("told");
    fs::remove_file(&told).unwrap();
    while !told.exists() {
        assert!(closed.elapsed() < Duration::from_secs(40), "no hook is run any more");
        thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn every_file_is_there_before_anything_is_said() {
    let station = Station::new();
    let (mut process, output) = station.start(&["crl"]);
    drop(output);
    process.0.wait().unwrap();
    let all = fs::read_to_string(station.path().join("crl/all.crl")).unwrap();
    assert_eq!(all.matches("BEGIN X509 CRL").count(), 3, "{all}");
}

/// A hook is somebody else's program.
#[test]
fn a_hook_gets_no_secret() {
    let station = Station::new();
    let secrets = [
        "PROVISION_PASSPHRASE",
        "PROVISION_KEY_PASSPHRASE",
        "PROVISION_NEW_KEY_PASSPHRASE",
        "PGPASSWORD",
    ];
    let watch = ["--json", "crl", "watch", "--hook-shell", "env > environment"];
    let mut command = station.command(&watch);
    command.stdout(Stdio::piped()).env("PROVISION_CA", "ca");
    command.envs(secrets.map(|name| (name, "open sesame")));
    // As far as the program is concerned, any path is one; in an address it would be a password.
    fs::rename(station.path().join("ca/ledger.sqlite"), station.path().join("open sesame"))
        .unwrap();
    command.env("PROVISION_LEDGER", "open sesame");
    let watch = Following::of(command.spawn().unwrap());
    watch.wait_for("hook", |event| event["event"] == "hook" && event["exit_code"] == 0);
    let environment = fs::read_to_string(station.path().join("environment")).unwrap();
    assert!(environment.contains("PROVISION_CA=ca\n"), "{environment}");
    assert!(!environment.contains("open sesame"), "{environment}");
}
