//! What passes the filter, without IO.

use embedded_io::ErrorKind;

use super::Stopped;
use super::header::{CHANGE_CIPHER_SPEC, ENCRYPTED, HANDSHAKE, Header, RecordFault, Verdict};
use crate::watch::{Stage, Stop, Watch};

/// Incoming, by stage (RFC 8446 section 5): before the ServerHello one plaintext handshake message
/// or an alert; after it encrypted records only, apart from the meaningless change_cipher_spec of
/// middlebox compatibility, which ends here. Lengths are checked against the protocol and the
/// buffer. Header and body are passed on as they are, with one exception: once the handshake is
/// over, the version bytes tell [`cipher`](crate::cipher) so.
///
/// Outgoing: after the ClientHello nothing until the server has given both proofs, and nothing
/// after anything went wrong. A server that refuses the device may hang up while the device is
/// still sending its part of the handshake; the reason is then on its way, so that failure is kept
/// until the stream is used.
///
/// # To read
///
/// 1. [`wants`](Self::wants): bytes for whoever reads are there, or the transport is to be read.
/// 2. Then tell [`came`](Self::came) what that gave, and go on with 1 until either has bytes.
///
/// # To write
///
/// [`lets_out`](Self::lets_out); then write, and tell [`left`](Self::left). To flush,
/// [`flushes`](Self::flushes) and [`flushed`](Self::flushed).
pub(super) struct Gate<'a> {
    watch: &'a Watch,
    body_len_max: usize,
    place: Place,
    change_cipher_specs: u8,
    hung_up: Option<ErrorKind>,
}

/// Where in the stream of records the reader is.
#[derive(Clone, Copy)]
enum Place {
    /// So much of a header has come.
    Arriving { bytes: [u8; Header::LEN], come: usize },
    /// The byte of a change_cipher_spec is next.
    ChangeCipherSpec { byte: [u8; 1] },
    /// So much of the header was shown.
    Header { header: Header, passed: usize },
    /// So much of the body has passed.
    Body { header: Header, passed: usize },
}

/// What reading needs next.
pub(super) enum Wants<'b> {
    /// Nothing: so many bytes are where they are wanted.
    Nothing { passed: usize },
    /// These to be filled from the transport, in part or whole. Never empty.
    Bytes(&'b mut [u8]),
}

impl<'a> Gate<'a> {
    pub(super) fn new(watch: &'a Watch, body_len_max: usize) -> Self {
        Self { watch, body_len_max, place: Place::BETWEEN, change_cipher_specs: 0, hung_up: None }
    }

    pub(super) fn wants<'b>(&'b mut self, out: &'b mut [u8]) -> Result<Wants<'b>, Stopped> {
        if self.watch.stopped().is_some() {
            return Err(Stopped);
        }
        if out.is_empty() {
            return Ok(Wants::Nothing { passed: 0 });
        }
        if self.watch.stage() == Stage::ClientHello {
            self.watch.enter(Stage::ServerHello);
        }
        #[cfg(feature = "async")]
        if self.watch.takes_up_again() {
            self.place = self.place.before_the_header();
        }
        match self.place {
            Place::Arriving { ref mut bytes, come } => {
                Ok(Wants::Bytes(bytes.get_mut(come..).unwrap_or_default()))
            }
            Place::ChangeCipherSpec { ref mut byte } => Ok(Wants::Bytes(byte)),
            Place::Header { header, passed } => {
                let shown = header.shown(self.watch.stage());
                let part = shown.get(passed..).unwrap_or_default();
                let len = part.len().min(out.len());
                for (to, from) in out.iter_mut().zip(part) {
                    *to = *from;
                }
                let passed = passed.saturating_add(len);
                self.place = if passed < Header::LEN {
                    Place::Header { header, passed }
                } else {
                    Place::Body { header, passed: 0 }
                };
                Ok(Wants::Nothing { passed: len })
            }
            Place::Body { header, passed } => {
                let left = header.body_len().saturating_sub(passed);
                let room = left.min(out.len());
                Ok(Wants::Bytes(out.get_mut(..room).unwrap_or_default()))
            }
        }
    }

    /// Takes what reading the transport gave, into the bytes that were wanted. If any of them are
    /// for whoever reads, says how many.
    pub(super) fn came(
        &mut self,
        read: Result<usize, ErrorKind>,
        out: &[u8],
    ) -> Result<Option<usize>, Stopped> {
        self.judge(read, out).map_err(|stop| self.stop(stop))
    }

