//! `provision ocsp serve`, asked by openssl, gnutls, curl, nginx and by nobody in their right mind.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::ChildStdout;
use std::time::Instant;

use provision_testkit::cli::Running;
use provision_testkit::servers::{Nginx, ServerFiles};
use serde_json::Value;

use crate::station::{Station, events};
use crate::tools::{openssl, openssl_refuses, tool};

/// A running responder.
struct Responder {
    process: Running,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Responder {
    fn start(station: &Station, more: &[&str]) -> Self {
        let serve = ["--json", "ocsp", "serve", "--listen", "127.0.0.1:0"];
        let (process, mut output) = station.start(&[&serve[..], more].concat());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).expect(&line);
        let address = event["address"].as_str().unwrap().parse().unwrap();
        Self { process, output, address }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What `openssl ocsp` prints, asked about these.
    fn ask(&self, dir: &Path, about: &[&str]) -> String {
        let url = self.url();
        let asked = ["ocsp", "-url", &url, "-CAfile", "ca/device-ca-bundle.crt"];
        openssl(dir, &[&asked[..], &["-issuer", "ca/device-issuing.crt"], about].concat())
    }

    /// The answer to a request by POST: HTTP status and body.
    fn post(&self, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        post_on(&mut stream, body)
    }
}

fn post_on(stream: &mut TcpStream, body: &[u8]) -> (u16, Vec<u8>) {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // It may have been answered, and closed, before all of it was sent.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    let mut reader = BufReader::new(stream);
    let (mut status, mut len) = (0, 0);
    for at in 0.. {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if at == 0 {
            status = line.split(' ').nth(1).expect(line).parse().unwrap();
        } else if line.is_empty() {
            break;
        } else if let Some(found) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            len = found.parse().unwrap();
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).unwrap();
    (status, body)
}

/// A CA, a responder's certificates, and a client's certificate for each name.
fn with_clients(names: &[&str]) -> Station {
    let station = Station::new();
    for name in names {
        let client = ["client-cert", "--name", name, "--insecure-plaintext-key", "--out", name];
        assert_eq!(station.run(&client).code, 0);
    }
    let made = station.run(&["ocsp", "cert"]);
    assert_eq!(made.code, 0, "{made:?}");
    station
}

fn revoke(station: &Station, name: &str, reason: &str) {
    let certificate = format!("{name}/client.crt");
    let revoke = ["revoke", "--certificate", &certificate, "--reason", reason];
    assert_eq!(station.run(&revoke).code, 0);
}

/// A request for alice's certificate, as openssl writes it.
fn request(station: &Station, more: &[&str]) -> Vec<u8> {
    let about = ["-issuer", "ca/device-issuing.crt", "-cert", "alice/client.crt"];
    openssl(station.path(), &[&["ocsp", "-reqout", "req.der"], &about[..], more].concat());
    fs::read(station.path().join("req.der")).unwrap()
}

/// Whether there is an answer with a status in it, and not a refusal.
fn is_answer((status, body): &(u16, Vec<u8>)) -> bool {
    *status == 200 && body.get(4..7) == Some(&[0x0a, 1, 0])
}

/// An OCSPResponse without an answer (RFC 6960 section 4.2.1).
fn refusal(status: u8) -> (u16, Vec<u8>) {
    (200, vec![0x30, 3, 0x0a, 1, status])
}

const MALFORMED: u8 = 1;
const TRY_LATER: u8 = 3;
const UNAUTHORIZED: u8 = 6;

#[test]
fn openssl_hears_what_is_so_at_that_moment() {
    let station = with_clients(&["alice", "bob"]);
    let dir = station.path();
    let mut responder = Responder::start(&station, &["--log"]);
    let (alice, bob) = (["-cert", "alice/client.crt"], ["-cert", "bob/client.crt"]);
    for hash in ["-sha1", "-sha256"] {
        let said = responder.ask(dir, &[&[hash][..], &alice].concat());
        assert!(said.contains("Response verify OK"), "{said}");
        assert!(said.contains("alice/client.crt: good"), "{said}");
        assert!(said.contains("Next Update: "), "{said}");
        // openssl sends a nonce by itself, and warns of an answer that does not have it.
        assert!(!said.contains("nonce"), "{said}");
    }
    revoke(&station, "bob", "keyCompromise");
    let said = responder.ask(dir, &[&alice[..], &bob].concat());
    assert!(said.contains("alice/client.crt: good"), "{said}");
    assert!(said.contains("bob/client.crt: revoked"), "{said}");
    assert!(said.contains("Reason: keyCompromise"), "{said}");
    let said = responder.ask(dir, &["-serial", "0x0102030405"]);
    assert!(said.contains("0x0102030405: unknown"), "{said}");

    // The root's responder answers for the issuing CA.
    let (url, root) = (responder.url(), "ca/device-root.crt");
    let about = ["ocsp", "-issuer", root, "-cert", "ca/device-issuing.crt", "-url", &url];
    let said = openssl(dir, &[&about[..], &["-CAfile", root]].concat());
    assert!(said.contains("Response verify OK"), "{said}");
    assert!(said.contains("device-issuing.crt: good"), "{said}");

    // The answer is worth nothing to who trusts another CA, and neither is one that was changed.
    let asked = ["ocsp", "-url", &url, "-issuer", "ca/device-issuing.crt", "-cert"];
    let kept = ["alice/client.crt", "-CAfile", "ca/device-ca-bundle.crt", "-respout", "r.der"];
    openssl(dir, &[&asked[..], &kept].concat());
    let said =
        openssl_refuses(dir, &[&asked[..], &[kept[0], "-CAfile", "ca/server-root.crt"]].concat());
    assert!(said.contains("Response Verify Failure"), "{said}");
    let answer = fs::read(dir.join("r.der")).unwrap();
    let read =
        ["ocsp", "-no_nonce", "-respin", "r.der", "-issuer", "ca/device-issuing.crt", "-cert"];
    let read = [&read[..], &kept[..3]].concat();
    openssl(dir, &read);
    let at = answer.windows(2).position(|pair| pair == [0x80, 0]).unwrap();
    let mut changed = answer;
    changed[at + 5] ^= 1;
    fs::write(dir.join("r.der"), changed).unwrap();
    openssl_refuses(dir, &read);
    let mut line = String::new();
    responder.output.read_line(&mut line).unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["status"], "successful");
    assert_eq!(event["certificates"][0]["status"], "good");
}

