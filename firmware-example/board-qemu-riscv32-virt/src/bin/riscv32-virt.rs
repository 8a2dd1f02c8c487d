//! The whole firmware: enrollment, then the cloud.
#![no_std]
#![no_main]

use core::fmt::Write;

use board_qemu_common::log::SemihostingLog;
use board_qemu_riscv32_virt::board::{self, BoardFirmware};
use board_qemu_riscv32_virt::clock::Timer;
use board_qemu_riscv32_virt::virtio::net::VirtioNet;
use provision_firmware_app::OnlineMemory;
use provision_firmware_network::{Memory, SmoltcpNetwork};
use static_cell::StaticCell;

#[riscv_rt::entry]
fn main() -> ! {
    let (mut firmware, random) = board::start().expect("main runs once");
    firmware.enroll();
    go_online(&mut firmware, random);
    firmware.serve()
}

/// Not inlined: what it has on the stack, enrollment has not.
#[inline(never)]
fn go_online(firmware: &mut BoardFirmware, random: u64) {
    match network(random) {
        Some(mut network) => firmware.go_online(&mut network, online_memory()),
        None => {
            let _ = writeln!(SemihostingLog, "online: there is no network card");
        }
    }
}

#[inline(never)]
fn network(random: u64) -> Option<SmoltcpNetwork<VirtioNet, Timer>> {
    static CARD: StaticCell<VirtioNet> = StaticCell::new();
    static MEMORY: StaticCell<Memory> = StaticCell::new();

    let card = CARD.init(VirtioNet::find()?);
    let address = card.address();
    Some(SmoltcpNetwork::new(card, address, MEMORY.init_with(Memory::new), Timer, random))
}

/// Filled here and not where it stands: with its first values in the image, flash would hold kilobytes of zeros.
#[inline(never)]
fn online_memory() -> &'static mut OnlineMemory {
    static MEMORY: StaticCell<OnlineMemory> = StaticCell::new();
    MEMORY.init_with(OnlineMemory::new)
}