    fn judge(&mut self, read: Result<usize, ErrorKind>, out: &[u8]) -> Result<Option<usize>, Stop> {
        let read = match (read, self.hung_up) {
            (Ok(0), None) => return Err(Stop::Eof),
            (Ok(0) | Err(_), Some(kind)) => return Err(Stop::Transport(kind)),
            (Ok(read), _) => read,
            (Err(kind), None) => return Err(Stop::Transport(kind)),
        };
        match self.place {
            Place::Arriving { bytes, come } => {
                let come = come.saturating_add(read);
                self.place = if come < Header::LEN {
                    Place::Arriving { bytes, come }
                } else {
                    let header = Header::from(bytes);
                    match header.judge(self.watch.stage(), self.body_len_max)? {
                        Verdict::Pass => Place::Header { header, passed: 0 },
                        Verdict::Drop => Place::ChangeCipherSpec { byte: [0] },
                    }
                };
                Ok(None)
            }
            Place::ChangeCipherSpec { byte } => {
                self.drop_change_cipher_spec(byte)?;
                self.place = Place::BETWEEN;
                Ok(None)
            }
            // The transport was not wanted.
            Place::Header { .. } => Ok(None),
            Place::Body { header, passed } => {
                let left = header.body_len().saturating_sub(passed);
                let read = read.min(left.min(out.len()));
                if header.content_type == HANDSHAKE {
                    header.check_server_hello(passed, out.get(..read).unwrap_or_default())?;
                }
                let passed = passed.saturating_add(read);
                let ended = passed >= header.body_len();
                if ended && header.content_type == HANDSHAKE {
                    self.watch.enter(Stage::Handshake);
                }
                #[cfg(feature = "async")]
                self.watch.note_within_body(!ended);
                self.place = if ended { Place::BETWEEN } else { Place::Body { header, passed } };
                Ok(Some(read))
            }
        }
    }

    /// RFC 8446 section 5: a single byte of value 1, to be dropped; anything else is an error.
    fn drop_change_cipher_spec(&mut self, byte: [u8; 1]) -> Result<(), Stop> {
        self.change_cipher_specs = self.change_cipher_specs.saturating_add(1);
        if byte == [1] && self.change_cipher_specs <= CHANGE_CIPHER_SPECS_MAX {
            return Ok(());
        }
        Err(Stop::Record(RecordFault::UnexpectedType { content_type: CHANGE_CIPHER_SPEC }))
    }

    /// Whether `record` may leave now; if not, it is dropped in silence.
    pub(super) fn lets_out(&self, record: &[u8]) -> Result<bool, Stopped> {
        self.judge_leaving(record).map_err(|stop| self.stop(stop))
    }

    fn judge_leaving(&self, record: &[u8]) -> Result<bool, Stop> {
        if let Some(stop) = self.watch.stopped() {
            return Err(stop);
        }
        match self.watch.stage() {
            Stage::ServerHello | Stage::Handshake if !self.watch.is_proven() => {
                // embedded-tls reports a malformed flight in an alert of no valid record type.
                // Letting that pass for sent keeps its reason.
                if record.first() == Some(&ENCRYPTED) { Err(Stop::Unproven) } else { Ok(false) }
            }
            stage => match self.hung_up {
                Some(kind) if stage == Stage::Application => Err(Stop::Transport(kind)),
                Some(_) => Ok(false),
                None => Ok(true),
            },
        }
    }

    /// Takes what writing to the transport gave; says how much of the record counts as sent.
    pub(super) fn left(
        &mut self,
        written: Result<usize, ErrorKind>,
        record_len: usize,
    ) -> Result<usize, Stopped> {
        let kind = match written {
            Ok(written) if written > 0 => return Ok(written),
            // write_all of embedded-io panics on it.
            Ok(_) => ErrorKind::WriteZero,
            Err(kind) => kind,
        };
        self.cannot_send(kind).map(|()| record_len)
    }

    /// Whether the transport is to be flushed.
    pub(super) fn flushes(&self) -> bool {
        self.hung_up.is_none() || self.watch.stage() != Stage::Handshake
    }

    /// Takes what that gave.
    pub(super) fn flushed(&mut self, flushed: Result<(), ErrorKind>) -> Result<(), Stopped> {
        flushed.or_else(|kind| self.cannot_send(kind))
    }

    /// The transport cannot send. `Ok` if that may wait until the server's reason is read.
    fn cannot_send(&mut self, kind: ErrorKind) -> Result<(), Stopped> {
        if self.watch.stage() == Stage::Handshake && kind != ErrorKind::TimedOut {
            self.hung_up = Some(kind);
            return Ok(());
        }
        Err(self.stop(Stop::Transport(kind)))
    }

    fn stop(&self, stop: Stop) -> Stopped {
        self.watch.stop(stop);
        Stopped
    }
}

impl Place {
    const BETWEEN: Self = Self::Arriving { bytes: [0; Header::LEN], come: 0 };

    /// The same place for a reader who begins with the record anew, having taken nothing of its
    /// body.
    #[cfg(feature = "async")]
    const fn before_the_header(self) -> Self {
        match self {
            Self::Header { header, .. } | Self::Body { header, .. } => {
                Self::Header { header, passed: 0 }
            }
            arriving => arriving,
        }
    }
}

/// A server sends one. More would only keep the device busy.
const CHANGE_CIPHER_SPECS_MAX: u8 = 2;
