//! Signatures in DER: one way to write each, and no other way to read it.

use provision_csr::{DerSignature, NotDerSignature, Signature};

/// A signature of these two numbers, most significant byte first.
fn signature(r: &[u8], s: &[u8]) -> Signature {
    let mut raw = [0; 64];
    raw[32 - r.len()..32].copy_from_slice(r);
    raw[64 - s.len()..].copy_from_slice(s);
    Signature::from_raw(raw)
}

#[test]
fn each_number_is_written_in_the_fewest_bytes() {
    for (r, s, der) in [
        (&[1][..], &[2][..], &[0x30, 6, 2, 1, 1, 2, 1, 2][..]),
        (&[0x7f], &[0x80], &[0x30, 7, 2, 1, 0x7f, 2, 2, 0, 0x80]),
        (&[1, 0], &[0xff, 0xff], &[0x30, 9, 2, 2, 1, 0, 2, 3, 0, 0xff, 0xff]),
        (&[0], &[0], &[0x30, 6, 2, 1, 0, 2, 1, 0]),
    ] {
        let signature = signature(r, s);
        assert_eq!(signature.to_der().as_bytes(), der);
        assert_eq!(Signature::from_der(der), Ok(signature));
    }
}

#[test]
fn the_longest_has_the_length_it_says() {
    let longest = Signature::from_raw([0xff; 64]);
    assert_eq!(longest.to_der().as_bytes().len(), DerSignature::LEN_MAX);
    assert_eq!(Signature::from_der(longest.to_der().as_bytes()), Ok(longest));
}

#[test]
fn numbers_of_every_length_come_back() {
    for len in 1..=32 {
        for first in [1, 0x7f, 0x80, 0xff] {
            let mut number = vec![0xa5; len];
            number[0] = first;
            for signature in [signature(&number, &[9]), signature(&[9], &number)] {
                assert_eq!(Signature::from_der(signature.to_der().as_bytes()), Ok(signature));
            }
        }
    }
}

#[test]
fn other_ways_to_write_it_are_refused() {
    let long_number = [&[0x30, 39, 2, 33, 1][..], &[0; 32], &[2, 1, 1]].concat();
    let long_padded = [&[0x30, 39, 2, 34, 0, 0x80][..], &[0; 32], &[2, 1, 1]].concat();
    for (why, der) in [
        ("empty", &[][..]),
        ("no sequence", &[2, 1, 1, 2, 1, 2]),
        ("empty sequence", &[0x30, 0]),
        ("one number", &[0x30, 3, 2, 1, 1]),
        ("three numbers", &[0x30, 9, 2, 1, 1, 2, 1, 2, 2, 1, 3]),
        ("bytes after it", &[0x30, 6, 2, 1, 1, 2, 1, 2, 0]),
        ("bytes inside it", &[0x30, 7, 2, 1, 1, 2, 1, 2, 0]),
        ("cut short", &[0x30, 6, 2, 1, 1, 2, 1]),
        ("length too short", &[0x30, 5, 2, 1, 1, 2, 1, 2]),
        ("length in long form", &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 2]),
        ("indefinite length", &[0x30, 0x80, 2, 1, 1, 2, 1, 2, 0, 0]),
        ("number without bytes", &[0x30, 5, 2, 0, 2, 1, 2]),
        ("leading zero", &[0x30, 7, 2, 2, 0, 1, 2, 1, 2]),
        ("negative", &[0x30, 6, 2, 1, 0x80, 2, 1, 2]),
        ("not a number", &[0x30, 6, 4, 1, 1, 2, 1, 2]),
        ("33 bytes", &long_number),
        ("34 bytes", &long_padded),
    ] {
        assert_eq!(Signature::from_der(der), Err(NotDerSignature), "{why}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let good = Signature::from_raw([0xa5; 64]).to_der();
    for at in 0..good.as_bytes().len() {
        assert!(Signature::from_der(&good.as_bytes()[..at]).is_err());
        for value in 0..=255 {
            let mut other = good.as_bytes().to_vec();
            other[at] = value;
            if let Ok(signature) = Signature::from_der(&other) {
                assert_eq!(signature.to_der().as_bytes(), other);
            }
        }
    }
}
