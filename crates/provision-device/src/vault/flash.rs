//! The vault for plain NOR flash: two slots, one record, written anew at each change.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;
use provision_csr::{Entropy, PublicKey, Sha256, SoftwareKey, StoredKey, scrubbed};
use provision_wire::Stage;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Vault, VaultFault};

/// Keeps key and delivery in a range of flash that belongs to the vault alone.
///
/// Needs no more than [`NorFlash`]: no unit is programmed twice between erases. Program units of 1,
/// 2, 4, 8, 16 and 32 bytes are served; any page size that is a multiple of 32.
///
/// # Record
///
/// The range is halved into two slots of whole pages. A slot holds at most one record:
///
/// | Offset | Bytes | |
/// |---|---|---|
/// | 0 | 32 | commit word: fixed bytes, programmed last |
/// | 32 | 32 | SHA-256 over everything below |
/// | 64 | 32 | header: magic and format, stage, sequence, length of the delivery |
/// | 96 | 32 | secret |
/// | 128 | 65 | public key, padded to 96 |
/// | 224 | | delivery, padded to a multiple of 32 |
///
/// # Writing
///
/// Every change writes a whole record, and the order is what the contract of [`Vault`] rests on:
///
/// 1. erase the spare slot, unless this very run erased it before;
/// 2. program all but the commit word, read it back, compare digests;
/// 3. program the commit word, read it back: from here the new record is the live one;
/// 4. erase the slot of the old one, so that what was replaced cannot be read any more;
/// 5. return.
///
/// # Mounting
///
/// At the first call after power-on both slots are read. Whatever a cut left behind, a slot is one
/// of these:
///
/// - a **record**: its digest matches;
/// - **damaged**: it does not, although the commit word is there, give or take an eighth of its
///   bits. A cut in step 3 cannot leave this, because step 2 was complete; a cut in step 4 can,
///   and then the other slot holds a record;
/// - **torn**: anything else. It was never acknowledged.
///
/// With two records the one with the whole commit word is live, with two such the newer one. With
/// no record and a damaged slot the vault is [`VaultFault::Corrupt`], and nothing is touched. With
/// neither it is blank. Then mounting finishes what was interrupted: a slot that is not live and
/// not blank is erased, and a live record whose commit word is not whole, whose bits may fade, is
/// written once more to the other slot before anything is said about it.
///
/// # What the flash driver must promise
///
/// - `write` and `erase` return after the medium has taken the data, not a cache.
/// - A unit whose programming was interrupted may read as any bytes, but it must read. Where the
///   hardware answers such reads with an exception (ECC flash of some families), the driver has to
///   turn that into bytes. An `Err` from `read` is reported as [`VaultFault::Flash`], never taken
///   for an empty slot.
///
/// Keeping others from reading the chip's flash is the chip's read-out protection, not this type.
pub struct FlashVault<F, K> {
    flash: F,
    range_start: u32,
    slot_len: u32,
    /// `None` until mounted, and from the start of a change until it has run through: after a
    /// fault the medium is asked anew.
    mounted: Option<Mounted>,
    key: PhantomData<fn() -> K>,
}

