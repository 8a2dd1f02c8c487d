//! A device on its line, and the model beside it.

use lz4_flex::block::compress_with_dict;
use provision_csr::Subject;
use provision_device::{Enrollee, FlashVault, Line, Served, Stage, Vault as _};
use provision_testkit::flash::{Cut, Moment, PowerCutFlash};
use provision_testkit::toy_p256::{ToyKey, ToyP256};
use provision_wire::packed::DICTIONARY;
use provision_wire::{Answer, Ask, Deframer, Event, Header, Kind, MessageFault, Refusal};

use super::deliveries::{Deliveries, Variant};
use super::encoded;
use super::model::State;
use crate::frames::by_hand;
use crate::toy::{ToyEntropy, sha256};

type Flash = PowerCutFlash<4, 1024>;

const PAGES: u32 = 8;
const FRAME_LEN: usize = 600;
const DELIVERY_LEN_MAX: usize = 3072;

pub(super) struct Rig {
    flash: Flash,
    entropy: ToyEntropy,
    ram: Ram,
    /// What the vault holds.
    state: State,
    /// The session the station speaks in, and counts in.
    pub(super) session: u32,
    sequence: u16,
    /// Planned for the next ask.
    cut: Option<(usize, Moment)>,
    deliveries: Deliveries,
    /// What was sent last.
    last: Option<(Header, Vec<u8>)>,
    /// The session that is open at the device.
    open: Option<u32>,
    /// A repeated `Key` makes a new one.
    planted: bool,
}

/// What a power cut takes.
struct Ram {
    line: Line<FRAME_LEN>,
    enrollee: Enrollee<'static, ToyP256, DELIVERY_LEN_MAX>,
}

impl Ram {
    fn new() -> Self {
        let subject = Subject::new("fuzzed").expect("a name");
        let limits = Line::<FRAME_LEN>::LIMITS;
        Self { line: Line::new(), enrollee: Enrollee::new(subject, limits).expect("a serial") }
    }
}

impl Rig {
    pub(super) fn new(planted: bool) -> Self {
        Self {
            flash: Flash::new(PAGES as usize),
            entropy: ToyEntropy::default(),
            ram: Ram::new(),
            state: State { stage: Stage::Blank, key: None, delivery: None },
            session: 0,
            sequence: 0,
            cut: None,
            deliveries: Deliveries::new(),
            last: None,
            open: None,
            planted,
        }
    }

    /// For this device.
    pub(super) fn delivery(&mut self, variant: Variant) -> Vec<u8> {
        self.deliveries.make(variant, self.state.key)
    }

    pub(super) fn ask(&mut self, ask: &Ask<'_>) {
        self.ask_in_bytes(&encoded(ask));
    }

    /// An ask or not: it comes in a good frame of the station's session.
    pub(super) fn ask_in_bytes(&mut self, payload: &[u8]) {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header { kind: Kind::Ask, session: self.session, sequence: self.sequence };
        self.send(header, payload);
        self.last = Some((header, payload.to_vec()));
    }

    /// Sends the last frame once more.
    pub(super) fn repeat(&mut self) {
        if let Some((header, payload)) = self.last.clone() {
            self.send(header, &payload);
        }
    }

    /// Stages a delivery piece by piece, as a station does.
    pub(super) fn put_all(&mut self, delivery: &[u8]) {
        for (number, bytes) in delivery.chunks(256).enumerate() {
            self.ask(&Ask::Put { offset: number as u32 * 256, bytes });
        }
    }

    /// The same, packed.
    pub(super) fn put_all_packed(&mut self, delivery: &[u8]) {
        for (number, piece) in delivery.chunks(256).enumerate() {
            let offset = number * 256;
            let known = [&DICTIONARY, &delivery[..offset]].concat();
            let block = compress_with_dict(piece, &known);
            self.ask(&Ask::PutPacked { offset: offset as u32, block: &block });
        }
    }

    /// The whole of what leads to a certificate, staged by `put_all` or its like. With power, it must.
    pub(super) fn deliver(&mut self, variant: Variant, put_all: fn(&mut Self, &[u8])) {
        let undisturbed = self.cut.is_none() && !self.entropy.refuses;
        let possible = self.state.stage < Stage::Sealed && matches!(variant, Variant::Good(_));
        self.ask(&Ask::Hello { versions: provision_wire::VersionRange::OURS });
        self.ask(&Ask::Key);
        let delivery = self.delivery(variant);
        put_all(self, &delivery);
        self.ask(&Ask::Commit { delivery_sha256: sha256(&delivery) });
        if undisturbed && possible {
            assert_eq!(
                self.state.delivery.as_deref(),
                Some(&delivery[..]),
                "not stored: {variant:?}"
            );
            assert_eq!(self.state.stage, Stage::Certified);
        }
    }

    /// Bytes that are no frame, unless by chance.
    pub(super) fn noise(&mut self, bytes: &[u8]) {
        // Frames of a right CRC are for the other operations, which know what they ask.
        let bytes: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
        let answer = self.hear(&bytes);
        assert!(answer.is_empty(), "an answer to nothing");
    }

