//! Interrupts: the timer's, and those of devices, which come by way of the PLIC (*RISC-V Platform-Level Interrupt
//! Controller Specification*, version 1.0.0).

use board_qemu_common::register::Register;
use riscv::register::{mie, mstatus};

use crate::{clock, uart};

/// The serial port's interrupt (QEMU `include/hw/riscv/virt.h`).
const UART: u32 = 10;

/// Lets the serial port's interrupt through.
pub(crate) fn enable_uart() {
    let plic = Plic::BOARD;
    plic.priority_of_uart.write(1);
    plic.enable.write(1 << UART);
    plic.threshold.write(0);
    // SAFETY: its handler is below.
    unsafe { mie::set_mext() };
    enable();
}

/// Lets the timer's interrupt through.
pub(crate) fn enable_timer() {
    // SAFETY: its handler is below.
    unsafe { mie::set_mtimer() };
    enable();
}

fn enable() {
    // SAFETY: nothing in this program relies on interrupts being off, but what is in `sleep_unless`.
    unsafe { mstatus::set_mie() };
}

/// Sleeps until an interrupt, unless `done` says that there is nothing to wait for.
///
/// No wake-up is missed: `done` is asked while interrupts are held back, and WFI wakes at one that is held back as well.
pub(crate) fn sleep_unless(done: impl Fn() -> bool) {
    riscv::interrupt::free(|| {
        if !done() {
            riscv::asm::wfi();
        }
    });
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn machine_timer() {
    clock::on_time();
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn machine_external() {
    let plic = Plic::BOARD;
    let source = plic.claim.read();
    if source == UART {
        uart::on_receive();
    }
    // Of 0, which is none, this is of no effect.
    plic.claim.write(source);
}

/// The registers of the PLIC for the one source, and for the processor's machine mode.
struct Plic {
    priority_of_uart: Register,
    enable: Register,
    threshold: Register,
    claim: Register,
}

impl Plic {
    const BOARD: Self = {
        const fn at(offset: usize) -> Register {
            // SAFETY: the PLIC's registers (QEMU `hw/riscv/virt.c`, memory map). It does no DMA.
            unsafe { Register::new(0x0c00_0000 + offset) }
        }
        Self {
            priority_of_uart: at(4 * UART as usize),
            enable: at(0x2000),
            threshold: at(0x20_0000),
            claim: at(0x20_0004),
        }
    };
}
