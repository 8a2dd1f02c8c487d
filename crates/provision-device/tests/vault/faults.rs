//! Flash that refuses, or that does not keep what it took, while power stays on.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use provision_device::{FlashVault, VaultFault};
use provision_testkit::flash::{FlashFault, PowerCutFlash};

use crate::harness::{SCRIPT, State, TestEntropy, TestVault, observe, perform};

const PAGE: usize = 1024;

/// What goes wrong at one operation, once.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// The driver reports an error and has done nothing.
    Refuses,
    /// The driver reports an error and has done it all the same.
    RefusesTooLate,
    /// The driver reports success and has done nothing.
    Forgets,
    /// The driver reports success; a bit of it went wrong.
    Mistakes,
}

/// Counts reads apart from writes and erases.
struct Faulty {
    flash: PowerCutFlash<4, PAGE>,
    at: usize,
    fault: Fault,
    reads: bool,
    count: usize,
    /// The fault fell on an erase of what was erased already.
    harmless: bool,
}

impl Faulty {
    fn new(fault: Fault, reads: bool, at: usize) -> Self {
        Self { flash: PowerCutFlash::new(2), at, fault, reads, count: 0, harmless: false }
    }

    fn due(&mut self, read: bool) -> Option<Fault> {
        if self.reads != read {
            return None;
        }
        self.count += 1;
        (self.count - 1 == self.at).then_some(self.fault)
    }

    /// `PowerCut` stands in for any error: the vault cannot tell them apart.
    fn disturb(
        &mut self,
        fault: Option<Fault>,
        operation: impl FnOnce(&mut PowerCutFlash<4, PAGE>) -> Result<(), FlashFault>,
    ) -> Result<(), FlashFault> {
        match fault {
            None | Some(Fault::Mistakes) => operation(&mut self.flash),
            Some(Fault::Refuses) => Err(FlashFault::PowerCut),
            Some(Fault::RefusesTooLate) => {
                operation(&mut self.flash)?;
                Err(FlashFault::PowerCut)
            }
            Some(Fault::Forgets) => Ok(()),
        }
    }
}

impl ErrorType for Faulty {
    type Error = FlashFault;
}

impl ReadNorFlash for Faulty {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashFault> {
        let fault = self.due(true);
        self.disturb(fault, |flash| flash.read(offset, bytes))?;
        if fault == Some(Fault::Mistakes) {
            // Somewhere in it; which byte differs from read to read.
            let at = self.at * 7 % bytes.len();
            bytes[at] ^= 1 << (self.at % 8);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Faulty {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashFault> {
        let fault = self.due(false);
        let range = &self.flash.bytes()[from as usize..to as usize];
        let blank = range.iter().all(|byte| *byte == 0xff);
        self.harmless |= blank && fault == Some(Fault::Forgets);
        self.disturb(fault, |flash| flash.erase(from, to))?;
        if fault == Some(Fault::Mistakes) {
            self.flash.flip(from as usize + 500, 0x04);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashFault> {
        let fault = self.due(false);
        self.disturb(fault, |flash| flash.write(offset, bytes))?;
        if fault == Some(Fault::Mistakes) {
            self.flash.flip(offset as usize, 0x04);
        }
        Ok(())
    }
}

/// Each fault at each write and erase: the vault says so, and the same vault then says which state
/// it is in and goes on.
#[test]
fn flash_that_fails_once_is_named_and_survived() {
    for fault in [Fault::Refuses, Fault::RefusesTooLate, Fault::Forgets, Fault::Mistakes] {
        for at in 0.. {
            let flash = Faulty::new(fault, false, at);
            let mut vault: TestVault<_> = FlashVault::new(flash, 0..2 * PAGE as u32).unwrap();
            let named = run(&mut vault, &format!("{fault:?} at {at}"));
            let flash = vault.into_inner();
            if flash.count <= at {
                break;
            }
            assert!(named == 1 || flash.harmless, "{fault:?} at {at} was named {named} times");
        }
    }
}

/// Each fault at each read. A read that went wrong once may be taken for damage, never for truth.
#[test]
fn reads_that_fail_once_are_never_believed() {
    for fault in [Fault::Refuses, Fault::Mistakes] {
        for at in 0.. {
            let flash = Faulty::new(fault, true, at);
            let mut vault: TestVault<_> = FlashVault::new(flash, 0..2 * PAGE as u32).unwrap();
            run(&mut vault, &format!("{fault:?} at {at}"));
            if vault.into_inner().count <= at {
                break;
            }
        }
    }
}

/// Goes through the script, asking again after each fault. How many there were.
fn run(vault: &mut TestVault<Faulty>, context: &str) -> usize {
    let mut entropy = TestEntropy::new();
    let mut state = State::BLANK;
    let mut faults = 0;
    for step in SCRIPT {
        let context = format!("{context}, {step:?}");
        let done = perform(vault, *step, &mut entropy);
        faults += count(done, &context);

        // Before or after; and if it was refused, asking again does it.
        let found = ask(vault, &mut faults, &context);
        let after = state.after(*step, found.key);
        assert!(found == after || (done.is_err() && found == state), "{context}: {found:?}");
        if found != after {
            let again = perform(vault, *step, &mut entropy);
            faults += count(again, &context);
        }
        state = ask(vault, &mut faults, &context);
        assert_eq!(state, state.after(*step, state.key), "{context}");
    }
    faults
}

/// There is one fault at most, so the second answer counts.
fn ask(vault: &mut TestVault<Faulty>, faults: &mut usize, context: &str) -> State {
    let first = observe(vault);
    *faults += count(first.as_ref().map(|_| ()).map_err(|fault| *fault), context);
    first.or_else(|_| observe(vault)).unwrap_or_else(|fault| panic!("{context}: still {fault}"))
}

fn count(result: Result<(), VaultFault>, context: &str) -> usize {
    match result {
        Ok(()) => 0,
        Err(VaultFault::Flash | VaultFault::Corrupt) => 1,
        Err(fault) => panic!("{context}: {fault}"),
    }
}
