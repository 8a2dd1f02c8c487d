//! The network card, polled: a [`smoltcp::phy::Device`].
//!
//! *VIRTIO Version 1.2*, section 5.1.

use core::fmt;

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;
use static_cell::ConstStaticCell;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::mmio::MmioTransport;

use crate::virtio;
use crate::virtio::dma::DmaPages;

/// Longest frame, without a checksum, in bytes.
const FRAME_LEN_MAX: usize = 1514;
/// A frame, and the device's header in front of it (section 5.1.6).
const BUFFER_LEN: usize = 12 + FRAME_LEN_MAX;
/// Frames that may wait to be read.
const BUFFERS: usize = 4;

type Card = VirtIONetRaw<DmaPages, MmioTransport<'static>, BUFFERS>;

/// The card, with its buffers.
pub struct VirtioNet {
    card: Card,
    waiting: [Waiting; BUFFERS],
    received: [u8; FRAME_LEN_MAX],
    sent: [u8; FRAME_LEN_MAX],
}

/// A buffer that the device fills.
struct Waiting {
    buffer: &'static mut [u8; BUFFER_LEN],
    /// By what the device tells that it has.
    token: u16,
}

impl VirtioNet {
    /// The card on the bus, if there is one, switched on; looked for once.
    #[must_use]
    pub fn find() -> Option<Self> {
        static MEMORY: ConstStaticCell<[[u8; BUFFER_LEN]; BUFFERS]> =
            ConstStaticCell::new([[0; BUFFER_LEN]; BUFFERS]);

        let mut card = Card::new(virtio::find(DeviceType::Network)?).ok()?;
        card.disable_interrupts();
        let waiting = MEMORY.try_take()?.each_mut().map(|buffer| Waiting::begin(&mut card, buffer));
        let [Some(a), Some(b), Some(c), Some(d)] = waiting else { return None };
        Some(Self {
            card,
            waiting: [a, b, c, d],
            received: [0; FRAME_LEN_MAX],
            sent: [0; FRAME_LEN_MAX],
        })
    }

    /// The card's address.
    #[must_use]
    pub fn address(&self) -> EthernetAddress {
        EthernetAddress(self.card.mac_address())
    }

    /// Copies the next frame into `received`, hands its buffer back, and gives its length.
    fn take_frame(&mut self) -> Option<usize> {
        let token = self.card.poll_receive()?;
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.token == token)?;
        // SAFETY: the buffer that was given to the device with this token.
        let (header_len, len) =
            unsafe { self.card.receive_complete(token, &mut waiting.buffer[..]) }.ok()?;
        let frame = waiting.buffer.get(header_len..header_len + len)?;
        self.received.get_mut(..len)?.copy_from_slice(frame);
        // SAFETY: the buffer is a static's, and not touched until the device tells this token.
        waiting.token = unsafe { self.card.receive_begin(&mut waiting.buffer[..]) }.ok()?;
        Some(len)
    }
}

impl Waiting {
    fn begin(card: &mut Card, buffer: &'static mut [u8; BUFFER_LEN]) -> Option<Self> {
        // SAFETY: the buffer is a static's, and not touched until the device tells this token.
        let token = unsafe { card.receive_begin(&mut buffer[..]) }.ok()?;
        Some(Self { buffer, token })
    }
}

impl fmt::Debug for VirtioNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtioNet").finish_non_exhaustive()
    }
}

impl phy::Device for VirtioNet {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let len = self.take_frame()?;
        Some((
            RxToken { frame: self.received.get(..len)? },
            TxToken { card: &mut self.card, frame: &mut self.sent },
        ))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        Some(TxToken { card: &mut self.card, frame: &mut self.sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_LEN_MAX;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

/// A frame that was received.
#[derive(Debug)]
pub struct RxToken<'a> {
    frame: &'a [u8],
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.frame)
    }
}

/// Leave to send a frame.
pub struct TxToken<'a> {
    card: &'a mut Card,
    frame: &'a mut [u8; FRAME_LEN_MAX],
}

impl fmt::Debug for TxToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxToken").finish_non_exhaustive()
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        // smoltcp asks for no more than `capabilities` offers.
        let frame = &mut self.frame[..len];
        let result = write(frame);
        // Waits until the device has taken it. A frame that it does not take is one that is lost, as on any wire.
        let _ = self.card.send(frame);
        result
    }
}
