use embedded_io::{ErrorKind, ErrorType, Read, Write};

use super::RecordFilter;
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

const RECORD: [u8; 5 + 19] =
    [23, 3, 3, 0, 19, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

fn in_handshake(watch: &Watch, proof: Proof) -> RecordFilter<'_, HungUp> {
    watch.enter(Stage::Handshake);
    watch.prove(proof);
    RecordFilter::new(HungUp(&RECORD), watch, 1_024)
}

fn read_all(filter: &mut RecordFilter<'_, HungUp>) -> [u8; RECORD.len()] {
    let mut record = [0; RECORD.len()];
    filter.read_exact(&mut record).expect("a record that passes");
    record
}

#[test]
fn what_a_server_said_before_it_hung_up_is_still_read() {
    let watch = Watch::new();
    let mut filter = in_handshake(&watch, Proof::Both);
    assert!(filter.write_all(&[23, 3, 3, 0, 0]).is_ok());
    assert!(filter.flush().is_ok());

    watch.enter(Stage::Application);
    // The record as it is, but for the mark that tells the cipher.
    let mut expected = RECORD;
    expected[1..3].copy_from_slice(&cipher::APPLICATION_MARK);
    assert_eq!(read_all(&mut filter), expected);

    // After it comes the reason, not a mere end.
    assert!(filter.read(&mut [0]).is_err());
    assert!(matches!(watch.stopped(), Some(Stop::Transport(ErrorKind::BrokenPipe))));
}

#[test]
fn a_stream_cannot_be_written_after_the_server_hung_up() {
    let watch = Watch::new();
    let mut filter = in_handshake(&watch, Proof::Both);
    assert!(filter.write_all(&[23, 3, 3, 0, 0]).is_ok());

    watch.enter(Stage::Application);
    assert!(filter.write(&[23, 3, 3, 0, 0]).is_err());
    assert!(matches!(watch.stopped(), Some(Stop::Transport(ErrorKind::BrokenPipe))));
}

#[test]
fn a_failing_transport_is_told_at_once_on_an_open_stream() {
    let watch = Watch::new();
    let mut filter = in_handshake(&watch, Proof::Both);
    watch.enter(Stage::Application);
    assert!(filter.write(&[23, 3, 3, 0, 0]).is_err());
}

#[test]
fn nothing_encrypted_leaves_before_both_proofs() {
    for proof in [Proof::Nothing, Proof::Certificate] {
        let watch = Watch::new();
        let mut filter = in_handshake(&watch, proof);
        assert!(filter.write(&[23, 3, 3, 0, 0]).is_err());
        assert!(matches!(watch.stopped(), Some(Stop::Unproven)));
    }
}

#[test]
fn a_header_in_parts_is_a_header() {
    let watch = Watch::new();
    let mut filter = in_handshake(&watch, Proof::Nothing);
    let mut header = [0; 5];
    for byte in &mut header {
        assert!(matches!(filter.read(core::slice::from_mut(byte)), Ok(1)));
    }
    assert_eq!(header, RECORD[..5]);
}
