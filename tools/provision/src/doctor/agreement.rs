//! Why no handshake came about, before any certificate was shown.

use core::time::Duration;

use provision_issuer::ServerName;
use rustls::{AlertDescription, CipherSuite, NamedGroup, SignatureScheme};

use super::cause::{Cause, Diagnosis};
use super::handshake::{Broken, Offer};
use super::hello::{
    Choice, First, TLS12, TLS13, first_of, group_name, probe, scheme_name, suite_name, version_name,
};
use super::plain::{of_banner, of_questions};
use super::socket::Socket;

/// What is wrong, from what came first and from what a second look shows. `connect` makes another
/// connection to the same address.
pub(crate) fn diagnose(
    broken: &Broken,
    head: &[u8],
    offer: &Offer,
    name: &ServerName,
    timeout: Duration,
    mut connect: impl FnMut(Duration) -> Option<Socket>,
) -> Diagnosis {
    if let Some(diagnosis) = of_banner(head) {
        return diagnosis;
    }
    let patience = timeout.min(SECOND_LOOK);
    match first_of(head) {
        First::Nothing if head.is_empty() => {
            of_questions(connect, patience).unwrap_or_else(|| without_a_word(broken, timeout))
        }
        First::Nothing => broken_tls(broken),
        First::Chose(choice) => {
            nothing_in_common(&choice, offer).unwrap_or_else(|| broken_tls(broken))
        }
        First::Alert(NO_NAME) => Diagnosis::new(
            Cause::NameUnrecognized,
            format!("the server has no site named {name} (alert unrecognized_name, 112)"),
        ),
        First::Alert(NO_PROTOCOL) => Diagnosis::new(
            Cause::NoCommonAlpn,
            format!(
                "the server takes none of the application protocols {} (alert \
                 no_application_protocol, 120)",
                if offer.alpn.is_empty() { "(none)".into() } else { offer.alpn.join(", ") }
            ),
        ),
        First::Alert(number) => {
            let alert = alert_name(AlertDescription::from(number));
            let first = connect(patience).map(|socket| probe(socket, name, &offer.alpn));
            match first {
                Some(First::Chose(choice)) => nothing_in_common(&choice, offer)
                    .unwrap_or_else(|| only_the_signature_is_left(&choice, &alert)),
                _ if number == NO_VERSION => Diagnosis::new(
                    Cause::NoCommonVersion,
                    format!(
                        "the server wants another version of TLS than {} (alert {alert})",
                        ours(offer)
                    ),
                ),
                _ => Diagnosis::new(
                    Cause::HandshakeRefused,
                    format!("the server refuses the handshake whatever is offered: alert {alert}"),
                ),
            }
        }
    }
}

fn without_a_word(broken: &Broken, timeout: Duration) -> Diagnosis {
    match broken {
        Broken::TimedOut => Diagnosis::new(
            Cause::Silent,
            format!("it takes the connection, and said nothing for {} s", timeout.as_secs_f32()),
        ),
        _ => Diagnosis::new(
            Cause::Closed,
            "it takes the connection, and closes it on our ClientHello without a word",
        ),
    }
}

fn broken_tls(broken: &Broken) -> Diagnosis {
    let why = match broken {
        Broken::Closed => "it closes the connection in the middle of a message".into(),
        Broken::Lost(error) => {
            format!("the connection is lost in the middle of a message: {error}")
        }
        Broken::TimedOut => "it stops in the middle of a message".into(),
        Broken::Alert(alert) => format!("it sends the alert {}", alert_name(*alert)),
        Broken::Tls(error) => error.to_string(),
    };
    Diagnosis::new(Cause::TlsBroken, format!("the server begins TLS, but: {why}"))
}

/// What of the server's choice we do not have.
fn nothing_in_common(choice: &Choice, offer: &Offer) -> Option<Diagnosis> {
    let provider = Offer::provider();
    let version = version_name(choice.version);
    let suite = CipherSuite::from(choice.suite);
    let ours_is = |version: u16| version == TLS13 || version == TLS12 && !offer.tls13_only;
    if !ours_is(choice.version) {
        return Some(Diagnosis::new(
            Cause::NoCommonVersion,
            format!("the server speaks {version} at best; we offer {}", ours(offer)),
        ));
    }
    let group = choice.group.filter(|group| {
        !provider.kx_groups.iter().any(|known| known.name() == NamedGroup::from(*group))
    });
    if let Some(group) = group {
        return Some(Diagnosis::new(
            Cause::NoCommonGroup,
            format!(
                "of all key exchange groups the server takes {} ({version}), which we do not",
                group_name(group)
            ),
        ));
    }
    if !provider.cipher_suites.iter().any(|known| known.suite() == suite) {
        return Some(Diagnosis::new(
            Cause::NoCommonCipher,
            format!(
                "of all cipher suites the server takes {} ({version}), which we do not",
                suite_name(suite)
            ),
        ));
    }
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let scheme =
        choice.scheme.map(SignatureScheme::from).filter(|scheme| !schemes.contains(scheme));
    scheme.map(|scheme| {
        Diagnosis::new(
            Cause::NoCommonSignature,
            format!(
                "the server signs by {} ({version}), which we do not accept",
                scheme_name(scheme)
            ),
        )
    })
}

fn only_the_signature_is_left(choice: &Choice, alert: &str) -> Diagnosis {
    Diagnosis::new(
        Cause::NoCommonSignature,
        format!(
            "the server refuses what we offer (alert {alert}), and takes {} when every kind of \
             signature is offered too: its key is of a kind that we do not accept",
            version_name(choice.version)
        ),
    )
}

fn ours(offer: &Offer) -> &'static str {
    if offer.tls13_only { "TLS 1.3 alone" } else { "TLS 1.3 and 1.2" }
}

/// As RFC 8446 section 6 and openssl name it, with its number.
pub(crate) fn alert_name(alert: AlertDescription) -> String {
    let name = match alert {
        AlertDescription::UnknownCA => "unknown_ca".to_owned(),
        AlertDescription::UnrecognisedName => "unrecognized_name".to_owned(),
        AlertDescription::UnknownPSKIdentity => "unknown_psk_identity".to_owned(),
        AlertDescription::Unknown(_) => "unknown".to_owned(),
        other => {
            let mut name = String::new();
            for c in format!("{other:?}").chars() {
                if c.is_ascii_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(c.to_ascii_lowercase());
            }
            name
        }
    };
    format!("{name} ({})", u8::from(alert))
}

/// How long a server has for the second look, which is not what was asked for.
const SECOND_LOOK: Duration = Duration::from_secs(3);
const NO_VERSION: u8 = 70;
const NO_NAME: u8 = 112;
const NO_PROTOCOL: u8 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_their_usual_names() {
        for (number, name) in [
            (40, "handshake_failure (40)"),
            (48, "unknown_ca (48)"),
            (112, "unrecognized_name (112)"),
            (116, "certificate_required (116)"),
            (99, "unknown (99)"),
        ] {
            assert_eq!(alert_name(AlertDescription::from(number)), name);
        }
    }
}
