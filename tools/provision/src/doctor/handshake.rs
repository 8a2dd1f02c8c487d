//! The TLS handshake: everything is recorded and nothing is decided here.
//!
//! A client that stopped at the first thing it dislikes could not tell of the rest. So the
//! server's certificate is taken whatever it says, and judged afterwards; nothing is sent on such a
//! connection that is worth anything.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, NamedGroup,
    ProtocolVersion, SignatureScheme, SupportedCipherSuite,
};

use super::socket::Socket;
use crate::fault::Fault;

/// What we bring to a handshake.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The name that is asked for, and not sent if it is an address.
    pub name: ServerName<'static>,
    /// Whether TLS 1.2 is not good enough.
    pub tls13_only: bool,
    /// Application protocols (RFC 7301).
    pub alpn: Vec<String>,
    /// Our key and certificates.
    pub identity: Option<Arc<CertifiedKey>>,
}

impl Offer {
    pub(crate) fn provider() -> CryptoProvider {
        aws_lc_rs::default_provider()
    }
}

/// A connection on which the handshake was made, or begun.
pub(crate) struct Session {
    pub connection: ClientConnection,
    pub socket: Socket,
    /// How the handshake ended.
    pub end: Result<(), Broken>,
    record: Arc<Record>,
}

/// Why a connection is of no use any more.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The other side closed it.
    Closed,
    /// The other side closed it by force, or it was lost.
    Lost(io::Error),
    /// The deadline passed.
    TimedOut,
    /// The other side said why.
    Alert(AlertDescription),
    /// The other side is not understood.
    Tls(Error),
}

/// What the server asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Names of CAs, DER each. None if any will do.
    pub cas: Vec<Vec<u8>>,
    /// Which signatures it accepts.
    pub schemes: Vec<SignatureScheme>,
    /// By which of them we signed; none if we sent an empty list of certificates.
    pub signed_by: Option<SignatureScheme>,
}

/// What was learnt of the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Met {
    pub version: Option<ProtocolVersion>,
    pub suite: Option<SupportedCipherSuite>,
    pub group: Option<NamedGroup>,
    pub alpn: Option<String>,
    /// Its certificates as they came, DER.
    pub chain: Vec<Vec<u8>>,
    /// Whether its signature on the handshake is by the key of the first of them.
    pub signature: Option<Result<(), String>>,
    /// Its demand for a client certificate.
    pub asked: Option<Asked>,
}

/// Makes the handshake as far as it goes.
pub(crate) fn handshake(offer: &Offer, mut socket: Socket) -> Result<Session, Fault> {
    let record = Arc::new(Record {
        identity: offer.identity.clone(),
        provider: Offer::provider(),
        seen: Mutex::default(),
    });
    let versions: &[_] = if offer.tls13_only {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    };
    let unusable = |error: Error| Fault::Usage(format!("TLS cannot be begun: {error}"));
    let mut config = ClientConfig::builder_with_provider(Arc::new(Offer::provider()))
        .with_protocol_versions(versions)
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(record.clone())
        .with_client_cert_resolver(record.clone());
    config.alpn_protocols = offer.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut connection =
        ClientConnection::new(Arc::new(config), offer.name.clone()).map_err(unusable)?;
    let end = shake(&mut connection, &mut socket);
    Ok(Session { connection, socket, end, record })
}

fn shake(connection: &mut ClientConnection, socket: &mut Socket) -> Result<(), Broken> {
    while connection.is_handshaking() {
        write_all(connection, socket)?;
        if connection.is_handshaking() {
            read_once(connection, socket)?;
        }
    }
    write_all(connection, socket)
}

/// Sends what is to be sent. If that fails, what the server said before it closed is read first.
fn write_all(connection: &mut ClientConnection, socket: &mut Socket) -> Result<(), Broken> {
    while connection.wants_write() {
        if let Err(error) = connection.write_tls(socket) {
            while connection.wants_read() {
                read_once(connection, socket)?;
            }
            return Err(Broken::of(error));
        }
    }
    Ok(())
}

