//! Profiles: what certificates say beyond their key.

mod file;

use core::net::IpAddr;
use std::path::{Path, PathBuf};

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_KP_CLIENT_AUTH;
use der::asn1::{Ia5String, OctetString};
use der::flagset::FlagSet;
use provision_wire::DeviceSerial;
use spki::SubjectPublicKeyInfoOwned;
use thiserror::Error;
use x509_cert::ext::pkix::KeyUsages;
use x509_cert::ext::pkix::name::{GeneralName, HardwareModuleName, OtherName};

use crate::algorithm::key_name;
use crate::certificate::{Contents, Statement};
use crate::files;
use crate::server_name::{DnsName, DnsNameError};
use crate::subject::{Subject, SubjectError};
use crate::template::{TemplateError, Variables, fill, variables};
use crate::validity::Validity;

/// Decides all of a certificate but its serial number and its key. What a request wishes for does
/// not count.
///
/// Shipped ones come from [`Profile::shipped`], a user's own from a file ([`Profile::read`]). Both
/// are TOML; `profiles/device.toml` in this crate explains every line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What it is called.
    pub name: String,
    /// Which CA signs.
    pub signed_by: SignedBy,
    /// The subject, with variables in it.
    pub subject: Subject,
    /// Alternative names, with variables in them.
    pub names: Vec<NameTemplate>,
    /// When it ends.
    pub lifetime: Lifetime,
    /// How long before its making it becomes valid, in seconds: for machines whose clocks run
    /// behind the station's. Never before the issuing CA became valid.
    pub backdate_s: u32,
    /// Kinds of keys it is given to, as in `P-256`; empty for any.
    pub keys: Vec<String>,
    pub(crate) key_usage: FlagSet<KeyUsages>,
    pub(crate) extended_key_usage: Vec<ObjectIdentifier>,
    /// URLs of the CRL.
    pub crl: Vec<String>,
    /// URLs of the OCSP responder.
    pub ocsp: Vec<String>,
    /// URLs of the issuing CA's certificate.
    pub ca_issuers: Vec<String>,
    /// What else a common name must keep to, because somebody reads it.
    pub common_name: Option<CommonNameRule>,
    /// Values for variables that are the same for all certificates.
    values: Vec<(String, String)>,
}

/// Which CA of a directory signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// The device issuing CA: clients of TLS.
    Device,
    /// The server root: servers.
    Server,
}

/// When a certificate ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// So many days after it was made. If the issuing CA ends before, nothing is issued: a
    /// certificate is never shortened in silence.
    Days(u32),
    /// Together with the issuing CA's.
    UntilIssuerEnds,
    /// Never: 9999-12-31T23:59:59Z (RFC 5280 section 4.1.2.5, IEEE 802.1AR section 8.7). The
    /// issuing CA must be of that kind too.
    NoEnd,
}

/// An alternative name with variables in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameTemplate {
    /// A host name.
    Dns(String),
    /// An IP address.
    Ip(String),
    /// A URI.
    Uri(String),
    /// An e-mail address.
    Email(String),
    /// hardwareModuleName (RFC 4108 section 5): the maker's number for this kind of hardware, and
    /// the serial number of this one.
    HardwareModule {
        /// An object identifier.
        kind: String,
        /// A serial number.
        serial: String,
    },
}

/// What a reader of common names takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonNameRule {
    /// Who reads it, for the error.
    pub read_by: String,
    /// Characters it may have, beside letters and digits of ASCII.
    pub also: String,
    /// Whether capital letters are taken.
    pub capitals: bool,
    /// Characters beside letters and digits that it may end in.
    pub last_also: String,
}

impl Profile {
    /// Names of the profiles that come with this crate.
    pub const SHIPPED: [&'static str; 8] =
        ["device", "server", "client", "idevid", "ldevid", "spiffe", "aws", "azure"];

    /// The shipped profile `device`, with another lifetime.
    ///
    /// # Panics
    ///
    /// Never: the tests read every shipped profile.
    #[must_use]
    pub fn new(lifetime: Lifetime) -> Self {
        let profile = Self::shipped("device").expect("it is shipped");
        Self { lifetime, ..profile }
    }

    /// The same with another subject.
    #[must_use]
    pub fn with_subject(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }

    /// The same with another lifetime.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Lifetime) -> Self {
        Self { lifetime, ..self }
    }

