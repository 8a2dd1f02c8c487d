//! A device, and ports that play what the station sends.

use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use embedded_io::ErrorType;
use provision_csr::{Entropy, NoEntropy, PortableKey, PortableP256, Subject};
use provision_device::{Enrollee, FlashVault, Line, Served};
use provision_testkit::flash::PowerCutFlash;
use provision_testkit::random::Random;
use provision_wire::{
    Answer, Ask, CHALLENGE_LEN, Deframer, Event, Header, Kind, VersionRange, encode_frame,
};

/// Longest frame, in bytes.
pub(crate) const FRAME: usize = 600;
const PAGE: usize = 1024;
const PAGES: usize = 8;
const SESSION: u32 = 0x5e55_1011;

/// A blank device whose randomness comes again for the same seed, so that two of them are one.
pub(crate) struct Device {
    line: Line<FRAME>,
    enrollee: Enrollee<'static, PortableP256, 3072>,
    vault: FlashVault<PowerCutFlash<4, PAGE>, PortableKey>,
    entropy: Seeded,
}

pub(crate) struct Seeded(Random);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill_with(|| {
            let [byte] = self.0.bytes();
            byte
        });
        Ok(())
    }
}

impl Device {
    pub(crate) fn new(seed: u64) -> Self {
        let subject = Subject::new("sensor-0001").unwrap();
        let range = 0..u32::try_from(PAGES * PAGE).unwrap();
        Self {
            line: Line::new(),
            enrollee: Enrollee::new(subject, Line::<FRAME>::LIMITS).unwrap(),
            vault: FlashVault::new(PowerCutFlash::new(PAGES), range).unwrap(),
            entropy: Seeded::new(seed),
        }
    }

    pub(crate) fn serve(&mut self, port: &mut Port) -> Served {
        let Self { line, enrollee, vault, entropy } = self;
        let Ok(served) = line.serve(port, enrollee, vault, entropy);
        served
    }

    pub(crate) async fn serve_async(&mut self, port: &mut Hesitant) -> Served {
        let Self { line, enrollee, vault, entropy } = self;
        let Ok(served) = line.serve_async(port, enrollee, vault, entropy).await;
        served
    }
}

/// What a station sends that wants a CSR, and what a line brings along: asks, noise, an echo.
pub(crate) fn script() -> Vec<u8> {
    let challenge = [7; CHALLENGE_LEN];
    let mut sent = b"boot: rom v1\r\n".to_vec();
    sent.extend(frame(Kind::Ask, 1, &Ask::Hello { versions: VersionRange::OURS }));
    sent.extend(frame(Kind::Ask, 2, &Ask::Key));
    // Hit on its way.
    let mut damaged = frame(Kind::Ask, 3, &Ask::Key);
    damaged[5] ^= 0x40;
    sent.extend(damaged);
    sent.extend(frame(Kind::Answer, 3, &Ask::Key));
    sent.extend(frame(Kind::Ask, 4, &Ask::Csr { challenge }));
    sent.extend(frame(Kind::Ask, 5, &Ask::Read { offset: 0 }));
    // Refused: nothing was delivered.
    sent.extend(frame(Kind::Ask, 6, &Ask::Prove { challenge }));
    sent
}

pub(crate) fn frame(kind: Kind, sequence: u16, ask: &Ask<'_>) -> Vec<u8> {
    let mut out = [0; FRAME];
    let header = Header { kind, session: SESSION, sequence };
    let len = encode_frame(header, ask, &mut out).unwrap();
    out[..len].to_vec()
}

/// What `look` finds in each answer in it.
pub(crate) fn answers<T>(bytes: &[u8], look: impl Fn(u16, &Answer<'_>) -> Option<T>) -> Vec<T> {
    let mut deframer = Deframer::<FRAME>::new();
    let mut found = Vec::new();
    for &byte in bytes {
        if let Event::Frame(frame) = deframer.push(byte) {
            let answer = Answer::decode(frame.payload).unwrap();
            found.extend(look(frame.header.sequence, &answer));
        }
    }
    found
}

/// A port that has everything at hand.
#[derive(Default)]
pub(crate) struct Port {
    pub(crate) input: VecDeque<u8>,
    pub(crate) output: Vec<u8>,
    pub(crate) flushed: usize,
}

impl Port {
    pub(crate) fn with(input: Vec<u8>) -> Self {
        Self { input: input.into(), ..Self::default() }
    }

    fn take(&mut self, out: &mut [u8]) -> usize {
        let mut len = 0;
        for (place, byte) in out.iter_mut().zip(core::iter::from_fn(|| self.input.pop_front())) {
            *place = byte;
            len += 1;
        }
        len
    }
}

impl ErrorType for Port {
    type Error = Infallible;
}

impl embedded_io::Read for Port {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.take(out))
    }
}

impl embedded_io::Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.flushed = self.output.len();
        Ok(())
    }
}

/// A port that lets everybody wait once before each thing it does, and takes five bytes at a time.
#[derive(Default)]
pub(crate) struct Hesitant(pub(crate) Port);

impl ErrorType for Hesitant {
    type Error = Infallible;
}

impl embedded_io_async::Read for Hesitant {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        yield_once().await;
        Ok(self.0.take(out))
    }
}

impl embedded_io_async::Write for Hesitant {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        yield_once().await;
        let taken = &bytes[..bytes.len().min(5)];
        self.0.output.extend_from_slice(taken);
        Ok(taken.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        yield_once().await;
        self.0.flushed = self.0.output.len();
        Ok(())
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(
        |_| if core::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

/// Polls at most so often; `None` if it is not done by then, and is dropped.
pub(crate) fn poll_at_most<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
