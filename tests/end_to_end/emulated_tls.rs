//! The TLS client on the emulated device, against an honest server and against servers that break
//! the rules: it names what is wrong, and they see neither its certificate nor a byte of data.
//!
//! The host runs the same client against many more of them in `provision-tls`.

use std::fs;
use std::path::{Path, PathBuf};

use provision_testkit::cli::{Station, built_firmware, built_program};
use provision_testkit::hostile_server::{Credentials, HostileServer, Script, Step};
use provision_testkit::pki::{self, Certified, rcgen::CertificateParams};
use provision_testkit::qemu::{Machine, Network};
use provision_testkit::scene::CLOUD;
use provision_tls::{ConnectError, PathFault, ServerFault};

use crate::emulated::PATIENCE;

const DEVICE: &str = "sensor-0001";

/// A device that is enrolled and trusts one server root, as a flash image to start from.
struct Enrolled {
    station: Station,
    server_root: Certified,
    firmware: PathBuf,
    flash: PathBuf,
}

impl Enrolled {
    fn new() -> Self {
        let station = Station::with_ca(built_program().unwrap()).unwrap();
        let server_root = Certified::self_signed(pki::root("Server Root"));
        fs::write(station.path().join("root.crt"), server_root.pem()).unwrap();
        let firmware = built_firmware().unwrap();
        let flash = station.path().join("enrolled.flash");
        let mut running = machine(&firmware, &flash).start().unwrap();
        let port = running.line_port().display().to_string();
        let endpoint = CLOUD.to_string();
        let ran = station
            .run(&["--port", &port, "--endpoint", &endpoint, "--server-anchor", "root.crt"])
            .unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        running.kill().unwrap();
        Self { station, server_root, firmware, flash }
    }

    fn server(&self, params: CertificateParams) -> Credentials {
        Credentials::of(&self.server_root.issue(params), &[])
    }

    fn good_server(&self) -> Credentials {
        self.server(pki::server(&[&CLOUD.ip().to_string()]))
    }

    /// Boots the device against a server; returns the first line of its log that tells the end, and
    /// what the server saw.
    fn meet(
        &self,
        credentials: Credentials,
        script: Script,
    ) -> (String, provision_testkit::hostile_server::Seen) {
        let server = HostileServer::start("127.0.0.1:0", credentials, script).unwrap();
        let flash = self.station.path().join("meeting.flash");
        fs::copy(&self.flash, &flash).unwrap();
        let mut running = machine(&self.firmware, &flash)
            .network(Network::restricted_to(CLOUD, server.address()))
            .start()
            .unwrap();
        let end = running.log().wait_for_line("online attempt 1/", PATIENCE);
        let end = end.unwrap_or_else(|_| running.log().lines().join("\n"));
        assert!(!end.contains("panic"), "{end}");
        running.kill().unwrap();
        (end, server.seen())
    }

    #[track_caller]
    fn refuses(&self, credentials: Credentials, script: Script, expected: &ConnectError) {
        let (end, seen) = self.meet(credentials, script);
        assert!(end.contains(&format!("tls: {expected}")), "expected `{expected}`, found `{end}`");
        assert!(seen.nothing_but_client_hello(), "{expected}: {seen:?}");
    }

    #[track_caller]
    fn refuses_script(&self, script: Script, expected: &ConnectError) {
        self.refuses(self.good_server(), script, expected);
    }
}

fn machine(firmware: &Path, flash: &Path) -> Machine {
    Machine::mps2_an386()
        .firmware(firmware)
        .flash_file(flash)
        .arg(format!("device-serial={DEVICE}"))
}

fn path(fault: PathFault) -> ConnectError {
    ConnectError::Server(ServerFault::Path(fault))
}

#[test]
fn an_honest_server_is_shown_the_certificate_and_the_request() {
    let enrolled = Enrolled::new();
    // It echoes what it is told, which is no HTTP answer; what counts is what it saw.
    let (_, seen) = enrolled.meet(enrolled.good_server(), Script::honest());
    assert!(seen.authenticated(), "{seen:?}");
    let request = String::from_utf8_lossy(&seen.application_data).into_owned();
    assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(DEVICE), "{request}");
}

