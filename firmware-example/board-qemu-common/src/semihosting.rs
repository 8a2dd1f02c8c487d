//! Calls to the emulator, by the instruction a debugger would catch.
//!
//! Numbers and parameter blocks: *Semihosting for AArch32 and AArch64*, Arm IHI 0102, sections 5 and 7, which RISC-V has
//! taken over (*RISC-V Semihosting*, version 0.3). On hardware without a debugger the instruction is a fault: this
//! module is for emulators alone.

use core::arch::asm;
use core::ptr;

const SYS_OPEN: usize = 0x01;
const SYS_WRITE0: usize = 0x04;
const SYS_READ: usize = 0x06;
const SYS_TIME: usize = 0x11;
const SYS_GET_CMDLINE: usize = 0x15;
const SYS_EXIT_EXTENDED: usize = 0x20;

/// SYS_OPEN mode `rb`.
const MODE_READ_BINARY: usize = 1;
/// SYS_EXIT_EXTENDED reason: the program ended by itself, with a status.
const ADP_STOPPED_APPLICATION_EXIT: usize = 0x2_0026;

/// A file of the host, open for reading.
#[derive(Debug, Clone, Copy)]
pub struct HostFile {
    handle: usize,
}

impl HostFile {
    /// Opens the host's file of that name; `None` if the emulator does not.
    #[must_use]
    pub fn open(name: &core::ffi::CStr) -> Option<Self> {
        let block = [name.as_ptr().addr(), MODE_READ_BINARY, name.count_bytes()];
        // SAFETY: SYS_OPEN reads three words at the block and the name they point to, which both live
        // until it returns, and writes nothing.
        let handle = unsafe { call(SYS_OPEN, block.as_ptr().expose_provenance()) };
        (handle != usize::MAX).then_some(Self { handle })
    }

    /// Reads until `out` is full; `false` if the file gave less.
    pub fn read_exact(&mut self, out: &mut [u8]) -> bool {
        let block = [self.handle, out.as_mut_ptr().expose_provenance(), out.len()];
        // SAFETY: SYS_READ reads three words at the block and writes at most `out.len()` bytes to `out`,
        // which is borrowed mutably until it returns.
        let missing = unsafe { call(SYS_READ, block.as_ptr().expose_provenance()) };
        missing == 0
    }
}

/// The host's clock, in seconds since 1970-01-01 UTC.
#[must_use]
pub fn unix_seconds() -> u32 {
    // SAFETY: SYS_TIME takes no block and touches no memory.
    let seconds = unsafe { call(SYS_TIME, 0) };
    seconds as u32
}

/// Writes a text to the emulator's console.
pub fn write(text: &core::ffi::CStr) {
    // SAFETY: SYS_WRITE0 reads the text up to its zero, and writes nothing.
    unsafe { call(SYS_WRITE0, text.as_ptr().expose_provenance()) };
}

/// Reads the emulator's command line for the program (`-semihosting-config arg=…`) into `out`, and returns
/// the part of it that was filled; `None` if there is none or it does not fit.
pub fn command_line(out: &mut [u8]) -> Option<&[u8]> {
    let mut block = [out.as_mut_ptr().expose_provenance(), out.len()];
    // SAFETY: SYS_GET_CMDLINE writes at most `out.len()` bytes to `out`, and the length to the block's
    // second word; both are borrowed mutably until it returns.
    let failed = unsafe { call(SYS_GET_CMDLINE, block.as_mut_ptr().expose_provenance()) };
    if failed != 0 {
        return None;
    }
    // SAFETY: a plain read of the word that the call wrote behind the compiler's back.
    let len = unsafe { ptr::from_ref(&block[1]).read_volatile() };
    let line = out.get(..len)?;
    // QEMU counts the terminating zero.
    Some(line.strip_suffix(&[0]).unwrap_or(line))
}

/// Ends the emulator with this exit status.
pub fn exit(status: u8) -> ! {
    let block = [ADP_STOPPED_APPLICATION_EXIT, usize::from(status)];
    loop {
        // SAFETY: SYS_EXIT_EXTENDED reads two words at the block.
        unsafe { call(SYS_EXIT_EXTENDED, block.as_ptr().expose_provenance()) };
    }
}

/// One semihosting call.
///
/// # Safety
///
/// `parameter` is what IHI 0102 says for `operation`, and the memory it points to is valid for that.
#[cfg(target_arch = "arm")]
unsafe fn call(operation: usize, parameter: usize) -> usize {
    let result;
    // SAFETY: with the caller's promise, the emulator does what `operation` says and changes r0 only.
    // Not `nomem`: it may read and write what `parameter` points to.
    unsafe {
        asm!(
            "bkpt #0xab",
            inout("r0") operation => result,
            in("r1") parameter,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// One semihosting call: a breakpoint between two instructions that do nothing, all three uncompressed and in one page.
///
/// # Safety
///
/// `parameter` is what IHI 0102 says for `operation`, and the memory it points to is valid for that.
#[cfg(target_arch = "riscv32")]
unsafe fn call(operation: usize, parameter: usize) -> usize {
    let result;
    // SAFETY: with the caller's promise, the emulator does what `operation` says and changes a0 only.
    // Not `nomem`: it may read and write what `parameter` points to.
    unsafe {
        asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inout("a0") operation => result,
            in("a1") parameter,
            options(nostack, preserves_flags),
        );
    }
    result
}
