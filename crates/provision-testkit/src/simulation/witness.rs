//! What really happened, noted by somebody who believes neither device, station nor ledger.

use provision_csr::PublicKey;
use provision_issuer::{Lifetime, Profile};
use provision_ledger::Ledger;
use provision_path::{ForeignSignatures, UnixSeconds, check_device_chain};
use provision_station::Plan;
use provision_station::evidence::{ApprovedCsr, Chain, Enrolled};
use provision_wire::packed::unpack;
use provision_wire::{Ask, CHALLENGE_LEN, Delivery, DeviceSerial, Header};
use sha2_device::{Digest as _, Sha256};

use super::Promise;
use super::promise::Finding;
use crate::crypto::Crypto;
use crate::device::{DELIVERY_LEN_MAX, Found};
use crate::wiretap::{Overheard, kind};

/// Notes of one shift.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// What the CA made.
    issued: Vec<Chain>,
    /// Leaves that left the station.
    left: Vec<Left>,
    challenges: Vec<Challenge>,
    /// Number of the run.
    run: u64,
    /// What the station asked last, and the number of its kind.
    asked: Option<(Header, u8)>,
    /// The session of this run in which the device itself last wrote a CSR.
    csr_written_in: Option<u32>,
    /// The question of this run that the device itself last answered by a proof.
    proof_given_to: Option<Header>,
}

#[derive(Debug)]
struct Left {
    device: DeviceSerial,
    public_key: PublicKey,
    leaf_sha256: [u8; 32],
}

#[derive(Debug)]
struct Challenge {
    bytes: [u8; CHALLENGE_LEN],
    run: u64,
    session: u32,
}

impl Witness {
    /// A run of the dialogue begins.
    pub(super) fn run_begins(&mut self) {
        self.run += 1;
        self.asked = None;
        self.csr_written_in = None;
        self.proof_given_to = None;
    }

    /// The station asks.
    pub(super) fn asked(
        &mut self,
        asked: &Overheard<'_>,
        device: &DeviceSerial,
        ledger: &mut impl Ledger,
    ) -> Result<(), Finding> {
        self.asked = Some((asked.header, asked.kind()));
        if !matches!(asked.kind(), kind::CSR | kind::PUT | kind::PUT_PACKED | kind::PROVE) {
            return Ok(());
        }
        let payload = asked.payload();
        let Ok(ask) = Ask::decode(&payload) else {
            return Err(Finding::new(Promise::L7, "the station sends what is no ask"));
        };
        match ask {
            Ask::Csr { challenge } => self.fresh(challenge, asked.header.session, Promise::L4),
            Ask::Prove { challenge } => self.fresh(challenge, asked.header.session, Promise::L5),
            Ask::Put { offset: 0, bytes } => self.leaf_leaves(bytes, device, ledger),
            Ask::PutPacked { offset: 0, block } => {
                let mut piece = [0; DELIVERY_LEN_MAX];
                let Some(end) = unpack(block, &mut piece, 0) else {
                    return Err(Finding::new(
                        Promise::L7,
                        "the station packs what does not unpack",
                    ));
                };
                self.leaf_leaves(&piece[..end], device, ledger)
            }
            _ => Ok(()),
        }
    }

    fn fresh(
        &mut self,
        bytes: [u8; CHALLENGE_LEN],
        session: u32,
        promise: Promise,
    ) -> Result<(), Finding> {
        let run = self.run;
        match self.challenges.iter().find(|used| used.bytes == bytes) {
            // The question is repeated.
            Some(used) if (used.run, used.session) == (run, session) => Ok(()),
            Some(_) => Err(Finding::new(promise, "a challenge was used before")),
            None => {
                self.challenges.push(Challenge { bytes, run, session });
                Ok(())
            }
        }
    }

    /// The first piece of a delivery leaves the station. The leaf stands at its beginning.
    fn leaf_leaves(
        &mut self,
        piece: &[u8],
        device: &DeviceSerial,
        ledger: &mut impl Ledger,
    ) -> Result<(), Finding> {
        let entry = ledger.find(device).map_err(|error| Finding::new(Promise::L7, error))?;
        let Some(entry) = entry else {
            return Err(Finding::new(Promise::L1, "a leaf leaves that the ledger does not know"));
        };
        let chain = self.issued.iter().find(|chain| {
            let leaf = chain.leaf();
            chain.device() == device && piece.windows(leaf.len()).take(8).any(|w| w == leaf)
        });
        let Some(chain) = chain else {
            return Err(Finding::new(Promise::L4, "what leaves is no leaf of the CA's"));
        };
        let leaf_sha256 = chain.leaf_sha256();
        if entry.leaf_sha256 != leaf_sha256 {
            return Err(Finding::new(Promise::L1, "the ledger knows another leaf than leaves"));
        }
        match self.left.iter().find(|left| left.device == *device) {
            Some(left) if left.leaf_sha256 == leaf_sha256 => Ok(()),
            Some(_) => Err(Finding::new(Promise::L2, "two leaves have left for one device")),
            None => {
                let (device, public_key) = (device.clone(), *chain.public_key());
                self.left.push(Left { device, public_key, leaf_sha256 });
                Ok(())
            }
        }
    }

