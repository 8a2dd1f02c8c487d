//! SHA-256's compression function (FIPS 180-4 section 6.2.2) in assembler for Cortex-M3, M4, M7 and
//! M33: half the instructions of the crate `sha2`'s compact form. `provision-csr` hashes with it
//! where its feature `sha256-asm` is on, which `provision-p256-asm` turns on.
//!
//! It has no branch and no address that depends on what is hashed, and leaves nothing of it behind:
//! the expanded block on the stack is overwritten, and so is every register a caller does not get back.
//!
//! It needs no other assembler than the one in rustc. On any other target it is `sha2`'s.
#![no_std]

#[cfg(has_thumb2)]
mod thumb2;

/// Takes a block into the state.
#[cfg(has_thumb2)]
pub fn compress(state: &mut [u32; 8], block: &[u8; 64]) {
    // SAFETY: it reads the block, reads and writes the state, and takes 300 bytes of stack.
    unsafe { thumb2::compress(state, block) }
}

/// Takes a block into the state.
#[cfg(not(has_thumb2))]
pub fn compress(state: &mut [u32; 8], block: &[u8; 64]) {
    sha2_device::compress256(state, &[(*block).into()]);
}