impl<F: NorFlash, K: SoftwareKey> FlashVault<F, K> {
    /// A vault over `range` of `flash`, in bytes from its beginning. Reads and writes nothing yet.
    ///
    /// The range is the vault's own: what else is found there is erased.
    ///
    /// # Errors
    ///
    /// [`FlashRangeError`] if the range is not made of whole pages, lies outside the flash, or is
    /// too short for two slots.
    pub fn new(flash: F, range: Range<u32>) -> Result<Self, FlashRangeError> {
        const {
            assert!(UNIT.is_multiple_of(F::WRITE_SIZE), "program units of up to 32 bytes");
            assert!(UNIT.is_multiple_of(F::READ_SIZE), "reads of up to 32 bytes");
            assert!(F::ERASE_SIZE > 0, "pages that hold something");
            assert!(F::ERASE_SIZE.is_multiple_of(UNIT), "pages of a multiple of 32 bytes");
            assert!(F::ERASE_SIZE <= u32::MAX as usize, "pages within the address space");
        }
        let page = F::ERASE_SIZE as u32;
        let Range { start, end } = range;

        if !start.is_multiple_of(page) || !end.is_multiple_of(page) {
            return Err(FlashRangeError::NotWholePages { page });
        }
        let capacity = flash.capacity();
        if end as usize > capacity {
            return Err(FlashRangeError::OutsideFlash { capacity });
        }
        let have = end.saturating_sub(start);
        #[expect(
            clippy::arithmetic_side_effects,
            reason = "a page is not empty; it only gets less"
        )]
        let slot_len = have / 2 / page * page;
        let slot_len_min = DELIVERY_AT.next_multiple_of(page);
        if slot_len < slot_len_min {
            return Err(FlashRangeError::TooShort { needed: slot_len_min.saturating_mul(2), have });
        }
        Ok(Self { flash, range_start: start, slot_len, mounted: None, key: PhantomData })
    }

    /// The flash, to look at.
    pub const fn flash(&self) -> &F {
        &self.flash
    }

    /// Takes the flash back; nothing of the vault remains in memory.
    pub fn into_inner(self) -> F {
        self.flash
    }

    /// Erases everything, sealed or not: for rework at the bench, and the way out of
    /// [`VaultFault::Corrupt`]. Deliberately not part of [`Vault`]: nothing that arrives on the
    /// line can reach it.
    ///
    /// After a power cut inside it the vault may be in any state, [`VaultFault::Corrupt`] among
    /// them; call it again.
    ///
    /// # Errors
    ///
    /// [`VaultFault::Flash`].
    pub fn wipe(&mut self) -> Result<(), VaultFault> {
        self.mounted = None;
        self.erase(Slot::First)?;
        self.erase(Slot::Second)
    }
}

impl<F: NorFlash, K: SoftwareKey> Vault for FlashVault<F, K> {
    type Key = K;

    fn stage(&mut self) -> Result<Stage, VaultFault> {
        Ok(self.live()?.map_or(Stage::Blank, |live| live.header.stage))
    }

    fn create_key(&mut self, entropy: &mut impl Entropy) -> Result<(), VaultFault> {
        if self.live()?.is_some() {
            return Ok(());
        }
        scrubbed::<STACK_LEN, _>(|| {
            let mut front = Front::of(&K::generate(entropy)?.to_stored());
            self.replace(&mut front, Stage::Keyed, Body::New(&[]))
        })
    }

    fn key(&mut self) -> Result<Option<K>, VaultFault> {
        let Some(live) = self.live()? else { return Ok(None) };
        scrubbed::<STACK_LEN, _>(|| {
            let mut front = Front::empty();
            self.read_live(live, &mut front, &mut [])?;
            let stored = front.stored_key().ok_or(VaultFault::Corrupt)?;
            K::from_stored(&stored).map(Some).map_err(|_| VaultFault::Corrupt)
        })
    }

    fn store_delivery(&mut self, delivery: &[u8]) -> Result<(), VaultFault> {
        let Some(live) = self.live()? else {
            return Err(VaultFault::OutOfOrder { stage: Stage::Blank });
        };
        if live.header.stage == Stage::Sealed {
            return Err(VaultFault::Sealed);
        }
        if delivery.len() > self.delivery_len_max() {
            return Err(VaultFault::Full { max: self.delivery_len_max() });
        }
        self.follow(live, Stage::Certified, Body::New(delivery))
    }

    fn read_delivery<'b>(&mut self, out: &'b mut [u8]) -> Result<Option<&'b [u8]>, VaultFault> {
        let Some(live) = self.live()?.filter(|live| live.header.stage != Stage::Keyed) else {
            return Ok(None);
        };
        let needed = live.header.delivery_len as usize;
        let out = out.get_mut(..needed).ok_or(VaultFault::BufferTooSmall { needed })?;
        scrubbed::<STACK_LEN, _>(|| self.read_live(live, &mut Front::empty(), out))?;
        Ok(Some(out))
    }

    fn seal(&mut self) -> Result<(), VaultFault> {
        let Some(live) = self.live()? else {
            return Err(VaultFault::OutOfOrder { stage: Stage::Blank });
        };
        match live.header.stage {
            Stage::Sealed => Ok(()),
            Stage::Certified => self.follow(live, Stage::Sealed, Body::CopyOf(live.slot)),
            stage => Err(VaultFault::OutOfOrder { stage }),
        }
    }

    fn delivery_len_max(&self) -> usize {
        self.slot_len.saturating_sub(DELIVERY_AT) as usize
    }
}

