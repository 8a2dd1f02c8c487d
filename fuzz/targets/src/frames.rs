//! Bytes on the line.

use provision_wire::frame::Noise;
use provision_wire::frame::frame_len_max;
use provision_wire::{Ask, Deframer, Event, Frame, Header, Kind, encode_frame};

use crate::input::Input;

/// What the example firmware takes.
const FRAME_LEN: usize = 600;
/// The smallest buffer a frame fits in, so that more is too long for it.
const SMALL_LEN: usize = frame_len_max(16);

/// Noise, then a frame made of the rest: `noise, session, sequence, bytes of a piece`.
///
/// # Panics
///
/// If the frame is not found, or what is found in the noise would not be sent like this.
pub(crate) fn frames<const PLANTED: bool>(data: &[u8]) {
    let mut input = Input::new(data);
    let noise = input.bytes().unwrap_or_default();
    listen::<SMALL_LEN, PLANTED>(data);
    let mut deframer = listen::<FRAME_LEN, PLANTED>(noise);

    let session = input.number().map_or(0, |number| u32::from(number) << 7);
    let header = Header { kind: Kind::Ask, session, sequence: input.number().unwrap_or_default() };
    let piece = input.rest();
    let piece = piece.get(..500).unwrap_or(piece);
    let ask = Ask::Put { offset: header.session, bytes: piece };
    let mut out = [0; FRAME_LEN];
    let len = encode_frame(header, &ask, &mut out).expect("500 bytes and their surroundings");
    let sent = &out[..len];
    assert!(sent[0] == 0 && sent[len - 1] == 0 && !sent[1..len - 1].contains(&0), "{sent:02x?}");

    let mut found = Vec::new();
    for &byte in sent {
        if let Event::Frame(Frame { header, payload }) = deframer.push(byte) {
            found.push((header, payload.to_vec()));
        }
    }
    let (found_header, payload) = found.pop().expect("the frame is found after any noise");
    assert_eq!(found_header, header);
    assert_eq!(Ask::decode(&payload), Ok(ask));
    // The zero it begins with may end a frame that the noise had begun; that is all.
    assert!(found.len() <= 1, "{found:?}");
}

/// Whatever comes, a frame is what a sender would have made of it, and noise is no longer than the buffer.
fn listen<const N: usize, const PLANTED: bool>(bytes: &[u8]) -> Listener<N, PLANTED> {
    let mut deframer = Listener::<N, PLANTED>::default();
    for &byte in bytes {
        match deframer.push(byte) {
            Event::Pending => {}
            Event::Noise { bytes, .. } => assert!(bytes.len() <= N),
            Event::Frame(frame) => {
                let sent = by_hand(frame.header, frame.payload);
                assert!(sent.len() <= N + 2, "a frame of {} bytes in a buffer of {N}", sent.len());
                let mut again = Deframer::<N>::new();
                for &byte in &sent[..sent.len() - 1] {
                    assert_eq!(again.push(byte), Event::Pending);
                }
                assert_eq!(again.push(0), Event::Frame(frame));
            }
        }
    }
    deframer
}

/// A [`Deframer`]; or one that passes over the next frame, too, after one that was too long.
#[derive(Default)]
struct Listener<const N: usize, const PLANTED: bool> {
    deframer: Deframer<N>,
    is_deaf: bool,
    passed_over: usize,
}

impl<const N: usize, const PLANTED: bool> Listener<N, PLANTED> {
    fn push(&mut self, byte: u8) -> Event<'_> {
        if self.is_deaf && PLANTED {
            self.is_deaf = byte != 0 || self.passed_over == 0;
            self.passed_over += usize::from(byte != 0);
            return Event::Pending;
        }
        let event = self.deframer.push(byte);
        self.is_deaf = matches!(event, Event::Noise { noise: Noise::TooLong, .. });
        self.passed_over = 0;
        event
    }
}

/// The frame of a payload, by what `docs/protocol.md` says and nothing of the crate.
pub(crate) fn by_hand(header: Header, payload: &[u8]) -> Vec<u8> {
    let kind = match header.kind {
        Kind::Ask => 0,
        Kind::Answer => 1,
    };
    let mut raw = vec![1, kind];
    raw.extend(header.session.to_le_bytes());
    raw.extend(header.sequence.to_le_bytes());
    raw.extend(payload);
    let crc = crc32(&raw);
    raw.extend(crc.to_le_bytes());
    let mut frame = vec![0];
    frame.extend(cobs(&raw));
    frame.push(0);
    frame
}

/// CRC-32/ISO-HDLC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

/// Each zero becomes the distance to the next; after 254 bytes without one a distance is put in.
fn cobs(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut blocks = bytes.split(|byte| *byte == 0).peekable();
    while let Some(mut block) = blocks.next() {
        while block.len() >= 254 {
            let (full, rest) = block.split_at(254);
            out.push(0xff);
            out.extend(full);
            if rest.is_empty() && blocks.peek().is_none() {
                return out;
            }
            block = rest;
        }
        out.push(block.len() as u8 + 1);
        out.extend(block);
    }
    out
}
