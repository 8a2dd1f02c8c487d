//! NOR flash in memory whose power can be cut at any operation.

use core::cmp::Ordering;
use core::ops::Range;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// NOR flash with program units of `WRITE` bytes and pages of `ERASE` bytes.
///
/// It is as strict as the strictest part: a unit is programmed once between two erases, and a unit
/// whose programming or erasing was interrupted must be erased before it is programmed, whatever
/// it reads as. Breaking such a rule is a [`FlashFault`], so a test that expects success fails.
///
/// # Power cuts
///
/// [`cut_at`](Self::cut_at) plans one. Writes and erases are counted from 0; reads are not, because
/// nothing differs between a cut before a read and one after the write before it. From the cut on
/// every operation is [`FlashFault::PowerCut`], until [`power_on`](Self::power_on).
///
/// A cut [`Inside`](Moment::Inside) an operation leaves bits that did not settle: they may read as
/// before, as meant, or as anything (drawn from the seed), and differently after each power-on, until
/// they are erased. What an operation does not touch is never disturbed.
///
/// ```
/// use embedded_storage::nor_flash::NorFlash;
/// use provision_testkit::flash::{Cut, FlashFault, Moment, PowerCutFlash};
///
/// let mut flash = PowerCutFlash::<4, 256>::new(2);
/// flash.cut_at(Cut { operation: 1, moment: Moment::Inside { seed: 7 } });
/// flash.write(0, b"done")?;
/// assert_eq!(flash.write(4, b"torn"), Err(FlashFault::PowerCut));
///
/// flash.power_on();
/// assert_eq!(&flash.bytes()[..4], b"done");
/// assert_eq!(flash.write(4, b"torn"), Err(FlashFault::NotErased { offset: 4 }));
/// # Ok::<(), FlashFault>(())
/// ```
#[derive(Debug, Clone)]
pub struct PowerCutFlash<const WRITE: usize, const ERASE: usize> {
    content: Content,
    powered: bool,
    cut: Option<Cut>,
    random: Random,
    operations: usize,
    keeps_journal: bool,
    journal: Vec<Operation>,
}

/// What is in a flash: all that decides how it reads, and what may be done to it, while it has power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    bytes: Vec<u8>,
    /// Per byte, the bits that did not settle.
    unsettled: Vec<u8>,
    /// Whether there may be any.
    is_unsettled: bool,
    /// Per program unit, whether an erase was completed since it was last touched.
    erased: Vec<bool>,
}

impl<const WRITE: usize, const ERASE: usize> PowerCutFlash<WRITE, ERASE> {
    /// Erased flash of so many pages.
    #[must_use]
    pub fn new(pages: usize) -> Self {
        const { assert!(WRITE > 0 && ERASE.is_multiple_of(WRITE)) }
        let len = pages * ERASE;
        let content = Content {
            bytes: vec![0xff; len],
            unsettled: vec![0; len],
            is_unsettled: false,
            erased: vec![true; len / WRITE],
        };
        Self {
            content,
            powered: true,
            cut: None,
            random: Random(0),
            operations: 0,
            keeps_journal: true,
            journal: Vec::new(),
        }
    }

    /// Flash with this content, none of which counts as erased.
    ///
    /// # Panics
    ///
    /// If it is not whole pages.
    #[must_use]
    pub fn with_content(content: &[u8]) -> Self {
        assert!(content.len().is_multiple_of(ERASE), "whole pages of {ERASE} bytes");
        let mut flash = Self::new(content.len() / ERASE);
        flash.content.bytes.copy_from_slice(content);
        flash.content.erased.fill(false);
        flash
    }

    /// The same, without a journal of what was written: for those who write a great deal.
    #[must_use]
    pub fn without_journal(mut self) -> Self {
        self.keeps_journal = false;
        self.journal.clear();
        self
    }

    /// Plans the next cut, in place of one planned before.
    pub fn cut_at(&mut self, cut: Cut) {
        self.cut = Some(cut);
    }

    /// Power is back. Bits that did not settle may read differently now.
    pub fn power_on(&mut self) {
        self.powered = true;
        let Content { bytes, unsettled, is_unsettled, .. } = &mut self.content;
        if !*is_unsettled {
            return;
        }
        for (byte, unsettled) in bytes.iter_mut().zip(unsettled) {
            if *unsettled != 0 {
                *byte ^= self.random.byte() & *unsettled;
            }
        }
    }

    /// Power is back, to be lost in this operation, of which so many units or pages are done: as
    /// with a [`Moment::Torn`]. For who knows what comes next, and wants it to go wrong in many ways.
    ///
    /// # Errors
    ///
    /// [`FlashFault::PowerCut`] always, or why the operation would not have been begun.
    pub fn interrupt(
        &mut self,
        operation: &Operation,
        at: usize,
        how: Torn,
    ) -> Result<(), FlashFault> {
        self.power_on();
        self.cut_at(Cut { operation: self.operations, moment: Moment::Torn { at, how } });
        self.apply(operation)
    }