    /// The same, begun so many seconds before it is made.
    #[must_use]
    pub fn with_backdate_s(self, backdate_s: u32) -> Self {
        Self { backdate_s, ..self }
    }

    /// The same with these values for its variables, which count before all others.
    #[must_use]
    pub fn with_values(mut self, values: &[(String, String)]) -> Self {
        self.values.extend(values.iter().cloned());
        self
    }

    /// A profile that comes with this crate, if it has that name.
    ///
    /// # Panics
    ///
    /// Never: the tests read every shipped profile.
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        let text = match name {
            "device" => include_str!("../profiles/device.toml"),
            "server" => include_str!("../profiles/server.toml"),
            "client" => include_str!("../profiles/client.toml"),
            "idevid" => include_str!("../profiles/idevid.toml"),
            "ldevid" => include_str!("../profiles/ldevid.toml"),
            "spiffe" => include_str!("../profiles/spiffe.toml"),
            "aws" => include_str!("../profiles/aws.toml"),
            "azure" => include_str!("../profiles/azure.toml"),
            _ => return None,
        };
        Some(Self::parse(name, text).expect("what is shipped was read in the tests"))
    }

    /// A shipped profile by its name, or a user's own from the file of that name.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if there is neither, or if the file is no profile.
    pub fn find(name_or_path: &str) -> Result<Self, ProfileError> {
        match Self::shipped(name_or_path) {
            Some(profile) => Ok(profile),
            None => Self::read(Path::new(name_or_path)),
        }
    }

    /// Reads a profile from a file.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] with what the file system or the file says.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let at = |fault| ProfileError { profile: path.display().to_string(), fault };
        let unread = |cause: String| {
            let known = Self::SHIPPED.join(", ");
            at(ProfileFault::Read { path: path.to_owned(), cause, known })
        };
        let bytes = files::read(path).map_err(|error| unread(error.source.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let byte = error.utf8_error().valid_up_to();
            at(ProfileFault::Toml(format!("it is no text: byte {byte} is not UTF-8")))
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text).map_err(at)
    }

    fn parse(name: &str, text: &str) -> Result<Self, ProfileFault> {
        file::parse(name, text)
    }

    /// The variables it needs values for, each once, in order.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let mut all: Vec<String> = self.subject.variables().map(str::to_owned).collect();
        for name in &self.names {
            all.extend(name.texts().into_iter().flat_map(variables).map(str::to_owned));
        }
        all.sort();
        all.dedup();
        all
    }

    /// Everything that can be checked before a key is touched: whether this profile, with these
    /// values, makes a certificate that its readers take.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] says what would be wrong with it.
    pub fn check(&self, values: &Variables) -> Result<(), ProfileError> {
        self.filled(values).map(|_| ()).map_err(|fault| self.at(fault))
    }

    /// What a certificate for `key` is to say.
    pub(crate) fn statement(
        &self,
        values: &Variables,
        key: SubjectPublicKeyInfoOwned,
        validity: Validity,
    ) -> Result<Statement, ProfileError> {
        let kind = key_name(&key);
        if !self.keys.is_empty() && !self.keys.contains(&kind) {
            let wanted = self.keys.join(" or ");
            return Err(self.at(ProfileFault::OtherKey { wanted, found: kind }));
        }
        let (subject, contents) = self.filled(values).map_err(|fault| self.at(fault))?;
        Ok(Statement { subject, public_key: key, validity, contents })
    }

    fn filled(
        &self,
        values: &Variables,
    ) -> Result<(x509_cert::name::Name, Contents), ProfileFault> {
        let own = self.values.iter();
        let values = &own.fold(values.clone(), |values, (name, value)| values.with(name, value));
        if let (Some(rule), Some(template)) = (&self.common_name, self.subject.get("CN")) {
            rule.check(&fill(template, values)?)?;
        }
        let subject = self.subject.name(values)?;
        let names: Result<Vec<_>, _> = self.names.iter().map(|name| name.filled(values)).collect();
        let names = names?;
        if subject.is_empty() && names.is_empty() {
            return Err(ProfileFault::Nameless);
        }
        let contents = Contents {
            ca: None,
            key_usage: self.key_usage,
            extended_key_usage: self.extended_key_usage.clone(),
            names,
            crl: self.crl.clone(),
            ocsp: self.ocsp.clone(),
            ca_issuers: self.ca_issuers.clone(),
            ..Contents::default()
        };
        Ok((subject, contents))
    }

    /// Whether what it makes can act as a TLS client.
    #[must_use]
    pub fn is_for_clients(&self) -> bool {
        self.extended_key_usage.contains(&ID_KP_CLIENT_AUTH)
    }

    fn at(&self, fault: ProfileFault) -> ProfileError {
        ProfileError { profile: self.name.clone(), fault }
    }
}

