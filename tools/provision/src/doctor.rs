//! `provision doctor`: does that server take us, and if not, why?
//!
//! ```text
//!   connect     name → addresses → TCP
//!   socket      a connection with a deadline for everything
//!   handshake   TLS by rustls, which records and decides nothing
//!   answer      HTTP or MQTT: only that shows whether the server took us
//!   agreement   why no handshake came about: what it speaks instead (plain), what it would take (hello)
//!   judgement   both certificates, by provision-issuer's `verify`
//!   diagnosis   from all of it to one cause
//!   cause       the causes: names, exit codes, next steps
//!   show        the steps, as they are told
//! ```

mod agreement;
mod answer;
mod cause;
mod connect;
mod diagnosis;
mod handshake;
mod hello;
mod judgement;
mod plain;
mod show;
mod socket;

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use provision_issuer::inspect::CertificateValues;
use provision_issuer::{
    DocumentKind, KeyProtection, PrivateKey, RevocationList, ServerName, key_to_der,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde_json::json;

use self::answer::{Answer, Question, Speak};
use self::cause::Cause;
pub(crate) use self::cause::Diagnosis;
use self::connect::Endpoint;
use self::diagnosis::Evidence;
use self::handshake::{Broken, Met, Offer};
use self::judgement::Grounds;
use self::show::Show;
use self::socket::Socket;
use crate::arguments::KeyPassphrase;
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, secret, system};

const EXAMPLES: &str = "\
Examples:
  provision doctor mqtt.acme.com:8883 --cert client.crt --key client.key --ca ca/server-root.crt
  provision doctor 192.0.2.7:443 --name www.acme.com --ca ca/server-root.crt --crl crl/all.crl
  provision doctor --causes                   every cause, with its exit code and the next step

Exit codes: 0 the server took us; 19 no connection, or no TLS on it; 20 nothing in common; 18 a
certificate is not to be believed, or key and certificate do not match; 21 the server does not take
us. The server is asked for a page (HTTP) or greeted (MQTT); nothing secret is sent.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// The server.
    #[arg(value_name = "HOST:PORT", required_unless_present = "causes")]
    pub endpoint: Option<Endpoint>,

    /// Our certificate, then the CAs above it if the server needs them.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// The private key of it.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    #[command(flatten)]
    pub passphrase: KeyPassphrase,

    /// CAs that are trusted for servers; may be given several times [default: those of the system].
    #[arg(long, value_name = "FILE", visible_alias = "CAfile")]
    pub ca: Vec<PathBuf>,

    /// CAs that the server should send, to tell whether one is missing; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub untrusted: Vec<PathBuf>,

    /// The server's own list of CAs for clients, to judge our certificate as it does.
    #[arg(long, value_name = "FILE")]
    pub client_ca: Vec<PathBuf>,

    /// CRLs, of the server's CA and of ours; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub crl: Vec<PathBuf>,

    /// Name to ask for, and to be found in the server's certificate [default: HOST].
    #[arg(long, value_name = "NAME")]
    pub name: Option<ServerName>,

    /// TLS 1.3 alone, as devices speak it.
    #[arg(long = "tls1_3", visible_alias = "tls13")]
    pub tls1_3: bool,

    /// Application protocol to offer (ALPN); may be given several times.
    #[arg(long, value_name = "NAME")]
    pub alpn: Vec<String>,

    /// What to say once the handshake is made.
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t = Protocol::Auto)]
    pub speak: Protocol,

    /// What to ask for in HTTP.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub path: String,

    /// Client identifier in MQTT [default: a new one each time].
    #[arg(long, value_name = "TEXT")]
    pub client_id: Option<String>,

    /// Seconds a connection may take, with all that is said on it. There are never more than a few
    /// connections, one after the other.
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=600))]
    pub timeout: u32,

    /// List the causes that can be found.
    #[arg(long, conflicts_with = "endpoint")]
    pub causes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// MQTT on ports 8883 and 8884 or if ALPN says so, HTTP elsewhere, and then the other one.
    Auto,
    /// HTTP/1.1.
    Http,
    /// MQTT 3.1.1.
    Mqtt,
    /// Nothing.
    Tls,
}

pub(crate) fn run(arguments: &Doctor, report: &mut Report) -> Result<(), Fault> {
    match &arguments.endpoint {
        Some(endpoint) if !arguments.causes => {
            Case::read(arguments, endpoint)?.examine(&mut Show(report))
        }
        _ => list_causes(report),
    }
}

