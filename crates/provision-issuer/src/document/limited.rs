//! Files from anybody, read with bounded memory. Nothing that is meant is longer than a few
//! megabytes, but for CRLs: one with a million entries has 69 MB in PEM. So a file may go on being
//! long only as long as what it shows is a CRL, entry by entry; and of its text no more is in memory
//! than what is decoded at once.

use core::fmt;
use std::io::Read;

use memchr::{memchr, memmem};
use zeroize::Zeroizing;

use crate::key_file::SealedKey;

use super::base64_lines::{Base64Lines, Wrong, byte_of_file};
use super::crl_walk::{CrlWalk, NoCrl};
use super::label::{LABEL_MAX, kind_of, label};
use super::positions::Positions;
use super::window::{self, Window};
use super::{
    BEGIN, DASHES, DER_SEQUENCE, Document, DocumentError, DocumentKind, END, check, contains,
    der_len, from_der,
};

/// Finds everything in a file. Text around PEM blocks is passed over, and so are the curve parameters
/// that `openssl ecparam -genkey` puts before a key.
///
/// No more is read than can be meant: what is neither PEM nor DER is given up after the first bytes, of
/// DER its header says how long it is, and nothing but CRLs may be longer than 4 MiB.
///
/// # Errors
///
/// [`DocumentError`] at the first thing that is not what it says, or is not read here.
pub fn read_documents(input: impl Read) -> Result<Vec<Document>, DocumentError> {
    let mut window = Window::new(input);
    let first = first_byte(&mut window)?;
    if first == DER_SEQUENCE {
        return read_der(window).map(|document| vec![document]);
    }
    let found = PemReader { window, other: 0 }.documents()?;
    if found.is_empty() { Err(DocumentError::Neither { first }) } else { Ok(found) }
}

/// Reads a file that is no CRL to its end, but not more than can be meant: what is neither PEM nor DER is
/// given up after the first bytes, and everything else after 4 MiB.
///
/// # Errors
///
/// [`DocumentError`].
pub fn read_limited(input: impl Read) -> Result<Zeroizing<Vec<u8>>, DocumentError> {
    let mut window = Window::new(input);
    let is_der = first_byte(&mut window)? == DER_SEQUENCE;
    while window.rest().len() <= SMALL_MAX {
        if is_der && der_len(window.rest()) > SMALL_MAX {
            break;
        }
        if !window.more()? {
            return Ok(Zeroizing::new(window.rest().to_vec()));
        }
    }
    Err(DocumentError::TooLarge { max: SMALL_MAX })
}

/// The first byte of a file that is DER, or in whose beginning PEM begins.
fn first_byte(window: &mut Window<impl Read>) -> Result<u8, DocumentError> {
    window.fill(window::LEN)?;
    let first = *window.rest().first().ok_or(DocumentError::Empty)?;
    if first != DER_SEQUENCE && !contains(window.rest(), BEGIN.as_bytes()) {
        return Err(DocumentError::Neither { first });
    }
    Ok(first)
}

fn read_der(mut window: Window<impl Read>) -> Result<Document, DocumentError> {
    let wanted = der_len(window.rest());
    if wanted > LEN_MAX {
        return Err(DocumentError::TooLarge { max: LEN_MAX });
    }
    if wanted > SMALL_MAX {
        // No key is that long, so it need not be wiped: its header may lie, and what was never used would be wiped too.
        let mut der = Vec::with_capacity(wanted);
        let mut walk = CrlWalk::default();
        read_whole(&mut window, wanted, &mut der, |der| {
            let no_crl = |no: NoCrl| DocumentError::UnknownDer { closest: no.to_string() };
            walk.go_on(der).map_err(no_crl)
        })?;
        check(DocumentKind::Crl, &der)
            .map_err(|error| DocumentError::UnknownDer { closest: format!("no CRL ({error})") })?;
        return Ok(Document { kind: DocumentKind::Crl, bytes: Zeroizing::new(der), at: 0 });
    }
    let mut der = Zeroizing::new(Vec::with_capacity(wanted));
    read_whole(&mut window, wanted, &mut der, |_| Ok(()))?;
    from_der(der)
}

