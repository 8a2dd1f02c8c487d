//! What clouds and brokers take. What they would refuse is refused here, by name.

use std::collections::HashSet;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provision_issuer::{DocumentKind, to_pem};
use provision_ledger::Found;
use serde_json::{Value, json};

use super::{Refused, Sink, device};
use crate::fault::Fault;

/// Parameters of a template for `StartThingRegistrationTask`: one JSON object a line.
pub(super) struct AwsBulk;

impl Sink for AwsBulk {
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused> {
        let name = thing_name(found)?;
        let object = json!({
            "ThingName": name,
            "SerialNumber": name,
            "CertificatePem": certificate_for_aws(found)?,
        });
        Ok(writeln!(out, "{object}")?)
    }
}

/// `register-certificate-without-ca --cli-input-json`: one request a line.
pub(super) struct AwsMar;

impl Sink for AwsMar {
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused> {
        thing_name(found)?;
        let object = json!({ "certificatePem": certificate_for_aws(found)?, "status": "ACTIVE" });
        Ok(writeln!(out, "{object}")?)
    }
}

/// ThingName: `[a-zA-Z0-9:_-]{1,128}`.
fn thing_name(found: &Found) -> Result<&str, Refused> {
    let name = device(found);
    let good = |c: char| c.is_ascii_alphanumeric() || ":_-".contains(c);
    if (1..=128).contains(&name.len()) && name.chars().all(good) {
        return Ok(name);
    }
    let why = "a thing's name in AWS IoT has letters, digits and : _ - alone".to_owned();
    Err(Refused::Device(name.to_owned(), why))
}

/// At most 65536 characters.
fn certificate_for_aws(found: &Found) -> Result<String, Refused> {
    let pem = to_pem(DocumentKind::Certificate, &found.der);
    if pem.len() <= 65_536 {
        return Ok(pem);
    }
    let why = format!("its certificate has {} characters, of 65536", pem.len());
    Err(Refused::Device(device(found).to_owned(), why))
}

/// Bulk operations of the Device Provisioning Service: ten enrollments each, one request a line.
#[derive(Default)]
pub(super) struct AzureDps {
    enrollments: Vec<Value>,
    /// Case does not tell registration ids apart.
    seen: HashSet<String>,
}

impl Sink for AzureDps {
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused> {
        let id = device(found);
        let refused = |why: String| Err(Refused::Device(id.to_owned(), why));
        let good = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let ends = id.starts_with(|c: char| c.is_ascii_alphanumeric())
            && id.ends_with(|c: char| c.is_ascii_alphanumeric());
        if !(1..=128).contains(&id.len()) || !id.chars().all(good) || !ends {
            return refused("a registration id has letters, digits and - . _ : within".into());
        }
        if !self.seen.insert(id.to_ascii_lowercase()) {
            return refused("another device has that name but for capital letters".into());
        }
        self.enrollments.push(json!({
            "registrationId": id,
            "attestation": {
                "type": "x509",
                "x509": {
                    "clientCertificates": { "primary": { "certificate": STANDARD.encode(&found.der) } },
                },
            },
        }));
        if self.enrollments.len() == AZURE_BATCH { self.finish(out) } else { Ok(()) }
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Refused> {
        let enrollments = core::mem::take(&mut self.enrollments);
        if enrollments.is_empty() {
            return Ok(());
        }
        Ok(writeln!(out, "{}", json!({ "mode": "create", "enrollments": enrollments }))?)
    }
}

/// As many as one request may have.
const AZURE_BATCH: usize = 10;

/// `acl_file` of mosquitto with `use_identity_as_username`: the name in the certificate is the user.
pub(super) struct MosquittoAcl {
    topic: String,
}

impl MosquittoAcl {
    pub(super) fn new(topic: &str) -> Result<Self, Fault> {
        if !topic.contains("{device}")
            || topic.trim() != topic
            || topic.chars().any(char::is_control)
        {
            return Err(Fault::Usage(
                "`--topic` is one line and has {device} in it: each device has topics of its own"
                    .into(),
            ));
        }
        Ok(Self { topic: topic.to_owned() })
    }
}

impl Sink for MosquittoAcl {
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused> {
        let name = device(found);
        // The file knows no quotes: a name ends its line, and in a topic + # / reach further than
        // one device.
        if name.trim() != name
            || name.is_empty()
            || name.chars().any(|c| c.is_control() || "+#/".contains(c))
        {
            let why = "its name would reach further than its own topics".to_owned();
            return Err(Refused::Device(name.to_owned(), why));
        }
        let topic = self.topic.replace("{device}", name);
        Ok(write!(out, "user {name}\ntopic readwrite {topic}\n\n")?)
    }
}

#[cfg(test)]
mod tests {
    use provision_ledger::Holder;
    use provision_station::evidence::CertSerial;

