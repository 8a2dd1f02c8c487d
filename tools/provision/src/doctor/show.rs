//! The steps, as people and programs are told of them.

use core::net::SocketAddr;
use core::time::Duration;

use provision_issuer::inspect::{CertificateValues, time_text};
use provision_issuer::name_of_der;
use provision_issuer::verify::VerifiedPath;
use serde_json::{Value, json};

use super::agreement::alert_name;
use super::answer::Answer;
use super::cause::{Cause, Diagnosis};
use super::connect::Endpoint;
use super::handshake::{Broken, Met, Offer};
use super::hello::{scheme_name, suite_name, version_name};
use crate::fault::Fault;
use crate::report::Report;

/// Tells one step after the other.
pub(crate) struct Show<'a>(pub &'a mut Report);

impl Show<'_> {
    /// For people a line with a title, for programs an event.
    fn step(&mut self, step: &str, title: &str, text: &str, mut facts: Value) -> Result<(), Fault> {
        facts["event"] = "step".into();
        facts["step"] = step.into();
        let text = text.replace('\n', &format!("\n{:WIDTH$}", ""));
        self.0.result(&format!("{title:WIDTH$}{text}"), &facts)
    }

    pub(crate) fn connected(
        &mut self,
        endpoint: &Endpoint,
        address: SocketAddr,
        took: Duration,
    ) -> Result<(), Fault> {
        let ms = took.as_secs_f64() * 1000.0;
        self.step(
            "connect",
            "connected",
            &format!("{endpoint} at {address}, in {ms:.1} ms"),
            json!({ "endpoint": endpoint.to_string(), "address": address.to_string(),
                    "ms": (ms * 10.0).round() / 10.0 }),
        )
    }

    pub(crate) fn offered(&mut self, offer: &Offer) -> Result<(), Fault> {
        let versions: &[&str] =
            if offer.tls13_only { &["TLS 1.3"] } else { &["TLS 1.3", "TLS 1.2"] };
        let name = offer.name.to_str();
        let alpn = list("ALPN ", &offer.alpn);
        self.step(
            "offer",
            "we offer",
            &format!("{}; server name {name}; {alpn}", versions.join(", ")),
            json!({ "versions": versions, "name": name, "alpn": offer.alpn }),
        )
    }

    /// What the server chose, showed and asked for.
    pub(crate) fn met(&mut self, met: &Met) -> Result<(), Fault> {
        let Some(version) = met.version else { return Ok(()) };
        let version = version_name(version.into());
        let suite = met.suite.map(|suite| suite_name(suite.suite()));
        let group = met.group.map(|group| format!("{group:?}"));
        let alpn = met
            .alpn
            .as_deref()
            .map_or("no ALPN".to_owned(), |name| format!("ALPN {}", plain(name)));
        let words = [Some(version.clone()), suite.clone(), group.clone(), Some(alpn)];
        self.step(
            "choice",
            "it chose",
            &words.into_iter().flatten().collect::<Vec<_>>().join(", "),
            json!({ "version": version, "suite": suite, "group": group, "alpn": met.alpn }),
        )?;
        for (at, der) in met.chain.iter().enumerate() {
            self.certificate(at, der)?;
        }
        Ok(())
    }

    fn certificate(&mut self, at: usize, der: &[u8]) -> Result<(), Fault> {
        let title = if at == 0 { "its chain" } else { "" };
        let Ok(values) = CertificateValues::of(der) else {
            let text = format!("{}. something that is no certificate", at + 1);
            return self.step("certificate", title, &text, json!({ "at": at + 1 }));
        };
        let names =
            if at == 0 { format!("\n   for {}", list("", &values.names)) } else { String::new() };
        self.step(
            "certificate",
            title,
            &format!(
                "{}. {}\n   by {}\n   from {} to {}{names}",
                at + 1,
                values.subject,
                values.issuer,
                time_text(values.not_before_s),
                time_text(values.not_after_s),
            ),
            json!({
                "at": at + 1, "subject": values.subject, "issuer": values.issuer,
                "not_before_s": values.not_before_s, "not_after_s": values.not_after_s,
                "names": values.names, "cert_serial": values.serial,
            }),
        )
    }

    pub(crate) fn our_verdict(
        &mut self,
        path: &Result<VerifiedPath, Diagnosis>,
    ) -> Result<(), Fault> {
        match path {
            Ok(path) => self.step(
                "our-verdict",
                "our verdict",
                &format!("good until {}: {}", time_text(path.not_after_s), path.subjects.join(", signed by ")),
                json!({ "good": true, "path": path.subjects, "not_after_s": path.not_after_s }),
            ),
            Err(diagnosis) => self.step(
                "our-verdict",
                "our verdict",
                &format!("not good, {}", diagnosis.cause.code()),
                json!({ "good": false, "cause": diagnosis.cause.code(), "message": diagnosis.message }),
            ),
        }
    }

    /// What it asked for, and what it got.
    pub(crate) fn asked(&mut self, met: &Met, chain: Option<&[Vec<u8>]>) -> Result<(), Fault> {
        if met.chain.is_empty() {
            return Ok(());
        }
        let Some(asked) = &met.asked else {
            let facts = json!({ "asked": false });
            return self.step("client-certificate", "it asked", "for no client certificate", facts);
        };
        let cas: Vec<String> =
            asked.cas.iter().map(|der| name_of_der(der).unwrap_or_else(|| "?".into())).collect();
        let by = if cas.is_empty() {
            "by any CA".to_owned()
        } else {
            format!("by one of\n  {}", cas.join("\n  "))
        };
        let facts = json!({ "asked": true, "cas": cas });
        let text = format!("for a client certificate {by}");
        self.step("client-certificate", "it asked", &text, facts)?;

        let values = chain.and_then(|chain| CertificateValues::of(chain.first()?).ok());
        let (sent, facts) = match (values, asked.signed_by) {
            (Some(values), Some(scheme)) => {
                let count = chain.map_or(0, <[_]>::len);
                let alone =
                    if count == 1 { "alone".into() } else { format!("and {} CAs", count - 1) };
                let scheme = scheme_name(scheme);
                (
                    format!(
                        "{}, {alone}\n   by {}\n   from {} to {}\n   signed by {scheme}",
                        values.subject,
                        values.issuer,
                        time_text(values.not_before_s),
                        time_text(values.not_after_s),
                    ),
                    json!({
                        "sent": true, "subject": values.subject, "issuer": values.issuer,
                        "not_before_s": values.not_before_s, "not_after_s": values.not_after_s,
                        "cert_serial": values.serial, "scheme": scheme, "certificates": count,
                    }),
                )
            }
            (Some(_), None) => {
                let schemes: Vec<String> = asked.schemes.iter().map(|s| scheme_name(*s)).collect();
                let text = format!("no certificate: our key cannot sign by {}", schemes.join(", "));
                (text, json!({ "sent": false }))
            }
            (None, _) => ("no certificate: none was given".into(), json!({ "sent": false })),
        };
        self.step("sent", "we sent", &sent, facts)
    }

    pub(crate) fn its_verdict(
        &mut self,
        said: &Result<Answer, Broken>,
        refusal: Option<&Diagnosis>,
    ) -> Result<(), Fault> {
        let heard = match said {
            Ok(answer) => answer_text(answer),
            Err(Broken::Alert(alert)) => format!("alert {}", alert_name(*alert)),
            Err(Broken::Closed | Broken::Lost(_)) => "it hung up".into(),
            Err(Broken::TimedOut) => "no answer came".into(),
            Err(Broken::Tls(_)) => "what came is no TLS".into(),
        };
        let verdict = refusal.map_or("it took us", |diagnosis| diagnosis.cause.code());
        self.step(
            "its-verdict",
            "its verdict",
            &format!("{verdict}: {heard}"),
            json!({
                "took_us": refusal.is_none(),
                "heard": heard,
                "cause": refusal.map(|diagnosis| diagnosis.cause.code()),
            }),
        )
    }

    pub(crate) fn warning(&mut self, cause: Option<Cause>, message: &str) -> Result<(), Fault> {
        let event =
            json!({ "event": "warning", "cause": cause.map(Cause::code), "message": message });
        self.0.result(&format!("{:WIDTH$}{message}", "warning"), &event)
    }

    pub(crate) fn all_is_well(
        &mut self,
        endpoint: &Endpoint,
        met: &Met,
        answer: Option<&Answer>,
    ) -> Result<(), Fault> {
        let sent = met.asked.as_ref().map(|asked| asked.signed_by.is_some());
        let client = match sent {
            None => "not-asked",
            Some(false) => "asked-not-sent",
            Some(true) => "taken",
        };
        let whom =
            if sent == Some(true) { "us with our certificate" } else { "us without a certificate" };
        let event = json!({
            "event": "result", "ok": true, "endpoint": endpoint.to_string(),
            "client_certificate": client, "answer": answer.map(answer_text),
        });
        self.0.result(&format!("{:WIDTH$}{endpoint} took {whom}", "OK"), &event)
    }
}

fn answer_text(answer: &Answer) -> String {
    match answer {
        Answer::Http(answer) => {
            format!("HTTP {} {}", answer.status, answer.reason).trim_end().into()
        }
        Answer::Mqtt(0) => "MQTT CONNACK 0, accepted".into(),
        Answer::Mqtt(code) => format!("MQTT CONNACK {code}"),
        Answer::Other(count) => format!("{count} bytes that are neither HTTP nor MQTT"),
        Answer::Tls => "a word of TLS".into(),
    }
}

fn list(title: &str, words: &[String]) -> String {
    if words.is_empty() {
        format!("no {}", if title.is_empty() { "name" } else { title.trim_end() })
    } else {
        format!("{title}{}", words.join(", "))
    }
}

/// Somebody else chose the text: it must not move the cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

const WIDTH: usize = 13;
