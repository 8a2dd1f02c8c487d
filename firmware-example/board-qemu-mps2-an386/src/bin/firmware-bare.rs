//! What a firmware on this board has before it can be provisioned: start-up, panic handler, serial ports,
//! formatted log, entropy, clock and flash, all in use. What `cargo xtask sizes` subtracts from the
//! enrollment-only image, so that the rest is the cost of enrollment.
#![no_std]
#![no_main]

use core::fmt::Write;

use board_qemu_common::nor::FlashError;
use board_qemu_mps2_an386::board::{self, Mps2An386};
use board_qemu_mps2_an386::flash::EmulatedFlash;
use embedded_io::{Read, ReadReady, Write as _};
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use provision_csr::{NoEntropy, RawEntropy};
use provision_firmware_app::{Clock, Parts, StackGauge};

/// What is programmed together.
const PIECE_LEN: usize = 32;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut parts = board::take().expect("main runs once");
    let serial = parts.device_serial;
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(parts.log, "boot: bare firmware {version}, device {serial}");

    let mut at = 0;
    loop {
        let mut piece = [0; PIECE_LEN];
        let Ok(len) = parts.line.read(&mut piece);
        let Some(received) = piece.get(..len) else { continue };
        let Ok(()) = parts.line.write_all(received);
        let Ok(()) = parts.line.flush();
        if let Err(error) = keep(&mut parts, at, &piece) {
            let _ = writeln!(parts.log, "flash at {at}: {error}");
        }
        if mix(&mut parts, &mut piece).is_err() {
            let _ = writeln!(parts.log, "no entropy");
        }
        let capacity = parts.flash.capacity() as u32;
        at = (at + PIECE_LEN as u32) % capacity;

        while !matches!(parts.line.read_ready(), Ok(true)) {
            parts.clock.sleep_ms(10);
        }
        let (bytes, known) = (parts.stack.high_water_bytes(), parts.clock.unix_seconds().is_some());
        let time = if known { "known" } else { "unknown" };
        let _ = writeln!(parts.log, "stack high-water={bytes} bytes, time {time}");
    }
}

/// Programs a piece, page by page erased before, and reads it back.
fn keep(parts: &mut Parts<Mps2An386>, at: u32, piece: &[u8]) -> Result<(), FlashError> {
    let page = EmulatedFlash::ERASE_SIZE as u32;
    if at.is_multiple_of(page) {
        parts.flash.erase(at, at + page)?;
    }
    parts.flash.write(at, piece)?;
    let mut found = [0; PIECE_LEN];
    parts.flash.read(at, &mut found)?;
    let _ = writeln!(parts.log, "piece {at}: {}", found[0]);
    Ok(())
}

fn mix(parts: &mut Parts<Mps2An386>, piece: &mut [u8]) -> Result<(), NoEntropy> {
    parts.entropy.fill_raw(piece)
}