impl<F: NorFlash, K: SoftwareKey> FlashVault<F, K> {
    /// The live record; see [`Live`].
    #[inline(never)]
    fn live(&mut self) -> Result<Option<Live>, VaultFault> {
        if self.mounted.is_none() {
            scrubbed::<STACK_LEN, _>(|| self.mount())?;
        }
        Ok(self.mounted.and_then(|mounted| mounted.live))
    }

    /// Finds the live record, and finishes what a power cut interrupted.
    fn mount(&mut self) -> Result<(), VaultFault> {
        let mut damaged = false;
        let first = self.inspect(Slot::First, &mut damaged)?;
        let second = self.inspect(Slot::Second, &mut damaged)?;
        let live = match (&first, &second) {
            (Some(one), Some(other)) if one.precedes(other)? => second,
            _ => first.or(second),
        };
        if live.is_none() && damaged {
            return Err(VaultFault::Corrupt);
        }

        let mut mounted = Mounted { live, spare_erased: false };
        match live {
            Some(live) => {
                mounted.spare_erased = self.erase_unless_blank(live.slot.other())?;
                if !live.whole {
                    let mut front = Front::empty();
                    self.read_live(live, &mut front, &mut [])?;
                    self.mounted = Some(mounted);
                    return self.replace(&mut front, live.header.stage, Body::CopyOf(live.slot));
                }
            }
            None => {
                self.erase_unless_blank(Slot::Second)?;
                mounted.spare_erased = self.erase_unless_blank(Slot::First)?;
            }
        }
        self.mounted = Some(mounted);
        Ok(())
    }

    /// The record in a slot; without one, whether the slot is damaged is told in `damaged`.
    fn inspect(&mut self, slot: Slot, damaged: &mut bool) -> Result<Option<Live>, VaultFault> {
        let distance = self.commit_word_distance(slot)?;
        let header = self.read_record(slot, &mut Front::empty(), &mut [])?;
        *damaged |= header.is_none() && distance <= COMMIT_WORD_ROT_MAX;
        Ok(header.map(|header| Live { slot, header, whole: distance == 0 }))
    }

    /// Writes what follows the live record, of the same key.
    // Not inlined: it is called twice, and is large.
    #[inline(never)]
    fn follow(&mut self, live: Live, stage: Stage, body: Body<'_>) -> Result<(), VaultFault> {
        scrubbed::<STACK_LEN, _>(|| {
            let mut front = Front::empty();
            self.read_live(live, &mut front, &mut [])?;
            self.replace(&mut front, stage, body)
        })
    }

    /// Writes the record that follows the live one to the spare slot, makes it the live one and
    /// erases the one before. The order is explained at [`FlashVault`]. Must be mounted.
    #[inline(never)]
    fn replace(
        &mut self,
        front: &mut Front,
        stage: Stage,
        body: Body<'_>,
    ) -> Result<(), VaultFault> {
        // Taken: what is not finished here is found out anew.
        let Mounted { live, spare_erased } = self.mounted.take().ok_or(VaultFault::Flash)?;
        let spare = live.map_or(Slot::First, |live| live.slot.other());
        let before = live.map_or(Header::NONE, |live| live.header);
        let header = Header {
            stage,
            sequence: before.sequence.wrapping_add(1),
            delivery_len: match body {
                Body::New(delivery) => delivery.len() as u32,
                Body::CopyOf(_) => before.delivery_len,
            },
        };
        front.set_header(&header);

        if !spare_erased {
            self.erase(spare)?;
        }
        self.write_record(spare, front, header.end(), body)?;
        // What was written is in `front` no more, but what was read.
        if self.read_record(spare, front, &mut [])? != Some(header) {
            return Err(VaultFault::Flash);
        }
        if let Body::CopyOf(source) = body
            && !self.same_delivery(source, spare, header.end())?
        {
            return Err(VaultFault::Flash);
        }

        // Only now: a record with a commit word that does not verify counts as damaged.
        self.write(spare, COMMIT_WORD_AT, COMMIT_WORD)?;
        if !self.holds(spare, COMMIT_WORD_AT, COMMIT_WORD)? {
            return Err(VaultFault::Flash);
        }
        // Only now: until here the old record was what a cut would have left.
        if let Some(old) = live {
            self.erase(old.slot)?;
        }
        let new = Live { slot: spare, header, whole: true };
        self.mounted = Some(Mounted { live: Some(new), spare_erased: live.is_some() });
        Ok(())
    }

