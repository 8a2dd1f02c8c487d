//! What a device is given: one document, sent in pieces, checked as a whole, stored as it came.

use heapless::Vec;

use crate::cbor::{Decoder, Encodable, Encoder, MessageFault, Sink};

/// Most certificates in each list of a [`Delivery`].
pub const LIST_MAX: usize = 4;

/// What is not checked: signatures by keys that are not on P-256.
const FOREIGN_SIGNATURES: u32 = 1;

/// Where the device connects in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// DNS name or IP address; what the server's certificate must be for. 1 to 253 bytes.
    pub host: &'a str,
    /// TCP port, not 0.
    pub port: u16,
    /// Application protocol offered by ALPN (RFC 7301), 1 to 32 bytes.
    pub alpn: Option<&'a str>,
}

/// Everything a device is given. Certificates are DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The device's certificate.
    pub leaf: &'a [u8],
    /// The CAs between leaf and anchor, the leaf's issuer first.
    pub issuers: Vec<&'a [u8], LIST_MAX>,
    /// The device root: what the chain leads up to. It is no trust anchor for servers.
    pub device_anchor: &'a [u8],
    /// Whom the device trusts for servers; at least one.
    pub server_anchors: Vec<&'a [u8], LIST_MAX>,
    /// Where to connect.
    pub endpoint: Endpoint<'a>,
    /// The station's clock, in seconds since 1970-01-01 UTC: the device's time is never before it.
    pub time: u64,
    /// The device is to store the chain without having checked the signatures in it by CAs whose keys
    /// are not on P-256, RSA for example: it has no algorithm for them. The station did check them.
    pub foreign_signatures_unchecked: bool,
}

impl<'a> Delivery<'a> {
    /// Reads a delivery. Unlike in messages, unknown fields are not passed over: what the device
    /// stores, it understood.
    ///
    /// # Errors
    ///
    /// [`MessageFault::Malformed`] with the byte at which it stopped making sense.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MessageFault> {
        let mut decoder = Decoder::new(bytes);
        match read(&mut decoder) {
            Some(delivery) if decoder.is_finished() => Ok(delivery),
            _ => Err(MessageFault::Malformed { at: decoder.position() }),
        }
    }
}

impl Encodable for Delivery<'_> {
    fn encode_to<S: Sink>(&self, to: &mut Encoder<S>) {
        to.map(if self.foreign_signatures_unchecked { 7 } else { 6 });
        to.bytes_field(1, self.leaf);
        to.uint(2);
        write_list(to, &self.issuers);
        to.bytes_field(3, self.device_anchor);
        to.uint(4);
        write_list(to, &self.server_anchors);
        to.uint(5);
        let Endpoint { host, port, alpn } = self.endpoint;
        to.map(if alpn.is_some() { 3 } else { 2 });
        to.text_field(1, host);
        to.uint_field(2, u32::from(port));
        if let Some(alpn) = alpn {
            to.text_field(3, alpn);
        }
        to.uint(6);
        to.long_uint(self.time);
        if self.foreign_signatures_unchecked {
            to.uint_field(7, FOREIGN_SIGNATURES);
        }
    }
}

fn write_list<S: Sink>(to: &mut Encoder<S>, list: &[&[u8]]) {
    // At most LIST_MAX.
    to.array(list.len() as u32);
    for item in list {
        to.bytes(item);
    }
}

/// All fields are there, none is unknown, and keys ascend: so there is one order.
fn read<'a>(d: &mut Decoder<'a>) -> Option<Delivery<'a>> {
    let fields = d.map()?;
    d.key(1)?;
    let leaf = d.bytes()?;
    d.key(2)?;
    let issuers = read_list(d)?;
    d.key(3)?;
    let device_anchor = d.bytes()?;
    d.key(4)?;
    let server_anchors = read_list(d)?;
    d.key(5)?;
    let endpoint = read_endpoint(d)?;
    d.key(6)?;
    let time = d.long_uint()?;
    let foreign_signatures_unchecked = match fields {
        6 => false,
        7 => {
            d.key(7)?;
            // Nothing else can be left unchecked.
            if d.uint()? != FOREIGN_SIGNATURES {
                return None;
            }
            true
        }
        _ => return None,
    };
    if server_anchors.is_empty() {
        return None;
    }
    Some(Delivery {
        leaf,
        issuers,
        device_anchor,
        server_anchors,
        endpoint,
        time,
        foreign_signatures_unchecked,
    })
}

// Not inlined: it is called twice.
#[inline(never)]
fn read_list<'a>(d: &mut Decoder<'a>) -> Option<Vec<&'a [u8], LIST_MAX>> {
    let mut list = Vec::new();
    for _ in 0..d.array()? {
        list.push(d.bytes()?).ok()?;
    }
    Some(list)
}

fn read_endpoint<'a>(d: &mut Decoder<'a>) -> Option<Endpoint<'a>> {
    let fields = d.map()?;
    d.key(1)?;
    let host = d.text()?;
    d.key(2)?;
    let port = u16::try_from(d.uint()?).ok()?;
    let alpn = match fields {
        2 => None,
        3 => {
            d.key(3)?;
            Some(d.text()?)
        }
        _ => return None,
    };
    let fits = |text: &str, max: usize| (1..=max).contains(&text.len());
    let in_range = fits(host, 253) && port != 0 && alpn.is_none_or(|alpn| fits(alpn, 32));
    in_range.then_some(Endpoint { host, port, alpn })
}
