//! Somebody with access to the cable: listens, answers in the device's place, and has the line to
//! himself between two runs.

use provision_wire::frame::frame_len_max;
use provision_wire::{
    ANSWER_LEN_MAX, Answer, Ask, Delivery, Encodable, Header, Kind, VersionRange, encode_frame,
};
use sha2_device::{Digest as _, Sha256};

use crate::crypto::Crypto;
use crate::device::{Found, SimulatedDevice};
use crate::random::Random;
use crate::wiretap::{Overheard, kind};

/// What he knows.
#[derive(Debug, Default)]
pub(super) struct Intruder {
    /// A delivery that was for another device.
    foreign: Option<Vec<u8>>,
    /// What the device in the fixture has answered.
    csr: Option<Overheard<'static>>,
    chunks: Vec<Overheard<'static>>,
    proof: Option<Overheard<'static>>,
}

impl Intruder {
    /// Another device is put into the fixture.
    pub(super) fn new_device(&mut self) {
        self.csr = None;
        self.chunks.clear();
        self.proof = None;
    }

    /// Keeps what this device was given, for the next one.
    pub(super) fn keep_delivery<C: Crypto>(&mut self, device: &SimulatedDevice<C>) {
        self.foreign.clone_from(&device.found().delivery);
    }

    /// Listens.
    pub(super) fn hears(&mut self, said: Overheard<'static>) {
        match said.kind() {
            kind::CSR => {
                self.csr = Some(said);
                self.chunks.clear();
            }
            kind::CHUNK => self.chunks.push(said),
            kind::PROOF => self.proof = Some(said),
            _ => {}
        }
    }

    /// Answers in the device's place with what it said before, if there is anything.
    pub(super) fn replays(&self, asked: &Overheard<'_>) -> Option<Vec<u8>> {
        let said = match Ask::decode(&asked.payload()).ok()? {
            Ask::Csr { .. } => self.csr.as_ref(),
            Ask::Read { offset } => self.chunks.iter().find(|chunk| {
                matches!(Answer::decode(&chunk.payload()), Ok(Answer::Chunk { offset: at, .. }) if at == offset)
            }),
            Ask::Prove { .. } => self.proof.as_ref(),
            _ => None,
        };
        let payload = said?.payload();
        let answer = Answer::decode(&payload).ok()?;
        Some(framed(Header { kind: Kind::Answer, ..asked.header }, &answer))
    }

    /// What he asks when he has the line to himself.
    pub(super) fn schemes(&self, random: &mut Random, found: &Found, server_root: &[u8]) -> Scheme {
        let own = found.delivery.as_deref();
        match random.below(8) {
            0 | 1 => Scheme::deliver(self.foreign.clone()),
            2 => Scheme::deliver(own.and_then(|own| with_a_bit_flipped(own, random))),
            3 => Scheme::deliver(own.and_then(|own| under_another_root(own, server_root))),
            4 => Scheme::deliver(own.map(|own| cut_short(own, random))),
            5 => Scheme::Ask(Ask::Commit { delivery_sha256: random.bytes() }),
            6 => Scheme::Ask(Ask::Prove { challenge: random.bytes() }),
            _ => Scheme::Ask(Ask::Key),
        }
    }
}

/// What an intruder tries.
pub(super) enum Scheme {
    /// To have this stored.
    Deliver(Vec<u8>),
    /// One question.
    Ask(Ask<'static>),
}

impl Scheme {
    fn deliver(delivery: Option<Vec<u8>>) -> Self {
        delivery.map_or(Self::Ask(Ask::Key), Self::Deliver)
    }

    /// The frames, `Hello` first.
    pub(super) fn frames(&self, session: u32) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut ask = |ask: &Ask<'_>| {
            let sequence = frames.len() as u16;
            frames.push(framed(Header { kind: Kind::Ask, session, sequence }, ask));
        };
        ask(&Ask::Hello { versions: VersionRange::OURS });
        match self {
            Self::Ask(one) => ask(one),
            Self::Deliver(delivery) => {
                for (number, bytes) in (0..).zip(delivery.chunks(PIECE_LEN)) {
                    ask(&Ask::Put { offset: number * PIECE_LEN as u32, bytes });
                }
                ask(&Ask::Commit { delivery_sha256: Sha256::digest(delivery).into() });
            }
        }
        frames
    }
}

/// Somewhere in the leaf, which is signed.
fn with_a_bit_flipped(delivery: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let leaf = Delivery::decode(delivery).ok()?.leaf;
    let at = leaf.as_ptr() as usize - delivery.as_ptr() as usize;
    let mut flipped = delivery.to_vec();
    flipped[at + random.below(leaf.len() as u64) as usize] ^= 1 << random.below(8);
    Some(flipped)
}

fn under_another_root(delivery: &[u8], root: &[u8]) -> Option<Vec<u8>> {
    let delivery = Delivery { device_anchor: root, ..Delivery::decode(delivery).ok()? };
    let mut out = vec![0; 4096];
    let len = delivery.encode_into(&mut out).ok()?;
    out.truncate(len);
    Some(out)
}

fn cut_short(delivery: &[u8], random: &mut Random) -> Vec<u8> {
    delivery[..1 + random.below(delivery.len() as u64 - 1) as usize].to_vec()
}

fn framed(header: Header, message: &impl Encodable) -> Vec<u8> {
    let mut out = vec![0; frame_len_max(ANSWER_LEN_MAX)];
    // Pieces and answers are shorter than that.
    let len = encode_frame(header, message, &mut out).unwrap_or_default();
    out.truncate(len);
    out
}

/// Bytes of a delivery in one `Put`.
const PIECE_LEN: usize = 512;