    /// Everything but the commit word.
    fn write_record(
        &mut self,
        slot: Slot,
        front: &Front,
        end: u32,
        body: Body<'_>,
    ) -> Result<(), VaultFault> {
        let mut hash = Sha256::new();
        hash.update(front.as_bytes());
        self.write(slot, FRONT_AT, front.as_bytes())?;

        let mut parts = match body {
            Body::New(delivery) => delivery,
            Body::CopyOf(_) => &[],
        }
        .chunks(UNIT);
        let mut at = DELIVERY_AT;
        while at < end {
            let mut unit = [PADDING; UNIT];
            match body {
                Body::New(_) => {
                    let part = parts.next().unwrap_or_default();
                    unit.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
                }
                Body::CopyOf(source) => self.read(source, at, &mut unit)?,
            }
            hash.update(&unit);
            self.write(slot, at, &unit)?;
            at = at.saturating_add(UNIT as u32);
        }
        self.write(slot, DIGEST_AT, &hash.finish())
    }

    /// Reads a slot: what comes before the delivery into `front`, and of the delivery and its padding
    /// as much into `delivery` as that has room for. `None` if the digest does not match: then what
    /// was read is worth nothing.
    // Not inlined: it is called three times.
    #[inline(never)]
    fn read_record(
        &mut self,
        slot: Slot,
        front: &mut Front,
        delivery: &mut [u8],
    ) -> Result<Option<Header>, VaultFault> {
        self.read(slot, FRONT_AT, front.as_bytes_mut())?;
        let Some(header) = front.header().filter(|header| header.end() <= self.slot_len) else {
            return Ok(None);
        };

        let mut hash = Sha256::new();
        hash.update(front.as_bytes());
        let mut unit = [0; UNIT];
        let mut room = delivery.iter_mut();
        let mut at = DELIVERY_AT;
        while at < header.end() {
            self.read(slot, at, &mut unit)?;
            hash.update(&unit);
            // In this order: `zip` asks its first side first, so no room is lost between units.
            unit.iter().zip(room.by_ref()).for_each(|(from, to)| *to = *from);
            at = at.saturating_add(UNIT as u32);
        }
        Ok(self.holds(slot, DIGEST_AT, &hash.finish())?.then_some(header))
    }

    /// Reads the live record once more, and checks it once more: what is handed out is what the
    /// digest covers.
    fn read_live(
        &mut self,
        live: Live,
        front: &mut Front,
        delivery: &mut [u8],
    ) -> Result<(), VaultFault> {
        if self.read_record(live.slot, front, delivery)? == Some(live.header) {
            Ok(())
        } else {
            Err(VaultFault::Corrupt)
        }
    }

    /// Bits in which the commit word differs from what was programmed.
    fn commit_word_distance(&mut self, slot: Slot) -> Result<u32, VaultFault> {
        let mut found = [0; UNIT];
        self.read(slot, COMMIT_WORD_AT, &mut found)?;
        Ok(found.iter().zip(COMMIT_WORD).map(|(found, word)| (found ^ word).count_ones()).sum())
    }

    fn holds(&mut self, slot: Slot, at: u32, expected: &[u8; UNIT]) -> Result<bool, VaultFault> {
        let mut found = [0; UNIT];
        self.read(slot, at, &mut found)?;
        Ok(found == *expected)
    }

