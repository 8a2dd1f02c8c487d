//! Keys, certificates and CRLs for the rows: by `provision`, and by openssl what it refuses to make.

use std::fs;
use std::path::Path;
use std::process::Command;

use provision_issuer::{KeyProtection, SealedKey, key_to_der};
use provision_testkit::cli::{Station, built_program};

/// A directory with all of it.
///
/// ```text
///   ca/ other/                two CAs
///   server/ rsa/ alice/       good ones of `ca`
///   stranger/                 a client of `other`
///   lost/ fallen/             a client and a server of `ca`, revoked
///   crl/                      the CRLs of `ca`
///   NAME.crt NAME.key         by openssl, named for what is wrong with them
/// ```
pub(super) struct Material {
    pub(super) station: Station,
}

impl Material {
    pub(super) fn new() -> Self {
        let station = Station::with_ca(built_program().unwrap()).unwrap();
        let material = Self { station };
        let plain = "--insecure-plaintext-key";
        for words in [
            "ca init --ca other --name Other --insecure-plaintext-keys".to_owned(),
            "server-cert --dns localhost --ip 127.0.0.1 --out server".into(),
            "server-cert --dns localhost --key-type rsa2048 --out rsa".into(),
            "server-cert --dns localhost --out fallen".into(),
            format!("client-cert --name alice --out alice {plain}"),
            format!("client-cert --name lost --out lost {plain}"),
            format!("client-cert --name stranger --ca other --out stranger {plain}"),
            "revoke --certificate lost/client.crt --reason keyCompromise".into(),
            "revoke --certificate fallen/server.crt --reason superseded".into(),
            "crl --out crl".into(),
        ] {
            material.provision(&words);
        }
        material.dated("expired", "server", "ca/server-root", LONG_AGO);
        material.dated("early", "server", "ca/server-root", FAR_AHEAD);
        material.dated("client-expired", "client", "ca/device-issuing", LONG_AGO);
        material.dated("client-early", "client", "ca/device-issuing", FAR_AHEAD);
        material.dated("client-for-servers", "server", "ca/device-issuing", GOOD);
        material.intermediates();
        material.oddities();
        material
    }

    pub(super) fn dir(&self) -> &Path {
        self.station.path()
    }

    pub(super) fn provision(&self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        let ran = self.station.run(&words).unwrap();
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    }

    fn openssl(&self, words: &str) {
        let output = Command::new("openssl")
            .current_dir(self.dir())
            .args(words.split(' '))
            .output()
            .expect("openssl");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {said}");
    }

