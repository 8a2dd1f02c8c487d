//! Whether DER that arrives piece by piece goes on being a CRL.

use thiserror::Error;

use super::DER_SEQUENCE;

/// Goes along a CRL (RFC 5280 section 5.1) as it arrives, as far as its elements go: what is long and no CRL is given
/// up before all of it is in memory.
#[derive(Default)]
pub(super) struct CrlWalk {
    part: Part,
    /// How much of the DER was walked along, in bytes.
    at: usize,
}

#[derive(Default)]
enum Part {
    /// Up to the list of revoked certificates.
    #[default]
    Head,
    /// So many bytes of the list are to come.
    Entries(usize),
    /// Extensions and signature.
    Tail,
}

/// It is none from that byte of the DER on.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("it is long, and from DER byte {at} on no CRL")]
pub(super) struct NoCrl {
    pub(super) at: usize,
}

impl CrlWalk {
    /// Goes on, in all that has arrived.
    pub(super) fn go_on(&mut self, der: &[u8]) -> Result<(), NoCrl> {
        if matches!(self.part, Part::Head) && !self.head(der)? {
            return Ok(());
        }
        if let Part::Entries(left) = &mut self.part {
            while *left > 0 {
                let Some((tag, head, len)) = element(&der[self.at..]) else { return Ok(()) };
                if tag != DER_SEQUENCE || len > ELEMENT_MAX || head + len > *left {
                    return Err(NoCrl { at: self.at });
                }
                if self.at + head + len > der.len() {
                    return Ok(());
                }
                self.at += head + len;
                *left -= head + len;
            }
            self.part = Part::Tail;
        }
        if der.len() - self.at > ELEMENT_MAX {
            return Err(NoCrl { at: self.at });
        }
        Ok(())
    }

    /// Whether all of the head is there.
    fn head(&mut self, der: &[u8]) -> Result<bool, NoCrl> {
        let mut at = 0;
        // CertificateList, TBSCertList: into them.
        let mut fields = 0;
        let mut end = usize::MAX;
        while let Some((tag, head, len)) = der.get(at..).and_then(element) {
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
                    self.part = if is_list { Part::Entries(len) } else { Part::Tail };
                    self.at = if is_list { at + head } else { at };
                    return Ok(true);
                }
            };
            if fields == 1 {
                end = at + head + len;
            }
            if !fits || fields > 1 && len > ELEMENT_MAX {
                return Err(NoCrl { at });
            }
            at += if fields < 2 { head } else { head + len };
            fields += 1;
        }
        if der.len() > HEAD_MAX {
            return Err(NoCrl { at: at.min(der.len()) });
        }
        Ok(false)
    }
}

/// Tag, length of the header, length of the contents.
type Element = (u8, usize, usize);

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

/// An entry has a serial number, a time and a few extensions.
const ELEMENT_MAX: usize = 64 << 10;
/// Up to the list, there are a name and two times.
const HEAD_MAX: usize = 32 << 10;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
