//! Random bytes: **the emulator host's**, by a virtio device, and no example for a product.
//!
//! *VIRTIO Version 1.2*, section 5.4. The driver of virtio-drivers waits for the device without end, which a source of
//! entropy must not; this one has the same queue and patience.

use provision_csr::{NoEntropy, RawEntropy};
use static_cell::ConstStaticCell;
use virtio_drivers::device::common::Feature;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::{DeviceType, Transport};

use crate::clock::{TICKS_PER_MS, ticks};
use crate::virtio;
use crate::virtio::dma::DmaPages;

/// What the boot log says about the source.
pub const SOURCE: &str = "EMULATED: the emulator's host, by virtio";

/// Bytes that are asked for at once.
const BUFFER_LEN: usize = 64;
/// The device's one queue.
const QUEUE: u16 = 0;
/// Patience for an answer, on a host that has other things to do.
const WITHIN_MS: u64 = 1_000;

/// The generator.
pub struct VirtioRng {
    transport: MmioTransport<'static>,
    queue: VirtQueue<DmaPages, 2>,
    /// The device's while `asked`.
    buffer: &'static mut [u8; BUFFER_LEN],
    /// The question that is not answered yet.
    asked: Option<u16>,
}

impl VirtioRng {
    /// The generator on the bus, if there is one; looked for once.
    #[must_use]
    pub fn find() -> Option<Self> {
        static BUFFER: ConstStaticCell<[u8; BUFFER_LEN]> = ConstStaticCell::new([0; BUFFER_LEN]);

        let mut transport = virtio::find(DeviceType::EntropySource)?;
        let features = transport.begin_init(Feature::VERSION_1);
        if !features.contains(Feature::VERSION_1) {
            return None;
        }
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false).ok()?;
        transport.finish_init();
        Some(Self { transport, queue, buffer: BUFFER.try_take()?, asked: None })
    }

    /// Asks for a buffer full, unless that was done and never answered; gives how much came of it.
    fn ask(&mut self) -> Result<usize, NoEntropy> {
        let question = match self.asked {
            Some(question) => question,
            None => {
                // SAFETY: the buffer is a static's, and not touched until the answer.
                let added = unsafe { self.queue.add(&[], &mut [&mut self.buffer[..]]) };
                let question = added.map_err(|_| NoEntropy)?;
                self.asked = Some(question);
                self.transport.notify(QUEUE);
                question
            }
        };
        let until = ticks() + WITHIN_MS * TICKS_PER_MS;
        while !self.queue.can_pop() {
            if ticks() > until {
                return Err(NoEntropy);
            }
        }
        // SAFETY: the buffer that was added with this question, which is the only one.
        let popped = unsafe { self.queue.pop_used(question, &[], &mut [&mut self.buffer[..]]) };
        self.asked = None;
        popped.map(|len| len as usize).map_err(|_| NoEntropy)
    }
}

impl core::fmt::Debug for VirtioRng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VirtioRng").finish_non_exhaustive()
    }
}

impl RawEntropy for VirtioRng {
    /// "High-quality randomness" (section 5.4): the host vouches for it.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 8;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        let mut rest = out;
        while !rest.is_empty() {
            // It may give less than was asked for, but not nothing.
            let given = self.ask()?.min(BUFFER_LEN).min(rest.len());
            if given == 0 {
                return Err(NoEntropy);
            }
            let (now, later) = rest.split_at_mut(given);
            now.copy_from_slice(&self.buffer[..given]);
            // Each byte is handed out once.
            self.buffer.fill(0);
            rest = later;
        }
        Ok(())
    }
}