#[test]
fn servers_without_their_proofs_are_refused() {
    let enrolled = Enrolled::new();
    let without_both = Script::honest().without(Step::Certificate).without(Step::CertificateVerify);
    enrolled.refuses_script(without_both, &ConnectError::NoCertificate);
    let without_signature = Script::honest().without(Step::CertificateVerify);
    enrolled.refuses_script(without_signature, &ConnectError::NoHandshakeSignature);
    let swapped = Script::honest().moving(Step::CertificateVerify, Step::Certificate);
    enrolled.refuses_script(swapped, &ConnectError::OutOfOrder);
    let forged = Script::honest().replacing(Step::CertificateVerify, Step::WrongCertificateVerify);
    enrolled.refuses_script(forged, &ConnectError::WrongHandshakeSignature);
}

#[test]
fn servers_with_the_wrong_certificate_are_refused() {
    let enrolled = Enrolled::new();
    let name = CLOUD.ip().to_string();
    let honest = Script::honest;

    let other = Certified::self_signed(pki::root("Another Root"));
    let other = Credentials::of(&other.issue(pki::server(&[&name])), &[&other]);
    enrolled.refuses(other, honest(), &path(PathFault::UnknownIssuer));

    let wrong_name = enrolled.server(pki::server(&["10.0.2.101"]));
    enrolled.refuses(wrong_name, honest(), &ConnectError::Server(ServerFault::WrongName));

    let not_after = pki::now() - 3_600;
    let expired = enrolled.server(pki::valid(pki::server(&[&name]), not_after - 60, not_after));
    let (end, seen) = enrolled.meet(expired, honest());
    assert!(end.contains("tls: ") && end.contains("certificate 0 expired"), "{end}");
    assert!(seen.nothing_but_client_hello(), "{seen:?}");

    // A device's certificate, with the right name and from the trusted CA: still not a server's.
    let mut params = pki::server(&[&name]);
    params.extended_key_usages = pki::device("").extended_key_usages;
    enrolled.refuses(enrolled.server(params), honest(), &path(PathFault::WrongPurpose));

    // A device's certificate that issues one for a server.
    let device = enrolled.server_root.issue(pki::device("sensor-0002"));
    let issued = Credentials::of(&device.issue(pki::server(&[&name])), &[&device]);
    enrolled.refuses(issued, honest(), &path(PathFault::IssuerIsNotCa));
}

#[test]
fn records_that_do_not_belong_there_are_refused() {
    let enrolled = Enrolled::new();
    let injected =
        |record: &[u8]| Script::honest().after(Step::ServerHello, Step::Raw(record.into()));
    for (record, content_type) in [
        // close_notify, a fatal alert, and a handshake message, all in plaintext after the keys.
        (&[21, 3, 3, 0, 2, 1, 0][..], 21),
        (&[21, 3, 3, 0, 2, 2, 40], 21),
        (&[22, 3, 3, 0, 4, 20, 0, 0, 0], 22),
    ] {
        let (end, seen) = enrolled.meet(enrolled.good_server(), injected(record));
        let expected =
            ConnectError::Record(provision_tls::RecordFault::UnexpectedType { content_type });
        assert!(end.contains(&format!("tls: {expected}")), "expected `{expected}`, found `{end}`");
        assert!(seen.nothing_but_client_hello(), "{seen:?}");
    }
    for step in [Step::Raw(vec![23, 3, 3, 0, 0]), Step::Sealed(vec![]), Step::Sealed(vec![0; 40])] {
        let script = Script::honest().after(Step::ServerHello, step.clone());
        let (end, seen) = enrolled.meet(enrolled.good_server(), script);
        assert!(end.contains("failed: tls: "), "{step:?}: {end}");
        assert!(seen.nothing_but_client_hello(), "{step:?}: {seen:?}");
    }
}
