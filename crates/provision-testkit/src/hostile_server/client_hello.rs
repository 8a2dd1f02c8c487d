//! The few things a server must know of a ClientHello (RFC 8446 section 4.1.2).

use super::messages::SECP256R1;

#[derive(Default)]
pub(super) struct ClientHello {
    pub(super) session_id: Vec<u8>,
    /// The client's share on P-256.
    pub(super) key_share: Vec<u8>,
    pub(super) server_name: Option<String>,
    pub(super) alpn: Vec<Vec<u8>>,
}

impl ClientHello {
    /// Reads the body of the message.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut hello = Self::default();
        let mut rest = Bytes(body);
        rest.take(2 + 32)?;
        hello.session_id = rest.counted::<1>()?.0.to_vec();
        rest.counted::<2>()?;
        rest.counted::<1>()?;

        let mut extensions = rest.counted::<2>()?;
        while !extensions.0.is_empty() {
            let extension_type = extensions.number::<2>()?;
            let mut data = extensions.counted::<2>()?;
            match extension_type {
                0 => {
                    let mut names = data.counted::<2>()?;
                    names.take(1)?;
                    let name = names.counted::<2>()?.0.to_vec();
                    hello.server_name = Some(String::from_utf8(name).ok()?);
                }
                16 => {
                    let mut protocols = data.counted::<2>()?;
                    while !protocols.0.is_empty() {
                        hello.alpn.push(protocols.counted::<1>()?.0.to_vec());
                    }
                }
                51 => {
                    let mut shares = data.counted::<2>()?;
                    while !shares.0.is_empty() {
                        let group = shares.number::<2>()?;
                        let share = shares.counted::<2>()?;
                        if group == usize::from(SECP256R1) {
                            hello.key_share = share.0.to_vec();
                        }
                    }
                }
                _ => {}
            }
        }
        Some(hello)
    }
}

/// Bytes yet to be read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number<const N: usize>(&mut self) -> Option<usize> {
        Some(self.take(N)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    pub(super) fn counted<const N: usize>(&mut self) -> Option<Self> {
        let len = self.number::<N>()?;
        self.take(len).map(Self)
    }
}
