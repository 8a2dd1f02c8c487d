//! The shortest line there may be, the longest name, and pieces as long as the limits allow: each
//! ask is answered, and what was said of the limits is so.

use provision_csr::{PortableKey, PortableP256, Subject, sha256};
use provision_device::{Enrollee, FlashVault, Limits, Line, Served};
use provision_testkit::flash::PowerCutFlash;
use provision_wire::frame::{frame_len_max, payload_len_max};
use provision_wire::{
    ANSWER_LEN_MAX, Answer, Ask, CHALLENGE_LEN, Deframer, Encodable, Event, Header, Kind,
    VersionRange, encode_frame,
};

use crate::ports::Seeded;

/// What a device serial may be at most.
const SERIAL: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Device<const FRAME: usize> {
    line: Line<FRAME>,
    enrollee: Enrollee<'static, PortableP256, 3072>,
    vault: FlashVault<PowerCutFlash<4, 1024>, PortableKey>,
    entropy: Seeded,
    asked: u16,
}

impl<const FRAME: usize> Device<FRAME> {
    fn new(limits: Limits) -> Self {
        let subject = Subject::new(SERIAL).unwrap();
        Self {
            line: Line::new(),
            enrollee: Enrollee::new(subject, limits).unwrap(),
            vault: FlashVault::new(PowerCutFlash::new(8), 0..8 * 1024).unwrap(),
            entropy: Seeded::new(5),
            asked: 0,
        }
    }

    /// What `look` finds in the answer, which must not be longer than any may be.
    fn ask<T>(&mut self, ask: &Ask<'_>, look: impl Fn(&Answer<'_>) -> Option<T>) -> T {
        self.asked += 1;
        let header = Header { kind: Kind::Ask, session: 9, sequence: self.asked };
        let mut sent = [0; frame_len_max(4096)];
        let len = encode_frame(header, ask, &mut sent).unwrap();
        let Self { line, enrollee, vault, entropy, .. } = self;
        for &byte in &sent[..len] {
            let (served, said) = line.hear(byte, enrollee, vault, entropy);
            if !matches!(served, Served::Answered { .. }) {
                continue;
            }
            assert!(said.len() <= frame_len_max(ANSWER_LEN_MAX), "{FRAME}: {}", said.len());
            let mut deframer = Deframer::<{ frame_len_max(ANSWER_LEN_MAX) }>::new();
            for &byte in said {
                if let Event::Frame(frame) = deframer.push(byte) {
                    let answer = Answer::decode(frame.payload).unwrap();
                    return look(&answer).unwrap_or_else(|| panic!("{FRAME}: {answer:?}"));
                }
            }
            panic!("{FRAME}: {ask:?} has no answer");
        }
        panic!("{FRAME}: {ask:?} was not heard");
    }
}

fn check<const FRAME: usize>() {
    check_told::<FRAME>(Line::<FRAME>::LIMITS);
}

fn check_told<const FRAME: usize>(limits: Limits) {
    let mut device = Device::<FRAME>::new(limits);
    let hello = Ask::Hello { versions: VersionRange::OURS };
    let (ask_len_max, delivery_len_max) = device.ask(&hello, |answer| match answer {
        Answer::Hello(hello) => Some((hello.ask_len_max, hello.delivery_len_max)),
        _ => None,
    });
    assert_eq!(ask_len_max as usize, payload_len_max(FRAME));
    device.ask(&Ask::Key, |answer| matches!(answer, Answer::Key { .. }).then_some(()));

    let challenge = [0xff; CHALLENGE_LEN];
    let (csr_len, csr_sha256) = device.ask(&Ask::Csr { challenge }, |answer| match answer {
        Answer::Csr { len, csr_sha256 } => Some((*len as usize, *csr_sha256)),
        _ => None,
    });
    let mut csr = Vec::new();
    while csr.len() < csr_len {
        let offset = csr.len() as u32;
        let piece = device.ask(&Ask::Read { offset }, |answer| match answer {
            Answer::Chunk { offset: from, bytes } if *from == offset => Some(bytes.to_vec()),
            _ => None,
        });
        assert!(!piece.is_empty());
        csr.extend(piece);
    }
    assert_eq!((csr.len(), sha256(&csr)), (csr_len, csr_sha256), "{FRAME}");

    // As long as an ask may be, up to the longest delivery.
    let bytes = vec![0x5a; delivery_len_max as usize];
    let mut offset = 0;
    while offset < bytes.len() {
        let rest = &bytes[offset..];
        let put = |len: usize| Ask::Put { offset: offset as u32, bytes: &rest[..len] };
        let fits = |len: &usize| encoded_len(&put(*len)) <= ask_len_max as usize;
        let len = (1..=rest.len()).rev().find(fits).unwrap();
        offset = device.ask(&put(len), |answer| match answer {
            Answer::Stored { have } => Some(*have as usize),
            _ => None,
        });
    }
    // And not a byte more.
    let more = Ask::Put { offset: delivery_len_max, bytes: &[0] };
    device.ask(&more, |answer| matches!(answer, Answer::Refused(_)).then_some(()));
}

fn encoded_len(ask: &Ask<'_>) -> usize {
    ask.encode_into(&mut [0; 4096]).unwrap()
}

#[test]
fn each_ask_is_answered_on_the_shortest_line_and_on_long_ones() {
    check::<{ frame_len_max(256) }>();
    check::<{ frame_len_max(256) + 1 }>();
    check::<600>();
    check::<{ frame_len_max(ANSWER_LEN_MAX) }>();
    check::<2048>();
}

/// An enrollee that was made for a longer line would have answers that have no room on this one: what
/// fits is the line's to say.
#[test]
fn an_enrollee_with_the_limits_of_another_line_keeps_to_its_own() {
    check_told::<{ frame_len_max(256) }>(Line::<2048>::LIMITS);
    check_told::<600>(Limits { ask_len_max: usize::MAX, chunk_len_max: usize::MAX });
    // Whoever wants less gets it.
    let mut device = Device::<2048>::new(Line::<600>::LIMITS);
    let hello = Ask::Hello { versions: VersionRange::OURS };
    let ask_len_max = device.ask(&hello, |answer| match answer {
        Answer::Hello(hello) => Some(hello.ask_len_max),
        _ => None,
    });
    assert_eq!(ask_len_max as usize, payload_len_max(600));
}
