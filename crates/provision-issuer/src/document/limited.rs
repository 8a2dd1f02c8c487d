//! Files from anybody, read with bounded memory. Nothing that is meant is longer than a few
//! megabytes, but for CRLs: one with a million entries has 69 MB in PEM. So a file may go on being
//! long only as long as what it shows is a CRL, entry by entry.

use std::io::Read;

use memchr::{memchr2, memmem};
use zeroize::Zeroizing;

use super::base64_lines::Base64Lines;
use super::{BEGIN, DER_SEQUENCE, DocumentError, contains, der_len};

/// Reads a file to its end, but not more than can be meant: what is neither PEM nor DER is given
/// up after the first bytes, of DER its header says how long it is, and nothing but CRLs may be
/// longer than 4 MiB.
///
/// # Errors
///
/// [`DocumentError`].
pub fn read_limited(mut input: impl Read) -> Result<Zeroizing<Vec<u8>>, DocumentError> {
    let mut bytes = Zeroizing::new(Vec::new());
    input.by_ref().take(FIRST).read_to_end(&mut bytes)?;
    let first = *bytes.first().ok_or(DocumentError::Empty)?;
    if first == DER_SEQUENCE {
        return read_der(input, bytes);
    }
    if !contains(&bytes, BEGIN.as_bytes()) {
        return Err(DocumentError::Neither { first });
    }
    let mut gate = PemGate::default();
    loop {
        gate.look(&bytes)?;
        if bytes.len() > LEN_MAX {
            return Err(DocumentError::TooLarge { max: LEN_MAX });
        }
        if read_piece(&mut input, u64::MAX, &mut bytes)? == 0 {
            return Ok(bytes);
        }
    }
}

/// Reads a piece more, but no more than that. The memory does not double each time, as that of a `Vec` does: all of it
/// is wiped in the end, also what was never used.
fn read_piece(input: &mut impl Read, most: u64, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
    let piece = (bytes.len() / 8).clamp(PIECE_MIN, PIECE_MAX);
    if bytes.capacity() - bytes.len() < piece + PROBE {
        bytes.reserve_exact((bytes.len() / 8).max(piece) + PROBE);
    }
    input.by_ref().take(most.min(piece as u64)).read_to_end(bytes)
}

