//! What the doctor does without a server: the command line, files, keys. With servers it is tried
//! end to end.

use core::time::Duration;
use std::fs;
use std::net::TcpListener;
use std::time::Instant;

use crate::station::{Station, events};

/// A port that was just given back.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_command_line_without_sense_is_refused() {
    let station = Station::bare();
    for (words, cause) in [
        (&["doctor"][..], "HOST:PORT"),
        (&["doctor", "localhost"], "HOST:PORT is expected"),
        (&["doctor", "::1:443"], "HOST:PORT is expected"),
        (&["doctor", "https://acme.com:443"], "is not a host name"),
        (&["doctor", "localhost:1", "--cert", "x"], "--key"),
        (&["doctor", "localhost:1", "--timeout", "0"], "1..=600"),
        (&["doctor", "localhost:1", "--path", "x"], "begins with /"),
        (&["doctor", "localhost:1", "--path", "/\r\nX: y"], "begins with /"),
        (&["doctor", "localhost:1", "--client-id", ""], "1 to 100 characters"),
        (&["doctor", "localhost:1", "--ca", "-", "--crl", "-"], "can be read once"),
        (&["doctor", "localhost:1", "--name", "a b"], "is not a host name"),
    ] {
        let ran = station.run(words);
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(cause), "{words:?}: no {cause} in {ran:?}");
    }
}

#[test]
fn a_key_under_a_passphrase_is_opened_and_not_shown() {
    let station = Station::new();
    let dir = station.path();
    fs::write(dir.join("right"), "open sesame\n").unwrap();
    fs::write(dir.join("wrong"), "abracadabra\n").unwrap();
    let client = ["client-cert", "--name", "alice", "--new-passphrase-file", "right"];
    assert_eq!(station.run(&client).code, 0);
    let endpoint = closed();
    let with = |file: &str| {
        let files = ["--cert", "client/client.crt", "--key", "client/client.key"];
        let words = ["doctor", &endpoint, "--key-passphrase-file", file, "--json"];
        station.run(&[&words[..], &files].concat())
    };
    let right = with("right");
    assert_eq!(right.code, 19, "{right:?}");
    let told = events(&right);
    assert_eq!(told.last().unwrap()["error"], "nothing-listening");
    assert!(told.last().unwrap()["hint"].as_str().unwrap().contains("ss -ltn"));
    let wrong = with("wrong");
    assert_eq!(wrong.code, 1, "{wrong:?}");
    for ran in [right, wrong] {
        let said = ran.stdout + &ran.stderr;
        assert!(!said.contains("sesame") && !said.contains("abracadabra"), "{said}");
    }
}

#[test]
fn files_that_do_not_belong_together_are_named_before_anything_is_sent() {
    let station = Station::new();
    for name in ["alice", "bob"] {
        let client = ["client-cert", "--name", name, "--insecure-plaintext-key", "--out", name];
        assert_eq!(station.run(&client).code, 0);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let files = ["--cert", "alice/client.crt", "--key", "bob/client.key"];
    let ran = station.run(&[&["doctor", &endpoint][..], &files].concat());
    assert_eq!(ran.code, 18, "{ran:?}");
    assert!(ran.stderr.contains("bob/client.key is not the key of alice/client.crt"), "{ran:?}");
    assert!(listener.accept().is_err(), "nobody came");
}

#[test]
fn a_silent_server_is_not_waited_for_longer_than_said() {
    let station = Station::bare();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let started = Instant::now();
    let ran = station.run(&["doctor", &endpoint, "--timeout", "1"]);
    assert_eq!(ran.code, 19, "{ran:?}");
    assert!(ran.stderr.contains("said nothing for 1 s"), "{ran:?}");
    // The handshake, and a question in HTTP and one in MQTT.
    let took = started.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(8)).contains(&took), "{took:?}");
}
