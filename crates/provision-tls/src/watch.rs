//! What the parts around embedded-tls tell each other, past it.

use core::cell::Cell;

use embedded_io::ErrorKind;

use crate::{ConnectError, RecordFault};

/// Shared by the filter, the verifier, the provider and the stream of one connection.
///
/// embedded-tls carries errors of its own between them; the reason stays here.
pub(crate) struct Watch {
    stage: Cell<Stage>,
    proof: Cell<Proof>,
    stop: Cell<Option<Stop>>,
    #[cfg(feature = "async")]
    resumption: Resumption,
}

/// Whether and where a read was dropped before it was done.
#[cfg(feature = "async")]
struct Resumption {
    /// A part of a record's body was taken, and the rest was not.
    within_body: Cell<bool>,
    /// The reader begins anew with the record that it had begun.
    again: Cell<bool>,
}

/// How far the conversation is: which records may come, and which may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// The ClientHello is being sent.
    ClientHello,
    /// The only plaintext answer is awaited: ServerHello, or an alert.
    ServerHello,
    /// The server's encrypted flight, then ours.
    Handshake,
    /// The handshake is over.
    Application,
}

/// What the server has proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    Nothing,
    /// A certificate valid for the name, purpose and time.
    Certificate,
    /// That, and a signature over this handshake by its key.
    Both,
}

/// Why nothing more is read or written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// The transport failed.
    Transport(ErrorKind),
    /// The transport ended.
    Eof,
    /// A record was refused.
    Record(RecordFault),
    /// The handshake came to the point of answering a server that has not proven itself.
    Unproven,
    /// A part of the handshake refused.
    Connect(ConnectError),
}

impl Watch {
    pub(crate) const fn new() -> Self {
        Self {
            stage: Cell::new(Stage::ClientHello),
            proof: Cell::new(Proof::Nothing),
            stop: Cell::new(None),
            #[cfg(feature = "async")]
            resumption: Resumption { within_body: Cell::new(false), again: Cell::new(false) },
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.set(stage);
    }

    pub(crate) fn proof(&self) -> Proof {
        self.proof.get()
    }

    pub(crate) fn prove(&self, proof: Proof) {
        self.proof.set(proof);
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.proof.get() == Proof::Both
    }

    /// Remembers why; what came first is the reason for what came after.
    pub(crate) fn stop(&self, stop: Stop) {
        if self.stop.get().is_none() {
            self.stop.set(Some(stop));
        }
    }

    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.stop.get()
    }
}

#[cfg(feature = "async")]
impl Watch {
    /// The filter tells where its reader is.
    pub(crate) fn note_within_body(&self, within: bool) {
        self.resumption.within_body.set(within);
    }

    /// A read was dropped. Whether the next may begin anew: a body that was taken in part is lost.
    pub(crate) fn take_up_again(&self) -> bool {
        self.resumption.again.set(true);
        !self.resumption.within_body.get()
    }

    /// Tells the filter once.
    pub(crate) fn takes_up_again(&self) -> bool {
        self.resumption.again.replace(false)
    }
}
