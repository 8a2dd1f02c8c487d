//! Devices that lie: a simulated device whose answers are tampered with.

use std::process::Command;

use provision_csr::{
    CSR_LEN_MAX, IdentityKey as _, PortableKey, SoftwareKey as _, Subject, write_csr,
};
use provision_wire::frame::frame_len_max;
use provision_wire::{
    ANSWER_LEN_MAX, Answer, Ask, Deframer, DeviceSerial, Encodable, Event, Frame, Header, Kind,
    Refusal, Stage, encode_frame,
};
use sha2_device::{Digest as _, Sha256};

use crate::device::{SeededEntropy, SimulatedDevice};
use crate::planted::Bug;
use crate::random::Random;

const FRAME: usize = frame_len_max(ANSWER_LEN_MAX);

/// How it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trick {
    /// It does not.
    None,
    /// It speaks only a later version of the protocol.
    OtherVersion,
    /// The signature of its CSR is not right.
    BrokenSelfSignature,
    /// Its CSR names another device.
    OtherName(DeviceSerial),
    /// Its CSR answers another challenge.
    OldChallenge,
    /// Its CSR is for a P-384 key (made by the real `openssl`).
    P384Key,
    /// Its CSR is for another key than it announced.
    SwapsKey,
    /// It stores nothing: every `Put` is refused.
    RefusesWrites,
    /// It confirms what it does not store.
    PretendsToStore,
    /// Whole frames, whose content is no message.
    Rubbish,
    /// Right answers, for another session.
    OtherSession,
    /// Nothing any more from this ask on.
    SilentFrom(&'static str),
    /// The proof is signed by a key that is not the stored one.
    ForgedProof,
}

/// A device that plays a [`Trick`].
pub struct Impostor {
    device: SimulatedDevice,
    trick: Trick,
    serial: DeviceSerial,
    key: PortableKey,
    csr: Vec<u8>,
    listening: Deframer<FRAME>,
    silent: bool,
}

impl Impostor {
    /// A blank device of this serial, key and trick.
    ///
    /// # Panics
    ///
    /// Never: seeded entropy makes a key.
    #[must_use]
    pub fn new(serial: &DeviceSerial, seed: u64, trick: Trick) -> Self {
        let key = PortableKey::generate(&mut SeededEntropy(Random::new(!seed)));
        let Ok(key) = key else { unreachable!("seeded entropy makes a key") };
        Self {
            device: SimulatedDevice::new(serial, seed, Bug::None),
            trick,
            serial: serial.clone(),
            key,
            csr: Vec::new(),
            listening: Deframer::new(),
            silent: false,
        }
    }

    /// The honest device inside.
    pub fn device(&mut self) -> &mut SimulatedDevice {
        &mut self.device
    }

