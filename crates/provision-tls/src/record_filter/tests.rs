use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use embedded_io::{ErrorKind, ErrorType, Read, Write};

use super::{RecordFilter, Stopped};
use crate::{
    cipher,
    watch::{Proof, Stage, Stop, Watch},
};

/// A server that hangs up: nothing can be written, and a last record is there to be read.
struct HungUp(&'static [u8]);

impl ErrorType for HungUp {
    type Error = ErrorKind;
}

impl Read for HungUp {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(out).map_err(|never| match never {})
    }
}

impl Write for HungUp {
    fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::BrokenPipe)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Err(ErrorKind::BrokenPipe)
    }
}

impl embedded_io_async::Read for HungUp {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, ErrorKind> {
        Read::read(self, out)
    }
}

impl embedded_io_async::Write for HungUp {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Write::write(self, bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Write::flush(self)
    }
}

/// By which of its two faces the filter is used.
#[derive(Clone, Copy)]
enum Face {
    Blocking,
    Async,
}

impl Face {
    const BOTH: [Self; 2] = [Self::Blocking, Self::Async];

    fn read(self, filter: &mut RecordFilter<'_, HungUp>, out: &mut [u8]) -> Result<usize, Stopped> {
        match self {
            Self::Blocking => filter.read(out),
            Self::Async => at_once(embedded_io_async::Read::read(filter, out)),
        }
    }

    fn read_exact(self, filter: &mut RecordFilter<'_, HungUp>, mut out: &mut [u8]) {
        while !out.is_empty() {
            let len = self.read(filter, out).expect("a record that passes");
            out = out.get_mut(len..).expect("no more than asked for");
        }
    }

    fn write(self, filter: &mut RecordFilter<'_, HungUp>, record: &[u8]) -> Result<usize, Stopped> {
        match self {
            Self::Blocking => filter.write(record),
            Self::Async => at_once(embedded_io_async::Write::write(filter, record)),
        }
    }

    fn flush(self, filter: &mut RecordFilter<'_, HungUp>) -> Result<(), Stopped> {
        match self {
            Self::Blocking => filter.flush(),
            Self::Async => at_once(embedded_io_async::Write::flush(filter)),
        }
    }
}

fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing is waited for"),
    }
}

const RECORD: [u8; 5 + 19] =
    [23, 3, 3, 0, 19, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

fn in_handshake(watch: &Watch, proof: Proof) -> RecordFilter<'_, HungUp> {
    watch.enter(Stage::Handshake);
    watch.prove(proof);
    RecordFilter::new(HungUp(&RECORD), watch, 1_024)
}

#[test]
fn what_a_server_said_before_it_hung_up_is_still_read() {
    for face in Face::BOTH {
        let watch = Watch::new();
        let mut filter = in_handshake(&watch, Proof::Both);
        assert!(matches!(face.write(&mut filter, &CLIENTS), Ok(5)));
        assert!(face.flush(&mut filter).is_ok());

        watch.enter(Stage::Application);
        // The record as it is, but for the mark that tells the cipher.
        let mut expected = RECORD;
        expected[1..3].copy_from_slice(&cipher::APPLICATION_MARK);
        let mut record = [0; RECORD.len()];
        face.read_exact(&mut filter, &mut record);
        assert_eq!(record, expected);

        // After it comes the reason, not a mere end.
        assert!(face.read(&mut filter, &mut [0]).is_err());
        assert!(matches!(watch.stopped(), Some(Stop::Transport(ErrorKind::BrokenPipe))));
    }
}

#[test]
fn a_stream_cannot_be_written_after_the_server_hung_up() {
    for face in Face::BOTH {
        let watch = Watch::new();
        let mut filter = in_handshake(&watch, Proof::Both);
        assert!(matches!(face.write(&mut filter, &CLIENTS), Ok(5)));

        watch.enter(Stage::Application);
        assert!(face.write(&mut filter, &CLIENTS).is_err());
        assert!(matches!(watch.stopped(), Some(Stop::Transport(ErrorKind::BrokenPipe))));
    }
}

#[test]
fn a_failing_transport_is_told_at_once_on_an_open_stream() {
    for face in Face::BOTH {
        let watch = Watch::new();
        let mut filter = in_handshake(&watch, Proof::Both);
        watch.enter(Stage::Application);
        assert!(face.write(&mut filter, &CLIENTS).is_err());
    }
}

#[test]
fn nothing_encrypted_leaves_before_both_proofs() {
    for face in Face::BOTH {
        for proof in [Proof::Nothing, Proof::Certificate] {
            let watch = Watch::new();
            let mut filter = in_handshake(&watch, proof);
            assert!(face.write(&mut filter, &CLIENTS).is_err());
            assert!(matches!(watch.stopped(), Some(Stop::Unproven)));
        }
    }
}

#[test]
fn a_header_in_parts_is_a_header() {
    for face in Face::BOTH {
        let watch = Watch::new();
        let mut filter = in_handshake(&watch, Proof::Nothing);
        let mut header = [0; 5];
        for byte in &mut header {
            let read = face.read(&mut filter, core::slice::from_mut(byte));
            assert!(matches!(read, Ok(1)));
        }
        assert_eq!(header, RECORD[..5]);
    }
}

/// A reader who had the header and nothing of the body begins anew, and has it all; one who had
/// some of the body cannot.
#[test]
fn a_record_can_be_begun_anew_until_its_body_was_begun() {
    let watch = Watch::new();
    let mut filter = in_handshake(&watch, Proof::Nothing);
    for part in 1..=5 {
        let mut header = [0; 5];
        Face::Async.read_exact(&mut filter, header.get_mut(..part).expect("a part of five"));
        assert!(watch.take_up_again(), "after {part} bytes");
    }
    let mut record = [0; RECORD.len()];
    Face::Async.read_exact(&mut filter, &mut record[..6]);
    assert!(!watch.take_up_again());

    let watch = Watch::new();
    let mut filter = in_handshake(&watch, Proof::Nothing);
    Face::Async.read_exact(&mut filter, &mut record[..5]);
    assert!(watch.take_up_again());
    Face::Async.read_exact(&mut filter, &mut record);
    assert_eq!(record, RECORD);
    assert!(watch.take_up_again(), "the whole body is no part of one");
}

/// The beginning of a record that the client sends.
const CLIENTS: [u8; 5] = [23, 3, 3, 0, 0];
