//! Flash that the test can look at, and cut, while the vault has it; and whose driver may lie.

use core::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use provision_testkit::flash::{FlashFault, Operation, PowerCutFlash};

/// What a driver keeps to itself for a while, though it has answered, and though it lets itself be
/// read as if it were done. Each breaks what [`provision_device::FlashVault`] asks of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Nothing.
    Honest,
    /// The last two writes, until the next operation. (The last one alone would not matter: it is the
    /// commit word, and a record that is complete without it is as good as one that has it.)
    LateWrites,
    /// Each erase, until the next operation.
    LateErases,
    /// What is written first into an erased slot, until the first word of the slot is written.
    LateFronts,
}

/// One and the same flash for all clones.
#[derive(Clone)]
pub(crate) struct SharedFlash<const WRITE: usize, const ERASE: usize>(Rc<Driver<WRITE, ERASE>>);

struct Driver<const WRITE: usize, const ERASE: usize> {
    flash: RefCell<PowerCutFlash<WRITE, ERASE>>,
    lie: Cell<Lie>,
    late: RefCell<Vec<Operation>>,
}

impl<const WRITE: usize, const ERASE: usize> SharedFlash<WRITE, ERASE> {
    pub(crate) fn new(flash: PowerCutFlash<WRITE, ERASE>) -> Self {
        let flash = RefCell::new(flash);
        Self(Rc::new(Driver { flash, lie: Cell::new(Lie::Honest), late: RefCell::default() }))
    }

    pub(crate) fn look(&self) -> Ref<'_, PowerCutFlash<WRITE, ERASE>> {
        self.0.flash.borrow()
    }

    pub(crate) fn touch(&self) -> RefMut<'_, PowerCutFlash<WRITE, ERASE>> {
        self.0.flash.borrow_mut()
    }

    /// Has the driver lie from now on.
    pub(crate) fn lie(&self, lie: Lie) {
        self.0.lie.set(lie);
    }

    /// What the driver had kept to itself is lost.
    pub(crate) fn power_on(&self) {
        self.0.late.borrow_mut().clear();
        self.touch().power_on();
    }

    fn perform(&self, operation: Operation) -> Result<(), FlashFault> {
        let is_late = match (self.0.lie.get(), &operation) {
            (Lie::LateWrites, Operation::Write { .. }) => {
                self.flush_all_but(1)?;
                true
            }
            (Lie::LateErases, Operation::Erase { .. }) => {
                self.flush_all_but(0)?;
                true
            }
            (Lie::LateFronts, Operation::Write { offset, .. }) => offset % ERASE as u32 == 64,
            _ => false,
        };
        if is_late {
            self.0.late.borrow_mut().push(operation);
            return Ok(());
        }
        let until_commit = self.0.lie.get() == Lie::LateFronts;
        if !until_commit {
            self.flush_all_but(0)?;
        }
        self.touch().apply(&operation)?;
        match operation {
            Operation::Write { offset, .. } if offset % ERASE as u32 == 0 => self.flush_all_but(0),
            _ => Ok(()),
        }
    }

    fn flush_all_but(&self, kept: usize) -> Result<(), FlashFault> {
        let mut late = self.0.late.borrow_mut();
        let flushed = late.len().saturating_sub(kept);
        late.drain(..flushed).try_for_each(|operation| self.touch().apply(&operation))
    }
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for SharedFlash<WRITE, ERASE> {
    type Error = FlashFault;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for SharedFlash<WRITE, ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), FlashFault> {
        self.touch().read(offset, out)?;
        for late in self.0.late.borrow().iter() {
            for (at, byte) in (offset..).zip(out.iter_mut()) {
                match late {
                    Operation::Erase { from, to } if (*from..*to).contains(&at) => *byte = 0xff,
                    Operation::Write { offset, bytes } if at >= *offset => {
                        *byte = bytes.get((at - offset) as usize).copied().unwrap_or(*byte);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.look().capacity()
    }
}

impl<const WRITE: usize, const ERASE: usize> NorFlash for SharedFlash<WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashFault> {
        self.perform(Operation::Erase { from, to })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashFault> {
        self.perform(Operation::Write { offset, bytes: bytes.to_vec() })
    }
}