    /// The device answers.
    pub(super) fn said(&mut self, said: &Overheard<'_>) {
        let Some((asked, asked_kind)) = self.asked else { return };
        if (said.header.session, said.header.sequence) != (asked.session, asked.sequence) {
            return;
        }
        match (asked_kind, said.kind()) {
            (kind::CSR, kind::CSR) => self.csr_written_in = Some(asked.session),
            (kind::PROVE, kind::PROOF) => self.proof_given_to = Some(asked),
            _ => {}
        }
    }

    /// The vault changed.
    pub(super) fn stored(
        &self,
        found: &Found,
        device: &DeviceSerial,
        plan: &Plan,
    ) -> Result<(), Finding> {
        let Some(delivery) = &found.delivery else { return Ok(()) };
        let Ok(delivery) = Delivery::decode(delivery) else {
            return Err(Finding::new(Promise::D3, "what is stored is no delivery"));
        };
        let right = self.issued.iter().any(|chain| {
            chain.device() == device
                && Some(chain.public_key()) == found.key.as_ref()
                && chain.leaf() == delivery.leaf
                && chain.issuers().iter().eq(&delivery.issuers)
                && chain.anchor() == delivery.device_anchor
        });
        if !right || plan.server_anchors.iter().ne(&delivery.server_anchors) {
            return Err(Finding::new(
                Promise::D3,
                "what is stored was never right for this device",
            ));
        }
        Ok(())
    }

    /// The station takes the device's possession of its key for proven.
    pub(super) fn possession_proven(
        &self,
        public_key: &PublicKey,
        found: &Found,
    ) -> Result<(), Finding> {
        let session = self.asked.map(|(header, _)| header.session);
        if self.csr_written_in.is_none() || self.csr_written_in != session {
            let what = "the station believes a CSR that the device did not write in this session";
            return Err(Finding::new(Promise::L4, what));
        }
        if found.key.as_ref() != Some(public_key) {
            return Err(Finding::new(Promise::L4, "the proven key is not the device's"));
        }
        Ok(())
    }

    /// The CA is about to sign.
    pub(super) fn about_to_issue(&self, approved: &ApprovedCsr) -> Result<(), Finding> {
        let (device, key) = (approved.device(), approved.public_key());
        if self.left.iter().any(|left| left.public_key == *key && left.device != *device) {
            return Err(Finding::new(Promise::L3, "a second device is given the same key"));
        }
        if self.left.iter().any(|left| left.device == *device) {
            return Err(Finding::new(Promise::L2, "a second certificate is made for a device"));
        }
        Ok(())
    }

    /// The CA has signed.
    pub(super) fn issued<C: Crypto>(
        &mut self,
        chain: &Chain,
        profile: &Profile,
        now_s: u64,
    ) -> Result<(), Finding> {
        if let Lifetime::Days(days) = profile.lifetime
            && chain.not_after() != now_s + u64::from(days) * 24 * 60 * 60
        {
            return Err(Finding::new(Promise::L4, "the leaf ends at another time than it should"));
        }
        let issuers: Vec<&[u8]> = chain.issuers().iter().map(Vec::as_slice).collect();
        let (leaf, anchor, key) = (chain.leaf(), chain.anchor(), chain.public_key());
        let (now, foreign) = (UnixSeconds(now_s), ForeignSignatures::Refused);
        check_device_chain::<C::Verify>(leaf, &issuers, anchor, key, now, foreign).map_err(
            |fault| Finding::new(Promise::L4, format!("the leaf is no device's: {fault}")),
        )?;
        self.issued.push(chain.clone());
        Ok(())
    }

    /// The station takes the device for enrolled.
    pub(super) fn enrolled(&self, enrolled: &Enrolled, found: &Found) -> Result<(), Finding> {
        let asked = self.asked.map(|(header, _)| header);
        if self.proof_given_to.is_none() || self.proof_given_to != asked {
            let what = "the station believes a proof that the device did not give";
            return Err(Finding::new(Promise::L5, what));
        }
        let delivery = found.delivery.as_deref().and_then(|bytes| Delivery::decode(bytes).ok());
        let leaf_sha256 = delivery.map(|delivery| Sha256::digest(delivery.leaf).into());
        if leaf_sha256.as_ref() != Some(enrolled.leaf_sha256())
            || found.delivery_sha256.as_ref() != Some(enrolled.delivery_sha256())
        {
            return Err(Finding::new(
                Promise::L5,
                "the device stores something else than it proved",
            ));
        }
        Ok(())
    }

    /// The station came up again after it died.
    pub(super) fn station_is_back(
        &self,
        device: &DeviceSerial,
        ledger: &mut impl Ledger,
    ) -> Result<(), Finding> {
        let Some(left) = self.left.iter().find(|left| left.device == *device) else {
            return Ok(());
        };
        let entry = ledger.find(device).map_err(|error| Finding::new(Promise::L7, error))?;
        if entry.is_none_or(|entry| entry.leaf_sha256 != left.leaf_sha256) {
            return Err(Finding::new(Promise::L1, "a leaf that has left is not in the ledger"));
        }
        Ok(())
    }
}
