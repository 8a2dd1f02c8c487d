//! From what was seen to the one cause, and to what else is worth saying.

use provision_issuer::inspect::time_text;
use rustls::{AlertDescription, Error, PeerIncompatible};

use super::agreement::alert_name;
use super::answer::{Answer, HttpAnswer};
use super::cause::{Cause, Diagnosis};
use super::handshake::{Broken, Met};
use super::judgement::ServerVerdict;

/// All that was seen of a server that has shown itself.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub met: &'a Met,
    pub server: &'a ServerVerdict,
    /// What a server may have against our certificate.
    pub client: &'a [Diagnosis],
    /// Whether we have a certificate.
    pub identity: bool,
    pub handshake_done: bool,
    /// Whether TLS by itself says that it took us.
    pub took_us: bool,
    pub said: &'a Result<Answer, Broken>,
    /// In seconds since 1970-01-01 UTC.
    pub now_s: u64,
}

impl Evidence<'_> {
    /// The cause, if there is one: what is wrong with the server comes first, then what it has
    /// against us.
    pub(crate) fn cause(&self) -> Option<Diagnosis> {
        if let Err(diagnosis) = &self.server.path {
            return Some(self.with_clocks(diagnosis.clone()));
        }
        if let Some(Err(why)) = &self.met.signature {
            let message = format!("the server's signature on the handshake is not good: {why}");
            return Some(Diagnosis::new(Cause::ServerBadSignature, message));
        }
        self.refusal().map(|diagnosis| self.with_clocks(diagnosis))
    }

    /// What else is wrong, or would be elsewhere.
    pub(crate) fn warnings(&self, decided: Option<&Diagnosis>) -> Vec<(Option<Cause>, String)> {
        let mut warnings = Vec::new();
        let is_new = |cause| decided.is_none_or(|decided| decided.cause != cause);
        let mut add = |diagnosis: &Diagnosis| {
            if is_new(diagnosis.cause) {
                warnings.push((Some(diagnosis.cause), diagnosis.message.clone()));
            }
        };
        self.server.also.iter().for_each(&mut add);
        if self.server.path.is_err() {
            self.refusal().iter().for_each(&mut add);
        }
        if self.met.asked.is_some() {
            self.client.iter().for_each(&mut add);
        }
        if decided.is_none() && self.identity && self.met.asked.is_none() {
            let message = "it did not ask for a client certificate: it takes anybody, and does not know who we are";
            warnings.push((None, message.to_owned()));
        }
        if let Some(difference) = self.clocks() {
            warnings.push((None, difference));
        }
        warnings.extend(self.server.notes.iter().map(|note| (None, note.clone())));
        warnings
    }

    /// Why the server does not take us.
    pub(crate) fn refusal(&self) -> Option<Diagnosis> {
        match self.said {
            Ok(Answer::Http(answer)) => self.http(answer),
            Ok(Answer::Mqtt(code)) => mqtt(*code),
            Ok(Answer::Other(_) | Answer::Tls) => None,
            Err(Broken::Alert(alert)) => Some(self.alert(*alert)),
            Err(Broken::Tls(Error::PeerIncompatible(
                PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
            ))) => Some(Diagnosis::new(
                Cause::ClientKeyKind,
                "the server asks for a client certificate, and accepts no signature that we can make",
            )),
            Err(Broken::Tls(error)) => {
                Some(Diagnosis::new(Cause::TlsBroken, format!("the server breaks TLS: {error}")))
            }
            Err(Broken::TimedOut) if self.handshake_done => {
                let tls = if self.took_us {
                    "By TLS it took us"
                } else {
                    "It is not known whether it took us"
                };
                Some(Diagnosis::new(
                    Cause::NoAnswer,
                    format!("the handshake went well, and then no answer came. {tls}"),
                ))
            }
            Err(Broken::TimedOut) => Some(Diagnosis::new(
                Cause::Silent,
                "the server stops in the middle of the handshake",
            )),
            Err(Broken::Closed | Broken::Lost(_)) => Some(self.hung_up()),
        }
    }

    fn hung_up(&self) -> Diagnosis {
        let asked = self.met.asked.as_ref();
        if asked.is_some() && !self.took_us {
            if !self.identity {
                return self.missing("hangs up");
            }
            if let Some(fault) = self.client.first() {
                return Diagnosis::new(
                    fault.cause,
                    format!("the server hangs up. {}", capital(&fault.message)),
                );
            }
        }
        if self.handshake_done {
            let message = "the handshake went well, and the server hangs up without an answer";
            return Diagnosis::new(Cause::ClosedWithoutAnswer, message);
        }
        let message = "the server hangs up in the middle of the handshake";
        let cause = if asked.is_some() { Cause::ClientRefused } else { Cause::Closed };
        Diagnosis::new(cause, message)
    }

    fn missing(&self, how: &str) -> Diagnosis {
        let message = format!("the server asks for a client certificate, gets none and {how}");
        Diagnosis::new(Cause::ClientMissing, message)
    }

    fn alert(&self, alert: AlertDescription) -> Diagnosis {
        use AlertDescription as Alert;
        let how = format!("refuses with the alert {}", alert_name(alert));
        let Some(asked) = &self.met.asked else {
            let message = format!("the server {how}, without having asked who we are");
            return Diagnosis::new(Cause::HandshakeRefused, message);
        };
        if !self.identity {
            return self.missing(&how);
        }
        if asked.signed_by.is_none() {
            let message =
                format!("the server {how}: our key can make none of the signatures it accepts");
            return Diagnosis::new(Cause::ClientKeyKind, message);
        }
        let fault = |causes: &[Cause]| {
            let found = self.client.iter().find(|fault| causes.contains(&fault.cause))?;
            Some(Diagnosis::new(
                found.cause,
                format!("the server {how}. {}", capital(&found.message)),
            ))
        };
        let any = |otherwise: Cause| {
            self.client.first().map_or_else(
                || Diagnosis::new(otherwise, format!("the server {how}")),
                |found| {
                    Diagnosis::new(
                        found.cause,
                        format!("the server {how}. {}", capital(&found.message)),
                    )
                },
            )
        };
        let time = [Cause::ClientExpired, Cause::ClientNotYetValid];
        match alert {
            Alert::CertificateRevoked => {
                Diagnosis::new(Cause::ClientRevoked, format!("the server {how}"))
            }
            Alert::CertificateExpired => {
                fault(&time).or_else(|| fault(&[Cause::CrlExpired])).unwrap_or_else(|| {
                    Diagnosis::new(
                        Cause::ServerClockOrCrl,
                        format!(
                            "the server {how}, and by our clock ({}) our certificate is valid",
                            time_text(self.now_s)
                        ),
                    )
                })
            }
            Alert::UnknownCA => fault(&[Cause::ClientIssuerNotNamed]).unwrap_or_else(|| {
                Diagnosis::new(Cause::ClientUnknownIssuer, format!("the server {how}"))
            }),
            Alert::UnsupportedCertificate => {
                fault(&[Cause::ClientWrongPurpose]).unwrap_or_else(|| any(Cause::ClientRefused))
            }
            _ => any(Cause::ClientRefused),
        }
    }

    fn http(&self, answer: &HttpAnswer) -> Option<Diagnosis> {
        let line = format!("HTTP {} {}", answer.status, answer.reason);
        let line = line.trim_end();
        match answer.status {
            // A page that is not there was looked for by a server that took us.
            100..=399 | 404 | 405 | 406 | 410 | 426 | 429 => None,
            // nginx has numbers of its own for these, and sends 400.
            496 => Some(self.missing(&format!("answers {line}"))),
            400 if answer.text.contains(NGINX_NO_CERTIFICATE) => {
                Some(self.missing(&format!("answers {line}: {NGINX_NO_CERTIFICATE}")))
            }
            495 => Some(self.not_liked(line)),
            400 if answer.text.contains(NGINX_BAD_CERTIFICATE) => {
                Some(self.not_liked(&format!("{line}: {NGINX_BAD_CERTIFICATE}")))
            }
            401 | 403 | 407 => {
                let mut message = format!("the server answers {line}");
                match &self.met.asked {
                    None => message.push_str("; it did not ask for a client certificate"),
                    Some(_) if !self.identity => {
                        message.push_str("; it asked for a client certificate, and got none");
                    }
                    Some(_) => message.push_str("; it got our certificate"),
                }
                Some(Diagnosis::new(Cause::HttpForbidden, message))
            }
            500..=599 => {
                Some(Diagnosis::new(Cause::HttpServerError, format!("the server answers {line}")))
            }
            _ => Some(Diagnosis::new(Cause::HttpRefused, format!("the server answers {line}"))),
        }
    }

    fn not_liked(&self, line: &str) -> Diagnosis {
        let said = format!("the server does not like our certificate: {line}");
        match self.client.first() {
            Some(fault) => {
                Diagnosis::new(fault.cause, format!("{said}. {}", capital(&fault.message)))
            }
            None => Diagnosis::new(Cause::ClientRefused, said),
        }
    }

    /// If it is about time, whose clock says what.
    fn with_clocks(&self, mut diagnosis: Diagnosis) -> Diagnosis {
        let about_time = matches!(
            diagnosis.cause,
            Cause::ServerExpired
                | Cause::ServerNotYetValid
                | Cause::ClientExpired
                | Cause::ClientNotYetValid
                | Cause::CrlExpired
                | Cause::ServerClockOrCrl
        );
        if about_time {
            let more = match (self.clocks(), self.server_clock_s()) {
                (Some(difference), _) => capital(&difference),
                (None, Some(_)) => "The server's clock shows the same time as ours".into(),
                (None, None) => "What the server's clock shows is not known".into(),
            };
            diagnosis.message.push_str(". ");
            diagnosis.message.push_str(&more);
        }
        diagnosis
    }

    fn server_clock_s(&self) -> Option<u64> {
        match self.said {
            Ok(Answer::Http(answer)) => answer.date_s,
            _ => None,
        }
    }

    /// If the clocks differ, by how much.
    fn clocks(&self) -> Option<String> {
        let theirs = self.server_clock_s()?;
        let apart = theirs.abs_diff(self.now_s);
        (apart > CLOCKS_APART_S).then(|| {
            format!(
                "the server's clock shows {} and ours {}: one of them is wrong by {}",
                time_text(theirs),
                time_text(self.now_s),
                if apart < 2 * 86_400 {
                    format!("{} minutes", apart / 60)
                } else {
                    format!("{} days", apart / 86_400)
                },
            )
        })
    }
}

