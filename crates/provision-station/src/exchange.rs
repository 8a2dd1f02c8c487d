//! One question and its answer: framing, matching, patience. All retries of the project are here.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use provision_wire::frame::frame_len_max;
use provision_wire::{
    ANSWER_LEN_MAX, ASK_LEN_MIN, Answer, Ask, Deframer, Event, Header, Kind, encode_frame,
};

/// Longest frame taken from a device, in bytes.
const FRAME_LEN_MAX: usize = frame_len_max(ANSWER_LEN_MAX);

/// How long to wait for an answer, and how often to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the question is asked again, in milliseconds.
    pub reply_within_ms: u64,
    /// Times it is asked in all; at least 1.
    pub attempts: u32,
}

/// The station's end of a line: at most one question is outstanding.
///
/// Driven in four steps: send what [`Exchange::ask`] returns; hand every byte that arrives to
/// [`Exchange::receive`]; call [`Exchange::tick`] when the time it named has come; stop when an
/// answer or [`NoAnswer`] is there.
#[derive(Debug)]
pub struct Exchange {
    deframer: Deframer<FRAME_LEN_MAX>,
    session: u32,
    sequence: u16,
    pending: Option<Pending>,
    passed_over: PassedOver,
    turns: u32,
}

#[derive(Debug)]
struct Pending {
    ask: &'static str,
    frame: Vec<u8>,
    patience: Patience,
    sent: u32,
    asked_ms: u64,
    deadline_ms: u64,
}

/// What came while an answer was awaited, and was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PassedOver {
    /// Log text and frames that were hit.
    pub noise: u32,
    /// Whole frames of another session, or late answers to earlier questions.
    pub other_session: u32,
    /// Whole frames for this question whose content was no answer.
    pub undecodable: u32,
    /// The station's own frames: the line echoes.
    pub echoes: u32,
}

/// What to do when time has passed.
#[derive(Debug, PartialEq, Eq)]
pub enum Tick {
    /// Nothing before this time, in milliseconds.
    Wait {
        /// Of the clock given to [`Exchange::ask`].
        until_ms: u64,
    },
    /// Send these bytes again.
    Resend(Vec<u8>),
    /// It was asked often enough.
    GaveUp(NoAnswer),
}

impl Exchange {
    /// An end for the session of this number, which should be random.
    #[must_use]
    pub fn new(session: u32) -> Self {
        Self {
            deframer: Deframer::new(),
            session,
            sequence: 0,
            pending: None,
            passed_over: PassedOver::default(),
            turns: 0,
        }
    }

    /// Goes on under another session number; what is outstanding is forgotten.
    pub fn next_session(&mut self) {
        self.session = self.session.wrapping_add(1);
        self.pending = None;
    }

    /// Number of the session.
    #[must_use]
    pub const fn session(&self) -> u32 {
        self.session
    }

    /// Questions asked so far, repeats included: what an adapter's latency is paid for.
    #[must_use]
    pub const fn turns(&self) -> u32 {
        self.turns
    }

    /// Puts a question; returns the bytes to send.
    pub fn ask(&mut self, ask: &Ask<'_>, patience: Patience, now_ms: u64) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header { kind: Kind::Ask, session: self.session, sequence: self.sequence };
        let frame = to_frame(header, ask);
        self.passed_over = PassedOver::default();
        self.turns = self.turns.saturating_add(1);
        self.pending = Some(Pending {
            ask: ask.name(),
            frame: frame.clone(),
            patience,
            sent: 1,
            asked_ms: now_ms,
            deadline_ms: now_ms.saturating_add(patience.reply_within_ms),
        });
        frame
    }

    /// Takes one byte off the line. Returns the payload of the answer it completes: one that
    /// decodes, for the question outstanding.
    pub fn receive(&mut self, byte: u8) -> Option<Vec<u8>> {
        self.receive_some(&mut &[byte][..])
    }

    /// Takes bytes from the front of `bytes`, up to the end of a frame or all of them: as
    /// [`receive`](Self::receive) does, for who has many at once.
    pub fn receive_some(&mut self, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let frame = match self.deframer.push_some(bytes) {
            Event::Pending => return None,
            Event::Noise { .. } => {
                self.passed_over.noise = self.passed_over.noise.saturating_add(1);
                return None;
            }
            Event::Frame(frame) => frame,
        };
        let expected =
            Header { kind: Kind::Answer, session: self.session, sequence: self.sequence };
        let count = if frame.header.kind == Kind::Ask {
            &mut self.passed_over.echoes
        } else if frame.header != expected || self.pending.is_none() {
            &mut self.passed_over.other_session
        } else if Answer::decode(frame.payload).is_err() {
            &mut self.passed_over.undecodable
        } else {
            self.pending = None;
            return Some(frame.payload.to_vec());
        };
        *count = count.saturating_add(1);
        None
    }

    /// Says what to do at this time; `None` if no question is outstanding.
    pub fn tick(&mut self, now_ms: u64) -> Option<Tick> {
        let pending = self.pending.as_mut()?;
        if now_ms < pending.deadline_ms {
            return Some(Tick::Wait { until_ms: pending.deadline_ms });
        }
        if pending.sent >= pending.patience.attempts {
            let no_answer = NoAnswer {
                ask: pending.ask,
                attempts: pending.sent,
                waited_ms: now_ms.saturating_sub(pending.asked_ms),
                passed_over: self.passed_over,
            };
            self.pending = None;
            return Some(Tick::GaveUp(no_answer));
        }
        pending.sent = pending.sent.saturating_add(1);
        pending.deadline_ms = now_ms.saturating_add(pending.patience.reply_within_ms);
        self.turns = self.turns.saturating_add(1);
        Some(Tick::Resend(pending.frame.clone()))
    }
}

fn to_frame(header: Header, ask: &Ask<'_>) -> Vec<u8> {
    let piece_len = match ask {
        Ask::Put { bytes: piece, .. } | Ask::PutPacked { block: piece, .. } => piece.len(),
        _ => 0,
    };
    let mut out = vec![0; frame_len_max(ASK_LEN_MIN + piece_len)];
    // Every ask but `Put` fits into ASK_LEN_MIN, and what is around its piece does.
    let len = encode_frame(header, ask, &mut out).unwrap_or_default();
    out.truncate(len);
    out
}

/// A question that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// Which question.
    pub ask: &'static str,
    /// Times it was asked.
    pub attempts: u32,
    /// From the first time on, in milliseconds.
    pub waited_ms: u64,
    /// What came instead.
    pub passed_over: PassedOver,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ask, attempts, waited_ms, passed_over } = self;
        let seconds = waited_ms / 1000;
        let tenths = waited_ms % 1000 / 100;
        write!(f, "no answer to `{ask}` in {seconds}.{tenths} s ({attempts} times asked")?;
        let PassedOver { noise, other_session, undecodable, echoes } = *passed_over;
        for (count, what) in [
            (noise, "pieces of noise or log text"),
            (other_session, "answers for another session or question"),
            (undecodable, "frames that are no answer"),
            (echoes, "echoes of the station's own frames"),
        ] {
            if count > 0 {
                write!(f, "; passed over {count} {what}")?;
            }
        }
        f.write_str(")")
    }
}

impl core::error::Error for NoAnswer {}
