//! `provision server-cert` and `provision client-cert`: a key made here, and its certificate.

use std::path::{Path, PathBuf};

use clap::Args;
use provision_issuer::{
    CertificateForm, HostFiles, HostIdentity, KeyProtection, Profile, Variables,
};
use serde_json::json;

use crate::arguments::{Form, HostNames, NewKey, NewKeyPassphrase, Signing};
use crate::fault::Fault;
use crate::report::Report;
use crate::secret;
use crate::signing::{Desk, for_names};

const SERVER_EXAMPLE: &str = "\
Example:
  provision server-cert --dns mqtt.acme.com --dns '*.iot.acme.com' --ip 192.0.2.7 --out server";

#[derive(Debug, Args)]
#[command(after_help = SERVER_EXAMPLE)]
pub(crate) struct ServerCert {
    #[command(flatten)]
    pub names: HostNames,

    /// A shipped profile, or a file with one.
    #[arg(long, value_name = "NAME|FILE", default_value = "server")]
    pub profile: String,

    #[command(flatten)]
    pub key: NewKey,

    #[command(flatten)]
    pub signing: Signing,

    /// Directory for server.crt and server.key; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "server")]
    pub out: PathBuf,

    /// PEM or DER, of the certificate. The key is always PEM.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Pem)]
    pub outform: Form,
}

const CLIENT_EXAMPLE: &str = "\
Examples:
  provision client-cert --name alice --out alice
  provision client-cert --name backup --insecure-plaintext-key --out backup
  curl --cert alice/client.crt --key alice/client.key https://…";

#[derive(Debug, Args)]
#[command(after_help = CLIENT_EXAMPLE)]
pub(crate) struct ClientCert {
    /// Who it is: a person or a service.
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// A shipped profile, or a file with one.
    #[arg(long, value_name = "NAME|FILE", default_value = "client")]
    pub profile: String,

    #[command(flatten)]
    pub key: NewKey,

    #[command(flatten)]
    pub protection: NewKeyPassphrase,

    #[command(flatten)]
    pub signing: Signing,

    /// Directory for client.crt and client.key; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "client")]
    pub out: PathBuf,

    /// PEM or DER, of the certificate. The key is always PEM.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Pem)]
    pub outform: Form,
}

pub(crate) fn server(arguments: &ServerCert, report: &mut Report) -> Result<(), Fault> {
    let names = arguments.names.names()?;
    if names.is_empty() {
        return Err(Fault::Usage("a server has at least one name: --dns or --ip".into()));
    }
    let (profile, values) = for_names(Profile::find(&arguments.profile)?, None, &names)?;
    // Servers start without people.
    let plain = KeyProtection::InsecurePlaintext;
    let making = Making {
        name: "server",
        out: &arguments.out,
        form: arguments.outform,
        key: &arguments.key,
        protection: &plain,
    };
    making.make(&arguments.signing, profile, values, report)
}

pub(crate) fn client(arguments: &ClientCert, report: &mut Report) -> Result<(), Fault> {
    let profile = Profile::find(&arguments.profile)?;
    let (profile, values) = for_names(profile, Some(&arguments.name), &[])?;
    let protection = secret::for_new_key(&arguments.protection)?;
    let making = Making {
        name: "client",
        out: &arguments.out,
        form: arguments.outform,
        key: &arguments.key,
        protection: &protection,
    };
    making.make(&arguments.signing, profile, values, report)
}

struct Making<'a> {
    name: &'static str,
    out: &'a Path,
    form: Form,
    key: &'a NewKey,
    protection: &'a KeyProtection,
}

impl Making<'_> {
    fn make(
        &self,
        signing: &Signing,
        profile: Profile,
        values: Variables,
        report: &mut Report,
    ) -> Result<(), Fault> {
        HostFiles::vacant(self.out, self.name)?;
        let mut desk = Desk::open(signing, profile, values)?;
        let key = self.key.key_type;
        let made =
            HostIdentity::new(&mut desk.issuer, key, &desk.profile, &desk.values, desk.now_s)?;
        let values = desk.record(&made.certificate)?;
        let form = match self.form {
            Form::Pem => CertificateForm::Pem,
            Form::Der => CertificateForm::Der,
        };
        let files = made.write(self.out, self.name, form, self.protection)?;
        let encrypted = matches!(self.protection, KeyProtection::Encrypted(_));
        let how = if encrypted { "encrypted" } else { "not encrypted" };
        report.result(
            &format!("made {} and {} ({how})", files.certificate.display(), files.key.display()),
            &json!({
                "event": "result",
                "certificate": files.certificate,
                "key": files.key,
                "key_encrypted": encrypted,
                "subject": values.subject,
                "cert_serial": values.serial,
                "not_after_s": made.not_after_s,
            }),
        )
    }
}
