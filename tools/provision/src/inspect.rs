//! `provision inspect`: what is in a file.

use std::path::PathBuf;

use clap::Args;
use provision_issuer::inspect::{
    CertificateValues, Fact, Facts, certificates_in_pkcs7, facts, facts_of_key, fingerprint,
    public_key_of, time_text,
};
use provision_issuer::{
    CertificateRequest, Document, DocumentKind, RevocationList, SealedKey, pkcs12, to_pem,
};
use serde_json::{Map, Value, json};

use crate::arguments::KeyPassphrase;
use crate::fault::Fault;
use crate::p12::open_with_password;
use crate::report::Report;
use crate::{files, secret};

const EXAMPLES: &str = "\
Examples:
  provision inspect server.crt
  provision inspect --serial server.crt
  provision inspect alice.p12 --key-passphrase-file pass
  openssl s_client -connect host:443 </dev/null | provision inspect -";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// Certificate, CSR, CRL, key, PKCS#12 or PKCS#7, PEM or DER; - for standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,

    #[command(flatten)]
    pub only: Only,

    #[command(flatten)]
    pub passphrase: KeyPassphrase,
}

/// One value of the first certificate, for scripts; of a CSR or a CRL, if it has it.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Only {
    /// From when until when it is valid; of a CRL, thisUpdate and nextUpdate.
    #[arg(long)]
    pub dates: bool,
    /// Its serial number.
    #[arg(long)]
    pub serial: bool,
    /// Its SHA-256.
    #[arg(long)]
    pub fingerprint: bool,
    /// Its subject.
    #[arg(long)]
    pub subject: bool,
    /// Its issuer.
    #[arg(long)]
    pub issuer: bool,
    /// The public key in it (or in a CSR, or of a key), PEM.
    #[arg(long)]
    pub public_key: bool,
}

impl Only {
    const fn of_certificate(&self) -> bool {
        self.dates || self.serial || self.fingerprint || self.subject || self.issuer
    }
}

pub(crate) fn run(arguments: &Inspect, report: &mut Report) -> Result<(), Fault> {
    let found = files::read_documents(&arguments.file)?;
    if arguments.only.public_key {
        return public_key(arguments, &found, report);
    }
    if arguments.only.of_certificate() {
        return single(arguments, &found, report);
    }
    for document in &found {
        let facts = facts_of(arguments, document)?;
        let mut event = to_json(&facts);
        event.insert("event".into(), "document".into());
        report.result(&to_text(&facts, 0), &Value::Object(event))?;
    }
    Ok(())
}

fn facts_of(arguments: &Inspect, document: &Document) -> Result<Facts, Fault> {
    let unreadable = |fault: String| files::document(&arguments.file, &fault);
    let mut all = facts(document).map_err(unreadable)?;
    let given = secret::is_given(&arguments.passphrase);
    match document.kind {
        // Only if a passphrase is given: to look at a file must not need one.
        DocumentKind::PrivateKey if given => {
            let sealed = SealedKey::find(&document.bytes)
                .map_err(|fault| files::document(&arguments.file, &fault))?;
            if sealed.is_encrypted() {
                let key =
                    secret::open_key(&arguments.file, &document.bytes, &arguments.passphrase)?;
                all.0.extend(facts_of_key(&key).0);
            }
        }
        DocumentKind::Pkcs12 => {
            let contents = if let Some(contents) = pkcs12::open_without_password(&document.bytes) {
                all.0.push(("password".into(), Fact::Text("empty".into())));
                contents
            } else if given {
                open_with_password(&arguments.file, &document.bytes, &arguments.passphrase)?
            } else {
                return Ok(all);
            };
            for (name, key, chain) in contents.keys {
                let mut inner = facts_of_key(&key);
                let subjects = chain.iter().filter_map(|der| CertificateValues::of(der).ok());
                let subjects = subjects.map(|values| values.subject).collect();
                inner.0.push(("chain".into(), Fact::List(subjects)));
                all.0.push((format!("key {name}"), Fact::Facts(inner)));
            }
            for (name, der) in contents.certificates {
                let subject = CertificateValues::of(&der)
                    .map_or_else(|error| error.to_string(), |values| values.subject);
                all.0.push((format!("certificate {name}"), Fact::Text(subject)));
            }
        }
        _ => {}
    }
    Ok(all)
}

fn single(arguments: &Inspect, found: &[Document], report: &mut Report) -> Result<(), Fault> {
    let unreadable = |fault: &dyn core::fmt::Display| files::document(&arguments.file, fault);
    let values = Values::of(found).map_err(|error| unreadable(&error))?;
    let values = values.ok_or_else(|| unreadable(&"it holds no certificate, CSR or CRL"))?;
    let only = &arguments.only;
    let (name, value) = if only.dates {
        ("dates", values.dates)
    } else if only.serial {
        ("serial", values.serial)
    } else if only.fingerprint {
        ("fingerprint_sha256", values.fingerprint)
    } else if only.subject {
        ("subject", values.subject)
    } else {
        ("issuer", values.issuer)
    };
    let lacks = || {
        let what = name.trim_end_matches("_sha256").replace("serial", "serial number");
        unreadable(&format!("a {} has no {what}", values.kind))
    };
    let (text, value) = value.ok_or_else(lacks)?;
    let mut event = json!({ "event": "result" });
    event[name] = value;
    report.result(&text, &event)
}

