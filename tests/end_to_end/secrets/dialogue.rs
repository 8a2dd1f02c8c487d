//! What was signed during an enrollment, read off the line.

use provision_csr::der::{Reader, SEQUENCE};
use provision_testkit::tap::Heard;
use provision_wire::{Answer, Ask, Deframer, Event, Frame, proof_message};
use sha2_device::{Digest as _, Sha256};

/// A digest, and the first half of the device's signature over it.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) what: &'static str,
    pub(crate) sha256: [u8; 32],
    pub(crate) r: [u8; 32],
}

/// The public key and the signatures that went over the line.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    pub(crate) public: Vec<u8>,
    pub(crate) signed: Vec<Signed>,
}

impl Dialogue {
    pub(crate) fn of(heard: &Heard) -> Self {
        let mut dialogue = Self::default();
        let mut challenges = Vec::new();
        frames(&heard.there, |frame| {
            if let Ok(Ask::Prove { challenge }) = Ask::decode(frame.payload) {
                challenges.push((frame.header.sequence, challenge));
            }
        });
        let mut csr = Vec::new();
        frames(&heard.back, |frame| match Answer::decode(frame.payload) {
            Ok(Answer::Key { public }) => dialogue.public = public.to_vec(),
            Ok(Answer::Chunk { offset, bytes }) => {
                csr.truncate(offset as usize);
                csr.extend_from_slice(bytes);
            }
            Ok(Answer::Proof { signature, leaf_sha256, delivery_sha256 }) => {
                for (_, challenge) in challenges.iter().filter(|(n, _)| *n == frame.header.sequence)
                {
                    let message = proof_message(challenge, &leaf_sha256, &delivery_sha256);
                    let sha256 = Sha256::digest(message).into();
                    let r = *signature.first_chunk().unwrap();
                    dialogue.signed.push(Signed { what: "the proof", sha256, r });
                }
            }
            _ => {}
        });
        dialogue.signed.extend(signed_csr(&csr));
        dialogue
    }
}

fn frames(bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
    let mut deframer = Deframer::<2048>::new();
    for &byte in bytes {
        if let Event::Frame(frame) = deframer.push(byte) {
            each(frame);
        }
    }
}

/// RFC 2986 section 4.2: what is signed, algorithm, signature.
fn signed_csr(der: &[u8]) -> Option<Signed> {
    let mut request = Reader::new(Reader::new(der).expect(SEQUENCE)?);
    let info = request.next()?.encoded;
    request.next()?;
    let (_, signature) = request.next()?.contents.split_first()?;
    let signature = provision_csr::Signature::from_der(signature).ok()?;
    let r = *signature.as_raw().first_chunk()?;
    Some(Signed { what: "the CSR", sha256: Sha256::digest(info).into(), r })
}
