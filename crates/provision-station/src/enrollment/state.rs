//! The machine itself: one state for each thing it waits for.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

use provision_csr::{PublicKey, Signature, VerifyP256};
use provision_wire::{
    ASK_LEN_MIN, Answer, Ask, CHALLENGE_LEN, Delivery, DeviceSerial, Encodable, Endpoint, Hello,
    LIST_MAX, Refusal, Stage, VersionRange, packed::DICTIONARY_NUMBER,
};
use sha2_device::{Digest, Sha256};

use super::pack::pack;
use super::{
    Change, EnrollmentFault, Input, Outbox, Outcome, Output, Plan, Progress, Randomness, Record,
};
use crate::evidence::{
    ApprovedCsr, Chain, Csr, Decision, Enrolled, LiveCertificate, PolicyFault, ProvenCsr, Standing,
    StoredProof,
};
use crate::exchange::{Exchange, Patience, Tick};

/// Longest CSR that is read, in bytes: five times what a P-256 request with every name needs.
pub const CSR_LEN_MAX: u32 = 4096;
/// CBOR around the bytes of a `Put`, and its offset.
const PUT_OVERHEAD: usize = 16;

/// The station's role in one run of the dialogue. `P` checks signatures.
///
/// How it is driven: see the [module](super).
#[derive(Debug)]
pub struct Enrollment<P> {
    plan: Plan,
    randomness: Randomness,
    exchange: Exchange,
    outbox: Outbox,
    /// The device of this run, from its first `Hello` on.
    device: Option<DeviceSerial>,
    restarts: u32,
    /// The most this run has changed, restarts included.
    change: Change,
    state: State,
    verify: PhantomData<P>,
}

/// Named for what is awaited, holding only what is known by then.
#[derive(Debug)]
enum State {
    Start,
    Hello,
    Key(Peer),
    Csr { peer: Peer, announced: PublicKey },
    Chunk { peer: Peer, announced: PublicKey, csr: PartialCsr },
    Standing { peer: Peer, announced: PublicKey, csr: ProvenCsr },
    Issued(Peer),
    RecordedIssued { peer: Peer, chain: Chain },
    Stored(Sending),
    Committed(Sending),
    Proof { chain: Chain, delivery_sha256: [u8; 32], after: AfterProof },
    RecordedEnrolled { chain: Chain, enrolled: Enrolled, after: AfterProof },
    Sealed { chain: Chain, enrolled: Enrolled },
    Known(DeviceSerial),
    Finished,
}

/// What the device said of itself.
#[derive(Debug, Clone)]
struct Peer {
    device: DeviceSerial,
    ask_len_max: usize,
    delivery_len_max: u32,
    unpacks: bool,
}

/// A CSR of which part was read.
#[derive(Debug)]
struct PartialCsr {
    bytes: Vec<u8>,
    len: u32,
    csr_sha256: [u8; 32],
}

/// A delivery of which part was sent.
#[derive(Debug)]
struct Sending {
    chain: Chain,
    delivery: Vec<u8>,
    delivery_sha256: [u8; 32],
    have: usize,
    piece_len_max: usize,
    packs: bool,
}

/// What follows a good proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterProof {
    /// The device is certified; seal it if the plan says so.
    Seal,
    /// It is sealed already.
    Finish,
}

impl<P: VerifyP256> Enrollment<P> {
    /// A run that has not begun; poll it.
    #[must_use]
    pub fn new(plan: Plan, randomness: Randomness) -> Self {
        Self {
            exchange: Exchange::new(randomness.session).at(plan.timing.pace),
            plan,
            randomness,
            outbox: Outbox::new(),
            device: None,
            restarts: 0,
            change: Change::Nothing,
            state: State::Start,
            verify: PhantomData,
        }
    }

    /// Says what is wanted now.
    pub fn poll(&mut self, now_ms: u64) -> Output {
        if matches!(self.state, State::Start) {
            self.say_hello(now_ms);
        }
        if let Some(output) = self.outbox.pop_front() {
            return output;
        }
        match self.exchange.tick(now_ms) {
            Some(Tick::Wait { until_ms }) => Output::Wait { until_ms },
            Some(Tick::Resend(bytes)) => Output::Send(bytes),
            Some(Tick::GaveUp(no_answer)) => {
                self.state = State::Finished;
                Output::Failed(no_answer.into())
            }
            None => Output::WaitForAnswer,
        }
    }

