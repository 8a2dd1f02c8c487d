//! A profile as it is written in TOML.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_KP_CLIENT_AUTH, ID_KP_CODE_SIGNING, ID_KP_EMAIL_PROTECTION, ID_KP_OCSP_SIGNING,
    ID_KP_SERVER_AUTH, ID_KP_TIME_STAMPING,
};
use der::flagset::FlagSet;
use serde::Deserialize;
use x509_cert::ext::pkix::KeyUsages;

use super::{CommonNameRule, Lifetime, NameTemplate, Profile, ProfileFault, SignedBy};

/// `profiles/device.toml` explains every line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: Option<String>,
    signed_by: Signer,
    #[serde(default)]
    subject: String,
    valid: Valid,
    backdate_seconds: Option<u32>,
    #[serde(default)]
    keys: Vec<String>,
    key_usage: Vec<String>,
    #[serde(default)]
    extended_key_usage: Vec<String>,
    #[serde(default)]
    names: Names,
    #[serde(default)]
    revocation: Revocation,
    common_name: Option<CommonName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Signer {
    Device,
    Server,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Valid {
    Days(u32),
    Word(String),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Names {
    dns: Vec<String>,
    ip: Vec<String>,
    uri: Vec<String>,
    email: Vec<String>,
    hardware_module: Option<HardwareModule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HardwareModule {
    kind: String,
    serial: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Revocation {
    crl: Vec<String>,
    ocsp: Vec<String>,
    ca_issuers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommonName {
    read_by: String,
    also: String,
    capitals: bool,
    #[serde(default)]
    last_also: String,
}

pub(super) fn parse(name: &str, text: &str) -> Result<Profile, ProfileFault> {
    let file: File =
        toml::from_str(text).map_err(|error| ProfileFault::Toml(wrong(text, &error)))?;
    let lifetime = match file.valid {
        Valid::Days(days) => Lifetime::Days(days),
        Valid::Word(word) => match word.as_str() {
            "until-issuer-ends" => Lifetime::UntilIssuerEnds,
            "no-end" => Lifetime::NoEnd,
            _ => {
                let expected = "a number of days, \"until-issuer-ends\" or \"no-end\"";
                return Err(ProfileFault::Value { line: "valid", value: word, expected });
            }
        },
    };
    let mut key_usage = FlagSet::default();
    for word in file.key_usage {
        key_usage |= key_usage_of(&word)?;
    }
    let Names { dns, ip, uri, email, hardware_module } = file.names;
    let names =
        dns.into_iter()
            .map(NameTemplate::Dns)
            .chain(ip.into_iter().map(NameTemplate::Ip))
            .chain(uri.into_iter().map(NameTemplate::Uri))
            .chain(email.into_iter().map(NameTemplate::Email))
            .chain(hardware_module.map(|HardwareModule { kind, serial }| {
                NameTemplate::HardwareModule { kind, serial }
            }))
            .collect();
    let Revocation { crl, ocsp, ca_issuers } = file.revocation;
    for url in crl.iter().chain(&ocsp).chain(&ca_issuers) {
        check_url(url)?;
    }
    Ok(Profile {
        name: name.to_owned(),
        signed_by: match file.signed_by {
            Signer::Device => SignedBy::Device,
            Signer::Server => SignedBy::Server,
        },
        subject: file.subject.parse()?,
        names,
        lifetime,
        backdate_s: file.backdate_seconds.unwrap_or(BACKDATE_S),
        keys: file.keys,
        key_usage,
        extended_key_usage: file
            .extended_key_usage
            .iter()
            .map(|word| extended_key_usage_of(word))
            .collect::<Result<_, _>>()?,
        crl,
        ocsp,
        ca_issuers,
        common_name: file.common_name.map(|rule| CommonNameRule {
            read_by: rule.read_by,
            also: rule.also,
            capitals: rule.capitals,
            last_also: rule.last_also,
        }),
        values: Vec::new(),
    })
}

/// What is wrong, with the line in which it is; but of what may be a key given by mistake, the position alone.
fn wrong(text: &str, error: &toml::de::Error) -> String {
    let said = error.to_string();
    if text.len() <= PROFILE_LEN_MAX && !text.contains("-----") && !may_have_key(&said) {
        return said;
    }
    let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
    let (line, column) = before
        .rsplit_once('\n')
        .map_or((1, before), |(above, line)| (above.split('\n').count() + 1, line));
    let column = column.chars().count() + 1;
    format!("line {line}, column {column} is no TOML of a profile; not shown, it may be a key")
}

/// Whether so many characters stand together as in a line of a key in base64 or hexadecimal.
fn may_have_key(text: &str) -> bool {
    let of_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    text.split(|c| !of_base64(c)).any(|word| word.len() >= WORD_OF_KEY)
}

/// A certificate cannot be corrected later: a URL that leads nowhere would stay there for years.
/// Plain HTTP is what RFC 5280 section 4.2.1.13 has in mind: what is fetched there is signed.
fn check_url(url: &str) -> Result<(), ProfileFault> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let fit = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|byte| byte.is_ascii_graphic());
    if fit {
        return Ok(());
    }
    let expected = "a URL that begins with http://";
    Err(ProfileFault::Value { line: "revocation", value: url.to_owned(), expected })
}

/// Names as in openssl's configuration (x509v3_config(5)).
fn key_usage_of(word: &str) -> Result<KeyUsages, ProfileFault> {
    Ok(match word {
        "digitalSignature" => KeyUsages::DigitalSignature,
        "nonRepudiation" | "contentCommitment" => KeyUsages::NonRepudiation,
        "keyEncipherment" => KeyUsages::KeyEncipherment,
        "dataEncipherment" => KeyUsages::DataEncipherment,
        "keyAgreement" => KeyUsages::KeyAgreement,
        _ => {
            let expected = "a key usage of a leaf, such as digitalSignature,";
            return Err(ProfileFault::Value { line: "key_usage", value: word.into(), expected });
        }
    })
}

fn extended_key_usage_of(word: &str) -> Result<ObjectIdentifier, ProfileFault> {
    Ok(match word {
        "serverAuth" => ID_KP_SERVER_AUTH,
        "clientAuth" => ID_KP_CLIENT_AUTH,
        "codeSigning" => ID_KP_CODE_SIGNING,
        "emailProtection" => ID_KP_EMAIL_PROTECTION,
        "timeStamping" => ID_KP_TIME_STAMPING,
        "OCSPSigning" => ID_KP_OCSP_SIGNING,
        _ => ObjectIdentifier::new(word).map_err(|_| ProfileFault::Value {
            line: "extended_key_usage",
            value: word.to_owned(),
            expected: "clientAuth, serverAuth or another purpose, or an object identifier,",
        })?,
    })
}

/// For machines whose clocks run behind the station's.
const BACKDATE_S: u32 = 300;

/// The shipped ones have less than a tenth of it.
const PROFILE_LEN_MAX: usize = 64 << 10;
/// Half of a line of PEM.
const WORD_OF_KEY: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "signed_by = \"device\"\nsubject = \"/CN={device_serial}\"\n\
                            valid = 10\nkey_usage = [\"digitalSignature\"]\n";

    #[test]
    fn the_smallest_profile() {
        let profile = parse("mine", SMALLEST).unwrap();
        assert_eq!((profile.lifetime, profile.backdate_s), (Lifetime::Days(10), 300));
    }

    #[test]
    fn a_profile_that_makes_no_sense_says_where() {
        let fault =
            |more: &str| parse("mine", &format!("{SMALLEST}{more}")).unwrap_err().to_string();
        assert!(fault("surprise = 1").contains("line 5"), "{}", fault("surprise = 1"));
        let purpose = fault("extended_key_usage = [\"everything\"]");
        assert!(purpose.contains("extended_key_usage = \"everything\""), "{purpose}");
        assert!(fault("[revocation]\ncrl = [\"ldap://x\"]").contains("http://"));
        assert!(fault("[names]\nfax = [\"1\"]").contains("fax"));
        let keys = parse("mine", &SMALLEST.replace("digitalSignature", "keyCertSign"));
        assert!(keys.is_err(), "no profile makes a CA");
        assert!(parse("mine", &SMALLEST.replace("10", "\"for ever\"")).is_err());
    }

    #[test]
    fn what_may_be_a_key_is_not_quoted() {
        let base64 = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
        let position = "line 1, column 1 is no TOML of a profile; not shown, it may be a key";
        for (text, said) in [
            (format!("-----BEGIN PRIVATE KEY-----{base64}-----END PRIVATE KEY-----"), None),
            (format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n"), None),
            (format!("{base64}\n"), None),
            (format!("{base64} = 1\n"), Some(position)),
            (format!("signed_by = \"{base64}\"\n"), None),
            (format!("{SMALLEST}{base64}\n"), None),
            (format!("{SMALLEST}x{}", "y".repeat(PROFILE_LEN_MAX)), None),
            // A short key in a long file, and a dash too many in a good one.
            (format!("{SMALLEST}# {}\nMIGHAgEA\n", "# ".repeat(PROFILE_LEN_MAX)), None),
        ] {
            let fault = parse("mine", &text).unwrap_err().to_string();
            assert!(!fault.contains("MIGH") && !fault.contains("yyy"), "{fault}");
            assert!(fault.contains("not shown, it may be a key"), "{fault}");
            assert!(said.is_none_or(|said| fault.contains(said)), "{fault}");
        }
        let fault = parse("mine", &format!("{SMALLEST}-----\n")).unwrap_err().to_string();
        assert!(fault.contains("line 5, column 6"), "{fault}");
    }
}