/// The variables that every device's certificate has.
pub(crate) fn of_device(device: &DeviceSerial) -> Variables {
    Variables::default().with("device_serial", device.as_str())
}

impl NameTemplate {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Dns(text) | Self::Ip(text) | Self::Uri(text) | Self::Email(text) => vec![text],
            Self::HardwareModule { kind, serial } => vec![kind, serial],
        }
    }

    fn filled(&self, values: &Variables) -> Result<GeneralName, ProfileFault> {
        let unfit = |kind, text: &str| ProfileFault::Name { kind, text: text.to_owned() };
        match self {
            Self::Dns(text) => {
                let name = DnsName::new(&fill(text, values)?)?;
                Ok(GeneralName::DnsName(Ia5String::new(name.as_str())?))
            }
            Self::Ip(text) => {
                let text = fill(text, values)?;
                let address: IpAddr = text.parse().map_err(|_| unfit("IP address", &text))?;
                Ok(GeneralName::from(address))
            }
            Self::Uri(text) => {
                let text = fill(text, values)?;
                // RFC 5280 section 4.2.1.6: absolute, with a scheme and something after it.
                let scheme = |scheme: &str| {
                    !scheme.is_empty()
                        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                };
                let fit = text
                    .split_once(':')
                    .is_some_and(|(before, after)| scheme(before) && !after.is_empty())
                    && text.bytes().all(|b| b.is_ascii_graphic());
                if !fit {
                    return Err(unfit("URI", &text));
                }
                Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(&text)?))
            }
            Self::Email(text) => {
                let text = fill(text, values)?;
                let fit = text
                    .split_once('@')
                    .is_some_and(|(local, host)| !local.is_empty() && DnsName::new(host).is_ok())
                    && text.bytes().all(|b| b.is_ascii_graphic());
                if !fit {
                    return Err(unfit("e-mail address", &text));
                }
                Ok(GeneralName::Rfc822Name(Ia5String::new(&text)?))
            }
            Self::HardwareModule { kind, serial } => {
                let kind = fill(kind, values)?;
                let hw_type =
                    ObjectIdentifier::new(&kind).map_err(|_| unfit("object identifier", &kind))?;
                let hw_serial_num = OctetString::new(fill(serial, values)?.into_bytes())?;
                let name = HardwareModuleName { hw_type, hw_serial_num };
                Ok(GeneralName::OtherName(OtherName::try_from(&name)?))
            }
        }
    }
}

impl CommonNameRule {
    fn check(&self, name: &str) -> Result<(), ProfileFault> {
        let unfit = |why: String| ProfileFault::CommonName {
            name: name.to_owned(),
            read_by: self.read_by.clone(),
            why,
        };
        let plain = |c: char| {
            c.is_ascii_digit() || c.is_ascii_lowercase() || self.capitals && c.is_ascii_uppercase()
        };
        if let Some(other) = name.chars().find(|c| !plain(*c) && !self.also.contains(*c)) {
            return Err(unfit(format!("it has {other:?}")));
        }
        match name.chars().last() {
            Some(last) if !plain(last) && !self.last_also.contains(last) => {
                Err(unfit(format!("it ends in {last:?}")))
            }
            _ => Ok(()),
        }
    }
}