    /// `NAME.crt` and `NAME.key`, with the extensions of a section of [`CONFIGURATION`].
    fn dated(&self, name: &str, section: &str, ca: &str, (start, end): (&str, &str)) {
        fs::write(self.dir().join("openssl.cnf"), CONFIGURATION).unwrap();
        fs::write(self.dir().join("index.txt"), "").unwrap();
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key \
             -out {name}.csr -subj /O=Acme/CN={name}"
        ));
        self.openssl(&format!(
            "ca -config openssl.cnf -batch -notext -cert {ca}.crt -keyfile {ca}.key \
             -extensions {section} -startdate {start} -enddate {end} -in {name}.csr -out {name}.crt"
        ));
    }

    /// root → issuing → site, and what is wrong with others of that kind.
    fn intermediates(&self) {
        self.openssl(&format!("req -x509 {NEW_KEY} -keyout root.key -out root.crt -days 30 -subj /O=Acme/CN=Root {CA_EXTENSIONS}"));
        self.dated("issuing", "issuing", "root", GOOD);
        self.dated("site", "server", "issuing", GOOD);
        // Certified by one that is no CA.
        self.dated("middleman", "server", "root", GOOD);
        self.dated("minion", "server", "middleman", GOOD);
        self.join("site-and-issuing.crt", &["site.crt", "issuing.crt"]);
        self.join("minion-and-middleman.crt", &["minion.crt", "middleman.crt"]);
        self.join("alice-and-issuing.crt", &["alice/client.crt", "ca/device-issuing.crt"]);
    }

    fn oddities(&self) {
        let san = "-addext subjectAltName=DNS:localhost";
        self.openssl(&format!(
            "req -x509 {NEW_KEY} -keyout alone.key -out alone.crt -days 30 -subj /CN=localhost {san}"
        ));
        self.openssl(&format!(
            "req -x509 -newkey ed448 -nodes -keyout ed448.key -out ed448.crt -days 30 \
             -subj /CN=localhost {san}"
        ));
        // CRLs that have ended: of the servers' root and of the devices' issuing CA.
        let past = "-crl_lastupdate 20240101000000Z -crl_nextupdate 20240201000000Z";
        for ca in ["server-root", "device-issuing"] {
            self.openssl(&format!(
                "ca -config openssl.cnf -gencrl {past} -cert ca/{ca}.crt -keyfile ca/{ca}.key \
                 -out old-{ca}.crl"
            ));
        }
        // A CRL in the name of the servers' root, by another key.
        self.forged_crl();
        self.crls_of_roots();
        // An answer of a server whose clock is ahead.
        fs::write(
            self.dir().join("tomorrow"),
            "HTTP/1.0 200 OK\r\nDate: Tue, 01 Jan 2041 12:00:00 GMT\r\n\r\nhello\r\n",
        )
        .unwrap();
    }

    /// What roots say of the issuing CAs below them: that of `site`, and that of the devices.
    fn crls_of_roots(&self) {
        fs::write(self.dir().join("index.txt"), "").unwrap();
        let by = |ca: &str, options: &str| {
            self.openssl(&format!(
                "ca -config openssl.cnf -cert {ca}.crt -keyfile {ca}.key {options}"
            ));
        };
        let past = "-gencrl -crl_lastupdate 20240101000000Z -crl_nextupdate 20240201000000Z";
        by("issuing", "-gencrl -crldays 30 -out issuing.crl");
        by("root", "-gencrl -crldays 30 -out root.crl");
        by("root", &format!("{past} -out old-root.crl"));
        by("ca/device-root", &format!("{past} -out old-device-root.crl"));
        by("root", "-revoke issuing.crt -crl_reason CACompromise");
        by("root", "-gencrl -crldays 30 -out root-without-issuing.crl");
        fs::write(self.dir().join("index.txt"), "").unwrap();
        by("ca/device-root", "-revoke ca/device-issuing.crt -crl_reason CACompromise");
        by("ca/device-root", "-gencrl -crldays 30 -out root-without-devices.crl");
        self.join("all-good.crl", &["root.crl", "issuing.crl"]);
        self.join("all-revoked.crl", &["root-without-issuing.crl", "issuing.crl"]);
        self.join("all-old.crl", &["old-root.crl", "issuing.crl"]);
        let devices = "crl/device-issuing.crl";
        self.join("devices-revoked.crl", &["root-without-devices.crl", devices]);
        self.join("devices-old.crl", &["old-device-root.crl", devices]);
    }

    fn forged_crl(&self) {
        let dir = self.dir();
        let subject = "/CN=Test Server Root CA";
        let made = Command::new("openssl")
            .current_dir(dir)
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(' '))
            .args(["-keyout", "forger.key", "-out", "forger.crt", "-subj", subject])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        self.openssl(
            "ca -config openssl.cnf -gencrl -crldays 30 -cert forger.crt -keyfile forger.key \
             -out forged.crl",
        );
    }

    fn join(&self, name: &str, parts: &[&str]) {
        let read = |part: &&str| fs::read_to_string(self.dir().join(part)).unwrap();
        fs::write(self.dir().join(name), parts.iter().map(read).collect::<String>()).unwrap();
    }
}

/// The first certificate of a PEM file.
pub(super) fn der_of(path: &Path) -> Vec<u8> {
    provision_issuer::documents(&fs::read(path).unwrap()).unwrap()[0].bytes.to_vec()
}

/// The private key of a PEM file, PKCS#8.
pub(super) fn key_der_of(path: &Path) -> Vec<u8> {
    let plain = KeyProtection::InsecurePlaintext;
    let key = SealedKey::find(&fs::read(path).unwrap()).unwrap().open(&plain).unwrap();
    key_to_der(&key, &plain).unwrap().to_vec()
}

const LONG_AGO: (&str, &str) = ("20200101000000Z", "20210101000000Z");
const FAR_AHEAD: (&str, &str) = ("20400101000000Z", "20410601000000Z");
const GOOD: (&str, &str) = ("20260101000000Z", "20391231000000Z");
const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
const CA_EXTENSIONS: &str = "-addext keyUsage=keyCertSign,cRLSign";
const CONFIGURATION: &str = "
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = policy
rand_serial = yes
unique_subject = no
[policy]
organizationName = optional
commonName = supplied
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[issuing]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
";