fn list_causes(report: &mut Report) -> Result<(), Fault> {
    for cause in Cause::ALL {
        let (code, exit_code) = (cause.code(), cause.exit_code());
        let (what, next) = (cause.what(), cause.next_step());
        report.result(
            &format!("{exit_code}  {code}: {what}\n      {next}"),
            &json!({ "event": "cause", "cause": code, "exit_code": exit_code, "what": what, "hint": next }),
        )?;
    }
    Ok(())
}

/// What was given on the command line, read and understood.
struct Case<'a> {
    arguments: &'a Doctor,
    endpoint: &'a Endpoint,
    timeout: Duration,
    offer: Offer,
    question: Question,
    /// Our certificates, leaf first.
    chain: Option<Vec<Vec<u8>>>,
    grounds: Grounds,
}

/// One connection and what came of it.
struct Visit {
    address: SocketAddr,
    connected_in: Duration,
    head: Vec<u8>,
    met: Met,
    handshake_done: bool,
    took_us: bool,
    said: Result<Answer, Broken>,
}

impl<'a> Case<'a> {
    fn read(arguments: &'a Doctor, endpoint: &'a Endpoint) -> Result<Self, Fault> {
        let given = [&arguments.ca, &arguments.untrusted, &arguments.client_ca, &arguments.crl];
        let given = given.into_iter().flatten().chain(&arguments.cert).chain(&arguments.key);
        files::one_dash(given.map(PathBuf::as_path))?;
        let name = arguments.name.clone().unwrap_or_else(|| endpoint.host.clone());
        let asked_for = rustls::pki_types::ServerName::try_from(name.to_string());
        let asked_for =
            asked_for.map_err(|_| Fault::Usage(format!("no server can be asked for {name}")))?;
        let one_word = |text: &str| !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if !arguments.path.starts_with('/') || !one_word(&arguments.path) {
            return Err(Fault::Usage("`--path` begins with / and has no spaces".into()));
        }
        if arguments.alpn.iter().any(|name| name.is_empty() || name.len() > 255) {
            return Err(Fault::Usage("`--alpn`: a name has 1 to 255 characters".into()));
        }
        let client_id = match &arguments.client_id {
            Some(id) if id.is_empty() || id.len() > 100 || !one_word(id) => {
                return Err(Fault::Usage(
                    "`--client-id` has 1 to 100 characters, and no spaces".into(),
                ));
            }
            Some(id) => id.clone(),
            None => format!("doctor-{}", crate::report::hex(&system::bytes::<4>()?)),
        };
        let now_s = system::now_s()?;
        let mut chain = None;
        let mut identity = None;
        if let (Some(cert), Some(key)) = (&arguments.cert, &arguments.key) {
            let certificates = files::read_all(cert, DocumentKind::Certificate)?;
            let private = secret::read_key(key, &arguments.passphrase)?;
            let leaf = CertificateValues::of(&certificates[0])
                .map_err(|error| files::document(cert, &error))?;
            if leaf.public_key != private.public_key_der() {
                let message = format!(
                    "{} is not the key of {} ({})",
                    key.display(),
                    cert.display(),
                    leaf.subject
                );
                return Err(Diagnosis::new(Cause::ClientKeyMismatch, message).into());
            }
            identity = Some(Arc::new(certified(&certificates, &private)?));
            chain = Some(certificates);
        }
        let mut crls = Vec::new();
        for path in &arguments.crl {
            for der in files::read_all(path, DocumentKind::Crl)? {
                let crl = RevocationList::from_der(der);
                crls.push(crl.map_err(|error| files::document(path, &error))?);
            }
        }
        let anchors =
            if arguments.ca.is_empty() { of_the_system() } else { certificates(&arguments.ca)? };
        Ok(Self {
            arguments,
            endpoint,
            timeout: Duration::from_secs(arguments.timeout.into()),
            offer: Offer {
                name: asked_for,
                tls13_only: arguments.tls1_3,
                alpn: arguments.alpn.clone(),
                identity,
            },
            question: Question {
                host: host_header(&name, endpoint),
                path: arguments.path.clone(),
                client_id,
            },
            chain,
            grounds: Grounds {
                anchors,
                client_cas: certificates(&arguments.client_ca)?,
                untrusted: certificates(&arguments.untrusted)?,
                crls,
                name,
                now_s,
            },
        })
    }