/// Reads a file that is one DER element of a length.
fn read_whole(
    window: &mut Window<impl Read>,
    wanted: usize,
    der: &mut Vec<u8>,
    mut look: impl FnMut(&[u8]) -> Result<(), DocumentError>,
) -> Result<(), DocumentError> {
    loop {
        let (rest, left) = (window.rest(), wanted - der.len());
        if rest.len() > left {
            return Err(DocumentError::DerLength { wanted, found: wanted + 1 });
        }
        der.extend_from_slice(rest);
        window.pass(rest.len());
        look(der)?;
        if !window.more()? {
            break;
        }
    }
    if der.len() == wanted {
        Ok(())
    } else {
        Err(DocumentError::DerLength { wanted, found: der.len() })
    }
}

/// Goes along a file of PEM block by block.
struct PemReader<R> {
    window: Window<R>,
    /// How much was no CRL, in bytes.
    other: usize,
}

impl<R: Read> PemReader<R> {
    fn documents(mut self) -> Result<Vec<Document>, DocumentError> {
        let mut found = Vec::new();
        loop {
            let rest = self.window.rest();
            let Some(begins) = memmem::find(rest, BEGIN.as_bytes()) else {
                // It may have begun.
                self.pass(rest.len().saturating_sub(BEGIN.len() - 1))?;
                if self.window.more()? {
                    continue;
                }
                return Ok(found);
            };
            self.pass(begins)?;
            found.extend(self.block()?);
        }
    }

    /// What is in the block that begins here.
    fn block(&mut self) -> Result<Option<Document>, DocumentError> {
        let at = self.window.at();
        self.window.fill(LINE_MAX)?;
        let text = self.window.rest().utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let label = label(text).ok_or(DocumentError::BeginLine { at })?.to_owned();
        if label == "EC PARAMETERS" {
            self.decode(&label, false)?;
            return Ok(None);
        }
        let Some(kind) = kind_of(&label) else {
            return Err(DocumentError::UnknownLabel { label, at });
        };
        if kind == DocumentKind::PrivateKey {
            return self.key(label).map(Some);
        }
        let (der, positions) = self.decode(&label, kind == DocumentKind::Crl)?;
        check(kind, &der).map_err(|error| {
            let der_at = error.position().map(|position| u32::from(position) as usize);
            contents(&label, at, error, der_at.and_then(|at| byte_of_file(&positions, at)))
        })?;
        Ok(Some(Document { kind, bytes: Zeroizing::new(der), at }))
    }

    /// The private key that begins here. It stays as it is.
    fn key(&mut self, label: String) -> Result<Document, DocumentError> {
        let at = self.window.at();
        let mut seen = 0;
        let len = loop {
            let rest = self.window.rest();
            // Not from the beginning again each time that something was read.
            let end = find_from(rest, seen, END).map(|end| end + END.len());
            let close = end.and_then(|end| find_from(rest, end, DASHES));
            if let Some(close) = close {
                break close + DASHES.len();
            }
            seen = end.unwrap_or(rest.len()).saturating_sub(END.len());
            let why = if end.is_none() { NO_END } else { ENDLESS_END };
            if self.other + rest.len() > SMALL_MAX {
                return Err(DocumentError::TooLarge { max: SMALL_MAX });
            }
            if !self.window.more()? {
                return Err(DocumentError::Pem { at, why: why.into() });
            }
        };
        let bytes = Zeroizing::new(self.window.rest()[..len].to_vec());
        self.pass(len)?;
        match SealedKey::find(&bytes) {
            Ok(_) => Ok(Document { kind: DocumentKind::PrivateKey, bytes, at }),
            Err(fault) => Err(contents(&label, at, fault, None)),
        }
    }

    /// The DER in the block that begins here, and where its text stood.
    ///
    /// What stands here is public or encrypted, so it need not take the same time whatever it is, which `der::pem`
    /// does and takes ten times as long: that shows with a CRL of fifty megabytes. Keys take that way (`SealedKey`).
    fn decode(&mut self, label: &str, is_crl: bool) -> Result<(Vec<u8>, Positions), DocumentError> {
        let at = self.window.at();
        let broken = |why: &dyn fmt::Display| DocumentError::Pem { at, why: why.to_string() };
        let (mut base64, mut der) = (Base64Lines::default(), Vec::new());
        let mut walk = is_crl.then(CrlWalk::default);
        self.pass(BEGIN.len() + label.len() + DASHES.len())?;
        loop {
            let rest = self.window.rest();
            let dash = memchr(b'-', rest);
            let len = dash.unwrap_or(rest.len());
            base64.push(&rest[..len], self.window.at());
            if is_crl {
                self.pass_crl(len)?;
            } else {
                self.pass(len)?;
            }
            if dash.is_some() {
                break;
            }
            if base64.has_piece() {
                base64.decode(&mut der).map_err(|wrong| broken(&wrong))?;
                if let Some(walk) = &mut walk {
                    walk.go_on(&der).map_err(|no_crl| {
                        let byte = byte_of_file(base64.positions(), no_crl.at);
                        contents(label, at, no_crl, byte)
                    })?;
                    make_room(&mut der)?;
                }
            }
            if !self.window.more()? {
                return Err(broken(&NO_END));
            }
        }
        self.end_line(label, at)?;
        let positions = base64.finish(&mut der).map_err(|wrong| broken(&wrong))?;
        Ok((der, positions))
    }

