//! The line, awaited: the board's driver, and an interrupt that wakes.

use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use board_qemu_mps2_an386::uart;
use embassy_futures::yield_now;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_io::{ErrorType, Read as _, ReadReady, Write as _, WriteReady};

static RECEIVED: AtomicWaker = AtomicWaker::new();

/// The line that enrolls.
pub(crate) struct AsyncLine(pub(crate) uart::Line);

impl ErrorType for AsyncLine {
    type Error = Infallible;
}

impl embedded_io_async::Read for AsyncLine {
    /// Dropped while it waits, it has taken nothing.
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|context| {
            // Before looking: a byte that arrives in between wakes.
            RECEIVED.register(context.waker());
            let Ok(ready) = self.0.read_ready();
            if ready || out.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.0.read(out)
    }
}

impl embedded_io_async::Write for AsyncLine {
    /// A byte at a time, and others have their turn while the port is busy with it.
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        while let Ok(false) = self.0.write_ready() {
            yield_now().await;
        }
        self.0.write(bytes.get(..1).unwrap_or_default())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        while let Ok(false) = self.0.write_ready() {
            yield_now().await;
        }
        self.0.flush()
    }
}

// SAFETY: the board's vector table names this function for `Interrupt::LineReceive`, and nothing else does.
#[unsafe(no_mangle)]
extern "C" fn UARTRX1() {
    uart::on_line_receive();
    RECEIVED.wake();
}
