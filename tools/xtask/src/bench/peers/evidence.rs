//! What an image gives besides its counts is checked by another implementation, so that what computes something wrong is
//! not in the table as something fast.

use std::io::Write as _;
use std::process::{Command, Stdio};

use p256::SecretKey;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

use crate::process::{Fault, While as _};

/// The word after `result`, in a line of a log.
pub(super) fn result(log: &str) -> Result<&str, Fault> {
    let found = log.lines().find_map(|line| line.trim().strip_prefix("result "));
    found.ok_or_else(|| Fault::new(format!("no result in the log:\n{log}")))
}

/// A secret and its point: whether they are one key.
pub(super) fn key(result: &str) -> Result<(), Fault> {
    let bytes = bytes(result)?;
    let (secret, point) = bytes.split_at_checked(32).ok_or_else(|| Fault::new("no key"))?;
    let secret = SecretKey::from_slice(secret).while_doing("the secret")?;
    let expected = VerifyingKey::from(&secret.public_key());
    if point == &*expected.to_sec1_bytes() {
        Ok(())
    } else {
        Err(Fault::new("the point is not the secret's"))
    }
}

/// A digest and a signature over it, in DER or not, by the key of RFC 6979 appendix A.2.5.
pub(super) fn signature(result: &str) -> Result<(), Fault> {
    let bytes = bytes(result)?;
    let (digest, signature) = bytes.split_at_checked(32).ok_or_else(|| Fault::new("no digest"))?;
    let signature = if signature.len() == RAW_SIGNATURE_LEN {
        Signature::from_slice(signature)
    } else {
        Signature::from_der(signature)
    };
    let secret = SecretKey::from_slice(&SECRET).while_doing("the secret")?;
    VerifyingKey::from(&secret.public_key())
        .verify_prehash(digest, &signature.while_doing("the signature")?)
        .while_doing("the signature")
}

/// A CSR, which openssl has to take.
pub(super) fn csr(result: &str) -> Result<(), Fault> {
    let mut openssl = Command::new("openssl")
        .args(["req", "-inform", "DER", "-verify", "-noout", "-subject", "-nameopt", "RFC2253"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .while_doing("openssl req")?;
    let csr = bytes(result)?;
    // Dropped at once, so that openssl sees the end.
    let written = openssl.stdin.take().map(|mut stdin| stdin.write_all(&csr));
    let ran = openssl.wait_with_output().while_doing("openssl req")?;
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    written.unwrap_or(Ok(())).map_err(|_| Fault::new(format!("openssl req: {said}")))?;
    // Some versions end well whatever they say.
    let is_good = ran.status.success()
        && said.contains("verify OK")
        && said.lines().any(|line| line == SUBJECT);
    if is_good { Ok(()) } else { Err(Fault::new(format!("openssl req: {said}"))) }
}

/// A word that the image says of itself.
pub(super) fn says(expected: &str, result: &str) -> Result<(), Fault> {
    if result == expected {
        Ok(())
    } else {
        Err(Fault::new(format!("expected the result {expected}, found {result:?}")))
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, Fault> {
    let digits = hex.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes
        .filter(|_| digits.len().is_multiple_of(2))
        .ok_or_else(|| Fault::new(format!("not hexadecimal: {hex:?}")))
}

/// r and s.
const RAW_SIGNATURE_LEN: usize = 64;

/// The name that the images write.
const SUBJECT: &str = "subject=CN=nrf-351358811124772";

/// The same as in `peers/vectors.h`.
const SECRET: [u8; 32] = [
    0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
    0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
];

#[cfg(test)]
mod tests {
    use super::{csr, key, result, says, signature};

    /// RFC 6979 appendix A.2.5.
    const SECRET: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    const POINT: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                         7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    const DIGEST: &str = "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf";
    const R: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    const S: &str = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    /// Of micro-ecc, as its image logged it.
    const CSR: &str = "3081d9308180020100301e311c301a06035504030c136e72662d3335313335383831313132343737\
         323059301306072a8648ce3d020106082a8648ce3d03010703420004d083330bf0037d21ea6fdb0e\
         b5fc7d94599548f696f7607fa2ccb2cf7889efd9ef3a2983de7bea8d84c4aa6917c761aaabf61424\
         271476c7747d8d2ef9b013c6a000300a06082a8648ce3d040302034800304502206d03b3a6a99e0a\
         84838b512adec75b81201a3367bb05a0102483b7f6f117de9f0221009f210f70640a245e38fc61c8\
         38116bf392326520fa03acdaef00c0f70349ae28";

    #[test]
    fn a_result_is_found_among_other_lines() {
        let log = "measured instructions=1 min=1 max=1 stack=8 heap=0\r\nresult 00ff\r\n";
        assert_eq!(result(log).ok(), Some("00ff"));
        assert!(result("failed the operation -110\n").is_err());
    }

    #[test]
    fn a_key_is_a_secret_and_its_point() {
        assert!(key(&format!("{SECRET}{POINT}")).is_ok());
        assert!(key(&format!("{DIGEST}{POINT}")).is_err());
        assert!(key(SECRET).is_err());
        assert!(key("").is_err());
    }

    #[test]
    fn a_signature_is_taken_in_both_forms_and_no_other_is() {
        let der = format!("3046022100{R}022100{S}");
        assert!(signature(&format!("{DIGEST}{R}{S}")).is_ok());
        assert!(signature(&format!("{DIGEST}{der}")).is_ok());
        assert!(signature(&format!("{DIGEST}{S}{R}")).is_err());
        assert!(signature(&format!("{SECRET}{R}{S}")).is_err());
        assert!(signature(DIGEST).is_err());
        assert!(signature("a signature").is_err());
    }

    #[test]
    fn openssl_takes_a_csr_and_none_that_was_bent() {
        let accepted = csr(CSR);
        assert!(accepted.is_ok(), "{accepted:?}");
        // The last digit of the signature.
        let (rest, last) = CSR.split_at(CSR.len() - 1);
        let bent = format!("{rest}{}", if last == "0" { '1' } else { '0' });
        assert!(csr(&bent).is_err());
        // Another name.
        assert!(csr(&CSR.replace("6e72662d", "6e72662e")).is_err());
        assert!(csr("").is_err());
        assert!(csr("30").is_err());
    }

    #[test]
    fn an_image_that_says_something_else_has_not_passed() {
        assert!(says("refused", "refused").is_ok());
        assert!(says("refused", "").is_err());
    }
}
