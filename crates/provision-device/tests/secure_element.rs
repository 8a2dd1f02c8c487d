//! A third kind of key: one that the firmware cannot read, in a chip beside it. What the vault keeps for it is not a
//! key, but where it is.
//!
//! The element here is played by a module with a private field; a driver of a real one (over I²C, say) has the same
//! three operations. Enrollment runs through the same `Enrollee` and `FlashVault` as with any other key.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use provision_csr::{Entropy, IdentityKey, NoEntropy, PortableP256, Subject, VerifyP256};
use provision_device::{Enrollee, FlashVault, Limits, Stage, Vault};
use provision_testkit::flash::PowerCutFlash;
use provision_testkit::pki::{self, Certified};
use provision_wire::{
    Answer, Ask, Delivery, Encodable, Endpoint, Frame, Header, Kind, VersionRange, proof_message,
};
use sha2_device::{Digest, Sha256};

use self::element::ElementKey;

/// The element, and what the firmware knows of it.
mod element {
    use core::cell::RefCell;

    use provision_csr::{
        Entropy, IdentityKey, NoEntropy, PortableKey, PublicKey, SignError, Signature, SoftwareKey,
        StoredKey,
    };

    /// Eight places for keys, none of which can be read.
    struct Element {
        keys: [Option<PortableKey>; 8],
    }

    thread_local! {
        // On a device, a static behind a mutex: there is one such chip on the board.
        static ELEMENT: RefCell<Element> = const { RefCell::new(Element { keys: [const { None }; 8] }) };
    }

    /// The chip's own entropy.
    struct Noise(u8);

    impl Entropy for Noise {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            for byte in out {
                self.0 = self.0.wrapping_mul(5).wrapping_add(29);
                *byte = self.0;
            }
            Ok(())
        }
    }

    /// The key in one place of the element.
    pub(crate) struct ElementKey {
        slot: u8,
        public: PublicKey,
    }

    /// The place this firmware uses.
    const SLOT: u8 = 3;

    impl IdentityKey for ElementKey {
        fn public_key(&self) -> PublicKey {
            self.public
        }

        fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError> {
            ELEMENT.with_borrow(|element| {
                let key = element.keys.get(usize::from(self.slot)).and_then(Option::as_ref);
                key.ok_or(SignError)?.sign_digest(sha256)
            })
        }
    }

    impl SoftwareKey for ElementKey {
        /// The element has entropy of its own; the device's is not asked.
        fn generate(_: &mut impl Entropy) -> Result<Self, NoEntropy> {
            ELEMENT.with_borrow_mut(|element| {
                // A key that is there is kept: power may have gone before its place was written down.
                let place = &mut element.keys[usize::from(SLOT)];
                let key = match place.take() {
                    Some(key) => key,
                    None => PortableKey::generate(&mut Noise(7))?,
                };
                let public = key.public_key();
                *place = Some(key);
                Ok(Self { slot: SLOT, public })
            })
        }

        fn from_stored(stored: &StoredKey) -> Result<Self, SignError> {
            match stored.secret() {
                [slot, 0, ..] if *slot < 8 => Ok(Self { slot: *slot, public: *stored.public() }),
                _ => Err(SignError),
            }
        }

        /// Where it is, and no secret.
        fn to_stored(&self) -> StoredKey {
            let mut place = [0; StoredKey::SECRET_LEN];
            place[0] = self.slot;
            StoredKey::new(place, self.public)
        }
    }

    /// What nobody but this test can ask: the private bytes in there.
    pub(crate) fn secret_for_the_search() -> [u8; 32] {
        ELEMENT.with_borrow(|element| {
            let key = element.keys[usize::from(SLOT)].as_ref().unwrap();
            *key.to_stored().secret()
        })
    }
}

/// The device has none of its own.
struct NoSource;

impl Entropy for NoSource {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

#[test]
fn a_device_enrolls_with_a_key_it_cannot_read() {
    type Flash = PowerCutFlash<4, 1024>;
    let mut flash = Flash::new(8);
    let mut vault = FlashVault::<_, ElementKey>::new(&mut flash, 0..8 * 1024).unwrap();
    let subject = Subject::new("sensor-with-element").unwrap();
    let limits = Limits { ask_len_max: 2048, chunk_len_max: 512 };
    let mut enrollee = Enrollee::<PortableP256, 2048>::new(subject, limits).unwrap();
    let mut ask = |vault: &mut FlashVault<&mut Flash, ElementKey>, ask: Ask<'_>| {
        let mut payload = [0; 2048];
        let len = ask.encode_into(&mut payload).unwrap();
        let frame = Frame {
            header: Header { kind: Kind::Ask, session: 1, sequence: 1 },
            payload: &payload[..len],
        };
        match enrollee.handle(&frame, vault, &mut NoSource).unwrap() {
            Answer::Key { public } => Said::Key(public),
            Answer::Proof { signature, leaf_sha256, delivery_sha256 } => {
                Said::Proof(signature, leaf_sha256, delivery_sha256)
            }
            Answer::Refused(refusal) => panic!("{refusal:?}"),
            _ => Said::Other,
        }
    };

    ask(&mut vault, Ask::Hello { versions: VersionRange::OURS });
    let Said::Key(public) = ask(&mut vault, Ask::Key) else { panic!("a key") };
    let public = provision_csr::PublicKey::from_sec1(public).unwrap();
    ask(&mut vault, Ask::Csr { challenge: [1; 32] });

    let root = Certified::self_signed(pki::device_issuer("Device Root"));
    let leaf = root.issue_for(&pki::device("sensor-with-element"), &public);
    let delivery = Delivery {
        leaf: &leaf,
        issuers: [].into_iter().collect(),
        device_anchor: root.der(),
        server_anchors: [root.der()].into_iter().collect(),
        endpoint: Endpoint { host: "cloud.example", port: 8883, alpn: None },
        time: pki::now(),
        foreign_signatures_unchecked: false,
    };
    let mut bytes = [0; 2048];
    let len = delivery.encode_into(&mut bytes).unwrap();
    let delivery = &bytes[..len];
    for (at, piece) in delivery.chunks(1024).enumerate() {
        let offset = u32::try_from(at * 1024).unwrap();
        ask(&mut vault, Ask::Put { offset, bytes: piece });
    }
    ask(&mut vault, Ask::Commit { delivery_sha256: Sha256::digest(delivery).into() });

    let challenge = [2; 32];
    let Said::Proof(signature, leaf_sha256, delivery_sha256) =
        ask(&mut vault, Ask::Prove { challenge })
    else {
        panic!("a proof")
    };
    let message = proof_message(&challenge, &leaf_sha256, &delivery_sha256);
    let signature = provision_csr::Signature::from_raw(signature);
    let digest = Sha256::digest(message).into();
    assert_eq!(PortableP256::verify_digest(&public, &digest, &signature), Ok(()));
    ask(&mut vault, Ask::Seal);
    assert_eq!(vault.stage(), Ok(Stage::Sealed));

    // The firmware can still sign after a reset, and its flash has no key in it.
    let secret = element::secret_for_the_search();
    assert!(!flash.bytes().windows(32).any(|window| window == secret));
    let mut vault = FlashVault::<_, ElementKey>::new(&mut flash, 0..8 * 1024).unwrap();
    let key = vault.key().unwrap().unwrap();
    let signature = key.sign_digest(&[9; 32]).unwrap();
    assert_eq!(PortableP256::verify_digest(&public, &[9; 32], &signature), Ok(()));
}

enum Said {
    Key([u8; 65]),
    Proof([u8; 64], [u8; 32], [u8; 32]),
    Other,
}
