//! The device's role in an enrollment: asked, it answers.

use core::marker::PhantomData;

use provision_csr::{
    Entropy, IdentityKey, PublicKey, Sha256, Subject, VerifyP256, scrubbed, sha256, write_csr,
};
use provision_path::{
    AnchorFault, ChainFault, ForeignSignatures, PathFault, UnixSeconds, check_device_chain,
    check_server_anchor,
};
use provision_wire::{
    Answer, Ask, CHALLENGE_LEN, ChainCause, Delivery, DeviceSerial, DeviceSerialFault, Frame,
    Hello, Kind, MessageFault, Refusal, Stage, VERSION, VERSION_MIN, VersionRange, packed,
    proof_parts,
};

use crate::staging::{Piece, Staging, to_u32};
use crate::vault::{Vault, VaultFault};

/// Stack between an ask and the key's own computation on a Cortex-M4, in bytes, rounded up: a key is
/// moved through it.
const STACK_LEN: usize = 2_048;

/// What fits through the line; [`Line`](crate::Line) knows its own, and keeps an [`Enrollee`] to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Longest payload of an ask, in bytes.
    pub ask_len_max: usize,
    /// Most bytes of a CSR in one answer.
    pub chunk_len_max: usize,
}

/// The device in the dialogue. `P` checks signatures; `N` bytes take the longest delivery.
///
/// It holds what is staged and the number of the open session, nothing else: dropped or lost at
/// any moment, the dialogue is run again and completes.
#[derive(Debug)]
pub struct Enrollee<'a, P, const N: usize> {
    subject: Subject<'a>,
    device: DeviceSerial,
    limits: Limits,
    session: Option<u32>,
    staging: Staging<N>,
    verify: PhantomData<P>,
}