    /// Takes bytes off the line; returns what it answers.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        let mut listening = core::mem::take(&mut self.listening);
        for &byte in bytes {
            let Event::Frame(Frame { header, payload }) = listening.push(byte) else {
                said.extend(self.device.receive(&[byte]));
                continue;
            };
            let Ok(ask) = Ask::decode(payload) else { continue };
            // What the device inside must not hear ends in noise.
            let kept_from_it = matches!(
                (&self.trick, &ask),
                (Trick::PretendsToStore, Ask::Commit { .. })
                    | (Trick::RefusesWrites, Ask::Put { .. } | Ask::PutPacked { .. })
            );
            let honest = self.device.receive(if kept_from_it {
                &[1, 0]
            } else {
                core::slice::from_ref(&byte)
            });
            let header = Header { kind: Kind::Answer, ..header };
            let trick = self.trick.clone();
            said.extend(self.tamper(&trick, &ask, header, honest));
        }
        self.listening = listening;
        said
    }

    fn tamper(&mut self, trick: &Trick, ask: &Ask<'_>, header: Header, honest: Vec<u8>) -> Vec<u8> {
        let say = |answer: &Answer<'_>| frame(header, answer);
        match (trick, ask) {
            (Trick::SilentFrom(name), _) if self.silent || ask.name() == *name => {
                self.silent = true;
                Vec::new()
            }
            (Trick::OtherVersion, _) => say(&Answer::Refused(Refusal::Version { min: 2, max: 3 })),
            (Trick::Rubbish, Ask::Hello { .. }) => honest,
            (Trick::Rubbish, _) => frame(header, &Garbage),
            (Trick::OtherSession, Ask::Hello { .. }) => honest,
            (Trick::OtherSession, _) => {
                let other = Header { session: !header.session, ..header };
                frame(other, &Answer::Key { public: *self.key.public_key().as_sec1() })
            }
            (Trick::RefusesWrites, Ask::Put { .. } | Ask::PutPacked { .. }) => {
                say(&Answer::Refused(Refusal::VaultFailed))
            }
            (Trick::PretendsToStore, Ask::Commit { delivery_sha256 }) => {
                say(&Answer::Committed { delivery_sha256: *delivery_sha256 })
            }
            (Trick::ForgedProof, Ask::Prove { challenge }) => self.forge_proof(challenge, header),
            (Trick::BrokenSelfSignature | Trick::OtherName(_) | Trick::OldChallenge, Ask::Key) => {
                say(&Answer::Key { public: *self.key.public_key().as_sec1() })
            }
            (
                Trick::BrokenSelfSignature
                | Trick::OtherName(_)
                | Trick::OldChallenge
                | Trick::SwapsKey
                | Trick::P384Key,
                Ask::Csr { challenge },
            ) => {
                self.csr = self.forge_csr(trick, challenge);
                let len = self.csr.len() as u32;
                say(&Answer::Csr { len, csr_sha256: Sha256::digest(&self.csr).into() })
            }
            (_, Ask::Read { offset }) if !self.csr.is_empty() => {
                let rest = self.csr.get(*offset as usize..).unwrap_or_default();
                say(&Answer::Chunk { offset: *offset, bytes: &rest[..rest.len().min(256)] })
            }
            _ => honest,
        }
    }

    fn forge_csr(&self, trick: &Trick, challenge: &[u8; 32]) -> Vec<u8> {
        let (name, challenge) = match trick {
            Trick::P384Key => return openssl_csr("P-384", self.serial.as_str(), challenge),
            Trick::OtherName(name) => (name.as_str(), *challenge),
            Trick::OldChallenge => (self.serial.as_str(), challenge.map(|byte| !byte)),
            _ => (self.serial.as_str(), *challenge),
        };
        let mut out = [0; CSR_LEN_MAX];
        let Ok(subject) = Subject::new(name) else { unreachable!("a device serial") };
        let Ok(csr) = write_csr(&subject, &self.key, &challenge, &mut out) else {
            unreachable!("CSR_LEN_MAX holds every CSR")
        };
        let mut csr = csr.as_bytes().to_vec();
        if *trick == Trick::BrokenSelfSignature
            && let Some(last) = csr.last_mut()
        {
            *last ^= 1;
        }
        csr
    }

    fn forge_proof(&mut self, challenge: &[u8; 32], header: Header) -> Vec<u8> {
        use provision_device::Vault as _;
        let mut stored = [0; 4096];
        let mut vault = self.device.vault();
        let Ok(Some(stored)) = vault.read_delivery(&mut stored) else { return Vec::new() };
        let Ok(delivery) = provision_wire::Delivery::decode(stored) else { return Vec::new() };
        let leaf_sha256 = Sha256::digest(delivery.leaf).into();
        let delivery_sha256 = Sha256::digest(stored).into();
        let message = provision_wire::proof_message(challenge, &leaf_sha256, &delivery_sha256);
        let Ok(signature) = self.key.sign_digest(&Sha256::digest(message).into()) else {
            return Vec::new();
        };
        let signature = *signature.as_raw();
        frame(header, &Answer::Proof { signature, leaf_sha256, delivery_sha256 })
    }

    /// How far the device inside is.
    #[must_use]
    pub fn stage(&mut self) -> Option<Stage> {
        use provision_device::Vault as _;
        self.device.vault().stage().ok()
    }
}

/// A payload that is CBOR and no message.
struct Garbage;

impl Encodable for Garbage {
    fn encode_to<S: provision_wire::cbor::Sink>(&self, to: &mut provision_wire::cbor::Encoder<S>) {
        to.text("what?");
    }
}

fn frame(header: Header, message: &impl Encodable) -> Vec<u8> {
    let mut out = vec![0; FRAME];
    match encode_frame(header, message, &mut out) {
        Ok(len) => out.truncate(len),
        Err(_) => out.clear(),
    }
    out
}

/// A CSR for a curve that devices do not have.
fn openssl_csr(curve: &str, common_name: &str, challenge: &[u8; 32]) -> Vec<u8> {
    let challenge: String = challenge.iter().map(|byte| format!("{byte:02x}")).collect();
    let configuration = format!(
        "[req]\nprompt=no\ndistinguished_name=dn\nattributes=attributes\n\
         [dn]\nCN={common_name}\n[attributes]\nchallengePassword={challenge}\n"
    );
    let Ok(dir) = tempfile::tempdir() else { return Vec::new() };
    let path = dir.path().join("req.cnf");
    if std::fs::write(&path, configuration).is_err() {
        return Vec::new();
    }
    let output = Command::new("openssl")
        .args(["req", "-new", "-newkey", "ec", "-nodes", "-outform", "DER", "-keyout", "/dev/null"])
        .args(["-pkeyopt", &format!("ec_paramgen_curve:{curve}"), "-config"])
        .arg(&path)
        .output();
    output.map(|output| output.stdout).unwrap_or_default()
}