    use super::super::tables::Nrf;
    use super::*;

    fn found(name: &str) -> Found {
        Found {
            holder: Holder::Host { name: name.into(), profile: "device".into() },
            issuer_key_id: vec![1],
            cert_serial: CertSerial::new(&[2]),
            der: vec![3; 300],
            sha256: [4; 32],
            not_after_s: 0,
            issued_at_s: 0,
            revoked: None,
        }
    }

    /// What is written, or why not.
    fn put(sink: &mut dyn Sink, names: &[&str]) -> Result<String, String> {
        let mut out = Vec::new();
        let mut all = || -> Result<(), Refused> {
            names.iter().try_for_each(|name| sink.put(&found(name), &mut out))?;
            sink.finish(&mut out)
        };
        match all() {
            Ok(()) => Ok(String::from_utf8(out).unwrap()),
            Err(Refused::Device(device, why)) => Err(format!("{device}: {why}")),
            Err(Refused::Output(error)) => Err(error.to_string()),
        }
    }

    #[test]
    fn nrf_takes_a_thousand_devices_a_file() {
        let mut names = vec!["a"; 1000];
        assert_eq!(put(&mut Nrf::default(), &names).unwrap().matches("BEGIN").count(), 1000);
        names.push("b");
        let refused = put(&mut Nrf::default(), &names).unwrap_err();
        assert!(refused.starts_with("b: ") && refused.contains("--take 1000"), "{refused}");
    }

    #[test]
    fn aws() {
        let lines = put(&mut AwsBulk, &["a:1_x-2", "b"]).unwrap();
        let things: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(things[0]["ThingName"], "a:1_x-2");
        assert!(
            things[1]["CertificatePem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE")
        );
        for wrong in ["a.b", "", "a b", &"x".repeat(129)] {
            assert!(put(&mut AwsBulk, &[wrong]).is_err(), "{wrong}");
            assert!(put(&mut AwsMar, &[wrong]).is_err(), "{wrong}");
        }
        let mar: Value = serde_json::from_str(&put(&mut AwsMar, &["b"]).unwrap()).unwrap();
        assert_eq!(mar["status"], "ACTIVE");
        let mut long = found("a");
        long.der = vec![0; 50_000];
        assert!(matches!(AwsMar.put(&long, &mut Vec::new()), Err(Refused::Device(..))));
    }

    #[test]
    fn azure_takes_ten_at_a_time() {
        let names: Vec<String> = (0..23).map(|n| format!("sensor.{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let lines = put(&mut AzureDps::default(), &names).unwrap();
        let sizes: Vec<usize> = lines
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["enrollments"]
                    .as_array()
                    .unwrap()
                    .len()
            })
            .collect();
        assert_eq!(sizes, [10, 10, 3]);
        for wrong in [&["-a"][..], &["a-"], &["a b"], &["a", "A"], &[""]] {
            assert!(put(&mut AzureDps::default(), wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_that_reaches_further_than_one_device_is_refused() {
        let acl = || MosquittoAcl::new("plant/{device}/#").unwrap();
        let lines = put(&mut acl(), &["a.1"]).unwrap();
        assert_eq!(lines, "user a.1\ntopic readwrite plant/a.1/#\n\n");
        for wrong in ["+", "a/#", "a\ntopic #", " a", "a/b", ""] {
            assert!(put(&mut acl(), &[wrong]).is_err(), "{wrong:?}");
        }
        for wrong in ["plant/#", "a/{device}\ntopic #", " {device}"] {
            assert!(MosquittoAcl::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