fn read_once(connection: &mut ClientConnection, socket: &mut Socket) -> Result<(), Broken> {
    let count = connection.read_tls(socket).map_err(Broken::of)?;
    let processed = connection.process_new_packets();
    // Our own alert, if it is us who are not content. There is nobody left to tell if it fails.
    if processed.is_err() {
        let _ = connection.write_tls(socket);
    }
    match processed {
        Err(Error::AlertReceived(alert)) => Err(Broken::Alert(alert)),
        Err(error) => Err(Broken::Tls(error)),
        Ok(_) if count == 0 => Err(Broken::Closed),
        Ok(_) => Ok(()),
    }
}

impl Session {
    /// What was learnt so far.
    pub(crate) fn met(&self) -> Met {
        let connection = &self.connection;
        let group = connection.negotiated_key_exchange_group().map(|group| group.name());
        let alpn = connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into());
        let seen = self.record.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Met {
            version: connection.protocol_version(),
            suite: connection.negotiated_cipher_suite(),
            group,
            alpn,
            chain: seen.chain,
            signature: seen.signature,
            asked: seen.asked,
        }
    }

    /// Whether the server has said, by TLS alone, that it took us: it finished a handshake of TLS
    /// 1.2, or sent a ticket or data after one of TLS 1.3.
    pub(crate) fn took_us(&self) -> bool {
        let version12 = self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_2);
        self.end.is_ok() && (version12 || self.connection.tls13_tickets_received() > 0)
    }

    /// Sends data.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<(), Broken> {
        self.connection.writer().write_all(data).map_err(Broken::of)?;
        write_all(&mut self.connection, &mut self.socket)
    }

    /// Waits for data and adds it to `data`. `false` once the server has said that no more comes.
    pub(crate) fn receive(&mut self, data: &mut Vec<u8>) -> Result<bool, Broken> {
        let mut buffer = [0; 4096];
        loop {
            match self.connection.reader().read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    data.extend_from_slice(&buffer[..count]);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.process()?,
                Err(error) => return Err(Broken::of(error)),
            }
        }
    }

    /// Reads what comes next, be it data or not.
    pub(crate) fn process(&mut self) -> Result<(), Broken> {
        write_all(&mut self.connection, &mut self.socket)?;
        read_once(&mut self.connection, &mut self.socket)
    }

    /// Says good-bye.
    pub(crate) fn close(mut self) {
        self.connection.send_close_notify();
        let _ = self.connection.write_tls(&mut self.socket);
    }
}

impl Broken {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Lost(error),
        }
    }
}

/// Stands where a verifier and a resolver would, and writes down what they are asked.
#[derive(Debug)]
struct Record {
    identity: Option<Arc<CertifiedKey>>,
    provider: CryptoProvider,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    chain: Vec<Vec<u8>>,
    signature: Option<Result<(), String>>,
    asked: Option<Asked>,
}

impl Record {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Its outcome is kept; what is returned lets the handshake go on.
    fn note_signature(
        &self,
        outcome: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let outcome = outcome.map(|_| ()).map_err(|error| error.to_string());
        self.note(|seen| seen.signature = Some(outcome));
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Record {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = [end_entity].into_iter().chain(intermediates);
        self.note(|seen| seen.chain = chain.map(|der| der.to_vec()).collect());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.note_signature(verify_tls12_signature(message, certificate, signature, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.note_signature(verify_tls13_signature(message, certificate, signature, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Record {
    fn resolve(&self, cas: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let signer =
            self.identity.as_ref().and_then(|identity| identity.key.choose_scheme(schemes));
        self.note(|seen| {
            seen.asked = Some(Asked {
                cas: cas.iter().map(|name| name.to_vec()).collect(),
                schemes: schemes.to_vec(),
                signed_by: signer.map(|signer| signer.scheme()),
            });
        });
        self.identity.clone()
    }

    /// So that it is asked in any case.
    fn has_certs(&self) -> bool {
        true
    }
}