#[test]
fn gnutls_believes_the_answer_too() {
    let station = with_clients(&["alice"]);
    let dir = station.path();
    let responder = Responder::start(&station, &[]);
    let (status, answer) = responder.post(&request(&station, &[]));
    assert_eq!(status, 200);
    fs::write(dir.join("r.der"), answer).unwrap();
    let verify = ["--verify-response", "--infile", "r.der", "--load-trust"];
    let with = |anchors| tool(dir, "ocsptool", &[&verify[..], &[anchors]].concat());
    let (content, said) = with("ca/device-ca-bundle.crt");
    assert!(content && said.contains("Success"), "{said}");
    let (content, said) = with("ca/server-root.crt");
    assert!(!content && said.contains("Fail"), "{said}");
}

#[test]
fn by_get_with_the_request_in_the_path() {
    let station = with_clients(&["alice"]);
    let dir = station.path();
    request(&station, &[]);
    let base64 = openssl(dir, &["base64", "-A", "-in", "req.der"]);
    let escaped = base64.trim().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let responder = Responder::start(&station, &["--path", "/ocsp/"]);
    let get = |path: &str| {
        let url = format!("{}{path}", responder.url());
        let curl = ["-s", "-o", "r.der", "-w", "%{http_code} %{content_type}", &url];
        let (content, said) = tool(dir, "curl", &curl);
        assert!(content, "{said}");
        said
    };
    for path in [format!("ocsp/{escaped}"), format!("ocsp/{}", base64.trim())] {
        assert_eq!(get(&path), "200 application/ocsp-response");
        let read = ["ocsp", "-respin", "r.der", "-CAfile", "ca/device-ca-bundle.crt", "-reqin"];
        let said =
            openssl(dir, &[&read[..], &["req.der", "-issuer", "ca/device-issuing.crt"]].concat());
        assert!(said.contains("Response verify OK"), "{said}");
    }
    for path in ["", "ocsp/", "elsewhere/AAAA", "ocsp/%zz"] {
        assert_eq!(get(path), "200 application/ocsp-response");
        assert_eq!(fs::read(dir.join("r.der")).unwrap(), refusal(MALFORMED).1, "{path}");
    }
    let put = ["-s", "-X", "PUT", "-o", "/dev/null", "-w", "%{http_code}", &responder.url()];
    assert_eq!(tool(dir, "curl", &put).1, "405");
}