/// A profile cannot be used, or not with these values.
#[derive(Debug, Error)]
#[error("the profile {profile}: {fault}")]
pub struct ProfileError {
    /// Its name, or the file.
    pub profile: String,
    /// What is wrong.
    pub fault: ProfileFault,
}

/// What is wrong with a profile, or with the values for it.
#[derive(Debug, Error)]
pub enum ProfileFault {
    /// There is no shipped one of that name, and no such file.
    #[error("cannot read {}: {cause} (shipped profiles are {known})", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
        /// The profiles there are.
        known: String,
    },
    /// It is not TOML, or has lines that no profile has. The text names line and column.
    #[error("{0}")]
    Toml(String),
    /// A line has a value that makes no sense.
    #[error("{line} = {value:?}: {expected} is expected")]
    Value {
        /// Which line.
        line: &'static str,
        /// What it says.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The subject is none.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// A variable has no value.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A host name is none.
    #[error(transparent)]
    Dns(#[from] DnsNameError),
    /// Another name is none.
    #[error("{text:?} is no {kind}")]
    Name {
        /// What it should be.
        kind: &'static str,
        /// What it is.
        text: String,
    },
    /// Whoever reads the common name would refuse it.
    #[error("{read_by} would not take the common name {name:?}: {why}")]
    CommonName {
        /// The common name.
        name: String,
        /// Who reads it.
        read_by: String,
        /// What is wrong with it.
        why: String,
    },
    /// Neither subject nor alternative name.
    #[error("it names nobody: neither subject nor alternative names")]
    Nameless,
    /// It is not given to such a key.
    #[error("it is for a key of {wanted}, not of {found}")]
    OtherKey {
        /// What it is for.
        wanted: String,
        /// What the key is.
        found: String,
    },
    /// It cannot be written in DER.
    #[error("a name cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_is_one() {
        for name in Profile::SHIPPED {
            let profile = Profile::shipped(name).unwrap();
            assert_eq!(profile.name, name);
        }
        assert!(Profile::shipped("other").is_none());
    }

    #[test]
    fn a_name_its_cloud_would_not_take_is_refused_before_anything_happens() {
        let check = |profile: &str, serial: &str| {
            let values = of_device(&DeviceSerial::new(serial).unwrap());
            Profile::shipped(profile).unwrap().check(&values)
        };
        check("aws", "sensor_0042:A").unwrap();
        let dot = check("aws", "sensor.0042").unwrap_err();
        assert_eq!(
            dot.to_string(),
            "the profile aws: AWS IoT would not take the common name \"sensor.0042\": it has '.'"
        );
        check("azure", "sensor.0042:a").unwrap();
        assert!(check("azure", "Sensor-0042").is_err());
    }

    #[test]
    fn variables_must_have_values_that_fit() {
        let serial = of_device(&DeviceSerial::new("sensor-0042").unwrap());
        let idevid = Profile::shipped("idevid").unwrap();
        assert_eq!(idevid.variables(), ["device_serial", "hardware_type"]);
        assert!(matches!(
            idevid.check(&serial).unwrap_err().fault,
            ProfileFault::Template(TemplateError::NoValue { name }) if name == "hardware_type"
        ));
        let kind = |oid| idevid.check(&serial.clone().with("hardware_type", oid));
        kind("1.3.6.1.4.1.99999.1").unwrap();
        assert!(matches!(kind("one").unwrap_err().fault, ProfileFault::Name { .. }));

        let spiffe = Profile::shipped("spiffe").unwrap();
        let domain = |name| spiffe.check(&serial.clone().with("trust_domain", name));
        domain("example.org").unwrap();
        assert!(matches!(domain("a b").unwrap_err().fault, ProfileFault::Name { .. }));
    }
}
