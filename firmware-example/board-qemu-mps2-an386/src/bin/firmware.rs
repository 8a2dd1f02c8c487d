//! The whole firmware: enrollment, then the cloud.
#![no_std]
#![no_main]

use core::fmt::Write;

use board_qemu_mps2_an386::board::{self, BoardFirmware};
use board_qemu_mps2_an386::clock::BoardClock;
use board_qemu_mps2_an386::entropy::HostEntropy;
use board_qemu_mps2_an386::lan9118::Lan9118;
use board_qemu_mps2_an386::uart::Log;
use provision_csr::RawEntropy;
use provision_firmware_app::OnlineMemory;
use provision_firmware_network::{Memory, SmoltcpNetwork};
use static_cell::StaticCell;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut firmware = board::start().expect("main runs once");
    firmware.enroll();
    go_online(&mut firmware);
    firmware.serve()
}

/// Not inlined: what it has on the stack, enrollment has not.
#[inline(never)]
fn go_online(firmware: &mut BoardFirmware) {
    match network() {
        Ok(mut network) => firmware.go_online(&mut network, online_memory()),
        Err(cause) => {
            let _ = writeln!(Log::open(), "online: {cause}");
        }
    }
}

#[inline(never)]
fn network() -> Result<SmoltcpNetwork<Lan9118, BoardClock>, &'static str> {
    static ETHERNET: StaticCell<Lan9118> = StaticCell::new();
    static MEMORY: StaticCell<Memory> = StaticCell::new();

    let ethernet = ETHERNET.init_with(Lan9118::new);
    let address = ethernet.bring_up().map_err(|_| "the Ethernet controller does not come up")?;
    let mut random = [0; 8];
    HostEntropy::open().fill_raw(&mut random).map_err(|_| "no entropy")?;
    let memory = MEMORY.init_with(Memory::new);
    let random = u64::from_le_bytes(random);
    Ok(SmoltcpNetwork::new(ethernet, address, memory, BoardClock::running(), random))
}

/// Filled here and not where it stands: with its first values in the image, flash would hold kilobytes of zeros.
#[inline(never)]
fn online_memory() -> &'static mut OnlineMemory {
    static MEMORY: StaticCell<OnlineMemory> = StaticCell::new();
    MEMORY.init_with(OnlineMemory::new)
}