    /// Whether power is on.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.powered
    }

    /// Writes and erases since the beginning, or since [`forget_journal`](Self::forget_journal);
    /// the number of the next one.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations
    }

    /// Every write and erase since the beginning, in order, the interrupted ones included.
    #[must_use]
    pub fn journal(&self) -> &[Operation] {
        &self.journal
    }

    /// Counts from 0 again, and drops a planned cut.
    pub fn forget_journal(&mut self) {
        self.journal.clear();
        self.operations = 0;
        self.cut = None;
    }

    /// Does what a journal says.
    ///
    /// # Errors
    ///
    /// As the operation itself.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), FlashFault> {
        match operation {
            Operation::Erase { from, to } => self.erase(*from, *to),
            Operation::Write { offset, bytes } => self.write(*offset, bytes),
        }
    }

    /// The whole content as it reads now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.content.bytes
    }

    /// The content, and how well it holds.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Lets bits rot: flips those of `mask` at `offset`.
    ///
    /// # Panics
    ///
    /// If `offset` is outside.
    pub fn flip(&mut self, offset: usize, mask: u8) {
        self.content.bytes[offset] ^= mask;
    }

    /// Whether the operation about to be done goes through, not at all, or halfway.
    fn begin(&mut self, operation: impl FnOnce() -> Operation) -> Result<Outcome, FlashFault> {
        if !self.powered {
            return Err(FlashFault::PowerCut);
        }
        let number = self.operations;
        self.operations += 1;
        if self.keeps_journal {
            self.journal.push(operation());
        }
        let Some(Cut { moment, .. }) = self.cut.take_if(|cut| cut.operation == number) else {
            return Ok(Outcome::Done);
        };
        self.powered = false;
        Ok(match moment {
            Moment::Before => Outcome::Nothing,
            Moment::After => Outcome::Done,
            Moment::Inside { seed } => {
                self.random = Random(seed);
                Outcome::Halfway { at: None }
            }
            Moment::Torn { at, how } => {
                self.random = Random((number as u64) << 32 | at as u64);
                Outcome::Halfway { at: Some((at, how)) }
            }
        })
    }

    fn end(&self) -> Result<(), FlashFault> {
        if self.powered { Ok(()) } else { Err(FlashFault::PowerCut) }
    }

    /// Interrupts what would have made these bytes `target`.
    fn leave_unsettled(&mut self, offset: usize, target: &[u8], kind: Torn) {
        self.content.is_unsettled = true;
        for (at, target) in (offset..).zip(target) {
            let old = self.content.bytes[at];
            let (value, unsettled) = match kind {
                Torn::Untouched => (old, 0),
                Torn::LooksUndone => (old, old ^ target),
                Torn::LooksDone => (*target, old ^ target),
                Torn::SomeBits => {
                    let some = self.random.byte() & (old ^ target);
                    (old ^ some, old ^ target)
                }
                Torn::Anything => (self.random.byte(), 0xff),
            };
            self.content.bytes[at] = value;
            self.content.unsettled[at] |= unsettled;
        }
        if kind != Torn::Untouched {
            self.mark(offset..offset + target.len(), false);
        }
    }

    fn settle(&mut self, offset: usize, target: &[u8]) {
        let range = offset..offset + target.len();
        self.content.bytes[range.clone()].copy_from_slice(target);
        if self.content.is_unsettled {
            self.content.unsettled[range].fill(0);
        }
    }

    fn mark(&mut self, range: Range<usize>, erased: bool) {
        self.content.erased[range.start / WRITE..range.end / WRITE].fill(erased);
    }

    #[inline]
    fn check(&self, offset: usize, len: usize, align: usize) -> Result<(), FlashFault> {
        if offset.checked_add(len).is_none_or(|end| end > self.content.bytes.len()) {
            return Err(FlashFault::OutOfBounds { offset, len });
        }
        if !offset.is_multiple_of(align) || !len.is_multiple_of(align) {
            return Err(FlashFault::NotAligned { offset, len, align });
        }
        Ok(())
    }
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for PowerCutFlash<WRITE, ERASE> {
    type Error = FlashFault;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for PowerCutFlash<WRITE, ERASE> {
    const READ_SIZE: usize = 1;

    #[inline]
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashFault> {
        self.end()?;
        let offset = offset as usize;
        self.check(offset, bytes.len(), Self::READ_SIZE)?;
        bytes.copy_from_slice(&self.content.bytes[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.content.bytes.len()
    }
}

impl<const WRITE: usize, const ERASE: usize> NorFlash for PowerCutFlash<WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashFault> {
        self.end()?;
        let (start, end) = (from as usize, to as usize);
        let len =
            end.checked_sub(start).ok_or(FlashFault::OutOfBounds { offset: start, len: 0 })?;
        self.check(start, len, ERASE)?;

        let blank = [0xff; ERASE];
        match self.begin(|| Operation::Erase { from, to })? {
            Outcome::Nothing => {}
            Outcome::Done => {
                for page in (start..end).step_by(ERASE) {
                    self.settle(page, &blank);
                }
                self.mark(start..end, true);
            }
            // Drivers choose the order of pages: each may be in any state.
            Outcome::Halfway { at: None } => {
                for page in (start..end).step_by(ERASE) {
                    if self.random.one_in(3) {
                        self.settle(page, &blank);
                        self.mark(page..page + ERASE, true);
                    } else {
                        let kind = Torn::draw(&mut self.random);
                        self.leave_unsettled(page, &blank, kind);
                    }
                }
            }
            Outcome::Halfway { at: Some((torn, how)) } => {
                for (number, page) in (start..end).step_by(ERASE).enumerate() {
                    match number.cmp(&torn) {
                        Ordering::Less => {
                            self.settle(page, &blank);
                            self.mark(page..page + ERASE, true);
                        }
                        Ordering::Equal => self.leave_unsettled(page, &blank, how),
                        Ordering::Greater => {}
                    }
                }
            }
        }
        self.end()
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashFault> {
        self.end()?;
        let start = offset as usize;
        self.check(start, bytes.len(), WRITE)?;
        let units = start / WRITE..(start + bytes.len()) / WRITE;
        if let Some(unit) = units.clone().find(|unit| !self.content.erased[*unit]) {
            return Err(FlashFault::NotErased { offset: unit * WRITE });
        }

        match self.begin(|| Operation::Write { offset, bytes: bytes.to_vec() })? {
            Outcome::Nothing => {}
            Outcome::Done => {
                self.settle(start, bytes);
                self.mark(start..start + bytes.len(), false);
            }
            // Units are programmed in order; the cut falls into one of them.
            Outcome::Halfway { at } => {
                let (torn, how) = at.unwrap_or_else(|| {
                    let torn = self.random.below(units.len().max(1));
                    (torn, Torn::draw(&mut self.random))
                });
                for (number, (unit, target)) in units.zip(bytes.chunks(WRITE)).enumerate() {
                    if number < torn {
                        self.settle(unit * WRITE, target);
                        self.mark(unit * WRITE..(unit + 1) * WRITE, false);
                    } else if number == torn {
                        self.leave_unsettled(unit * WRITE, target, how);
                    }
                }
            }
        }
        self.end()
    }
}

/// When power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// At which write or erase, counted from 0; see [`PowerCutFlash::operations`].
    pub operation: usize,
    /// At which moment of it.
    pub moment: Moment,
}

/// A moment of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has done nothing.
    Before,
    /// It has done something.
    Inside {
        /// What it has done is drawn from this.
        seed: u64,
    },
    /// It has done so many units of a write, or pages of an erase, in order; the one after them is
    /// torn. If there are not so many, it has done everything.
    Torn {
        /// Which.
        at: usize,
        /// What became of it.
        how: Torn,
    },
    /// It has done everything, but never answered.
    After,
}

/// One write or erase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Pages set to ones.
    Erase {
        /// First byte.
        from: u32,
        /// One after the last byte.
        to: u32,
    },
    /// Units programmed.
    Write {
        /// First byte.
        offset: u32,
        /// Their content.
        bytes: Vec<u8>,
    },
}

