//! mosquitto, an MQTT broker that takes the certificate for the password.

use core::net::{Ipv4Addr, SocketAddr};
use std::{fs, io, path::Path};

use super::{CHAIN, CRLS, DEVICE_CAS, KEY, Running, ServerFiles};

/// A running mosquitto with `require_certificate`; the common name is the user.
pub struct Mosquitto(Running);

impl Mosquitto {
    /// Starts on a free port of `bind`.
    ///
    /// # Errors
    ///
    /// If it is not installed or does not come up.
    pub fn start(bind: Ipv4Addr, files: &ServerFiles) -> io::Result<Self> {
        Running::start("mosquitto", bind, files, |directory, address| {
            fs::write(directory.join(CONFIG), configuration(directory, address, files))?;
            Ok(vec!["-v".to_owned(), "-c".to_owned(), CONFIG.to_owned()])
        })
        .map(Self)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// What it logged so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.0.output()
    }
}

fn configuration(directory: &Path, address: SocketAddr, files: &ServerFiles) -> String {
    let crl = if files.crls_pem.is_some() {
        format!("crlfile {}/{CRLS}", directory.display())
    } else {
        String::new()
    };
    let (ip, port, directory) = (address.ip(), address.port(), directory.display());
    // `user root` keeps a broker started by root from giving up its rights to its own directory;
    // started by anybody else, it does nothing.
    format!(
        "listener {port} {ip}
user root
persistence false
allow_anonymous false
certfile {directory}/{CHAIN}
keyfile {directory}/{KEY}
cafile {directory}/{DEVICE_CAS}
{crl}
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
"
    )
}

const CONFIG: &str = "mosquitto.conf";