fn mqtt(code: u8) -> Option<Diagnosis> {
    // MQTT 3.1.1 table 3.1, and those of MQTT 5 section 3.2.2.2 that mean the same.
    let (cause, what) = match code {
        0 => return None,
        1 | 0x84 => (Cause::MqttRefused, "unacceptable protocol version"),
        2 | 0x85 => (Cause::MqttRefused, "identifier rejected"),
        3 | 0x88 => (Cause::MqttRefused, "server unavailable"),
        4 | 0x86 => (Cause::MqttNotAuthorized, "bad user name or password"),
        5 | 0x87 => (Cause::MqttNotAuthorized, "not authorized"),
        _ => (Cause::MqttRefused, "a reason not known here"),
    };
    Some(Diagnosis::new(cause, format!("the broker answers CONNACK {code}: {what}")))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// More is no delay of the network.
const CLOCKS_APART_S: u64 = 300;
/// What stands in nginx's page of error 496.
const NGINX_NO_CERTIFICATE: &str = "No required SSL certificate was sent";
/// And in that of 495.
const NGINX_BAD_CERTIFICATE: &str = "The SSL certificate error";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_codes_of_mqtt() {
        assert_eq!(mqtt(0), None);
        for (code, cause) in [
            (1, Cause::MqttRefused),
            (2, Cause::MqttRefused),
            (3, Cause::MqttRefused),
            (4, Cause::MqttNotAuthorized),
            (5, Cause::MqttNotAuthorized),
            (0x87, Cause::MqttNotAuthorized),
            (77, Cause::MqttRefused),
        ] {
            assert_eq!(mqtt(code).map(|diagnosis| diagnosis.cause), Some(cause), "{code}");
        }
    }
}
