//! One run of the dialogue, seen from the station.
//!
//! # Driving it
//!
//! [`Enrollment`] does no IO: it takes an [`Input`] and a time, and says what it wants by
//! [`Enrollment::poll`]. After every input, and once before the first, drain `poll` until it
//! returns [`Output::Wait`], [`Output::Done`] or [`Output::Failed`]:
//!
//! 1. [`Output::Send`]: write the bytes to the port (in pieces of at most 64 bytes).
//! 2. [`Output::LookUp`]: ask the ledger; hand its answer back as [`Input::Standing`].
//! 3. [`Output::LookUpDevice`]: likewise; [`Input::Known`].
//! 4. [`Output::Issue`]: have the CA sign; [`Input::Issued`].
//! 5. [`Output::Record`]: write to the ledger; once that is *durable*, [`Input::Recorded`].
//! 6. [`Output::Progress`]: show it, or not.
//! 7. [`Output::Wait`]: read the port until the time it names; hand over what came as
//!    [`Input::Received`], or [`Input::Tick`] if nothing did.
//!
//! If the ledger or the CA fails, drop the machine: nothing has left the station that is not in
//! the ledger, and the next run completes.

mod fault;
mod pack;
mod state;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use provision_csr::PublicKey;
use provision_wire::{CHALLENGE_LEN, DeviceSerial, Stage};

use crate::evidence::{
    ApprovedCsr, CertSerial, Chain, Enrolled, LiveCertificate, Policy, Standing,
};
use crate::exchange::{Pace, Patience};

pub use fault::EnrollmentFault;
pub use state::{CSR_LEN_MAX, Enrollment};

/// What one run needs to know beforehand.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which device, and what is allowed.
    pub policy: Policy,
    /// Trust anchors for servers, DER; 1 to [`LIST_MAX`](provision_wire::LIST_MAX).
    pub server_anchors: Vec<Vec<u8>>,
    /// Where the device is to connect.
    pub endpoint: EndpointPlan,
    /// The station's clock, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The device is to store the chain without having checked the signatures in it by keys that are
    /// not on P-256, which it cannot. Only for chains whose signatures were checked here.
    pub foreign_signatures_unchecked: bool,
    /// Make the identity final after the proof.
    pub seal: bool,
    /// Timeouts.
    pub timing: Timing,
}

/// [`provision_wire::Endpoint`], owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPlan {
    /// DNS name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// ALPN protocol name.
    pub alpn: Option<String>,
}

/// Fresh random numbers for one run, from the driver's source.
#[derive(Debug, Clone)]
pub struct Randomness {
    /// Number of the session.
    pub session: u32,
    /// For the CSR; each session of the run derives its own.
    pub csr_challenge: [u8; CHALLENGE_LEN],
    /// For the proof; likewise.
    pub proof_challenge: [u8; CHALLENGE_LEN],
}

/// Patience by kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For the first `Hello`: the device may still be booting, the port just opened.
    pub hello: Patience,
    /// For what a device answers from memory.
    pub quick: Patience,
    /// For what makes it compute or write flash. A key takes a Cortex-M0 at 16 MHz four seconds.
    pub slow: Patience,
    /// How fast the line is: what is asked and answered takes its time on top of that.
    pub pace: Pace,
    /// How often the device may lose the session (reset) before the run is given up.
    pub restarts_max: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hello: Patience { reply_within_ms: 500, attempts: 20 },
            quick: Patience { reply_within_ms: 1_000, attempts: 5 },
            slow: Patience { reply_within_ms: 5_000, attempts: 4 },
            pace: Pace::INSTANT,
            restarts_max: 8,
        }
    }
}

/// What the driver hands in.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes off the line.
    Received(&'a [u8]),
    /// Answer to [`Output::LookUp`].
    Standing(Standing),
    /// Answer to [`Output::LookUpDevice`].
    Known(Option<LiveCertificate>),
    /// Answer to [`Output::Issue`].
    Issued(Chain),
    /// What [`Output::Record`] asked for is durable.
    Recorded,
    /// Time has passed.
    Tick,
}

/// What the machine wants.
#[derive(Debug)]
pub enum Output {
    /// Bytes for the line.
    Send(Vec<u8>),
    /// What does the ledger know of this device and key?
    LookUp {
        /// The device.
        device: DeviceSerial,
        /// Its key, proven.
        public_key: PublicKey,
    },
    /// Which live certificate does this sealed device have?
    LookUpDevice {
        /// The device.
        device: DeviceSerial,
    },
    /// Have this signed.
    Issue(ApprovedCsr),
    /// Make this durable.
    Record(Record),
    /// Something to show.
    Progress(Progress),
    /// Nothing until bytes come or this time has.
    Wait {
        /// In milliseconds, of the clock given with the inputs.
        until_ms: u64,
    },
    /// Nothing until the input that was asked for comes.
    WaitForAnswer,
    /// The device has its identity, proven and recorded.
    Done(Box<Outcome>),
    /// It has not; the device is safe to be run again.
    Failed(EnrollmentFault),
}

/// An entry for the ledger.
#[derive(Debug, Clone)]
pub enum Record {
    /// A certificate exists; it has not left the station.
    Issued(Chain),
    /// The device has proven that it stores it.
    Enrolled(Enrolled),
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A device answers.
    Found {
        /// Which.
        device: DeviceSerial,
        /// How far it is.
        stage: Stage,
    },
    /// It has a key.
    Key {
        /// The public half.
        public_key: PublicKey,
    },
    /// Its CSR is signed by that key over this session's challenge.
    PossessionProven {
        /// Length of the CSR, in bytes.
        csr_len: u32,
    },
    /// The CA has signed.
    Issued {
        /// Serial number of the certificate.
        cert_serial: CertSerial,
    },
    /// The ledger had a certificate for this key already.
    KnownCertificate {
        /// Serial number of the certificate.
        cert_serial: CertSerial,
    },
    /// The entry is durable.
    Recorded,
    /// Part of the delivery is on the device.
    Delivering {
        /// Bytes there.
        have: u32,
        /// Bytes in all.
        len: u32,
    },
    /// The device has checked and stored the delivery.
    Stored,
    /// It signed a fresh challenge with the key of the stored leaf.
    Proven,
    /// Nothing changes its identity any more.
    Sealed,
    /// The device lost the session (a reset, most likely); the dialogue starts again.
    Restarted {
        /// How often so far.
        restarts: u32,
    },
}

/// How a run ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the device proved.
    pub enrolled: Enrolled,
    /// Its certificate and issuers.
    pub chain: Chain,
    /// What the run changed.
    pub change: Change,
    /// Whether the identity is final.
    pub sealed: bool,
    /// Questions asked, repeats included.
    pub turns: u32,
}

/// What a run changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A certificate was issued and delivered.
    Enrolled,
    /// The certificate the ledger had was delivered (again).
    Delivered,
    /// Nothing: it was sealed, and has proven what the ledger says.
    Nothing,
}

/// Outputs in the order they came to mind.
type Outbox = VecDeque<Output>;
