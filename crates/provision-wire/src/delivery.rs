//! What a device is given: one document, sent in pieces, checked as a whole, stored as it came.

use heapless::Vec;
use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};

use crate::cbor::{Encodable, Encoded, MessageFault, definite, map_fields};

/// Most certificates in each list of a [`Delivery`].
pub const LIST_MAX: usize = 4;

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
        let delivery = read(&mut decoder);
        match delivery {
            Ok(delivery) if decoder.position() == bytes.len() => Ok(delivery),
            _ => Err(MessageFault::Malformed { at: decoder.position() }),
        }
    }
}

impl Encodable for Delivery<'_> {
    fn encode_to<W: Write>(&self, e: &mut Encoder<W>) -> Encoded<W::Error> {
        e.map(6)?.u32(1)?.bytes(self.leaf)?;
        e.u32(2)?;
        write_list(e, &self.issuers)?;
        e.u32(3)?.bytes(self.device_anchor)?;
        e.u32(4)?;
        write_list(e, &self.server_anchors)?;
        let Endpoint { host, port, alpn } = self.endpoint;
        e.u32(5)?.map(if alpn.is_some() { 3 } else { 2 })?.u32(1)?.str(host)?.u32(2)?.u16(port)?;
        if let Some(alpn) = alpn {
            e.u32(3)?.str(alpn)?;
        }
        e.u32(6)?.u64(self.time)?.ok()
    }
}

fn write_list<W: Write>(e: &mut Encoder<W>, list: &[&[u8]]) -> Encoded<W::Error> {
    e.array(list.len() as u64)?;
    for item in list {
        e.bytes(item)?;
    }
    Ok(())
}

fn read<'a>(decoder: &mut Decoder<'a>) -> Result<Delivery<'a>, minicbor::decode::Error> {
    let wrong = minicbor::decode::Error::message;
    let fields = definite(decoder.map()?)?;
    let (mut leaf, mut issuers, mut device_anchor) = (None, None, None);
    let (mut server_anchors, mut endpoint, mut time) = (None, None, None);
    map_fields(decoder, fields, &mut |key, d| {
        match key {
            1 => leaf = Some(d.bytes()?),
            2 => issuers = Some(read_list(d)?),
            3 => device_anchor = Some(d.bytes()?),
            4 => server_anchors = Some(read_list(d)?),
            5 => endpoint = Some(read_endpoint(d)?),
            6 => time = Some(d.u64()?),
            _ => return Err(minicbor::decode::Error::message("unknown field")),
        }
        Ok(true)
    })?;
    let delivery = Delivery {
        leaf: leaf.ok_or(wrong("no leaf"))?,
        issuers: issuers.ok_or(wrong("no issuers"))?,
        device_anchor: device_anchor.ok_or(wrong("no device anchor"))?,
        server_anchors: server_anchors.ok_or(wrong("no server anchors"))?,
        endpoint: endpoint.ok_or(wrong("no endpoint"))?,
        time: time.ok_or(wrong("no time"))?,
    };
    if delivery.server_anchors.is_empty() {
        return Err(wrong("no server anchor"));
    }
    Ok(delivery)
}

fn read_list<'a>(d: &mut Decoder<'a>) -> Result<Vec<&'a [u8], LIST_MAX>, minicbor::decode::Error> {
    let mut list = Vec::new();
    for _ in 0..definite(d.array()?)? {
        list.push(d.bytes()?).map_err(|_| minicbor::decode::Error::message("list too long"))?;
    }
    Ok(list)
}

fn read_endpoint<'a>(d: &mut Decoder<'a>) -> Result<Endpoint<'a>, minicbor::decode::Error> {
    let wrong = minicbor::decode::Error::message;
    let fields = definite(d.map()?)?;
    let (mut host, mut port, mut alpn) = (None, None, None);
    map_fields(d, fields, &mut |key, d| {
        match key {
            1 => host = Some(d.str()?),
            2 => port = Some(d.u16()?),
            3 => alpn = Some(d.str()?),
            _ => return Err(minicbor::decode::Error::message("unknown field")),
        }
        Ok(true)
    })?;
    let host = host.ok_or(wrong("no host"))?;
    let port = port.ok_or(wrong("no port"))?;
    let fits = |text: &str, max: usize| !text.is_empty() && text.len() <= max;
    if !fits(host, 253) || port == 0 || alpn.is_some_and(|alpn| !fits(alpn, 32)) {
        return Err(wrong("endpoint out of range"));
    }
    Ok(Endpoint { host, port, alpn })
}