/// Why the flash did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlashFault {
    /// Power is off.
    #[error("power is off")]
    PowerCut,
    /// Part of the range lies outside.
    #[error("{len} bytes at {offset:#x} are outside the flash")]
    OutOfBounds {
        /// Where the range begins.
        offset: usize,
        /// Its length.
        len: usize,
    },
    /// The range is not whole units or pages.
    #[error("{len} bytes at {offset:#x} are not whole units of {align} bytes")]
    NotAligned {
        /// Where the range begins.
        offset: usize,
        /// Its length.
        len: usize,
        /// What both must be a multiple of.
        align: usize,
    },
    /// The unit was programmed, or its programming or erasing was interrupted, since it was last
    /// erased.
    #[error("the unit at {offset:#x} must be erased first")]
    NotErased {
        /// Where the unit begins.
        offset: usize,
    },
}

impl NorFlashError for FlashFault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds { .. } => NorFlashErrorKind::OutOfBounds,
            Self::NotAligned { .. } => NorFlashErrorKind::NotAligned,
            Self::PowerCut | Self::NotErased { .. } => NorFlashErrorKind::Other,
        }
    }
}

enum Outcome {
    Nothing,
    Halfway {
        /// Where and how, if that is not to be drawn.
        at: Option<(usize, Torn)>,
    },
    Done,
}

/// What an interrupted operation did to one unit or page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Torn {
    /// Nothing: it had not come to it.
    Untouched,
    /// It reads as before, for now.
    LooksUndone,
    /// It reads as meant, for now.
    LooksDone,
    /// Some of the bits that were to change have.
    SomeBits,
    /// Any bit may read as anything.
    Anything,
}

impl Torn {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Untouched, Self::LooksUndone, Self::LooksDone, Self::SomeBits, Self::Anything];

    fn draw(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Self::Untouched,
            1 => Self::LooksUndone,
            2 => Self::LooksDone,
            3 => Self::SomeBits,
            _ => Self::Anything,
        }
    }
}

/// SplitMix64: enough to draw faults from a seed.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 56) as u8
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
