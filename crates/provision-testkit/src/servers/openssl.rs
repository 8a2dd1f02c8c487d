//! `openssl s_server`, which sends back each line reversed.

use core::net::{Ipv4Addr, SocketAddr};
use std::io;

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
        Running::start("openssl", Ipv4Addr::LOCALHOST, files, |_, address| {
            let arguments = [
                "s_server",
                "-accept",
                &address.to_string(),
                "-tls1_3",
                "-cert",
                CHAIN,
                "-cert_chain",
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
            Ok(arguments.map(ToOwned::to_owned).to_vec())
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
