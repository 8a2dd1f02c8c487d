//! Device registers.

use core::ptr;

/// One 32-bit register of a peripheral.
#[derive(Debug, Clone, Copy)]
pub struct Register {
    address: usize,
}

impl Register {
    /// Names the register at `address`.
    ///
    /// # Safety
    ///
    /// `address` is that of a 32-bit device register that exists on this board at all times, is aligned to
    /// 4 bytes, is no memory of the Rust program, and whose reading or writing has no effect on the
    /// program's memory (no DMA).
    #[must_use]
    pub const unsafe fn new(address: usize) -> Self {
        Self { address }
    }

    /// Reads it. May have side effects on the device, as taking a byte out of its FIFO.
    #[must_use]
    pub fn read(self) -> u32 {
        let register = ptr::with_exposed_provenance::<u32>(self.address);
        // SAFETY: `new` was promised a device register, which is always readable and aligned.
        unsafe { register.read_volatile() }
    }

    /// Writes it.
    pub fn write(self, value: u32) {
        let register = ptr::with_exposed_provenance_mut::<u32>(self.address);
        // SAFETY: `new` was promised a device register that is no memory of the program.
        unsafe { register.write_volatile(value) }
    }
}

/// One register of a peripheral that is 8 bits wide.
#[derive(Debug, Clone, Copy)]
pub struct ByteRegister {
    address: usize,
}

impl ByteRegister {
    /// Names the register at `address`.
    ///
    /// # Safety
    ///
    /// As [`Register::new`], for 8 bits.
    #[must_use]
    pub const unsafe fn new(address: usize) -> Self {
        Self { address }
    }

    /// Reads it. May have side effects on the device, as taking a byte out of its FIFO.
    #[must_use]
    pub fn read(self) -> u8 {
        let register = ptr::with_exposed_provenance::<u8>(self.address);
        // SAFETY: `new` was promised a device register, which is always readable.
        unsafe { register.read_volatile() }
    }

    /// Writes it.
    pub fn write(self, value: u8) {
        let register = ptr::with_exposed_provenance_mut::<u8>(self.address);
        // SAFETY: `new` was promised a device register that is no memory of the program.
        unsafe { register.write_volatile(value) }
    }
}
