//! A station with a server's certificate, clients of every kind, and real servers on it.

use core::net::SocketAddr;
use core::ops::Deref;
use std::fs;
use std::process::Command;
use std::time::UNIX_EPOCH;

use provision_issuer::{CrlEntries, CrlRequest, CrlSource, DocumentKind, KeyProtection, to_pem};
use provision_testkit::servers::{self, Ready, Started};

use crate::station::Station;
use crate::tools::openssl;

/// A station whose server is called localhost.
pub(crate) struct Site(Station);

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The body, or what curl had to say if there was none.
    pub text: String,
}

impl Deref for Site {
    type Target = Station;

    fn deref(&self) -> &Station {
        &self.0
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self(Station::new());
        site.done(&["server-cert", "--dns", "localhost", "--ip", "127.0.0.1"]);
        site
    }

    /// Runs the program, which must be content.
    pub(crate) fn done(&self, arguments: &[&str]) {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    }

    /// A client of the CA: NAME/client.crt and NAME/client.key.
    pub(crate) fn client(&self, name: &str, more: &[&str]) {
        let make = ["client-cert", "--name", name, "--insecure-plaintext-key", "--out", name];
        self.done(&[&make[..], more].concat());
    }

    /// A client of another CA of the same name.
    pub(crate) fn stranger(&self) {
        self.done(&["ca", "init", "--name", "Test", "--ca", "other", "--insecure-plaintext-keys"]);
        self.client("stranger", &["--ca", "other"]);
    }

    /// A client whose certificate ended yesterday, signed by openssl: nothing here signs one.
    pub(crate) fn late(&self) {
        let dir = self.path();
        fs::create_dir(dir.join("late")).unwrap();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let out = ["-keyout", "late/client.key", "-subj", "/CN=late", "-out", "late/client.csr"];
        openssl(dir, &[&["req", "-new"], &key[..], &out].concat());
        let ca = ["-CA", "ca/device-issuing.crt", "-CAkey", "ca/device-issuing.key"];
        let sign = ["-in", "late/client.csr", "-days", "-1", "-out", "late/client.crt"];
        openssl(dir, &[&["x509", "-req"], &ca[..], &sign].concat());
    }

    /// `provision config SERVER --listen ADDRESS --out SERVER` and more.
    pub(crate) fn config(&self, server: &str, address: SocketAddr, more: &[&str]) {
        let address = address.to_string();
        let config = ["config", server, "--listen", &address, "--out", server, "--replace"];
        self.done(&[&config[..], more].concat());
    }

    /// Starts nginx on what `config nginx` wrote: in one process, so that none outlives the test.
    pub(crate) fn nginx(&self, address: SocketAddr) -> Started {
        self.nginx_in("nginx", address)
    }

    pub(crate) fn nginx_in(&self, directory: &str, address: SocketAddr) -> Started {
        let arguments = ["-p", ".", "-c", "nginx.conf", "-e", "error.log", "-g"];
        // Why it takes somebody not, it says to those who want to know everything.
        let global = "daemon off; master_process off; error_log error.log info;";
        let arguments = [&arguments[..], &[global]].concat();
        self.start("nginx", directory, &arguments, address)
    }

    /// Starts a server in a directory of the station.
    pub(crate) fn start(
        &self,
        program: &str,
        directory: &str,
        arguments: &[&str],
        address: SocketAddr,
    ) -> Started {
        self.start_when(program, directory, arguments, address, Ready::Answers)
    }

    pub(crate) fn start_when(
        &self,
        program: &str,
        directory: &str,
        arguments: &[&str],
        address: SocketAddr,
        ready: Ready<'_>,
    ) -> Started {
        let directory = self.path().join(directory);
        Started::start(program, arguments, &directory, address, ready).unwrap()
    }

    /// Asks as this client, by certificate and key in PEM.
    pub(crate) fn ask_as(&self, client: &str, address: SocketAddr) -> Answer {
        let (certificate, key) = (format!("{client}/client.crt"), format!("{client}/client.key"));
        self.ask(address, &["--cert", &certificate, "--key", &key])
    }

    /// Asks by curl, with whatever options.
    pub(crate) fn ask(&self, address: SocketAddr, options: &[&str]) -> Answer {
        let url = format!("https://localhost:{}/", address.port());
        let mut command = Command::new("curl");
        command.args(["-q", "-sS", "--noproxy", "*", "--max-time", "30", "--ipv4"]);
        command.args(["--cacert", "ca/server-root.crt", "-w", "\n%{http_code}"]).args(options);
        Answer::of(command.arg(url).current_dir(self.path()))
    }

    /// New CRLs, where a configuration in this directory has them.
    pub(crate) fn crls(&self, directory: &str) -> String {
        let out = format!("{directory}/crl");
        self.done(&["crl", "--out", &out]);
        format!("{out}/all.crl")
    }

    /// CRLs of every CA that ended yesterday, into this file.
    pub(crate) fn ended_crls(&self, file: &str) {
        const DAY_S: u64 = 86_400;
        let now_s = UNIX_EPOCH.elapsed().unwrap().as_secs();
        let (now_s, next_update_s) = (now_s - 2 * DAY_S, now_s - DAY_S);
        let request = CrlRequest { number: 9, now_s, next_update_s, url: None };
        let sign = |source: CrlSource| {
            let mut signer = source.open(&KeyProtection::InsecurePlaintext).unwrap();
            to_pem(DocumentKind::Crl, &signer.sign_crl(&request, CrlEntries::default()).unwrap())
        };
        let all = CrlSource::all(&self.path().join("ca")).unwrap().into_iter();
        fs::write(self.path().join(file), all.map(sign).collect::<String>()).unwrap();
    }

    pub(crate) fn revoke(&self, client: &str) {
        self.done(&["revoke", "--certificate", &format!("{client}/client.crt")]);
    }

    /// A single value of a client's certificate, as openssl shows it.
    pub(crate) fn shown(&self, client: &str, options: &[&str]) -> String {
        let file = format!("{client}/client.crt");
        let text = openssl(self.path(), &[&["x509", "-in", &file, "-noout"], options].concat());
        text.trim().split_once('=').unwrap().1.to_owned()
    }
}

impl Answer {
    /// Runs a curl that prints the status last, on a line of its own.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let (text, status) = printed.trim_end().rsplit_once('\n').unwrap_or(("", &printed));
        let status = status.trim().parse().unwrap_or(0);
        let talk = String::from_utf8_lossy(&output.stderr);
        let text = if status == 0 { talk.trim() } else { text.trim_end() };
        Self { status, text: text.to_owned() }
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.text.contains(text), "{text:?} is not in {self:?}");
    }
}

pub(crate) fn free_address() -> SocketAddr {
    servers::free_address().unwrap()
}

/// What curl has to say when the server ends the connection after the handshake, as in TLS 1.3 it
/// does with a certificate it does not like: 55 or 56, and not 7, which is nobody there.
pub(crate) const REFUSED: &str = "curl: (5";