    /// Guards the copy against a read that went wrong once: the new digest would vouch for it.
    fn same_delivery(&mut self, a: Slot, b: Slot, end: u32) -> Result<bool, VaultFault> {
        let mut expected = [0; UNIT];
        let mut at = DELIVERY_AT;
        while at < end {
            self.read(a, at, &mut expected)?;
            if !self.holds(b, at, &expected)? {
                return Ok(false);
            }
            at = at.saturating_add(UNIT as u32);
        }
        Ok(true)
    }

    /// Whether it had to be erased.
    fn erase_unless_blank(&mut self, slot: Slot) -> Result<bool, VaultFault> {
        let blank = self.is_blank(slot)?;
        if !blank {
            self.erase(slot)?;
        }
        Ok(!blank)
    }

    fn is_blank(&mut self, slot: Slot) -> Result<bool, VaultFault> {
        let mut at = 0;
        while at < self.slot_len {
            if !self.holds(slot, at, &[ERASED; UNIT])? {
                return Ok(false);
            }
            at = at.saturating_add(UNIT as u32);
        }
        Ok(true)
    }

    fn erase(&mut self, slot: Slot) -> Result<(), VaultFault> {
        let start = self.address(slot, 0);
        let end = start.saturating_add(self.slot_len);
        self.flash.erase(start, end).map_err(|_| VaultFault::Flash)?;
        if self.is_blank(slot)? { Ok(()) } else { Err(VaultFault::Flash) }
    }

    #[inline(never)]
    fn write(&mut self, slot: Slot, at: u32, bytes: &[u8]) -> Result<(), VaultFault> {
        self.flash.write(self.address(slot, at), bytes).map_err(|_| VaultFault::Flash)
    }

    #[inline(never)]
    fn read(&mut self, slot: Slot, at: u32, bytes: &mut [u8]) -> Result<(), VaultFault> {
        self.flash.read(self.address(slot, at), bytes).map_err(|_| VaultFault::Flash)
    }

    fn address(&self, slot: Slot, at: u32) -> u32 {
        let slot_start = match slot {
            Slot::First => self.range_start,
            Slot::Second => self.range_start.saturating_add(self.slot_len),
        };
        // Never saturates: both slots end inside the flash, by `new`.
        slot_start.saturating_add(at)
    }
}

/// Why a range of flash cannot hold a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FlashRangeError {
    /// An end of the range lies inside a page.
    NotWholePages {
        /// Length of a page, in bytes.
        page: u32,
    },
    /// The range ends beyond the flash.
    OutsideFlash {
        /// Length of the flash, in bytes.
        capacity: usize,
    },
    /// Two slots do not fit.
    TooShort {
        /// Bytes needed for the shortest vault.
        needed: u32,
        /// Bytes in the range.
        have: u32,
    },
}

impl fmt::Display for FlashRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWholePages { page } => {
                write!(f, "the vault's range must begin and end at pages of {page} bytes")
            }
            Self::OutsideFlash { capacity } => {
                write!(f, "the vault's range ends beyond the flash of {capacity} bytes")
            }
            Self::TooShort { needed, have } => {
                write!(f, "the vault needs at least {needed} bytes of flash, the range has {have}")
            }
        }
    }
}

impl core::error::Error for FlashRangeError {}

#[derive(Clone, Copy)]
enum Slot {
    First,
    Second,
}

impl Slot {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

#[derive(Clone, Copy)]
struct Mounted {
    live: Option<Live>,
    /// This very run has erased the spare slot. That it reads blank would not be enough: after an
    /// interrupted erase it may, and still not hold what is programmed there.
    spare_erased: bool,
}

/// A record as it was found on the medium, or as it was read back after it was written: its digest
/// matched. So the stage can be told without reading all of it again, at each question. Nobody else
/// writes there, and whatever is handed out beyond the header is read and checked again.
#[derive(Clone, Copy)]
struct Live {
    slot: Slot,
    header: Header,
    /// The commit word is as it was programmed, to the bit.
    whole: bool,
}

impl Live {
    /// Whether `other` is the one to believe.
    fn precedes(&self, other: &Self) -> Result<bool, VaultFault> {
        if self.whole != other.whole {
            return Ok(other.whole);
        }
        // Serial number arithmetic (RFC 1982): the two differ by one, also where it wraps.
        match other.header.sequence.wrapping_sub(self.header.sequence) {
            1 => Ok(true),
            u32::MAX => Ok(false),
            // This vault never writes such a pair.
            _ => Err(VaultFault::Corrupt),
        }
    }
}

/// Where the bytes of a new record's delivery come from.
#[derive(Clone, Copy)]
enum Body<'a> {
    New(&'a [u8]),
    CopyOf(Slot),
}

/// The part of a record before the delivery: header, secret, public key. Zeroized when dropped.
struct Front([[u8; UNIT]; 5]);

impl Drop for Front {
    #[inline(never)]
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Front {}

impl Front {
    fn empty() -> Self {
        Self([[PADDING; UNIT]; 5])
    }