impl<'a, P: VerifyP256 + 'static, const N: usize> Enrollee<'a, P, N> {
    /// A device of this name. The subject's common name is the device serial.
    ///
    /// # Errors
    ///
    /// [`DeviceSerialFault`] if the common name is none.
    pub fn new(subject: Subject<'a>, limits: Limits) -> Result<Self, DeviceSerialFault> {
        let device = DeviceSerial::new(subject.common_name())?;
        Ok(Self::for_device(device, subject, limits))
    }

    /// As [`new`](Self::new), of a device serial that was checked before. Where [`new`](Self::new)
    /// needs stack for the whole of it, this is built in place, in a static for example.
    ///
    /// The subject's common name must be this device serial, or the station will refuse the CSR.
    #[inline(always)]
    #[must_use]
    pub const fn for_device(device: DeviceSerial, subject: Subject<'a>, limits: Limits) -> Self {
        Self {
            subject,
            device,
            limits,
            session: None,
            staging: Staging::new(),
            verify: PhantomData,
        }
    }

    /// From now on says and sends no more than fits through this line, too.
    pub(crate) fn keep_within(&mut self, line: Limits) {
        let Limits { ask_len_max, chunk_len_max } = &mut self.limits;
        *ask_len_max = line.ask_len_max.min(*ask_len_max);
        *chunk_len_max = line.chunk_len_max.min(*chunk_len_max);
    }

    /// Answers one frame. `None`: the frame is no ask (the line echoes, or a device talks).
    ///
    /// Whatever is refused changed nothing but what is staged; whatever is answered is durable.
    pub fn handle<V: Vault>(
        &mut self,
        frame: &Frame<'_>,
        vault: &mut V,
        entropy: &mut impl Entropy,
    ) -> Option<Answer<'_>> {
        if frame.header.kind != Kind::Ask {
            return None;
        }
        let ask = match Ask::decode(frame.payload) {
            Ok(ask) => ask,
            Err(MessageFault::UnknownKind { kind }) => {
                return Some(Answer::Refused(Refusal::UnknownAsk { kind }));
            }
            Err(MessageFault::Malformed { .. }) => {
                return Some(Answer::Refused(Refusal::Malformed));
            }
        };
        Some(scrubbed::<STACK_LEN, _>(|| {
            self.answer(frame.header.session, &ask, vault, entropy).unwrap_or_else(Answer::Refused)
        }))
    }

    fn answer<V: Vault>(
        &mut self,
        session: u32,
        ask: &Ask<'_>,
        vault: &mut V,
        entropy: &mut impl Entropy,
    ) -> Result<Answer<'_>, Refusal> {
        if let Ask::Hello { versions } = ask {
            return self.hello(session, *versions, vault);
        }
        if self.session != Some(session) {
            return Err(Refusal::UnknownSession);
        }
        let stage = vault.stage()?;
        // D4: once sealed, the identity is as it is.
        if stage == Stage::Sealed && !matches!(ask, Ask::Prove { .. } | Ask::Seal) {
            return Err(Refusal::Sealed);
        }
        match *ask {
            Ask::Hello { versions } => self.hello(session, versions, vault),
            Ask::Key => {
                if stage == Stage::Blank {
                    vault.create_key(entropy)?;
                }
                let key = vault.key()?.ok_or(Refusal::VaultFailed)?;
                Ok(Answer::Key { public: *key.public_key().as_sec1() })
            }
            Ask::Csr { challenge } => self.csr(&challenge, vault),
            Ask::Read { offset } => self.read(offset),
            Ask::Put { offset, bytes } => self.put(offset, Piece::Plain(bytes), stage, vault),
            Ask::PutPacked { offset, block } => {
                self.put(offset, Piece::Packed(block), stage, vault)
            }
            Ask::Commit { delivery_sha256 } => self.commit(delivery_sha256, stage, vault),
            Ask::Prove { challenge } => self.prove(&challenge, stage, vault),
            Ask::Seal => {
                match stage {
                    Stage::Sealed => {}
                    Stage::Certified => vault.seal()?,
                    stage => return Err(Refusal::WrongStage { stage: Some(stage) }),
                }
                Ok(Answer::Sealed)
            }
        }
    }

    fn hello<V: Vault>(
        &mut self,
        session: u32,
        versions: VersionRange,
        vault: &mut V,
    ) -> Result<Answer<'_>, Refusal> {
        let version = VersionRange::OURS
            .newest_common(versions)
            .ok_or(Refusal::Version { min: VERSION_MIN, max: VERSION })?;
        if self.session != Some(session) {
            self.session = Some(session);
            self.staging.clear();
        }
        Ok(Answer::Hello(Hello {
            version,
            device: self.device.clone(),
            stage: vault.stage()?,
            ask_len_max: to_u32(self.limits.ask_len_max),
            delivery_len_max: to_u32(vault.delivery_len_max().min(N)),
            dictionary: Some(packed::DICTIONARY_NUMBER),
        }))
    }

    fn csr<V: Vault>(
        &mut self,
        challenge: &[u8; CHALLENGE_LEN],
        vault: &mut V,
    ) -> Result<Answer<'_>, Refusal> {
        let Some(key) = vault.key()? else {
            return Err(Refusal::WrongStage { stage: Some(Stage::Blank) });
        };
        let scratch = self.staging.scratch();
        let csr =
            write_csr(&self.subject, &key, challenge, scratch).map_err(|_| Refusal::KeyFailed)?;
        let (len, csr_sha256) = (csr.as_bytes().len(), sha256(csr.as_bytes()));
        self.staging.holds_csr(len);
        Ok(Answer::Csr { len: to_u32(len), csr_sha256 })
    }

    fn read(&self, offset: u32) -> Result<Answer<'_>, Refusal> {
        let csr = self.staging.csr().ok_or(Refusal::NoCsr)?;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| csr.get(offset..))
            .ok_or(Refusal::TooLong { max: to_u32(csr.len()) })?;
        let bytes = rest.get(..self.limits.chunk_len_max).unwrap_or(rest);
        Ok(Answer::Chunk { offset, bytes })
    }

    fn put<V: Vault>(
        &mut self,
        offset: u32,
        piece: Piece<'_>,
        stage: Stage,
        vault: &V,
    ) -> Result<Answer<'_>, Refusal> {
        if stage == Stage::Blank {
            return Err(Refusal::WrongStage { stage: Some(stage) });
        }
        let have = self.staging.put(offset, piece, vault.delivery_len_max())?;
        Ok(Answer::Stored { have })
    }

    fn commit<V: Vault>(
        &mut self,
        delivery_sha256: [u8; 32],
        stage: Stage,
        vault: &mut V,
    ) -> Result<Answer<'_>, Refusal> {
        let Some(staged) = self.staging.delivery() else {
            // Perhaps the answer to an earlier Commit was lost: if the vault holds what is asked
            // for, say so again.
            let stored = vault.read_delivery(self.staging.scratch())?;
            let holds = stored.is_some_and(|stored| sha256(stored) == delivery_sha256);
            return if holds {
                Ok(Answer::Committed { delivery_sha256 })
            } else {
                Err(Refusal::WrongDigest { have: 0 })
            };
        };
        if sha256(staged) != delivery_sha256 {
            return Err(Refusal::WrongDigest { have: to_u32(staged.len()) });
        }
        let Some(key) = vault.key()? else {
            return Err(Refusal::WrongStage { stage: Some(stage) });
        };
        // D3: what is stored was checked first.
        check_delivery::<P>(staged, &key.public_key())?;
        vault.store_delivery(staged)?;
        self.staging.clear();
        Ok(Answer::Committed { delivery_sha256 })
    }

    fn prove<V: Vault>(
        &mut self,
        challenge: &[u8; CHALLENGE_LEN],
        stage: Stage,
        vault: &mut V,
    ) -> Result<Answer<'_>, Refusal> {
        let not_now = Refusal::WrongStage { stage: Some(stage) };
        let key = vault.key()?.ok_or(not_now)?;
        let stored = vault.read_delivery(self.staging.scratch())?.ok_or(not_now)?;
        let delivery = Delivery::decode(stored).map_err(|_| Refusal::VaultCorrupt)?;
        let leaf_sha256 = sha256(delivery.leaf);
        let delivery_sha256 = sha256(stored);
        let mut message = Sha256::new();
        for part in proof_parts(challenge, &leaf_sha256, &delivery_sha256) {
            message.update(part);
        }
        let signature =
            *key.sign_digest(&message.finish()).map_err(|_| Refusal::KeyFailed)?.as_raw();
        Ok(Answer::Proof { signature, leaf_sha256, delivery_sha256 })
    }
}

