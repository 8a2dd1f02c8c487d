//! The Ethernet controller for embassy-net: the board's driver, and an interrupt that wakes.

use core::task::Context;

use board_qemu_mps2_an386::interrupts::{self, Interrupt};
use board_qemu_mps2_an386::lan9118::{self, Lan9118, Lan9118Error};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::AtomicWaker;
use smoltcp::phy::{Device as _, TxToken as _};
use smoltcp::time::Instant;

static RECEIVED: AtomicWaker = AtomicWaker::new();

/// The controller, brought up.
pub(crate) struct Ethernet {
    controller: &'static mut Lan9118,
    address: [u8; 6],
}

impl Ethernet {
    pub(crate) fn bring_up(controller: &'static mut Lan9118) -> Result<Self, Lan9118Error> {
        let address = controller.bring_up()?.0;
        interrupts::enable(Interrupt::Ethernet);
        Ok(Self { controller, address })
    }
}

impl Driver for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        RECEIVED.register(context.waker());
        // In this order: what arrives after the look has its interrupt.
        self.controller.forget_received();
        if !self.controller.has_received() {
            self.controller.interrupt_on_receive();
            return None;
        }
        match self.controller.receive(Instant::ZERO) {
            Some((received, sending)) => Some((Received(received), Sending(sending))),
            None => {
                // Damaged frames, which are gone now, or no room for an answer.
                context.waker().wake_by_ref();
                None
            }
        }
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Sending<'_>> {
        let sending = self.controller.transmit(Instant::ZERO).map(Sending);
        if sending.is_none() {
            // The controller sends a frame in microseconds: looking again is all there is to do.
            context.waker().wake_by_ref();
        }
        sending
    }

    /// The emulator's cable is never pulled. On a product the transceiver says.
    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let of_controller = self.controller.capabilities();
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = of_controller.max_transmission_unit;
        capabilities.max_burst_size = of_controller.max_burst_size;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that was received.
pub(crate) struct Received<'a>(lan9118::RxToken<'a>);

impl embassy_net_driver::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0.into_frame())
    }
}

/// Leave to send a frame.
pub(crate) struct Sending<'a>(lan9118::TxToken<'a>);

impl embassy_net_driver::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        self.0.consume(len, write)
    }
}

// SAFETY: the board's vector table names this function for `Interrupt::Ethernet`, and nothing else does.
#[unsafe(no_mangle)]
extern "C" fn ETHERNET() {
    lan9118::on_interrupt();
    RECEIVED.wake();
}