    /// A key without a header.
    fn of(key: &StoredKey) -> Self {
        let mut front = Self::empty();
        let [_, secret, public @ ..] = &mut front.0;
        *secret = *key.secret();
        let public = public.as_flattened_mut().iter_mut();
        public.zip(key.public().as_sec1()).for_each(|(to, from)| *to = *from);
        front
    }

    fn header(&self) -> Option<Header> {
        let [header, ..] = &self.0;
        Header::parse(header)
    }

    fn stored_key(&self) -> Option<StoredKey> {
        let [_, secret, public @ ..] = &self.0;
        let public = public.as_flattened().first_chunk::<{ PublicKey::LEN }>()?;
        Some(StoredKey::new(*secret, PublicKey::from_sec1(*public).ok()?))
    }

    fn set_header(&mut self, new: &Header) {
        let [header, ..] = &mut self.0;
        *header = new.to_bytes();
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_flattened_mut()
    }
}

/// First unit of what the digest covers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Header {
    stage: Stage,
    sequence: u32,
    delivery_len: u32,
}

impl Header {
    /// What comes before the first record.
    const NONE: Self = Self { stage: Stage::Blank, sequence: 0, delivery_len: 0 };

    /// Where the record ends in its slot. Saturates for a length no slot can hold.
    const fn end(&self) -> u32 {
        match self.delivery_len.checked_next_multiple_of(UNIT as u32) {
            Some(padded) => DELIVERY_AT.saturating_add(padded),
            None => u32::MAX,
        }
    }

    /// Magic and version of the format, stage code, sequence, length of the delivery (little-endian,
    /// 4 bytes each), padding.
    fn to_bytes(self) -> [u8; UNIT] {
        let stage = self.stage.code();
        let mut bytes = [PADDING; UNIT];
        let fields = [stage, self.sequence, self.delivery_len].map(u32::to_le_bytes);
        let all = MAGIC.iter().chain(fields.as_flattened());
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
        bytes
    }

    fn parse(bytes: &[u8; UNIT]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk()?;
        let (stage, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (delivery_len, _) = rest.split_first_chunk()?;
        if magic != MAGIC {
            return None;
        }
        // A blank vault has no record.
        let stage = Stage::from_code(u32::from_le_bytes(*stage)).filter(|s| *s != Stage::Blank)?;
        let sequence = u32::from_le_bytes(*sequence);
        let delivery_len = u32::from_le_bytes(*delivery_len);
        Some(Self { stage, sequence, delivery_len })
    }
}

/// Stack that work on a record takes on a Cortex-M4 apart from making a key, in bytes, rounded up.
const STACK_LEN: usize = 2_048;

/// Everything in a record begins at a multiple of this, so every usual program unit divides it.
const UNIT: usize = 32;

const COMMIT_WORD_AT: u32 = 0;
const DIGEST_AT: u32 = 32;
const FRONT_AT: u32 = 64;
const DELIVERY_AT: u32 = 224;

/// About as many zeros as ones, so that it is far from erased, from all zero and from noise.
const COMMIT_WORD: &[u8; UNIT] = b"provision vault record committed";

/// Bits of the commit word that may have rotted before it counts as never written. Noise comes this
/// near once in 2^120.
const COMMIT_WORD_ROT_MAX: u32 = 32;

/// Ends in the version of the format.
const MAGIC: &[u8; 8] = b"vault\0\0\x01";

const ERASED: u8 = 0xff;
const PADDING: u8 = 0xff;