    pub(super) fn cut_in_next_ask(&mut self, operations: usize, moment: Moment) {
        self.cut = Some((operations, moment));
    }

    pub(super) fn switch_off_and_on(&mut self) {
        self.flash.power_on();
        self.ram = Ram::new();
        self.open = None;
        let found = self.look();
        assert_eq!(found, self.state, "a reset changed the vault");
    }

    pub(super) const fn entropy_refuses(&mut self, refuses: bool) {
        self.entropy.refuses = refuses;
    }

    fn send(&mut self, header: Header, payload: &[u8]) {
        let frame = by_hand(header, payload);
        // Zeros at both ends are not kept.
        let is_heard = frame.len() <= FRAME_LEN + 2;
        if let Some((operations, moment)) = self.cut.take() {
            let operation = self.flash.operations() + operations;
            self.flash.cut_at(Cut { operation, moment });
        }
        if self.planted && self.state.stage == Stage::Keyed && payload == encoded(&Ask::Key) {
            // Fails if the power does, and then it comes again.
            let _ = vault(&mut self.flash).wipe();
        }
        let said = self.hear(&frame);
        let powered = self.flash.is_powered();
        // A cut that was not reached is called off.
        self.flash.forget_journal();
        if !powered {
            self.flash.power_on();
            self.ram = Ram::new();
            self.open = None;
        }
        let after = self.look();
        match (Ask::decode(payload), powered) {
            _ if !is_heard => {
                assert!(said.is_empty(), "an answer to a frame that is too long");
                assert_eq!(after, self.state);
            }
            (Ok(ask), true) => self.check(header, &ask, &said, &after),
            (Ok(ask), false) => self.state.check_cut(&ask, &after),
            (Err(fault), true) => {
                assert_eq!(after, self.state, "changed by what is no ask");
                let expected = match fault {
                    MessageFault::UnknownKind { kind } => Refusal::UnknownAsk { kind },
                    MessageFault::Malformed { .. } => Refusal::Malformed,
                };
                with_answer(header, &said, |answer| assert_eq!(*answer, Answer::Refused(expected)));
            }
            (Err(_), false) => assert_eq!(after, self.state, "power was cut in what is no ask"),
        }
        self.state = after;
    }

    fn check(&mut self, header: Header, ask: &Ask<'_>, said: &[u8], after: &State) {
        let (state, open) = (&self.state, self.open);
        let mut opened = open;
        with_answer(header, said, |answer| {
            state.check_answer(ask, answer, after);
            match answer {
                Answer::Hello(_) => opened = Some(header.session),
                Answer::Refused(Refusal::UnknownSession) => assert_ne!(open, Some(header.session)),
                Answer::Refused(_) => {}
                _ => assert_eq!(open, Some(header.session), "an answer in another session"),
            }
        });
        self.open = opened;
    }

    /// Byte by byte, until the power goes.
    fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        for &byte in bytes {
            if !self.flash.is_powered() {
                break;
            }
            let mut vault = vault(&mut self.flash);
            let Ram { line, enrollee } = &mut self.ram;
            let (served, answer) = line.hear(byte, enrollee, &mut vault, &mut self.entropy);
            assert_eq!(matches!(served, Served::Answered { .. }), !answer.is_empty());
            said.extend(answer);
        }
        said
    }

    /// What the vault says after the next power-on.
    fn look(&mut self) -> State {
        let mut vault = vault(&mut self.flash);
        let stage = vault.stage().expect("a vault that can be read");
        let key = vault.key().expect("a vault that can be read");
        let mut out = [0; DELIVERY_LEN_MAX];
        let delivery = vault.read_delivery(&mut out).expect("a vault that can be read");
        let delivery = delivery.map(<[u8]>::to_vec);
        let key = key.map(|key| provision_csr::IdentityKey::public_key(&key));
        assert_eq!(key.is_some(), stage >= Stage::Keyed);
        assert_eq!(delivery.is_some(), stage >= Stage::Certified);
        State { stage, key, delivery }
    }
}

fn vault(flash: &mut Flash) -> FlashVault<&mut Flash, ToyKey> {
    FlashVault::new(flash, 0..PAGES * 1024).expect("two slots of whole pages")
}

/// The one answer to an ask, which carries its session and number.
fn with_answer(asked: Header, said: &[u8], look: impl FnOnce(&Answer<'_>)) {
    let mut deframer = Deframer::<FRAME_LEN>::new();
    let mut look = Some(look);
    for &byte in said {
        match deframer.push(byte) {
            Event::Pending => {}
            Event::Noise { noise, .. } => panic!("the device makes noise: {noise:?}"),
            Event::Frame(frame) => {
                assert_eq!(frame.header, Header { kind: Kind::Answer, ..asked });
                let answer = Answer::decode(frame.payload).expect("a device's answer can be read");
                look.take().expect("one answer to one ask")(&answer);
            }
        }
    }
    assert!(look.is_none(), "no answer to an ask");
}
