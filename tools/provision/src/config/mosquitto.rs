//! `provision config mosquitto`.

use core::fmt::Write as _;

use clap::Args;

use super::nginx::CRL;
use super::words::{Listen, one_line};
use super::{Crls, Folder, Material, Revocation, Source};
use crate::fault::Fault;
use crate::report::Report;

const EXAMPLES: &str = "\
Examples:
  provision config mosquitto --for ca --out /etc/mosquitto/provision
      and then, in /etc/mosquitto/conf.d: include_dir /etc/mosquitto/provision
  provision config mosquitto --for ca --topic 'devices/%u/#' --all-topics backend

A client's common name is its user name. Everybody has the topics of --topic, where %u is the name;
who is named with --all-topics has all of them. mosquitto gives up root's rights before it reads
its key: chown mosquitto server.key";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MosquittoConfig {
    #[command(flatten)]
    pub source: Source,

    /// Where it listens.
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "8883")]
    pub listen: Listen,

    /// Topics that everybody may read and write; %u is the client's common name. May be given
    /// several times.
    #[arg(long, value_name = "PATTERN", default_value = "devices/%u/#")]
    pub topic: Vec<String>,

    /// Who may read and write every topic; may be given several times.
    #[arg(long, value_name = "CN")]
    pub all_topics: Vec<String>,

    #[command(flatten)]
    pub revocation: Revocation,
}

pub(super) fn run(arguments: &MosquittoConfig, report: &mut Report) -> Result<(), Fault> {
    let crls = Crls::read(&arguments.revocation)?;
    let material = Material::read(&arguments.source)?;
    let acl = acl(arguments)?;
    let mut folder = Folder::of(&arguments.source, "mosquitto")?;
    let configuration = configuration(folder.at()?, arguments);
    if let Some(crls) = crls {
        folder.put_crls(CRL, crls.of_every_ca(&material)?);
    }
    folder.put_secret("server.key", material.key_pem()?.as_bytes());
    folder.put("server.crt", material.chain_pem());
    folder.put("device-ca-bundle.crt", material.device_cas_pem());
    folder.put("acl", acl);
    folder.put("provision.conf", configuration);
    folder.write(report)
}

fn configuration(at: &str, arguments: &MosquittoConfig) -> String {
    let listen = &arguments.listen;
    let address = listen.address.map_or_else(String::new, |address| format!(" {address}"));
    let mut text = format!(
        "# Written by `provision config mosquitto`.\n\n\
         listener {}{address}\n\
         # In TLS 1.2 the certificates of clients pass in the clear.\n\
         tls_version tlsv1.3\n\
         certfile {at}/server.crt\n\
         # mosquitto gives up root's rights before it reads this: it belongs to its user.\n\
         keyfile {at}/server.key\n\n\
         # Root and issuing CA: devices send their own certificate alone.\n\
         cafile {at}/device-ca-bundle.crt\n\
         require_certificate true\n\
         # The common name is the user, and there is no password.\n\
         use_identity_as_username true\n\
         allow_anonymous false\n\
         acl_file {at}/acl\n",
        listen.port,
    );
    if arguments.revocation.crl.is_some() {
        let _ = write!(
            text,
            "# Past its nextUpdate nobody is taken: renew it in time\n\
             # (provision crl --out {at}/crl), then send SIGHUP to mosquitto.\ncrlfile {at}/{CRL}\n",
        );
    }
    text
}

fn acl(arguments: &MosquittoConfig) -> Result<String, Fault> {
    let mut text = String::from(
        "# Written by `provision config mosquitto`. What is not said here is not allowed.\n\n\
         # Everybody; %u is the client's common name.\n",
    );
    for topic in &arguments.topic {
        one_line("topic", topic)?;
        let _ = writeln!(text, "pattern readwrite {topic}");
    }
    for name in &arguments.all_topics {
        one_line("common name", name)?;
        let _ = write!(text, "\nuser {name}\ntopic readwrite #\n");
    }
    Ok(text)
}
