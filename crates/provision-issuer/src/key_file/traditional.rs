//! Keys that OpenSSL encrypted before PKCS#8, and does with `-traditional`: AES or triple DES in
//! CBC mode under a key made of MD5, named in the PEM headers of RFC 1421.
//!
//! ```text
//! -----BEGIN RSA PRIVATE KEY-----
//! Proc-Type: 4,ENCRYPTED
//! DEK-Info: AES-256-CBC,8D9C…
//!
//! ```
//!
//! Read, never written: one guess costs one MD5.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use der::pem;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::KeyFileFault;
use crate::passphrase::Passphrase;

/// A key and what its headers say of it.
pub(super) struct Sealed {
    cipher: Cipher,
    /// The initialisation vector, whose first eight bytes are the salt too.
    iv: Vec<u8>,
    sealed: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

impl Sealed {
    /// Nothing if the block has no such headers.
    pub(super) fn find(block: &str) -> Result<Option<Self>, KeyFileFault> {
        let mut dek_info = None;
        let mut base64 = String::new();
        let mut lines = block.lines().skip(1);
        for line in lines.by_ref() {
            match line.split_once(':') {
                Some(("DEK-Info", value)) => dek_info = Some(value.trim()),
                Some(_) => {}
                None => {
                    base64.push_str(line.trim());
                    break;
                }
            }
        }
        let Some(dek_info) = dek_info else { return Ok(None) };
        // Not quoted as a whole: where line ends were lost, the rest of the file is in this line.
        let of = |name| KeyFileFault::UnsupportedEncryption { how: format!("DEK-Info{name}") };
        let (name, iv) = dek_info.split_once(',').ok_or_else(|| of(String::new()))?;
        let is_name = name.len() <= 32 && name.bytes().all(|byte| !byte.is_ascii_lowercase());
        let unsupported = || of(if is_name { format!(": {name}") } else { String::new() });
        let (cipher, iv_len) = match name {
            "AES-128-CBC" => (Cipher::Aes128, 16),
            "AES-192-CBC" => (Cipher::Aes192, 16),
            "AES-256-CBC" => (Cipher::Aes256, 16),
            "DES-EDE3-CBC" => (Cipher::TripleDes, 8),
            _ => return Err(unsupported()),
        };
        let iv = from_hex(iv).filter(|iv| iv.len() == iv_len).ok_or_else(unsupported)?;
        base64.extend(lines.take_while(|line| !line.starts_with("-----")).map(str::trim));
        // A PEM block of its own, for the decoder to read, which knows no headers.
        let plain = format!("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", wrapped(&base64));
        let (_, sealed) = pem::decode_vec(plain.as_bytes())
            .map_err(|error| KeyFileFault::NotPem { at: 0, why: error.into() })?;
        Ok(Some(Self { cipher, iv, sealed }))
    }

    /// PKCS#1 or RFC 5915 in DER.
    pub(super) fn open(&self, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileFault> {
        let key = |len| derive(passphrase, &self.iv[..8], len);
        let (iv, sealed) = (self.iv.as_slice(), self.sealed.as_slice());
        macro_rules! decrypt {
            ($cipher:ty, $len:literal) => {
                cbc::Decryptor::<$cipher>::new_from_slices(&key($len), iv)
                    .ok()
                    .and_then(|cipher| cipher.decrypt_padded_vec::<Pkcs7>(sealed).ok())
            };
        }
        let plain = match self.cipher {
            Cipher::Aes128 => decrypt!(aes::Aes128, 16),
            Cipher::Aes192 => decrypt!(aes::Aes192, 24),
            Cipher::Aes256 => decrypt!(aes::Aes256, 32),
            Cipher::TripleDes => decrypt!(des::TdesEde3, 24),
        };
        plain.map(Zeroizing::new).ok_or(KeyFileFault::WrongPassphrase)
    }
}

/// `EVP_BytesToKey` with MD5 and one round.
fn derive(passphrase: &Passphrase, salt: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(len + 16));
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < len {
        let mut hash = Md5::new();
        hash.update(last.as_slice());
        hash.update(passphrase.as_bytes());
        hash.update(salt);
        *last = hash.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(len);
    key
}

fn wrapped(base64: &str) -> String {
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).filter_map(|line| core::str::from_utf8(line).ok()).collect();
    lines.join("\n")
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