    fn examine(&self, show: &mut Show<'_>) -> Result<(), Fault> {
        let addresses = connect::resolve(self.endpoint, self.timeout)?;
        let (first, second) = self.protocols();
        let mut visit = self.visit(&addresses, first)?;
        show.connected(self.endpoint, visit.address, visit.connected_in)?;
        show.offered(&self.offer)?;
        let name = &self.grounds.name;
        if let (None, Err(broken)) = (visit.met.version, &visit.said) {
            let again = |timeout| Socket::connect(visit.address, timeout).ok();
            let (offer, head) = (&self.offer, &visit.head);
            let found = agreement::diagnose(broken, head, offer, name, self.timeout, again);
            return Err(found.into());
        }
        // Hung up on HTTP: perhaps it speaks MQTT, or the other way round.
        let unanswered = !matches!(visit.said, Ok(_) | Err(Broken::Alert(_) | Broken::Tls(_)));
        if let Some(second) = second.filter(|_| visit.handshake_done && unanswered) {
            let again = self.visit(&[visit.address], second)?;
            let fits = match second {
                Speak::Mqtt => matches!(again.said, Ok(Answer::Mqtt(_))),
                _ => matches!(again.said, Ok(Answer::Http(_))),
            };
            if fits {
                visit = again;
            }
        }
        self.conclude(&visit, show)
    }

    fn conclude(&self, visit: &Visit, show: &mut Show<'_>) -> Result<(), Fault> {
        show.met(&visit.met)?;
        let mut server = self.grounds.server(&visit.met.chain);
        show.our_verdict(&server.path)?;
        show.asked(&visit.met, self.chain.as_deref())?;
        let chain = self.chain.as_deref().unwrap_or_default();
        let (client, notes) = self.grounds.client(chain, visit.met.asked.as_ref());
        server.notes.extend(notes);
        let evidence = Evidence {
            met: &visit.met,
            server: &server,
            client: &client,
            identity: self.chain.is_some(),
            handshake_done: visit.handshake_done,
            took_us: visit.took_us,
            said: &visit.said,
            now_s: self.grounds.now_s,
        };
        let answer = visit.said.as_ref().ok();
        show.its_verdict(&visit.said, evidence.refusal().as_ref())?;
        let cause = evidence.cause();
        for (cause, message) in evidence.warnings(cause.as_ref()) {
            show.warning(cause, &message)?;
        }
        match cause {
            Some(diagnosis) => Err(diagnosis.into()),
            None => show.all_is_well(self.endpoint, &visit.met, answer),
        }
    }

    /// What is spoken first, and what if that is not answered.
    fn protocols(&self) -> (Speak, Option<Speak>) {
        let mqtt_port = matches!(self.endpoint.port, 8883 | 8884);
        match self.arguments.speak {
            Protocol::Http => (Speak::Http, None),
            Protocol::Mqtt => (Speak::Mqtt, None),
            Protocol::Tls => (Speak::Tls, None),
            Protocol::Auto
                if mqtt_port || self.offer.alpn.iter().any(|name| name.contains("mqtt")) =>
            {
                (Speak::Mqtt, Some(Speak::Http))
            }
            Protocol::Auto => (Speak::Http, Some(Speak::Mqtt)),
        }
    }

    fn visit(&self, addresses: &[SocketAddr], speak: Speak) -> Result<Visit, Fault> {
        let started = Instant::now();
        let (address, socket) = connect::connect(addresses, self.timeout)?;
        let connected_in = started.elapsed();
        let mut session = handshake::handshake(&self.offer, socket)?;
        let handshake_done = session.end.is_ok();
        let said = match core::mem::replace(&mut session.end, Ok(())) {
            Ok(()) => answer::ask(&mut session, speak, &self.question),
            Err(broken) => Err(broken),
        };
        let visit = Visit {
            address,
            connected_in,
            head: session.socket.head().to_vec(),
            met: session.met(),
            handshake_done,
            took_us: handshake_done && session.took_us(),
            said,
        };
        session.close();
        Ok(visit)
    }
}

/// Our key and certificates as rustls wants them.
fn certified(chain: &[Vec<u8>], key: &PrivateKey) -> Result<CertifiedKey, Fault> {
    let pkcs8 = key_to_der(key, &KeyProtection::InsecurePlaintext)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
    let signer = Offer::provider().key_provider.load_private_key(der);
    let signer =
        signer.map_err(|error| Fault::Usage(format!("the key cannot be used in TLS: {error}")))?;
    Ok(CertifiedKey::new(chain.iter().cloned().map(CertificateDer::from).collect(), signer))
}

/// The name in `Host` (RFC 9110 section 7.2), with the port where it is not HTTPS's own.
fn host_header(name: &ServerName, endpoint: &Endpoint) -> String {
    let named = Endpoint { host: name.clone(), port: endpoint.port };
    match (name, endpoint.port) {
        (ServerName::Dns(name), 443) => name.to_string(),
        _ => named.to_string(),
    }
}

/// The CAs that this machine trusts. What cannot be read of them is not trusted.
fn of_the_system() -> Vec<Vec<u8>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.into_iter().map(|der| der.to_vec()).collect()
}

fn certificates(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Fault> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(files::read_all(path, DocumentKind::Certificate)?);
    }
    Ok(all)
}