#[test]
fn what_cannot_be_answered_is_named() {
    let station = with_clients(&["alice"]);
    let dir = station.path();
    let responder = Responder::start(&station, &[]);
    let good = request(&station, &["-no_nonce"]);
    assert!(is_answer(&responder.post(&good)));
    assert_eq!(responder.post(&[]), refusal(MALFORMED));
    assert_eq!(responder.post(b"no request"), refusal(MALFORMED));
    assert_eq!(responder.post(&good[..good.len() - 1]), refusal(MALFORMED));
    assert_eq!(responder.post(&[&good[..], b"x"].concat()), refusal(MALFORMED));
    assert_eq!(responder.post(&vec![0x30; 20_000]).0, 413);

    // A nonce has 1 to 32 octets (RFC 8954), and comes back as it was.
    for (len, fits) in [(0, false), (1, true), (32, true), (33, false)] {
        let asked = with_extension(&good, &nonce(len));
        let said = responder.post(&asked);
        assert_eq!(is_answer(&said), fits, "{len}: {said:02x?}");
        assert_eq!(said == refusal(MALFORMED), !fits, "{len}: {said:02x?}");
        let echo = [vec![0x04, u8::try_from(len).unwrap()], vec![0x5a; len]].concat();
        assert_eq!(said.1.windows(echo.len()).any(|part| part == echo), fits, "{len}");
    }
    // Critical, and nobody knows what it means: 1.2.3.4 with an empty value.
    let unknown = [0x30, 0x0a, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x01, 0x01, 0xff, 0x04, 0x00];
    assert_eq!(responder.post(&with_extension(&good, &unknown)), refusal(MALFORMED));

    // Another CA, and two at once.
    let other = Station::new();
    fs::copy(other.path().join("ca/device-issuing.crt"), dir.join("other.crt")).unwrap();
    let about_other = ["-issuer", "other.crt", "-serial", "1"];
    let asked = request(&station, &about_other);
    assert_eq!(responder.post(&asked), refusal(UNAUTHORIZED));
    let about_root = ["-issuer", "ca/device-root.crt", "-serial", "1"];
    assert_eq!(responder.post(&request(&station, &about_root)), refusal(UNAUTHORIZED));

    // A ledger that cannot be read any more: not here, not now, but no wrong answer.
    let fresh = Responder::start(&station, &[]);
    let ledger = dir.join("ca/ledger.sqlite");
    let len = fs::metadata(&ledger).unwrap().len();
    fs::write(&ledger, vec![0xee; usize::try_from(len).unwrap()]).unwrap();
    assert_eq!(fresh.post(&good), refusal(TRY_LATER));
}

/// The nonce extension with so many octets.
fn nonce(len: usize) -> Vec<u8> {
    let octets = [vec![0x04, u8::try_from(len).unwrap()], vec![0x5a; len]].concat();
    let oid = [0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];
    let value = [vec![0x04, u8::try_from(octets.len()).unwrap()], octets].concat();
    [vec![0x30, u8::try_from(oid.len() + value.len()).unwrap()], oid.to_vec(), value].concat()
}

/// A request with one more extension; both are shorter than 128 octets.
fn with_extension(request: &[u8], extension: &[u8]) -> Vec<u8> {
    let wrap = |tag: u8, inner: &[u8]| {
        let len = u8::try_from(inner.len()).unwrap();
        let header = if len < 128 { vec![tag, len] } else { vec![tag, 0x81, len] };
        [header, inner.to_vec()].concat()
    };
    // SEQUENCE { SEQUENCE { requestList, [2] { SEQUENCE { extension } } } }
    assert!(request[1] < 128 && request[3] < 128);
    let list = &request[4..];
    let extensions = wrap(0xa2, &wrap(0x30, extension));
    wrap(0x30, &wrap(0x30, &[list, &extensions].concat()))
}