/// Checks everything about a delivery before a byte of it is stored.
fn check_delivery<P: VerifyP256 + 'static>(
    staged: &[u8],
    public_key: &PublicKey,
) -> Result<(), Refusal> {
    // Looked at where it is: to move it is a copy of a hundred bytes, and a routine for it.
    let decoded = Delivery::decode(staged);
    let delivery = match &decoded {
        Ok(delivery) => delivery,
        Err(MessageFault::Malformed { at }) => {
            return Err(Refusal::BadDelivery { at: to_u32(*at) });
        }
        Err(MessageFault::UnknownKind { .. }) => return Err(Refusal::BadDelivery { at: 0 }),
    };
    check_device_chain::<P>(
        delivery.leaf,
        &delivery.issuers,
        delivery.device_anchor,
        public_key,
        UnixSeconds(delivery.time),
        if delivery.foreign_signatures_unchecked {
            ForeignSignatures::Unchecked
        } else {
            ForeignSignatures::Refused
        },
    )
    .map_err(|fault| refusal_of(fault, delivery.issuers.len()))?;
    for (anchor, der) in (0..).zip(&delivery.server_anchors) {
        check_server_anchor(der).map_err(|_| Refusal::BadAnchor { anchor })?;
    }
    Ok(())
}

fn refusal_of(fault: ChainFault, issuers: usize) -> Refusal {
    let broken = |certificate: u8, cause| Refusal::ChainBroken {
        certificate: u32::from(certificate),
        cause,
    };
    let path = match fault {
        ChainFault::WrongKey => return Refusal::WrongKey,
        ChainFault::Anchor(fault) => {
            let cause = match fault {
                AnchorFault::Unreadable => ChainCause::Unreadable,
                AnchorFault::NotCa => ChainCause::NotCa,
                AnchorFault::NotP256 => ChainCause::Algorithm,
            };
            // The anchor comes last; a delivery has at most LIST_MAX issuers.
            return broken((issuers as u8).saturating_add(1), cause);
        }
        ChainFault::BrokenLink { certificate } => {
            return broken(certificate, ChainCause::BrokenLink);
        }
        ChainFault::Path(path) => path,
        _ => return broken(0, ChainCause::Unreadable),
    };
    match path {
        PathFault::Unreadable { certificate } => broken(certificate, ChainCause::Unreadable),
        PathFault::UnknownCriticalExtension { certificate } => {
            broken(certificate, ChainCause::CriticalExtension)
        }
        PathFault::Expired { certificate, .. } => broken(certificate, ChainCause::Expired),
        PathFault::NotYetValid { certificate, .. } => broken(certificate, ChainCause::NotYetValid),
        PathFault::UnknownIssuer => broken(0, ChainCause::BrokenLink),
        PathFault::BadSignature { certificate } => broken(certificate, ChainCause::BadSignature),
        PathFault::UnsupportedAlgorithm => broken(0, ChainCause::Algorithm),
        PathFault::WrongPurpose => broken(0, ChainCause::Purpose),
        PathFault::LeafIsCa => broken(0, ChainCause::LeafIsCa),
        PathFault::IssuerIsNotCa => broken(0, ChainCause::NotCa),
        PathFault::PathLenExceeded => broken(0, ChainCause::PathLen),
        PathFault::KeyUsage { certificate } => broken(certificate, ChainCause::KeyUsage),
        PathFault::TooManyIssuers { .. } | PathFault::TooComplex => broken(0, ChainCause::TooMany),
        _ => broken(0, ChainCause::Unreadable),
    }
}

impl From<VaultFault> for Refusal {
    // Not inlined: it is called at each use of the vault.
    #[inline(never)]
    fn from(fault: VaultFault) -> Self {
        match fault {
            VaultFault::NoEntropy => Self::NoEntropy,
            VaultFault::Full { max } => Self::VaultFull { max: to_u32(max) },
            VaultFault::Sealed => Self::Sealed,
            VaultFault::OutOfOrder { stage } => Self::WrongStage { stage: Some(stage) },
            VaultFault::Corrupt => Self::VaultCorrupt,
            // The firmware was built with less staging than what it stored before: to the station
            // this is a vault that cannot be read.
            VaultFault::Flash | VaultFault::BufferTooSmall { .. } => Self::VaultFailed,
        }
    }
}
