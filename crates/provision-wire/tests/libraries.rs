//! CBOR, COBS and CRC by hand, held against the crates that do the same.

use minicbor::Decoder;
use proptest::prelude::*;
use provision_wire::cbor::Encoder;
use provision_wire::{Ask, Header, Kind, encode_frame};

/// Where the bytes of an encoder go.
struct Bytes(Vec<u8>);

impl provision_wire::cbor::Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn written(write: impl FnOnce(&mut Encoder<Bytes>)) -> Vec<u8> {
    let mut encoder = Encoder::new(Bytes(Vec::new()));
    write(&mut encoder);
    encoder.into_sink().0
}

proptest! {
    #[test]
    fn minicbor_writes_the_same_items(
        short in any::<u32>(),
        bits in 0_u32..64,
        long in any::<u64>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..700),
        text in ".{0,80}",
    ) {
        let (short, long) = (short >> (bits / 2), long >> bits);
        let ours = written(|to| {
            to.array(short);
            to.map(short);
            to.uint(short);
            to.long_uint(long);
            to.bytes(&bytes);
            to.text(&text);
        });
        let mut theirs = Vec::new();
        let mut encoder = minicbor::Encoder::new(&mut theirs);
        encoder.array(u64::from(short)).unwrap().map(u64::from(short)).unwrap();
        encoder.u32(short).unwrap().u64(long).unwrap();
        encoder.bytes(&bytes).unwrap().str(&text).unwrap();
        prop_assert_eq!(ours, theirs);
    }

    /// What this crate takes for an ask, minicbor takes for the same values.
    #[test]
    fn what_is_read_minicbor_reads_the_same(
        offset in any::<u32>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        at in 0_usize..60,
        byte in any::<u8>(),
    ) {
        let mut message = Vec::new();
        let mut encoder = minicbor::Encoder::new(&mut message);
        encoder.array(2).unwrap().u32(5).unwrap().map(2).unwrap();
        encoder.u32(1).unwrap().u32(offset).unwrap().u32(2).unwrap().bytes(&bytes).unwrap();
        prop_assert_eq!(Ask::decode(&message), Ok(Ask::Put { offset, bytes: &bytes }));

        // Hit anywhere: if it is still a piece, it is one for minicbor too.
        if let Some(hit) = message.get_mut(at) {
            *hit = byte;
        }
        if let Ok(Ask::Put { offset, bytes }) = Ask::decode(&message) {
            let mut decoder = Decoder::new(&message);
            prop_assert_eq!(decoder.array().unwrap(), Some(2));
            prop_assert_eq!((decoder.u32().unwrap(), decoder.map().unwrap()), (5, Some(2)));
            prop_assert_eq!((decoder.u32().unwrap(), decoder.u32().unwrap()), (1, offset));
            prop_assert_eq!((decoder.u32().unwrap(), decoder.bytes().unwrap()), (2, bytes));
        }
    }

    /// A frame is what the crates make of the same header and payload.
    #[test]
    fn cobs_and_crc_make_the_same_frame(
        session in any::<u32>(),
        sequence in any::<u16>(),
        // Few zeros, so that blocks of 254 bytes come up, and their ends.
        bytes in proptest::collection::vec(prop_oneof![1 => Just(0), 40 => any::<u8>()], 0..900),
    ) {
        let ask = Ask::Put { offset: 0, bytes: &bytes };
        let payload = written(|to| provision_wire::Encodable::encode_to(&ask, to));
        let mut raw = vec![provision_wire::frame::FRAME_VERSION, 0];
        raw.extend(session.to_le_bytes());
        raw.extend(sequence.to_le_bytes());
        raw.extend(payload);
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&raw);
        raw.extend(crc.to_le_bytes());

        let mut out = vec![0xee; 2_000];
        let header = Header { kind: Kind::Ask, session, sequence };
        let len = encode_frame(header, &ask, &mut out).unwrap();
        prop_assert_eq!((out[0], out[len - 1]), (0, 0));
        let encoded = &out[1..len - 1];
        prop_assert!(!encoded.contains(&0));
        prop_assert_eq!(cobs::decode_vec(encoded).unwrap(), raw);
    }
}
