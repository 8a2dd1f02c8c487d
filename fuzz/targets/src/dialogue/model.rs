//! What a device may answer, and what may be in its vault afterwards.

use provision_csr::{PublicKey, Signature, VerifyP256 as _};
use provision_device::Stage;
use provision_testkit::toy_p256::ToyP256;
use provision_wire::{Answer, Ask, Delivery, Refusal, VersionRange, proof_message};

use crate::toy::sha256;

/// All that outlives a power cut, as the vault tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) stage: Stage,
    pub(super) key: Option<PublicKey>,
    pub(super) delivery: Option<Vec<u8>>,
}

impl State {
    /// Whether an answer to `ask` may have been given, that led from this state to `after`.
    pub(super) fn check_answer(&self, ask: &Ask<'_>, answer: &Answer<'_>, after: &Self) {
        if self.stage == Stage::Sealed {
            assert_eq!(after, self, "sealed, and changed by {ask:?}");
        }
        match (ask, answer) {
            (_, Answer::Refused(refusal)) => {
                assert_eq!(after, self, "changed by {ask:?}, which was refused");
                self.check_refusal(ask, *refusal);
            }
            (Ask::Hello { versions }, Answer::Hello(hello)) => {
                assert_eq!(after, self);
                assert_eq!(hello.stage, self.stage);
                assert_eq!(VersionRange::OURS.newest_common(*versions), Some(hello.version));
            }
            (Ask::Key, Answer::Key { public }) => {
                assert_eq!(after.key.map(|key| *key.as_sec1()), Some(*public));
                let as_before = after == self;
                assert_eq!(as_before, self.stage != Stage::Blank, "{self:?} became {after:?}");
                assert_eq!(after.stage, self.stage.max(Stage::Keyed));
            }
            (Ask::Put { offset, bytes }, Answer::Stored { have }) => {
                assert_eq!(after, self);
                assert!(*have as usize >= *offset as usize + bytes.len());
            }
            (Ask::PutPacked { offset, .. }, Answer::Stored { have }) => {
                assert_eq!(after, self);
                assert!(have >= offset);
            }
            (Ask::Csr { .. }, Answer::Csr { .. }) | (Ask::Read { .. }, Answer::Chunk { .. }) => {
                assert_eq!(after, self);
                assert!(self.key.is_some() && self.stage != Stage::Sealed);
            }
            (Ask::Commit { delivery_sha256 }, Answer::Committed { delivery_sha256: committed }) => {
                assert_eq!(committed, delivery_sha256);
                assert_eq!(after.stage, Stage::Certified);
                assert_eq!(after.key, self.key);
                let stored = after.delivery.as_ref().expect("what was committed is stored");
                assert_eq!(sha256(stored), *committed);
                let key = self.key.expect("a key came before a delivery");
                check_stored(stored, &key);
            }
            (
                Ask::Prove { challenge },
                Answer::Proof { signature, leaf_sha256, delivery_sha256 },
            ) => {
                assert_eq!(after, self);
                let stored = self.delivery.as_ref().expect("what is proven is stored");
                assert_eq!(sha256(stored), *delivery_sha256);
                let delivery = Delivery::decode(stored).expect("it was checked");
                assert_eq!(sha256(delivery.leaf), *leaf_sha256);
                let message = proof_message(challenge, leaf_sha256, delivery_sha256);
                let key = self.key.expect("a key came before a delivery");
                let signature = Signature::from_raw(*signature);
                assert_eq!(ToyP256::verify_digest(&key, &sha256(&message), &signature), Ok(()));
            }
            (Ask::Seal, Answer::Sealed) => {
                let expected = Self { stage: Stage::Sealed, ..self.clone() };
                assert_eq!(*after, expected);
                assert!(self.stage >= Stage::Certified);
            }
            _ => panic!("{answer:?} to {ask:?}"),
        }
    }

    /// A refusal for a reason that is not so would be a lie.
    fn check_refusal(&self, ask: &Ask<'_>, refusal: Refusal) {
        match refusal {
            Refusal::Sealed => {
                assert_eq!(self.stage, Stage::Sealed);
                assert!(
                    !matches!(ask, Ask::Hello { .. } | Ask::Prove { .. } | Ask::Seal),
                    "{ask:?}"
                );
            }
            Refusal::WrongStage { stage } => assert_eq!(stage, Some(self.stage)),
            Refusal::VaultFailed | Refusal::VaultCorrupt | Refusal::KeyFailed => {
                panic!("{refusal} to {ask:?}, with power")
            }
            _ => {}
        }
    }

    /// Whether power lost within `ask` may have led from this state to `after`: either nothing happened, or all of
    /// it.
    pub(super) fn check_cut(&self, ask: &Ask<'_>, after: &Self) {
        if after == self {
            return;
        }
        let done = match ask {
            Ask::Key => {
                *self == Self { stage: Stage::Blank, key: None, delivery: None }
                    && after.stage == Stage::Keyed
                    && after.key.is_some()
                    && after.delivery.is_none()
            }
            Ask::Commit { delivery_sha256 } => {
                let stored = after.delivery.as_deref().map(sha256);
                matches!(self.stage, Stage::Keyed | Stage::Certified)
                    && after.stage == Stage::Certified
                    && after.key == self.key
                    && stored == Some(*delivery_sha256)
            }
            Ask::Seal => {
                *after == Self { stage: Stage::Sealed, ..self.clone() }
                    && self.stage == Stage::Certified
            }
            _ => false,
        };
        assert!(done, "power was cut in {ask:?}: {self:?} became {after:?}");
    }
}

/// What was stored was checked: it can be read, and the leaf carries the key.
fn check_stored(stored: &[u8], key: &PublicKey) {
    let delivery = Delivery::decode(stored).expect("stored, and cannot be read");
    let point = key.as_sec1();
    assert!(delivery.leaf.windows(point.len()).any(|part| part == point), "another key's leaf");
}