    /// Passes over the END line of a block that began at `begun`.
    fn end_line(&mut self, label: &str, begun: usize) -> Result<(), DocumentError> {
        self.window.fill(LINE_MAX)?;
        let broken = |why: String| Err(DocumentError::Pem { at: begun, why });
        let rest = self.window.rest();
        let Some(line) = rest.strip_prefix(END.as_bytes()) else {
            if END.as_bytes().starts_with(rest) {
                return broken(NO_END.into());
            }
            return broken(Wrong::Byte { at: self.window.at(), byte: b'-' }.to_string());
        };
        let line = line.get(..LABEL_MAX + DASHES.len()).unwrap_or(line);
        let Some(end) = memmem::find(line, DASHES.as_bytes()) else {
            return broken(ENDLESS_END.into());
        };
        if &line[..end] != label.as_bytes() {
            return broken(format!("it begins as {label} and ends as something else"));
        }
        self.pass(END.len() + end + DASHES.len())
    }

    fn pass(&mut self, len: usize) -> Result<(), DocumentError> {
        self.window.pass(len);
        self.other += len;
        if self.other > SMALL_MAX {
            return Err(DocumentError::TooLarge { max: SMALL_MAX });
        }
        Ok(())
    }

    fn pass_crl(&mut self, len: usize) -> Result<(), DocumentError> {
        self.window.pass(len);
        if self.window.at() > LEN_MAX {
            return Err(DocumentError::TooLarge { max: LEN_MAX });
        }
        Ok(())
    }
}

fn find_from(bytes: &[u8], from: usize, text: &str) -> Option<usize> {
    memmem::find(&bytes[from..], text.as_bytes()).map(|at| from + at)
}

/// A block holds something else than it says, from that byte of the file on.
fn contents(
    label: &str,
    at: usize,
    fault: impl fmt::Display,
    byte: Option<usize>,
) -> DocumentError {
    let byte = byte.map_or_else(String::new, |byte| format!(" (byte {byte} of the file)"));
    DocumentError::Contents { label: label.to_owned(), at, why: format!("{fault}{byte}") }
}

/// Room for all that its header promises, so that the memory does not double on the way.
fn make_room(der: &mut Vec<u8>) -> Result<(), DocumentError> {
    let wanted = der_len(der);
    if wanted > LEN_MAX {
        return Err(DocumentError::TooLarge { max: LEN_MAX });
    }
    der.reserve_exact((wanted + PADDING_MAX).saturating_sub(der.len()));
    Ok(())
}

