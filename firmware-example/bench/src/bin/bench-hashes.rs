//! Test vectors of SHA-256, on the processor itself: reads them from a file of the host, one record after the other, and
//! counts what comes out otherwise than it says.
//!
//! | first byte | then |
//! |---|---|
//! | 0 | the end |
//! | 1 | length of the message (2), message, digest (32) |
//! | 2 | Monte Carlo: seed (32), the last of a thousand digests of the three before it (32) |
#![no_std]
#![no_main]

use core::fmt::Write;

use board_qemu_common::semihosting::{self, HostFile};
use board_qemu_mps2_an386::uart::Log;
use provision_csr::{Sha256, sha256};

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut vectors = Vectors(HostFile::open(c"hashes").expect("a file beside the emulator"));
    let (mut checked, mut wrong) = (0, 0);
    loop {
        let found = match vectors.array() {
            [0] => break,
            [1] => message(&mut vectors),
            [2] => monte_carlo(&mut vectors),
            [kind] => panic!("a record of kind {kind}"),
        };
        checked += 1;
        if found != vectors.array() {
            wrong += 1;
            let _ = writeln!(Log::open(), "record {checked} is wrong");
        }
    }
    let _ = writeln!(Log::open(), "hashes checked={checked} wrong={wrong}");
    semihosting::exit(0)
}

/// As a whole where it fits the buffer, and in pieces of it where not.
fn message(vectors: &mut Vectors) -> [u8; 32] {
    let mut rest = usize::from(u16::from_be_bytes(vectors.array()));
    let mut buffer = [0; 203];
    if let Some(whole) = buffer.get_mut(..rest) {
        vectors.fill(whole);
        return sha256(whole);
    }
    let mut hash = Sha256::new();
    while rest > 0 {
        let len = rest.min(buffer.len());
        let Some(piece) = buffer.get_mut(..len) else { panic!("not longer than the buffer") };
        vectors.fill(piece);
        hash.update(piece);
        rest -= len;
    }
    hash.finish()
}

/// Section 6.4 of the Secure Hash Algorithm Validation System.
fn monte_carlo(vectors: &mut Vectors) -> [u8; 32] {
    let seed: [u8; 32] = vectors.array();
    let mut last = [seed; 3];
    for _ in 0..1_000 {
        let [_, second, third] = last;
        last = [second, third, sha256(last.as_flattened())];
    }
    let [_, _, digest] = last;
    digest
}

/// The file.
struct Vectors(HostFile);

impl Vectors {
    fn fill(&mut self, out: &mut [u8]) {
        assert!(self.0.read_exact(out), "the file ends in a record");
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}
