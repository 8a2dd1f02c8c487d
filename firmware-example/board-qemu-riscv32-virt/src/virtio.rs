//! The board's virtio bus: eight places for devices, some of them empty.
//!
//! *Virtual I/O Device (VIRTIO) Version 1.2*, section 4.2 "Virtio Over MMIO".

use core::ptr::{self, NonNull};

use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};

pub mod dma;
pub mod net;
pub mod rng;

/// Where the places are (QEMU `hw/riscv/virt.c`, memory map).
const BASE: usize = 0x1000_1000;
const PLACE_LEN: usize = 0x1000;
const PLACES: usize = 8;

/// The first device of this type that is on the bus.
fn find(device: DeviceType) -> Option<MmioTransport<'static>> {
    (0..PLACES).find_map(|place| {
        let registers = ptr::with_exposed_provenance_mut(BASE + place * PLACE_LEN);
        let registers: NonNull<VirtIOHeader> = NonNull::new(registers)?;
        // SAFETY: a place on the bus, with registers that exist as long as the board. Each type of device is looked for
        // once, so nobody else uses those that are returned; of all others no more than the type is read.
        let transport = unsafe { MmioTransport::new(registers, PLACE_LEN) }.ok()?;
        (transport.device_type() == device).then_some(transport)
    })
}