#[test]
fn thousands_of_broken_requests_are_answered_by_name() {
    let station = with_clients(&["alice"]);
    let responder = Responder::start(&station, &[]);
    let good = request(&station, &[]);
    let mut stream = TcpStream::connect(responder.address).unwrap();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let mut seen = [0; 8];
    for at in 0..4000 {
        // A connection is taken back after half a minute, however busy.
        if at % 100 == 0 {
            stream = TcpStream::connect(responder.address).unwrap();
        }
        let mut broken = good.clone();
        for _ in 0..=random(3) {
            let place = random(broken.len());
            match random(4) {
                0 => broken[place] = u8::try_from(random(256)).unwrap(),
                1 => broken[place] ^= 1 << random(8),
                2 => broken.truncate(place.max(1)),
                _ => broken.insert(place, u8::try_from(random(256)).unwrap()),
            }
        }
        let (status, answer) = post_on(&mut stream, &broken);
        assert_eq!(status, 200, "{broken:02x?}");
        let short = answer.len() == 5;
        let said = if short { answer[4] } else { 0 };
        assert!([0, MALFORMED, UNAUTHORIZED].contains(&said), "{said}: {broken:02x?}");
        seen[usize::from(said)] += 1;
    }
    for said in [0, MALFORMED, UNAUTHORIZED] {
        assert!(seen[usize::from(said)] > 10, "{seen:?}");
    }
    let said = responder.ask(station.path(), &["-cert", "alice/client.crt"]);
    assert!(said.contains("alice/client.crt: good"), "{said}");
}

#[test]
fn dead_peers_stop_nobody_and_are_left() {
    let station = with_clients(&["alice"]);
    let responder = Responder::start(&station, &[]);
    let good = request(&station, &[]);
    // Nothing said, half a head, half a body.
    let begun = ["", "POST / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nhalf"];
    let mut dead: Vec<TcpStream> = (0..150)
        .map(|at| {
            let mut stream = TcpStream::connect(responder.address).unwrap();
            stream.write_all(begun[at % 3].as_bytes()).unwrap();
            stream
        })
        .collect();
    let started = Instant::now();
    for _ in 0..20 {
        assert!(is_answer(&responder.post(&good)));
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    for stream in &mut dead {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Told so or not, it is closed.
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told);
        let told = String::from_utf8_lossy(&told);
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
    }
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(15), "{waited:?}");
}

