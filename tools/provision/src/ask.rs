//! `provision ask`: one question by hand.

use der::pem::{self, LineEnding};
use provision_csr::{PortableP256, PublicKey, Signature};
use provision_issuer::DocumentKind;
use provision_ledger::Ledger as _;
use provision_station::EnrollmentFault;
use provision_station::enrollment::{CSR_LEN_MAX, Timing};
use provision_station::evidence::{Chain, Csr, StoredProof};
use provision_wire::{Answer, Ask, Hello};
use serde_json::{Value, json};
use sha2_device::{Digest as _, Sha256};

use crate::cli::{Ask as Arguments, AskPort, AskProve, Question};
use crate::conversation::Conversation;
use crate::fault::Fault;
use crate::line::Line;
use crate::report::{Report, hex};
use crate::{files, ledger, system};

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Fault> {
    match &arguments.question {
        Question::Hello(port) => hello(port, report),
        Question::Key(port) => key(port, report),
        Question::Csr(port) => csr(port, report),
        Question::Prove(arguments) => prove(arguments, report),
    }
}

fn hello(port: &AskPort, report: &mut Report) -> Result<(), Fault> {
    let mut line = open(port)?;
    let (_, hello) = Conversation::open(&mut line, Timing::default().hello)?;
    let Hello { version, device, stage, ask_len_max, delivery_len_max, dictionary } = hello;
    report.result(
        &format!(
            "{device} is {stage}; speaks version {version}, takes asks of {ask_len_max} bytes and \
             deliveries of {delivery_len_max}{}",
            if dictionary.is_some() { ", packed too" } else { "" }
        ),
        &json!({
            "event": "hello",
            "device": device.as_str(),
            "stage": stage.to_string(),
            "version": version,
            "ask_len_max": ask_len_max,
            "delivery_len_max": delivery_len_max,
            "dictionary": dictionary,
        }),
    )
}

fn key(port: &AskPort, report: &mut Report) -> Result<(), Fault> {
    let mut line = open(port)?;
    let (mut conversation, hello) = Conversation::open(&mut line, Timing::default().hello)?;
    let public_key = conversation.ask(&Ask::Key, |answer| match answer {
        Answer::Key { public } => Some(PublicKey::from_sec1(*public)),
        _ => None,
    })?;
    let public_key =
        public_key.map_err(|_| protocol(provision_station::evidence::CsrFault::KeyEncoding))?;
    let text = hex(public_key.as_sec1());
    let event = json!({ "event": "key", "device": hello.device.as_str(), "public_key": text });
    report.result(&text, &event)
}

fn csr(port: &AskPort, report: &mut Report) -> Result<(), Fault> {
    let mut line = open(port)?;
    let (mut conversation, hello) = Conversation::open(&mut line, Timing::default().hello)?;
    let challenge = system::bytes()?;
    let (len, csr_sha256) = conversation.ask(&Ask::Csr { challenge }, |answer| match answer {
        Answer::Csr { len, csr_sha256 } => Some((*len as usize, *csr_sha256)),
        _ => None,
    })?;
    let too_long = EnrollmentFault::CsrTooLong {
        len: u32::try_from(len).unwrap_or(u32::MAX),
        max: CSR_LEN_MAX,
    };
    if len > CSR_LEN_MAX as usize {
        return Err(too_long.into());
    }
    let mut der = Vec::new();
    while der.len() < len {
        let have = u32::try_from(der.len()).unwrap_or(u32::MAX);
        let piece = conversation.ask(&Ask::Read { offset: have }, |answer| match answer {
            Answer::Chunk { offset, bytes }
                if *offset == have && (1..=len - der.len()).contains(&bytes.len()) =>
            {
                Some(bytes.to_vec())
            }
            _ => None,
        })?;
        der.extend(piece);
    }
    if <[u8; 32]>::from(Sha256::digest(&der)) != csr_sha256 {
        return Err(EnrollmentFault::CsrDigest.into());
    }
    Csr::parse(&der)
        .map_err(protocol)?
        .prove_possession::<PortableP256>(&challenge)
        .map_err(EnrollmentFault::from)?;
    report.note(&format!("{} holds the key of this CSR", hello.device))?;
    let text = pem::encode_string("CERTIFICATE REQUEST", LineEnding::LF, &der)
        .map_err(|fault| Fault::Usage(fault.to_string()))?;
    let event = json!({ "event": "csr", "device": hello.device.as_str(), "csr": text });
    report.result(text.trim_end(), &event)
}

fn prove(arguments: &AskProve, report: &mut Report) -> Result<(), Fault> {
    let certificate = |path| files::read_one(path, DocumentKind::Certificate);
    let leaf = arguments.leaf.as_deref().map(certificate).transpose()?;
    let mut line = open(&arguments.port)?;
    let (mut conversation, hello) = Conversation::open(&mut line, Timing::default().hello)?;
    let chain = match leaf {
        Some(leaf) => Chain::from_der(leaf, Vec::new(), Vec::new())
            .map_err(|fault| Fault::Usage(fault.to_string()))?,
        None => {
            let place = ledger::path(arguments.ledger.as_ref(), &arguments.ca);
            let mut ledger = ledger::open_to_read(arguments.ledger.as_ref(), &arguments.ca)?;
            let live = ledger.live(&hello.device)?.ok_or_else(|| Fault::NotInLedger {
                device: hello.device.to_string(),
                ledger: place,
            })?;
            live.chain
        }
    };
    let challenge = system::bytes()?;
    let proof = conversation.ask(&Ask::Prove { challenge }, |answer| match answer {
        Answer::Proof { signature, leaf_sha256, delivery_sha256 } => Some(StoredProof {
            signature: Signature::from_raw(*signature),
            leaf_sha256: *leaf_sha256,
            delivery_sha256: *delivery_sha256,
        }),
        _ => None,
    })?;
    let enrolled =
        chain.confirm::<PortableP256>(&challenge, &proof, None).map_err(EnrollmentFault::from)?;
    let serial = enrolled.cert_serial();
    report.result(
        &format!("{} holds the key of certificate {serial}, and stores it", enrolled.device()),
        &proof_event(&hello, &serial.to_string(), &proof),
    )
}

fn proof_event(hello: &Hello, cert_serial: &str, proof: &StoredProof) -> Value {
    json!({
        "event": "proven",
        "device": hello.device.as_str(),
        "stage": hello.stage.to_string(),
        "cert_serial": cert_serial,
        "leaf_sha256": hex(&proof.leaf_sha256),
        "delivery_sha256": hex(&proof.delivery_sha256),
    })
}

fn protocol(fault: impl Into<EnrollmentFault>) -> Fault {
    Fault::Enrollment(fault.into())
}

fn open(port: &AskPort) -> Result<Line, Fault> {
    Line::open(&port.port, port.baud.baud)
}