fn read_der(
    mut input: impl Read,
    mut bytes: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, DocumentError> {
    let wanted = der_len(&bytes);
    if wanted > LEN_MAX {
        return Err(DocumentError::TooLarge { max: LEN_MAX });
    }
    let mut walk = (wanted > SMALL_MAX).then(CrlWalk::default);
    let mut seen = 0;
    loop {
        if let Some(walk) = &mut walk {
            walk.push(&bytes[seen..]).map_err(|why| DocumentError::UnknownDer { closest: why })?;
            seen = bytes.len();
        }
        // One more than it says, to see whether there is more.
        let left = (wanted + 1).saturating_sub(bytes.len()) as u64;
        if read_piece(&mut input, left, &mut bytes)? == 0 {
            break;
        }
    }
    if bytes.len() == wanted {
        Ok(bytes)
    } else {
        Err(DocumentError::DerLength { wanted, found: bytes.len() })
    }
}

/// Looks at PEM as it arrives: counts what is no CRL, and walks along what is.
#[derive(Default)]
struct PemGate {
    /// How much was looked at.
    seen: usize,
    /// How much of it is no CRL.
    other: usize,
    crl: Option<Block>,
}

struct Block {
    at: usize,
    walk: CrlWalk,
    base64: Base64Lines,
}

impl PemGate {
    fn look(&mut self, bytes: &[u8]) -> Result<(), DocumentError> {
        while self.seen < bytes.len() {
            match &mut self.crl {
                None => {
                    // It may have begun in the piece before.
                    let from = self.seen.saturating_sub(BEGIN_CRL.len() - 1);
                    let begin = memmem::find(&bytes[from..], BEGIN_CRL).map(|at| from + at);
                    let until = begin.map_or(bytes.len(), |at| at + BEGIN_CRL.len());
                    self.other += until - self.seen;
                    self.seen = until;
                    if let Some(at) = begin {
                        let (walk, base64) = (CrlWalk::default(), Base64Lines::default());
                        self.crl = Some(Block { at, walk, base64 });
                    }
                }
                Some(block) => {
                    let rest = &bytes[self.seen..];
                    let stop = memchr2(b'\n', b'-', rest);
                    let line = &rest[..stop.unwrap_or(rest.len())];
                    block.base64.push(line);
                    let ends = stop.is_some_and(|at| rest[at] == b'-');
                    self.seen += stop.map_or(rest.len(), |at| at + 1);
                    // What ends soon is looked at as a whole, later.
                    if block.base64.has_piece() || ends && block.base64.has_begun() {
                        block.decode(bytes)?;
                    }
                    if ends {
                        self.crl = None;
                    }
                }
            }
            if self.other > SMALL_MAX {
                return Err(DocumentError::TooLarge { max: SMALL_MAX });
            }
        }
        Ok(())
    }
}

impl Block {
    /// Decodes what has come of it, in a file of which this much has come.
    fn decode(&mut self, bytes: &[u8]) -> Result<(), DocumentError> {
        let at = self.at;
        let broken = |why: String| DocumentError::Contents { label: "X509 CRL".into(), at, why };
        let mut der = Vec::new();
        self.base64.decode(&mut der).map_err(|wrong| {
            let begins = at + BEGIN_CRL.len();
            broken(wrong.in_file(&bytes[begins..], begins))
        })?;
        self.walk.push(&der).map_err(broken)
    }
}

/// Whether DER that arrives piece by piece goes on being a CRL (RFC 5280 section 5.1), as far as its
/// elements go. Keeps nothing but the entry that has not arrived yet.
#[derive(Default)]
struct CrlWalk {
    part: Part,
    /// Where `rest` begins in the DER, in bytes.
    at: usize,
    rest: Vec<u8>,
}

#[derive(Default)]
enum Part {
    /// Up to the list of revoked certificates.
    #[default]
    Head,
    /// So many bytes of the list are to come.
    Entries(usize),
    /// So many bytes have come behind it: extensions and signature.
    Tail(usize),
}

/// Tag, length of the header, length of the contents.
type Element = (u8, usize, usize);

impl CrlWalk {
    /// Takes the next bytes; says what is wrong with them, and where.
    fn push(&mut self, der: &[u8]) -> Result<(), String> {
        self.rest.extend_from_slice(der);
        if matches!(self.part, Part::Head) && !self.head()? {
            return Ok(());
        }
        if let Part::Entries(left) = &mut self.part {
            let mut at = 0;
            while *left > 0 {
                let Some((tag, head, len)) = element(&self.rest[at..]) else { break };
                if tag != DER_SEQUENCE || len > ENTRY_MAX || head + len > *left {
                    return Err(no_crl(self.at + at));
                }
                if at + head + len > self.rest.len() {
                    break;
                }
                at += head + len;
                *left -= head + len;
            }
            if *left == 0 {
                self.part = Part::Tail(0);
            }
            self.at += at;
            self.rest.drain(..at);
        }
        if let Part::Tail(seen) = &mut self.part {
            *seen += self.rest.len();
            self.at += self.rest.len();
            self.rest.clear();
            if *seen > ENTRY_MAX {
                return Err(no_crl(self.at));
            }
        }
        Ok(())
    }

    /// Whether all of the head is there.
    fn head(&mut self) -> Result<bool, String> {
        let mut at = 0;
        // CertificateList, TBSCertList: into them.
        let mut fields = 0;
        let mut end = usize::MAX;
        while let Some((tag, head, len)) = element(&self.rest[at..]) {
            let fits = match fields {
                0 | 1 => tag == DER_SEQUENCE,
                // version (optional), signature, issuer, thisUpdate.
                2 if tag == INTEGER => true,
                2 => {
                    fields += 1;
                    tag == DER_SEQUENCE
                }
                3 | 4 => tag == DER_SEQUENCE,
                5 => tag == UTC_TIME || tag == GENERALIZED_TIME,
                // nextUpdate (optional), the list.
                6 if tag == UTC_TIME || tag == GENERALIZED_TIME => true,
                // Without the list, what comes next is behind the end, or extensions.
                _ => {
                    let is_list = tag == DER_SEQUENCE && at < end;
                    self.part = if is_list { Part::Entries(len) } else { Part::Tail(0) };
                    let head = if is_list { head } else { 0 };
                    self.at += at + head;
                    self.rest.drain(..at + head);
                    return Ok(true);
                }
            };
            if fields == 1 {
                end = at + head + len;
            }
            if !fits || fields > 1 && len > ENTRY_MAX {
                return Err(no_crl(at));
            }
            at += if fields < 2 { head } else { head + len };
            fields += 1;
            if at > self.rest.len() {
                break;
            }
        }
        if self.rest.len() as u64 > FIRST / 2 {
            return Err(no_crl(at.min(self.rest.len())));
        }
        Ok(false)
    }
}

fn no_crl(at: usize) -> String {
    format!("it is long, and from DER byte {at} on no CRL")
}

/// The header of a DER element, if it is there; of a length that is none, the longest.
fn element(bytes: &[u8]) -> Option<Element> {
    let (tag, len) = (*bytes.first()?, *bytes.get(1)?);
    if len < 0x80 {
        return Some((tag, 2, usize::from(len)));
    }
    let count = usize::from(len & 0x7f);
    if !(1..=4).contains(&count) {
        return Some((tag, 2, usize::MAX / 2));
    }
    let len = bytes.get(2..2 + count)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
    Some((tag, 2 + count, len))
}

const BEGIN_CRL: &[u8] = b"-----BEGIN X509 CRL-----";
/// Where PEM must have begun: after the text that `openssl x509 -text` puts before it.
const FIRST: u64 = 64 << 10;
const PIECE_MIN: usize = 64;
const PIECE_MAX: usize = 1 << 20;
/// Room that `read_to_end` wants besides, or it makes more itself.
const PROBE: usize = 64;
/// The CAs of a whole system have a quarter of a megabyte.
const SMALL_MAX: usize = 4 << 20;
/// A CRL with a million entries has 69 MB in PEM.
const LEN_MAX: usize = 128 << 20;
/// An entry has a serial number, a time and a few extensions.
const ENTRY_MAX: usize = 64 << 10;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

#[cfg(test)]
mod tests {
    use super::*;

    /// A DER element.
    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        crate::certificate::push_header(&mut out, tag, contents.len());
        out.extend(contents);
        out
    }

    /// What has the shape of a CRL with so many entries of 35 bytes, and where its list begins.
    fn crl(entries: usize) -> (Vec<u8>, usize) {
        let entry = tlv(0x30, &[tlv(2, &[7; 16]), tlv(0x17, b"260101000000Z")].concat());
        let head = [
            tlv(2, &[1]),
            tlv(0x30, &[6, 1, 42]),
            tlv(0x30, &[0x31, 0]),
            tlv(0x17, b"260101000000Z"),
            tlv(0x17, b"270101000000Z"),
        ]
        .concat();
        let list = tlv(0x30, &entry.repeat(entries));
        let tbs = tlv(0x30, &[&head[..], &list, &tlv(0xa0, &[0; 20])].concat());
        let whole = tlv(0x30, &[tbs, tlv(0x30, &[6, 1, 42]), tlv(3, &[0; 70])].concat());
        let at = whole.windows(entry.len()).position(|window| window == entry).unwrap();
        (whole, at)
    }

    fn pem(der: &[u8]) -> Vec<u8> {
        super::super::to_pem(super::super::DocumentKind::Crl, der).into_bytes()
    }

    fn read(bytes: &[u8]) -> Result<usize, String> {
        read_limited(bytes).map(|read| read.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn long_crls_are_read_and_nothing_else_that_is_long() {
        let (der, list) = crl(130_000);
        assert!(der.len() > SMALL_MAX);
        assert_eq!(read(&der), Ok(der.len()));
        for text in [pem(&der), [pem(&crl(3).0), pem(&der), pem(&der)].concat()] {
            assert_eq!(read(&text), Ok(text.len()));
            // With the line ends of others, and in one line.
            let crlf = String::from_utf8(text.clone()).unwrap().replace('\n', "\r\n");
            assert_eq!(read(crlf.as_bytes()), Ok(crlf.len()));
            let one = String::from_utf8(text).unwrap();
            let one = one.replace("-----\n", "-----\t").replace('\n', "").replace('\t', "\n");
            assert_eq!(read(one.as_bytes()), Ok(one.len()));
        }

        // Of version 1, without a list, as openssl makes them: many of those.
        let fields = [
            tlv(0x30, &[6, 1, 42]),
            tlv(0x30, &[0x31, 0]),
            tlv(0x17, b"260101000000Z"),
            tlv(0x17, b"270101000000Z"),
        ]
        .concat();
        let signed = [tlv(0x30, &fields), tlv(0x30, &[6, 1, 42]), tlv(3, &[0; 70])].concat();
        let none = tlv(0x30, &signed);
        let mut walk = CrlWalk::default();
        assert_eq!(none.iter().try_for_each(|byte| walk.push(&[*byte])), Ok(()));
        let text = pem(&none).repeat(100);
        assert_eq!(read(&text), Ok(text.len()));

        // One entry is none.
        let mut broken = der.clone();
        broken[list + 35 * 100_000] = 0;
        let why = read(&broken).unwrap_err();
        assert!(why.contains(&format!("from DER byte {} on no CRL", list + 35 * 100_000)), "{why}");
        assert!(read(&pem(&broken)).unwrap_err().contains(&why[why.find("it is long").unwrap()..]));
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
        assert!(read(&zeros).unwrap_err().starts_with("the X509 CRL at byte 0 is none"));
        let other = pem(&long).repeat(1);
        let other = String::from_utf8(other).unwrap().replace("X509 CRL", "CERTIFICATE");
        assert!(read(other.as_bytes()).unwrap_err().contains("larger than"));
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
            assert!(read_limited(&mut input).is_err(), "{with:?}");
            assert!(input.taken <= most, "{} bytes of {with:?} were read", input.taken);
        }
    }
}