    /// Takes an input. One that was not asked for is passed over.
    pub fn handle(&mut self, input: Input<'_>, now_ms: u64) {
        let result = match input {
            Input::Tick => Ok(()),
            Input::Received(bytes) => self.received(bytes, now_ms),
            Input::Standing(standing) => self.standing(standing, now_ms),
            Input::Known(known) => self.known(known, now_ms),
            Input::Issued(chain) => self.issued(chain),
            Input::Recorded => self.recorded(now_ms),
        };
        if let Err(fault) = result {
            self.state = State::Finished;
            self.outbox.push_back(Output::Failed(fault));
        }
    }

    fn received(&mut self, mut bytes: &[u8], now_ms: u64) -> Result<(), EnrollmentFault> {
        while !bytes.is_empty() {
            if let Some(payload) = self.exchange.receive_some(&mut bytes) {
                self.answered(&payload, now_ms)?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, ask: &Ask<'_>, patience: Patience, now_ms: u64) {
        let bytes = self.exchange.ask(ask, patience, now_ms);
        self.outbox.push_back(Output::Send(bytes));
    }

    fn progress(&mut self, progress: Progress) {
        self.outbox.push_back(Output::Progress(progress));
    }

    /// The challenge of this session: no two sessions of a run have the same, so that nothing said in
    /// one can be said again in the next.
    fn challenge(&self, of_run: &[u8; CHALLENGE_LEN]) -> [u8; CHALLENGE_LEN] {
        let session = self.exchange.session().to_le_bytes();
        Sha256::new().chain_update(of_run).chain_update(session).finalize().into()
    }

    fn say_hello(&mut self, now_ms: u64) {
        self.state = State::Hello;
        let ask = Ask::Hello { versions: VersionRange::OURS };
        self.ask(&ask, self.plan.timing.hello, now_ms);
    }

    /// The device has lost the session: from the top, under a new number. Whatever it has stored
    /// by now it will say itself.
    fn restart(&mut self, now_ms: u64) -> Result<(), EnrollmentFault> {
        self.restarts = self.restarts.saturating_add(1);
        if self.restarts > self.plan.timing.restarts_max {
            return Err(EnrollmentFault::Restarts { restarts: self.restarts });
        }
        self.progress(Progress::Restarted { restarts: self.restarts });
        self.exchange.next_session();
        self.say_hello(now_ms);
        Ok(())
    }

    fn answered(&mut self, payload: &[u8], now_ms: u64) -> Result<(), EnrollmentFault> {
        // The exchange hands over only what decodes.
        let Ok(answer) = Answer::decode(payload) else { return Ok(()) };
        let state = core::mem::replace(&mut self.state, State::Finished);
        let ask = state.ask_name();
        if matches!(answer, Answer::Refused(Refusal::UnknownSession)) {
            return self.restart(now_ms);
        }
        match (state, answer) {
            (State::Hello, Answer::Hello(hello)) => self.found(hello, now_ms),
            (State::Key(peer), Answer::Key { public }) => {
                let announced = PublicKey::from_sec1(public)
                    .map_err(|_| crate::evidence::CsrFault::KeyEncoding)?;
                self.progress(Progress::Key { public_key: announced });
                self.state = State::Csr { peer, announced };
                let ask = Ask::Csr { challenge: self.challenge(&self.randomness.csr_challenge) };
                self.ask(&ask, self.plan.timing.slow, now_ms);
                Ok(())
            }
            (State::Csr { peer, announced }, Answer::Csr { len, csr_sha256 }) => {
                if len > CSR_LEN_MAX {
                    return Err(EnrollmentFault::CsrTooLong { len, max: CSR_LEN_MAX });
                }
                let csr = PartialCsr { bytes: Vec::new(), len, csr_sha256 };
                self.state = State::Chunk { peer, announced, csr };
                self.ask(&Ask::Read { offset: 0 }, self.plan.timing.quick, now_ms);
                Ok(())
            }
            (State::Chunk { peer, announced, csr }, Answer::Chunk { offset, bytes }) => {
                self.chunk(peer, announced, csr, offset, bytes, now_ms)
            }
            (State::Stored(sending), Answer::Stored { have })
            | (State::Stored(sending), Answer::Refused(Refusal::Gap { have })) => {
                self.stored(sending, have, now_ms)
            }
            (State::Committed(sending), Answer::Committed { delivery_sha256 }) => {
                if delivery_sha256 != sending.delivery_sha256 {
                    return Err(EnrollmentFault::CommittedOther);
                }
                self.progress(Progress::Stored);
                self.prove(sending.chain, delivery_sha256, AfterProof::Seal, now_ms);
                Ok(())
            }
            (
                State::Proof { chain, delivery_sha256: sent, after },
                Answer::Proof { signature, leaf_sha256, delivery_sha256 },
            ) => {
                let challenge = self.challenge(&self.randomness.proof_challenge);
                let signature = Signature::from_raw(signature);
                let proof = StoredProof { signature, leaf_sha256, delivery_sha256 };
                let enrolled = chain.confirm::<P>(&challenge, &proof, Some(&sent))?;
                self.progress(Progress::Proven);
                self.outbox.push_back(Output::Record(Record::Enrolled(enrolled.clone())));
                self.state = State::RecordedEnrolled { chain, enrolled, after };
                Ok(())
            }
            (State::Sealed { chain, enrolled }, Answer::Sealed) => {
                self.progress(Progress::Sealed);
                self.finish(chain, enrolled, true);
                Ok(())
            }
            (_, Answer::Refused(refusal)) => Err(EnrollmentFault::Refused { ask, refusal }),
            (_, answer) => Err(EnrollmentFault::Unexpected { ask, answer: answer.name() }),
        }
    }

    fn found(&mut self, hello: Hello, now_ms: u64) -> Result<(), EnrollmentFault> {
        let Hello { version, device, stage, ask_len_max, delivery_len_max, dictionary } = hello;
        if VersionRange::OURS.newest_common(VersionRange { min: version, max: version }).is_none() {
            return Err(EnrollmentFault::Version { found: version });
        }
        match &self.device {
            Some(expected) if *expected != device => {
                return Err(EnrollmentFault::DeviceChanged {
                    expected: expected.clone(),
                    found: device,
                });
            }
            Some(_) => {}
            None => self.device = Some(device.clone()),
        }
        // Before any key is touched.
        self.plan.policy.admit(&device)?;
        let ask_len = usize::try_from(ask_len_max).unwrap_or(usize::MAX);
        if ask_len < ASK_LEN_MIN {
            return Err(EnrollmentFault::Limits { ask_len_max, needed: ASK_LEN_MIN });
        }
        self.progress(Progress::Found { device: device.clone(), stage });
        if stage == Stage::Sealed {
            self.outbox.push_back(Output::LookUpDevice { device: device.clone() });
            self.state = State::Known(device);
            return Ok(());
        }
        let unpacks = dictionary == Some(DICTIONARY_NUMBER);
        self.state = State::Key(Peer { device, ask_len_max: ask_len, delivery_len_max, unpacks });
        self.ask(&Ask::Key, self.plan.timing.slow, now_ms);
        Ok(())
    }

    fn chunk(
        &mut self,
        peer: Peer,
        announced: PublicKey,
        mut csr: PartialCsr,
        offset: u32,
        bytes: &[u8],
        now_ms: u64,
    ) -> Result<(), EnrollmentFault> {
        let have = csr.bytes.len() as u64;
        let end = have + bytes.len() as u64;
        if u64::from(offset) != have || bytes.is_empty() || end > u64::from(csr.len) {
            return Err(EnrollmentFault::CsrDigest);
        }
        csr.bytes.extend_from_slice(bytes);
        if end < u64::from(csr.len) {
            let offset = csr.bytes.len() as u32; // at most CSR_LEN_MAX
            self.state = State::Chunk { peer, announced, csr };
            self.ask(&Ask::Read { offset }, self.plan.timing.quick, now_ms);
            return Ok(());
        }
        if <[u8; 32]>::from(Sha256::digest(&csr.bytes)) != csr.csr_sha256 {
            return Err(EnrollmentFault::CsrDigest);
        }
        let challenge = self.challenge(&self.randomness.csr_challenge);
        let len = csr.len;
        let csr = Csr::parse(&csr.bytes)?.prove_possession::<P>(&challenge)?;
        self.progress(Progress::PossessionProven { csr_len: len });
        self.outbox.push_back(Output::LookUp {
            device: peer.device.clone(),
            public_key: *csr.public_key(),
        });
        self.state = State::Standing { peer, announced, csr };
        Ok(())
    }

    fn standing(&mut self, standing: Standing, now_ms: u64) -> Result<(), EnrollmentFault> {
        let (peer, announced, csr) = match core::mem::replace(&mut self.state, State::Finished) {
            State::Standing { peer, announced, csr } => (peer, announced, csr),
            other => {
                self.state = other;
                return Ok(());
            }
        };
        match self.plan.policy.decide(csr, &peer.device, &announced, standing)? {
            Decision::Issue(approved) => {
                self.issue(approved, peer);
                Ok(())
            }
            Decision::DeliverAgain(LiveCertificate { chain, .. }) => {
                self.progress(Progress::KnownCertificate {
                    cert_serial: chain.cert_serial().clone(),
                });
                if self.change == Change::Nothing {
                    self.change = Change::Delivered;
                }
                self.deliver(peer, chain, now_ms)
            }
        }
    }

    fn issue(&mut self, approved: ApprovedCsr, peer: Peer) {
        self.outbox.push_back(Output::Issue(approved));
        self.state = State::Issued(peer);
    }

    fn issued(&mut self, chain: Chain) -> Result<(), EnrollmentFault> {
        match core::mem::replace(&mut self.state, State::Finished) {
            State::Issued(peer) => {
                self.progress(Progress::Issued { cert_serial: chain.cert_serial().clone() });
                // L1: the entry comes before the leaf leaves the station.
                self.outbox.push_back(Output::Record(Record::Issued(chain.clone())));
                self.state = State::RecordedIssued { peer, chain };
            }
            other => self.state = other,
        }
        Ok(())
    }

    fn recorded(&mut self, now_ms: u64) -> Result<(), EnrollmentFault> {
        match core::mem::replace(&mut self.state, State::Finished) {
            State::RecordedIssued { peer, chain } => {
                self.progress(Progress::Recorded);
                self.change = Change::Enrolled;
                self.deliver(peer, chain, now_ms)
            }
            State::RecordedEnrolled { chain, enrolled, after } => {
                match after {
                    AfterProof::Seal if self.plan.seal => {
                        self.state = State::Sealed { chain, enrolled };
                        self.ask(&Ask::Seal, self.plan.timing.slow, now_ms);
                    }
                    AfterProof::Seal => self.finish(chain, enrolled, false),
                    AfterProof::Finish => self.finish(chain, enrolled, true),
                }
                Ok(())
            }
            other => {
                self.state = other;
                Ok(())
            }
        }
    }

    fn known(
        &mut self,
        known: Option<LiveCertificate>,
        now_ms: u64,
    ) -> Result<(), EnrollmentFault> {
        match core::mem::replace(&mut self.state, State::Finished) {
            State::Known(device) => {
                let Some(live) = known else {
                    return Err(PolicyFault::SealedElsewhere { device }.into());
                };
                // Without one, whatever anchors and endpoint it stores would be taken for ours.
                let Some(proven) = live.delivery_sha256 else {
                    return Err(PolicyFault::SealedUnproven { device }.into());
                };
                self.prove(live.chain, proven, AfterProof::Finish, now_ms);
            }
            other => self.state = other,
        }
        Ok(())
    }

    fn deliver(&mut self, peer: Peer, chain: Chain, now_ms: u64) -> Result<(), EnrollmentFault> {
        let delivery = encode_delivery(&self.plan, &chain).ok_or(EnrollmentFault::DeliveryUnfit)?;
        if delivery.len() as u64 > u64::from(peer.delivery_len_max) {
            return Err(EnrollmentFault::DeliveryTooLong {
                len: delivery.len(),
                max: peer.delivery_len_max,
            });
        }
        let delivery_sha256 = Sha256::digest(&delivery).into();
        let piece_len_max = peer.ask_len_max - PUT_OVERHEAD; // at least ASK_LEN_MIN
        let packs = peer.unpacks;
        self.put(
            Sending { chain, delivery, delivery_sha256, have: 0, piece_len_max, packs },
            now_ms,
        );
        Ok(())
    }

    /// Sends the piece that follows what the device has, or asks it to commit.
    fn put(&mut self, sending: Sending, now_ms: u64) {
        let rest = &sending.delivery[sending.have..];
        if rest.is_empty() {
            let ask = Ask::Commit { delivery_sha256: sending.delivery_sha256 };
            self.ask(&ask, self.plan.timing.slow, now_ms);
            self.state = State::Committed(sending);
            return;
        }
        let offset = sending.have as u32; // a delivery is at most delivery_len_max, a u32
        let room = sending.piece_len_max;
        let block = sending.packs.then(|| pack(&sending.delivery, sending.have, room)).flatten();
        let ask = match &block {
            Some(block) => Ask::PutPacked { offset, block },
            None => Ask::Put { offset, bytes: &rest[..rest.len().min(room)] },
        };
        self.ask(&ask, self.plan.timing.quick, now_ms);
        self.state = State::Stored(sending);
    }

    fn stored(
        &mut self,
        mut sending: Sending,
        have: u32,
        now_ms: u64,
    ) -> Result<(), EnrollmentFault> {
        let before = sending.have;
        sending.have = usize::try_from(have).unwrap_or(usize::MAX);
        if sending.have > sending.delivery.len() {
            return Err(EnrollmentFault::CommittedOther);
        }
        if sending.have <= before {
            // The device has less than before: it was reset, or does not keep what it is given.
            // Going back is allowed as often as restarts are.
            self.restarts = self.restarts.saturating_add(1);
            if self.restarts > self.plan.timing.restarts_max {
                return Err(EnrollmentFault::Restarts { restarts: self.restarts });
            }
        }
        let len = sending.delivery.len() as u32;
        self.progress(Progress::Delivering { have, len });
        self.put(sending, now_ms);
        Ok(())
    }

    fn prove(&mut self, chain: Chain, delivery_sha256: [u8; 32], after: AfterProof, now_ms: u64) {
        self.state = State::Proof { chain, delivery_sha256, after };
        let ask = Ask::Prove { challenge: self.challenge(&self.randomness.proof_challenge) };
        self.ask(&ask, self.plan.timing.slow, now_ms);
    }

    fn finish(&mut self, chain: Chain, enrolled: Enrolled, sealed: bool) {
        let turns = self.exchange.turns();
        let change = self.change;
        let outcome = Outcome { enrolled, chain, change, sealed, turns };
        self.outbox.push_back(Output::Done(Box::new(outcome)));
    }
}

impl State {
    /// The question whose answer this state waits for.
    const fn ask_name(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Csr { .. } => "csr",
            Self::Chunk { .. } => "read",
            Self::Stored(_) => "put",
            Self::Committed(_) => "commit",
            Self::Proof { .. } => "prove",
            Self::Sealed { .. } => "seal",
            _ => "hello",
        }
    }
}

/// `None` if the lists are longer than a delivery holds.
fn encode_delivery(plan: &Plan, chain: &Chain) -> Option<Vec<u8>> {
    fn list(items: &[Vec<u8>]) -> Option<heapless::Vec<&[u8], LIST_MAX>> {
        (items.len() <= LIST_MAX).then(|| items.iter().map(Vec::as_slice).collect())
    }
    let delivery = Delivery {
        leaf: chain.leaf(),
        issuers: list(chain.issuers())?,
        device_anchor: chain.anchor(),
        server_anchors: list(&plan.server_anchors)?,
        endpoint: Endpoint {
            host: &plan.endpoint.host,
            port: plan.endpoint.port,
            alpn: plan.endpoint.alpn.as_deref(),
        },
        time: plan.time,
        foreign_signatures_unchecked: plan.foreign_signatures_unchecked,
    };
    // Certificates, names, and some bytes of CBOR around each.
    let certificates = chain.issuers().iter().chain(&plan.server_anchors).map(Vec::len);
    let room = certificates.sum::<usize>() + chain.leaf().len() + chain.anchor().len() + 1024;
    let mut out = vec![0; room];
    let len = delivery.encode_into(&mut out).ok()?;
    out.truncate(len);
    Some(out)
}