const NO_END: &str = "it has no END line";
const ENDLESS_END: &str = "its END line does not end";
/// The longest line that a block begins with.
const LINE_MAX: usize = BEGIN.len() + LABEL_MAX + DASHES.len();
/// The CAs of a whole system have a quarter of a megabyte.
const SMALL_MAX: usize = 4 << 20;
/// A CRL with a million entries has 69 MB in PEM.
const LEN_MAX: usize = 128 << 20;
/// Characters that are decoded to nothing, and have room made for them nevertheless.
const PADDING_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN_CRL: &[u8] = b"-----BEGIN X509 CRL-----";

    /// A DER element.
    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        crate::certificate::push_header(&mut out, tag, contents.len());
        out.extend(contents);
        out
    }

    /// A CRL with so many entries of 35 bytes, and where its list begins. Nobody signed it.
    fn crl(entries: usize) -> (Vec<u8>, usize) {
        let entry = tlv(0x30, &[tlv(2, &[7; 16]), tlv(0x17, b"260101000000Z")].concat());
        let head = [
            tlv(2, &[1]),
            tlv(0x30, &[6, 1, 42]),
            tlv(0x30, &[]),
            tlv(0x17, b"260101000000Z"),
            tlv(0x17, b"270101000000Z"),
        ]
        .concat();
        let list = tlv(0x30, &entry.repeat(entries));
        let extensions = tlv(0x30, &tlv(0x30, &[6, 1, 42, 4, 1, 0]));
        let tbs = tlv(0x30, &[&head[..], &list, &tlv(0xa0, &extensions)].concat());
        let whole = tlv(0x30, &[tbs, tlv(0x30, &[6, 1, 42]), tlv(3, &[0; 70])].concat());
        let at = whole.windows(entry.len()).position(|window| window == entry).unwrap();
        (whole, at)
    }

    fn pem(der: &[u8]) -> Vec<u8> {
        super::super::to_pem(DocumentKind::Crl, der).into_bytes()
    }

    /// How many documents there are, or what is wrong.
    fn read(bytes: &[u8]) -> Result<usize, String> {
        read_documents(bytes).map(|found| found.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn long_crls_are_read_and_nothing_else_that_is_long() {
        let (der, list) = crl(130_000);
        assert!(der.len() > SMALL_MAX);
        assert_eq!(read(&der), Ok(1));
        let three = [pem(&crl(3).0), pem(&der), pem(&der)].concat();
        for (text, count) in [(pem(&der), 1), (three, 3)] {
            assert_eq!(read(&text), Ok(count));
            // With the line ends of others, and in one line.
            let crlf = String::from_utf8(text.clone()).unwrap().replace('\n', "\r\n");
            assert_eq!(read(crlf.as_bytes()), Ok(count));
            let one = String::from_utf8(text).unwrap();
            let one = one.replace("-----\n", "-----\t").replace('\n', "").replace('\t', "\n");
            assert_eq!(read(one.as_bytes()), Ok(count));
        }

        // Of version 1, without a list, as openssl makes them: many of those.
        let fields = [
            tlv(0x30, &[6, 1, 42]),
            tlv(0x30, &[]),
            tlv(0x17, b"260101000000Z"),
            tlv(0x17, b"270101000000Z"),
        ]
        .concat();
        let signed = [tlv(0x30, &fields), tlv(0x30, &[6, 1, 42]), tlv(3, &[0; 70])].concat();
        let none = tlv(0x30, &signed);
        let mut walk = CrlWalk::default();
        assert_eq!((0..=none.len()).try_for_each(|len| walk.go_on(&none[..len])), Ok(()));
        let text = pem(&none).repeat(100);
        assert_eq!(read(&text), Ok(100));

        // One entry is none.
        let mut broken = der.clone();
        broken[list + 35 * 100_000] = 0;
        let why = read(&broken).unwrap_err();
        assert!(why.contains(&format!("from DER byte {} on no CRL", list + 35 * 100_000)), "{why}");
        let der_at = list + 35 * 100_000;
        let file_at = format!("from DER byte {der_at} on no CRL (byte {} of the file)", {
            let character = der_at / 3 * 4 + der_at % 3;
            BEGIN_CRL.len() + 1 + character / 64 * 65 + character % 64
        });
        let why = read(&pem(&broken)).unwrap_err();
        assert!(why.ends_with(&file_at), "{why}");
        // A character is, far behind the beginning: it is named by its place in the file.
        let mut text = pem(&der);
        let at = text.len() / 2;
        text[at] = b'!';
        let why = read(&text).unwrap_err();
        assert!(why.contains(&format!("byte {at} of the file is 0x21")), "{at}: {why}");
        // A certificate of that length, text of that length behind a CRL, zeros behind a header.
        let long = tlv(0x30, &tlv(0x30, &vec![0; SMALL_MAX]));
        assert!(read(&long).unwrap_err().contains("from DER byte"));
        let text = [pem(&crl(3).0), vec![b'x'; SMALL_MAX + 1]].concat();
        assert_eq!(read(&text), Err("it is larger than 4194304 bytes".into()));
        let zeros = [BEGIN_CRL, &vec![0; 2 * SMALL_MAX]].concat();
        assert_eq!(
            read(&zeros).unwrap_err(),
            "the PEM block at byte 0 is broken: byte 24 of the file is 0x00, which is no base64 there"
        );
        let other = String::from_utf8(pem(&long)).unwrap().replace("X509 CRL", "CERTIFICATE");
        assert!(read(other.as_bytes()).unwrap_err().contains("larger than"));
    }

    /// What is wrong in a block is named by its place in the block and in the file.
    #[test]
    fn what_is_wrong_in_a_short_block_is_named() {
        let (mut der, list) = crl(3);
        let good = pem(&der);
        // The time in front of the list.
        der[list - 4] = b'x';
        let text = [&good[..], b"text\n", &pem(&der)].concat();
        let why = read(&text).unwrap_err();
        let begins = good.len() + "text\n".len();
        let expected = format!("the X509 CRL at byte {begins} is none: ");
        assert!(why.starts_with(&expected) && why.contains(" of the file)"), "{why}");
        // Each end that a block may lack, and one of another.
        let text = String::from_utf8(good).unwrap();
        let lacks = |end: &str| read(text.replace("-----END X509 CRL-----\n", end).as_bytes());
        let broken = |why: &str| Err(format!("the PEM block at byte 0 is broken: {why}"));
        for end in ["", "-", "-----EN", "-----END"] {
            assert_eq!(lacks(end), broken(NO_END), "{end:?}");
        }
        for end in ["-----END ", "-----END X509 CRL---", "-----END X509 CRL----\nMIIB"] {
            assert_eq!(lacks(end), broken(ENDLESS_END), "{end:?}");
        }
        let other = lacks("-----END CERTIFICATE-----");
        assert_eq!(other, broken("it begins as X509 CRL and ends as something else"));
        let dash =
            format!("byte {} of the file is 0x2d, which is no base64 there", text.len() - 23);
        assert_eq!(lacks("-x-----END X509 CRL-----"), broken(&dash));
        // A key is not quoted, and its end is named as well.
        let key = "-----BEGIN PRIVATE KEY-----\nMIGH";
        assert_eq!(read(key.as_bytes()), broken(NO_END));
        assert_eq!(read(format!("{key}-----END ").as_bytes()), broken(ENDLESS_END));
        let long = format!("{key}{}", "A".repeat(SMALL_MAX));
        assert_eq!(read(long.as_bytes()), Err("it is larger than 4194304 bytes".into()));
    }

    #[test]
    fn curve_parameters_alone_are_nothing() {
        let parameters =
            b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        let found = read_documents(&parameters[..]);
        assert!(matches!(found, Err(DocumentError::Neither { first: b'-' })));
    }

    /// What never ends is given up soon.
    #[test]
    fn endless_input_is_given_up() {
        struct Endless {
            head: Vec<u8>,
            with: &'static [u8],
            taken: usize,
        }
        impl Read for Endless {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                for byte in out.iter_mut() {
                    *byte = match self.head.get(self.taken) {
                        Some(byte) => *byte,
                        None => self.with[self.taken % self.with.len()],
                    };
                    self.taken += 1;
                }
                Ok(out.len())
            }
        }
        let (der, list) = crl(130_000);
        let entries = pem(&der[..list + 35 * 1000]);
        let begun = entries[..entries.len() - 30].to_vec();
        for (head, with, most) in [
            (vec![], &b"\0"[..], 1 << 17),
            (vec![], b"y\n", 1 << 17),
            (b"-----BEGIN CERTIFICATE-----\n".to_vec(), b"A\n", 6 << 20),
            (b"-----BEGIN X509 CRL-----\n".to_vec(), b"\0", 3 << 20),
            (b"-----BEGIN X509 CRL-----\n".to_vec(), b"AAAA\n", 3 << 20),
            (vec![0x30, 0x84, 7, 0, 0, 0], b"\0", 3 << 20),
            (der[..list + 35 * 1000].to_vec(), b"\0", 3 << 20),
            (begun, b"AAAA\n", 3 << 20),
        ] {
            let mut input = Endless { head: head.clone(), with, taken: 0 };
            assert!(read_documents(&mut input).is_err(), "{with:?}");
            assert!(input.taken <= most, "{} bytes of {with:?} were read", input.taken);
            let mut input = Endless { head, with, taken: 0 };
            assert!(read_limited(&mut input).is_err(), "{with:?}");
            assert!(input.taken <= 2 * SMALL_MAX, "{} bytes of {with:?} were read", input.taken);
        }
    }
}
