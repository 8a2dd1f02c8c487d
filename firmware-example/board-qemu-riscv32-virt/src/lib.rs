//! QEMU's `virt` with a 32-bit RISC-V processor: a board that never existed, of parts that do. Enrollment and TLS run
//! here.
//!
//! | part | is | on a real board |
//! |---|---|---|
//! | [`uart`] | an NS16550: the line | the same |
//! | [`flash`] | two CFI chips side by side, which QEMU keeps in a host file | the same, or SPI flash |
//! | [`virtio::net`] | **virtio** network card, polled | an Ethernet or radio driver |
//! | [`virtio::rng`] | **virtio** random numbers, which are the emulator's host's: no example for a product | a TRNG |
//! | [`clock`] | the core's timer; the date from a Goldfish clock, which is the host's | an RTC, or none |
//! | program | in RAM, loaded by the emulator | in flash |
//! | serial number ([`device_serial`](board_qemu_common::device_serial)) | **the emulator's command line** | a label in flash or fuses |
//! | log ([`SemihostingLog`](board_qemu_common::log::SemihostingLog)) | **the emulator's console** | a second serial port, or RTT |
//!
//! The log is not on the line, which is the only serial port there is: a second one would be a PCI or a virtio
//! device, with a driver that cannot log its own failure.
//!
//! Virtio is `virtio-drivers` without its feature `alloc`: its queues live in pages that are set aside ([`virtio::dma`])
//! and its buffers in statics, so there is no heap on this board either.
//!
//! `unsafe` is in [`interrupts`], [`flash`] (a mapped memory), [`virtio`] (memory shared with devices), [`stack`] (paint),
//! and where a register is named.
#![no_std]

pub mod board;
pub mod clock;
pub mod fault;
pub mod flash;
pub mod interrupts;
pub mod stack;
pub mod uart;
pub mod virtio;
