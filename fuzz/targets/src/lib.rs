//! What arrives from outside, and what must hold whatever it is: one function for each fuzz target.
//!
//! | target | its input is | what must hold |
//! |---|---|---|
//! | `frames` | bytes on the line | a frame after any noise is found; what is found is what would be sent |
//! | `messages` | the payload of a frame | what can be read can be written, and reads the same again |
//! | `dialogue` | asks, noise and power cuts | the device does what a model of it does; nothing acknowledged is lost |
//! | `csr_and_chain` | DER | nothing panics; what is read is there, and is read back the same |
//! | `record_filter` | records, at each stage of a connection | no server without its proofs sees more than a ClientHello |
//! | `tls_client` | a server's script | the same, and no connection without both proofs |
//!
//! Each can have a fault put into what it tests, to show that it would be found:
//!
//! | target | the fault |
//! |---|---|
//! | `frames` | after a frame that is too long the next one is passed over as well |
//! | `messages` | what stands after a message is passed over |
//! | `dialogue` | a repeated `Key` makes a new one |
//! | `csr_and_chain` | who trusts nobody trusts the last certificate that came |
//! | `record_filter` | a server that is refused is told so, before it has proven anything |
//! | `tls_client` | the server's signature is read, and not checked |
//!
//! They are ordinary functions, so that `tests/seeds.rs` runs the inputs that are kept in `../seeds` with any
//! compiler. The programs that libFuzzer runs are in `../fuzz_targets`, a workspace of its own.

mod csr_and_chain;
mod dialogue;
mod frames;
mod input;
mod messages;
mod record_filter;
mod tls;
mod tls_client;
mod toy;

use std::env;
use std::sync::OnceLock;

/// One of the functions, by its name: that of its program, and of its directory of seeds.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// `frames`, …
    pub name: &'static str,
    /// Panics if something does not hold for this input.
    pub run: fn(&[u8]),
    /// The same with the fault put in.
    pub planted: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 6] =
    [FRAMES, MESSAGES, DIALOGUE, CSR_AND_CHAIN, RECORD_FILTER, TLS_CLIENT];

/// Bytes on the line.
pub const FRAMES: Target =
    Target { name: "frames", run: frames::frames::<false>, planted: frames::frames::<true> };
/// The payload of a frame.
pub const MESSAGES: Target = Target {
    name: "messages",
    run: messages::messages::<false>,
    planted: messages::messages::<true>,
};
/// Asks, noise and power cuts.
pub const DIALOGUE: Target = Target {
    name: "dialogue",
    run: dialogue::dialogue::<false>,
    planted: dialogue::dialogue::<true>,
};
/// DER.
pub const CSR_AND_CHAIN: Target = Target {
    name: "csr_and_chain",
    run: csr_and_chain::csr_and_chain::<false>,
    planted: csr_and_chain::csr_and_chain::<true>,
};
/// Records, at each stage of a connection.
pub const RECORD_FILTER: Target = Target {
    name: "record_filter",
    run: record_filter::record_filter::<false>,
    planted: record_filter::record_filter::<true>,
};
/// A server's script.
pub const TLS_CLIENT: Target = Target {
    name: "tls_client",
    run: tls_client::tls_client::<false>,
    planted: tls_client::tls_client::<true>,
};

impl Target {
    /// What its program does: with the fault, if [`PLANTED`] is set.
    pub fn fuzz(&self, data: &[u8]) {
        static IS_PLANTED: OnceLock<bool> = OnceLock::new();
        let is_planted = *IS_PLANTED.get_or_init(|| env::var_os(PLANTED).is_some());
        if is_planted { (self.planted)(data) } else { (self.run)(data) }
    }
}

/// The environment variable that has the programs put their faults in.
pub const PLANTED: &str = "PROVISION_FUZZ_PLANTED";
