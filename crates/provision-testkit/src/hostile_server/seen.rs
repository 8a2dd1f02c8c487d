//! What a server was shown.

/// Everything the client let the server see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// A ClientHello came.
    pub client_hello: bool,
    /// Its server name indication.
    pub server_name: Option<String>,
    /// The ALPN protocols it offered.
    pub alpn: Vec<Vec<u8>>,
    /// Records of any kind after it.
    pub records_after_hello: usize,
    /// Those among them that could not be decrypted.
    pub undecipherable: usize,
    /// The certificates of the client's Certificate message, DER.
    pub certificates: Vec<Vec<u8>>,
    /// Whether the client's signature verified, if it came.
    pub certificate_verify: Option<bool>,
    /// The digest that signature is over, SHA-256.
    pub signed_sha256: Option<[u8; 32]>,
    /// Whether the client's Finished fits, if it came.
    pub finished: Option<bool>,
    /// Application data.
    pub application_data: Vec<u8>,
    /// Descriptions of alerts.
    pub alerts: Vec<u8>,
}

impl Seen {
    /// The client greeted and then kept to itself.
    #[must_use]
    pub fn nothing_but_client_hello(&self) -> bool {
        let greeting = Self {
            client_hello: true,
            server_name: self.server_name.clone(),
            alpn: self.alpn.clone(),
            ..Self::default()
        };
        *self == greeting
    }

    /// The client authenticated itself in full.
    #[must_use]
    pub fn authenticated(&self) -> bool {
        !self.certificates.is_empty()
            && self.certificate_verify == Some(true)
            && self.finished == Some(true)
    }
}