/// Single values of a certificate, or of a CSR or a CRL as far as they have them: for people and for
/// programs.
struct Values {
    kind: DocumentKind,
    dates: Option<(String, Value)>,
    serial: Option<(String, Value)>,
    fingerprint: Option<(String, Value)>,
    subject: Option<(String, Value)>,
    issuer: Option<(String, Value)>,
}

impl Values {
    /// Of the first certificate; where there is none, of the first CSR or CRL.
    fn of(found: &[Document]) -> der::Result<Option<Self>> {
        for document in found {
            match document.kind {
                DocumentKind::Certificate => {
                    return Self::of_certificate(&document.bytes).map(Some);
                }
                DocumentKind::Pkcs7 => {
                    if let Some(der) = certificates_in_pkcs7(&document.bytes)?.first() {
                        return Self::of_certificate(der).map(Some);
                    }
                }
                _ => {}
            }
        }
        for document in found {
            match document.kind {
                DocumentKind::Request => return Self::of_request(&document.bytes).map(Some),
                DocumentKind::Crl => return Self::of_crl(&document.bytes).map(Some),
                _ => {}
            }
        }
        Ok(None)
    }

    fn of_certificate(der: &[u8]) -> der::Result<Self> {
        let values = CertificateValues::of(der)?;
        let (from, to) = (time_text(values.not_before_s), time_text(values.not_after_s));
        let dates = (format!("notBefore={from}\nnotAfter={to}"), json!([from, to]));
        Ok(Self {
            kind: DocumentKind::Certificate,
            dates: Some(dates),
            serial: plain(values.serial),
            fingerprint: plain(values.fingerprint),
            subject: plain(values.subject),
            issuer: plain(values.issuer),
        })
    }

    fn of_request(der: &[u8]) -> der::Result<Self> {
        let request = CertificateRequest::from_der(der.to_vec())?;
        Ok(Self {
            kind: DocumentKind::Request,
            dates: None,
            serial: None,
            fingerprint: plain(fingerprint(der)),
            subject: plain(request.subject_text()),
            issuer: None,
        })
    }

    fn of_crl(der: &[u8]) -> der::Result<Self> {
        let list = RevocationList::from_der(der)?;
        let this = time_text(list.this_update_s());
        let next = list.next_update_s().map(time_text);
        let until = next.as_deref().unwrap_or("none");
        let dates = (format!("thisUpdate={this}\nnextUpdate={until}"), json!([this, next]));
        Ok(Self {
            kind: DocumentKind::Crl,
            dates: Some(dates),
            serial: None,
            fingerprint: plain(fingerprint(der)),
            subject: None,
            issuer: plain(list.issuer_text()),
        })
    }
}

fn plain(text: String) -> Option<(String, Value)> {
    let value = json!(text);
    Some((text, value))
}

fn public_key(arguments: &Inspect, found: &[Document], report: &mut Report) -> Result<(), Fault> {
    for document in found {
        let key = match document.kind {
            DocumentKind::PrivateKey => {
                let key =
                    secret::open_key(&arguments.file, &document.bytes, &arguments.passphrase)?;
                Some(key.public_key_der())
            }
            _ => {
                public_key_of(document).map_err(|error| files::document(&arguments.file, &error))?
            }
        };
        if let Some(der) = key {
            let pem = to_pem(DocumentKind::PublicKey, &der);
            return report.result(pem.trim_end(), &json!({ "event": "result", "public_key": pem }));
        }
    }
    Err(files::document(&arguments.file, &"it holds no public key"))
}

fn to_text(facts: &Facts, depth: usize) -> String {
    let mut lines = Vec::new();
    let indent = "  ".repeat(depth);
    for (name, fact) in &facts.0 {
        match fact {
            Fact::Text(text) => lines.push(format!("{indent}{name}: {text}")),
            Fact::Number(number) => lines.push(format!("{indent}{name}: {number}")),
            Fact::Flag(flag) => {
                lines.push(format!("{indent}{name}: {}", if *flag { "yes" } else { "no" }));
            }
            Fact::List(all) => lines.push(format!("{indent}{name}: {}", all.join(", "))),
            Fact::Facts(inner) => {
                lines.push(format!("{indent}{name}:"));
                lines.push(to_text(inner, depth + 1));
            }
        }
    }
    lines.join("\n")
}

fn to_json(facts: &Facts) -> Map<String, Value> {
    let value = |fact: &Fact| match fact {
        Fact::Text(text) => json!(text),
        Fact::Number(number) => json!(number),
        Fact::Flag(flag) => json!(flag),
        Fact::List(all) => json!(all),
        Fact::Facts(inner) => Value::Object(to_json(inner)),
    };
    facts.0.iter().map(|(name, fact)| (name.clone(), value(fact))).collect()
}
