//! `openssl s_server`, which sends back each line reversed.

use core::net::{Ipv4Addr, SocketAddr};
use std::{fs, io};

use super::{CHAIN, DEVICE_CAS, KEY, Running, ServerFiles};

/// A running `openssl s_server -tls1_3 -Verify -rev`.
pub struct OpensslServer(Running);

impl OpensslServer {
    /// Starts on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If it is not installed or does not come up.
    pub fn start(files: &ServerFiles) -> io::Result<Self> {
        Running::start("openssl", Ipv4Addr::LOCALHOST, files, |directory, address| {
            let address = address.to_string();
            let mut arguments = vec![
                "s_server",
                "-accept",
                &address,
                "-tls1_3",
                "-cert",
                CHAIN,
                "-key",
                KEY,
                "-CAfile",
                DEVICE_CAS,
                "-Verify",
                "2",
                "-verify_return_error",
                "-rev",
            ];
            // The leaf is not among them, or it would be sent twice.
            let issuers = after_first_certificate(&files.chain_pem);
            if !issuers.is_empty() {
                fs::write(directory.join(ISSUERS), issuers)?;
                arguments.extend(["-cert_chain", ISSUERS]);
            }
            Ok(arguments.into_iter().map(ToOwned::to_owned).collect())
        })
        .map(Self)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// What it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.0.output()
    }
}

const ISSUERS: &str = "issuers.pem";

fn after_first_certificate(chain_pem: &str) -> &str {
    chain_pem.split_once("-----END CERTIFICATE-----").map_or("", |(_, rest)| rest.trim_start())
}