#[cfg(unix)]
#[test]
fn signals_end_it_cleanly() {
    let station = with_clients(&["alice"]);
    for signal in ["-INT", "-TERM"] {
        let mut responder = Responder::start(&station, &[]);
        // Somebody is in the middle of something.
        let _idle = TcpStream::connect(responder.address).unwrap();
        let pid = responder.process.0.id().to_string();
        assert!(tool(station.path(), "kill", &[signal, &pid]).0);
        let started = Instant::now();
        let code = loop {
            if let Some(status) = responder.process.0.try_wait().unwrap() {
                break status.code();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{signal}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(code, Some(0), "{signal}");
        let mut rest = String::new();
        responder.output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

/// Whatever is revoked when: what a CRL made now says is what is answered now.
#[test]
fn the_crl_and_the_answers_agree() {
    let names = ["c0", "c1", "c2", "c3", "c4", "c5"];
    let station = with_clients(&names);
    let dir = station.path();
    let responder = Responder::start(&station, &[]);
    let reasons = ["unspecified", "keyCompromise", "superseded", "cessationOfOperation"];
    for (round, reason) in reasons.iter().enumerate() {
        revoke(&station, names[round], reason);
        assert_eq!(station.run(&["crl"]).code, 0);
        let crl = openssl(dir, &["crl", "-in", "crl/device-issuing.crl", "-noout", "-text"]);
        for name in names {
            let file = format!("{name}/client.crt");
            let serial = openssl(dir, &["x509", "-in", &file, "-noout", "-serial"]);
            let serial = serial.trim().trim_start_matches("serial=");
            let said = responder.ask(dir, &["-cert", &file]);
            let entry = crl.split("Serial Number: ").find(|part| part.starts_with(serial));
            assert_eq!(entry.is_some(), said.contains(": revoked"), "{name}: {said} {crl}");
            let since = |text: &str, label: &str| {
                let line = text.lines().find(|line| line.contains(label)).unwrap_or_default();
                line.split_once(": ").map(|(_, since)| since.to_owned())
            };
            if let Some(entry) = entry {
                let (there, here) =
                    (since(entry, "Revocation Date"), since(&said, "Revocation Time"));
                assert_eq!(there, here, "{name}");
            }
        }
    }
}

#[test]
fn nginx_asks_and_takes_nobody_without_an_answer() {
    let station = with_clients(&["alice", "bob"]);
    let dir = station.path();
    let server = ["server-cert", "--ip", "127.0.0.1"];
    assert_eq!(station.run(&server).code, 0);
    revoke(&station, "bob", "keyCompromise");
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
    let responder = Responder::start(&station, &[]);
    let files = ServerFiles {
        chain_pem: read("server/server.crt"),
        key_pem: read("server/server.key"),
        device_cas_pem: read("ca/device-ca-bundle.crt"),
        crls_pem: None,
        ocsp_responder: Some(responder.url()),
        crl_file: None,
    };
    let nginx = Nginx::start(Ipv4Addr::LOCALHOST, &files).unwrap();
    let url = format!("https://{}/", nginx.address());
    let get = |name: &str| {
        let (certificate, key) = (format!("{name}/client.crt"), format!("{name}/client.key"));
        let client = ["--cert", &certificate, "--key", &key, "--cacert", "ca/server-root.crt"];
        let curl = ["-s", "-o", "body", "-w", "%{http_code}", "--max-time", "20", &url];
        tool(dir, "curl", &[&client[..], &curl].concat()).1
    };
    assert_eq!(get("alice"), "200", "{}", nginx.errors());
    assert_eq!(get("bob"), "400", "{}", nginx.errors());
    assert!(read("body").contains("SSL certificate error"), "{}", read("body"));
    assert!(nginx.errors().contains("certificate revoked"), "{}", nginx.errors());
    assert_eq!(get("alice"), "200", "{}", nginx.errors());
    revoke(&station, "alice", "superseded");
    assert_eq!(get("alice"), "400", "at once: {}", nginx.errors());
    // Nobody answers: nobody is let in.
    let client = ["client-cert", "--name", "carol", "--insecure-plaintext-key", "--out", "carol"];
    assert_eq!(station.run(&client).code, 0);
    assert_eq!(get("carol"), "200", "{}", nginx.errors());
    drop(responder);
    assert_eq!(get("carol"), "400", "{}", nginx.errors());
}

#[test]
fn certificates_are_renewed_and_the_key_stays() {
    let station = with_clients(&["alice"]);
    let dir = station.path();
    let key = fs::read(dir.join("ocsp/responder.key")).unwrap();
    let first = fs::read(dir.join("ocsp/device-issuing.crt")).unwrap();
    // The root's key belongs elsewhere; what it certified stays.
    fs::remove_file(dir.join("ca/device-root.key")).unwrap();
    let root = fs::read(dir.join("ocsp/device-root.crt")).unwrap();
    let renewed = station.run(&["--json", "ocsp", "cert", "--days", "5"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    let cas: Vec<_> = events(&renewed).iter().map(|event| event["ca"].clone()).collect();
    assert_eq!(cas, ["device-issuing", "server-root"]);
    assert_eq!(fs::read(dir.join("ocsp/responder.key")).unwrap(), key);
    assert_ne!(fs::read(dir.join("ocsp/device-issuing.crt")).unwrap(), first);
    assert_eq!(fs::read(dir.join("ocsp/device-root.crt")).unwrap(), root);
    let text = openssl(dir, &["x509", "-in", "ocsp/device-issuing.crt", "-noout", "-text"]);
    for expected in ["OCSP Signing", "OCSP No Check", "Digital Signature"] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }

    // It ends soon, and that is said where it is started.
    let mut responder = Responder::start(&station, &[]);
    let mut line = String::new();
    responder.output.read_line(&mut line).unwrap();
    let warning: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&warning["event"], &warning["ca"]), (&"warning".into(), &"device-issuing".into()));

    // What is not a responder's is named.
    let nothing = station.run(&["ocsp", "serve", "--responder", "nowhere"]);
    assert_eq!(nothing.code, 14, "{nothing:?}");
    assert!(nothing.stderr.contains("provision ocsp cert"), "{nothing:?}");
    let taken = responder.address.to_string();
    let taken = station.run(&["ocsp", "serve", "--listen", &taken]);
    assert_eq!(taken.code, 1, "{taken:?}");
    assert!(taken.stderr.contains("cannot listen on"), "{taken:?}");
    for (name, contents, cause) in [
        ("a.crt", "alice/client.crt", "does not hold the responder's certificate and its CA's"),
        ("b.crt", "ca/device-ca-bundle.crt", "is of another key than responder.key"),
    ] {
        fs::copy(dir.join(contents), dir.join("ocsp").join(name)).unwrap();
        let wrong = station.run(&["ocsp", "serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(wrong.code, 14, "{wrong:?}");
        assert!(wrong.stderr.contains(cause), "{wrong:?}");
        fs::remove_file(dir.join("ocsp").join(name)).unwrap();
    }
}
