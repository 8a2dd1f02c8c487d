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

pub use csr_and_chain::csr_and_chain;
pub use dialogue::dialogue;
pub use frames::frames;
pub use messages::messages;
pub use record_filter::record_filter;
pub use tls_client::tls_client;

/// One of the functions, by its name: that of its program, and of its directory of seeds.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// `frames`, …
    pub name: &'static str,
    /// Panics if something does not hold for this input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "frames", run: frames },
    Target { name: "messages", run: messages },
    Target { name: "dialogue", run: dialogue },
    Target { name: "csr_and_chain", run: csr_and_chain },
    Target { name: "record_filter", run: record_filter },
    Target { name: "tls_client", run: tls_client },
];
