//! Tables and lines that programs read.

use std::io::Write;

use provision_issuer::inspect::time_text;
use provision_issuer::{DocumentKind, Reason, to_pem};
use provision_ledger::{Found, Holder, State};
use serde_json::{Value, json};

use super::{Refused, Sink, device};
use crate::report::hex;

/// Everything, with a line of names.
#[derive(Default)]
pub(super) struct Csv {
    begun: bool,
}

impl Sink for Csv {
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused> {
        if !self.begun {
            self.begun = true;
            write_record(out, &CSV_COLUMNS)?;
        }
        let (kind, public_key, lot, generation) = match &found.holder {
            Holder::Device { public_key, lot, generation, .. } => (
                "device",
                hex(public_key.as_sec1()),
                lot.as_ref().map_or_else(String::new, |lot| lot.as_str().to_owned()),
                generation.to_string(),
            ),
            Holder::Host { profile, .. } => {
                (profile.as_str(), String::new(), String::new(), String::new())
            }
        };
        let proof = proof_of(found);
        let (revoked, reason) = match found.revoked {
            Some((since_s, reason)) => {
                (time_text(since_s), Reason::of_code(reason).unwrap_or_default().name().to_owned())
            }
            None => Default::default(),
        };
        write_record(
            out,
            &[
                device(found),
                kind,
                found.state(),
                &found.cert_serial.to_string(),
                &hex(&found.sha256),
                &public_key,
                &lot,
                &generation,
                &time_text(found.issued_at_s),
                &time_text(found.not_after_s),
                &revoked,
                &reason,
                &to_pem(DocumentKind::Certificate, &found.der),
                &proof.map_or_else(String::new, |(at_s, _)| time_text(at_s)),
                &proof.map_or_else(String::new, |(_, digest)| hex(digest)),
            ],
        )
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Refused> {
        if self.begun { Ok(()) } else { write_record(out, &CSV_COLUMNS) }
    }
}

/// When a device first proved what it stores, and the digest of the delivery it proved last.
fn proof_of(found: &Found) -> Option<(u64, &[u8; 32])> {
    match &found.holder {
        Holder::Device { state: State::Enrolled { enrolled_at_s, delivery_sha256 }, .. } => {
            Some((*enrolled_at_s, delivery_sha256))
        }
        _ => None,
    }
}

/// New ones are added at the end: programs count them.
pub(crate) const CSV_COLUMNS: [&str; 15] = [
    "name",
    "kind",
    "state",
    "cert_serial",
    "sha256",
    "public_key",
    "lot",
    "generation",
    "issued_at",
    "not_after",
    "revoked_at",
    "reason",
    "certificate",
    "enrolled_at",
    "delivery_sha256",
];

/// Everything, an object a line.
pub(super) struct Json;

impl Sink for Json {
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused> {
        let mut object = json!({
            "name": device(found),
            "state": found.state(),
            "cert_serial": found.cert_serial.to_string(),
            "issuer_key_id": hex(&found.issuer_key_id),
            "sha256": hex(&found.sha256),
            "issued_at_s": found.issued_at_s,
            "not_after_s": found.not_after_s,
            "revoked_at_s": found.revoked.map(|(since_s, _)| since_s),
            "reason": found.revoked.map(|(_, reason)| Reason::of_code(reason).unwrap_or_default().name()),
            "certificate": to_pem(DocumentKind::Certificate, &found.der),
        });
        match &found.holder {
            Holder::Device { public_key, lot, generation, .. } => {
                object["kind"] = "device".into();
                object["public_key"] = hex(public_key.as_sec1()).into();
                object["lot"] = lot.as_ref().map_or(Value::Null, |lot| lot.as_str().into());
                object["generation"] = (*generation).into();
                let proof = proof_of(found);
                object["enrolled_at_s"] = proof.map(|(at_s, _)| at_s).into();
                object["delivery_sha256"] = proof.map(|(_, digest)| hex(digest)).into();
            }
            Holder::Host { profile, .. } => object["kind"] = profile.as_str().into(),
        }
        Ok(writeln!(out, "{object}")?)
    }
}

/// The table that nRF Cloud onboards devices by, as nrfcloud-utils 3.3.1 writes and reads it
/// (`save_onboarding_csv`, `onboard_device`): no line of names; device, sub type, tags, firmware
/// types, certificate.
#[derive(Default)]
pub(super) struct Nrf {
    rows: u32,
}

/// Most devices of one file (`MAX_CSV_ROWS` of nrfcloud-utils).
const NRF_ROWS_MAX: u32 = 1000;

impl Sink for Nrf {
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused> {
        let lot = match &found.holder {
            Holder::Device { lot: Some(lot), .. } => lot.as_str(),
            _ => "",
        };
        self.rows += 1;
        if self.rows > NRF_ROWS_MAX {
            let why =
                "a file has 1000 devices at most: `--take 1000`, then `--skip 1000 --take 1000`";
            return Err(Refused::Device(device(found).to_owned(), why.into()));
        }
        // Tags are told apart by a bar.
        if lot.contains('|') {
            let why = format!("the tag {lot:?} would be two");
            return Err(Refused::Device(device(found).to_owned(), why));
        }
        let pem = to_pem(DocumentKind::Certificate, &found.der);
        write_record(out, &[device(found), "", lot, "APP", &pem])
    }
}

/// A line of a table: RFC 4180, lines ended as everywhere else here.
fn write_record(out: &mut dyn Write, fields: &[&str]) -> Result<(), Refused> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(fields).map_err(std::io::Error::other)?;
    Ok(writer.flush()?)
}
