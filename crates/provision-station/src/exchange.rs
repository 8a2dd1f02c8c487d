//! One question and its answer: framing, matching, patience. All retries of the project are here.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use provision_wire::frame::frame_len_max;
use provision_wire::{
    ANSWER_LEN_MAX, ASK_LEN_MIN, Answer, Ask, Deframer, Event, Header, Kind, encode_frame,
};

/// Longest frame taken from a device, in bytes.
const FRAME_LEN_MAX: usize = frame_len_max(ANSWER_LEN_MAX);

/// Longest frame of an answer that carries no piece of a CSR, in bytes: `Hello`, with a serial of 64.
const SHORT_FRAME_LEN_MAX: usize = frame_len_max(192);

/// How long to wait for an answer, and how often to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the question is asked again, in milliseconds, beside what the line takes.
    pub reply_within_ms: u64,
    /// Times it is asked in all; at least 1.
    pub attempts: u32,
}

impl Patience {
    /// Patience with a device's first answer that lasts for `wait_ms` milliseconds on a line of this
    /// pace, with a question each `reply_within_ms` and whatever it takes on the line.
    #[must_use]
    pub const fn with_hello(wait_ms: u64, reply_within_ms: u64, pace: Pace) -> Self {
        let question_ms = pace.ms_for(frame_len_max(ASK_LEN_MIN) + SHORT_FRAME_LEN_MAX);
        let each_ms = reply_within_ms.saturating_add(question_ms);
        let attempts = match wait_ms.checked_div(each_ms) {
            Some(attempts) if attempts < u32::MAX as u64 => attempts as u32,
            _ => u32::MAX - 1,
        };
        let is_short = each_ms.saturating_mul(attempts as u64) < wait_ms;
        Self { reply_within_ms, attempts: attempts + is_short as u32 }
    }
}

/// How fast bytes go over a line. Patience is with the device; what the line takes comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// None for a line that takes no time.
    bits_per_s: Option<NonZeroU32>,
}

impl Pace {
    /// Of a line that takes no time.
    pub const INSTANT: Self = Self { bits_per_s: None };

    /// Of a serial line, in bits per second; 0 is one that takes no time.
    #[must_use]
    pub const fn of_baud(baud: u32) -> Self {
        Self { bits_per_s: NonZeroU32::new(baud) }
    }

    /// How long so many bytes are on their way, in milliseconds: ten bits each, with start and stop.
    #[must_use]
    pub const fn ms_for(self, bytes: usize) -> u64 {
        match self.bits_per_s {
            None => 0,
            Some(baud) => (bytes as u64).saturating_mul(10_000).div_ceil(baud.get() as u64),
        }
    }
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
    pace: Pace,
}

#[derive(Debug)]
struct Pending {
    ask: &'static str,
    frame: Vec<u8>,
    attempts: u32,
    /// Until an answer must be here, from when the question is sent on: with what both take on the
    /// line.
    within_ms: u64,
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
            pace: Pace::INSTANT,
        }
    }

    /// The same on a line of this pace.
    #[must_use]
    pub fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
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
        let on_line_ms = self.pace.ms_for(frame.len() + answer_len_max(ask));
        let within_ms = patience.reply_within_ms.saturating_add(on_line_ms);
        self.pending = Some(Pending {
            ask: ask.name(),
            frame: frame.clone(),
            attempts: patience.attempts,
            within_ms,
            sent: 1,
            asked_ms: now_ms,
            deadline_ms: now_ms.saturating_add(within_ms),
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
        if pending.sent >= pending.attempts {
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
        pending.deadline_ms = now_ms.saturating_add(pending.within_ms);
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

/// Longest answer to it on the line, in bytes: pieces of a CSR are long, all others short.
const fn answer_len_max(ask: &Ask<'_>) -> usize {
    match ask {
        Ask::Read { .. } => FRAME_LEN_MAX,
        _ => SHORT_FRAME_LEN_MAX,
    }
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
