//! `provision config …`: what a server needs to take the devices and people of a CA.
//!
//! ```text
//!   material   what it is made from: the CA's certificates, the server's key
//!   crls       and CRLs of every CA
//!   folder     the directory it goes into, in which no key is ever overwritten
//!   words      addresses, names and paths, checked for what they mean in a configuration
//!   stores     PKCS#12 for servers that want that
//!   nginx, mosquitto, haproxy, envoy, zookeeper, iis
//! ```

mod crls;
mod envoy;
mod folder;
mod haproxy;
mod iis;
mod material;
mod mosquitto;
pub(crate) mod nginx;
mod stores;
pub(crate) mod words;
mod zookeeper;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::arguments::KeyPassphrase;
use crate::fault::Fault;
use crate::report::Report;

pub(crate) use crls::Crls;
pub(crate) use folder::Folder;
pub(crate) use material::Material;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// nginx: client certificates, identity headers, access by CN and OU, CRLs, OCSP.
    Nginx(nginx::NginxConfig),
    /// mosquitto: the common name is the user, and an ACL says which topics are whose.
    Mosquitto(mosquitto::MosquittoConfig),
    /// HAProxy: client certificates, identity headers, access by CN and OU, CRLs.
    Haproxy(haproxy::HaproxyConfig),
    /// IIS: a PowerShell script.
    Iis(iis::IisConfig),
    /// ZooKeeper: zoo.cfg, key store and trust store.
    Zookeeper(zookeeper::ZookeeperConfig),
    /// Envoy: YAML with client certificates, identity header, RBAC by CN, OU and SAN, CRLs.
    Envoy(envoy::EnvoyConfig),
}

pub(crate) fn run(command: &ConfigCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        ConfigCommand::Nginx(arguments) => nginx::run(arguments, report),
        ConfigCommand::Mosquitto(arguments) => mosquitto::run(arguments, report),
        ConfigCommand::Haproxy(arguments) => haproxy::run(arguments, report),
        ConfigCommand::Iis(arguments) => iis::run(arguments, report),
        ConfigCommand::Zookeeper(arguments) => zookeeper::run(arguments, report),
        ConfigCommand::Envoy(arguments) => envoy::run(arguments, report),
    }
}

/// From what a configuration is made, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Directory of the CA whose devices and people the server is to take, as `provision ca init`
    /// or `ca import` made it. Its certificates alone are read: root and issuing CA go into one
    /// file, because devices send their own certificate alone.
    #[arg(long = "for", value_name = "DIR", env = "PROVISION_CA", default_value = "ca")]
    pub ca: PathBuf,

    /// The server's own certificate, and the issuing CAs above it, if there are any, behind it.
    #[arg(long, value_name = "FILE", default_value = "server/server.crt")]
    pub certificate: PathBuf,

    /// Its private key. It is copied, readable by its owner only.
    #[arg(long, value_name = "FILE", default_value = "server/server.key")]
    pub key: PathBuf,

    #[command(flatten)]
    pub passphrase: KeyPassphrase,

    /// Write the key in the clear though it is encrypted now: servers start without people.
    #[arg(long)]
    pub insecure_plaintext_key: bool,

    /// Directory for the configuration; made if it is not there [default: the server's name].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Where that directory will be on the server, if not where it is now.
    #[arg(long, value_name = "DIR")]
    pub at: Option<PathBuf>,

    /// Put new files in the place of those that are there. Keys stay.
    #[arg(long)]
    pub replace: bool,
}

/// Whom to refuse although a CA has certified them.
#[derive(Debug, Args)]
pub(crate) struct Revocation {
    /// CRLs of every CA in one file: all.crl of `provision crl`. Renew them in time by
    /// `provision crl --out DIR/crl`, where DIR is the directory of the configuration.
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
}

/// Who is let in of those that a CA has certified. Nothing given: all of them.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// Let in who has this common name; may be given several times. Everybody else gets 403.
    #[arg(long, value_name = "NAME")]
    pub allow_cn: Vec<String>,

    /// Let in who has this organizational unit; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub allow_ou: Vec<String>,
}

impl Access {
    /// Type of attribute and value of each.
    pub(crate) fn attributes(&self) -> Vec<(&'static str, &str)> {
        let common_names = self.allow_cn.iter().map(|name| ("CN", name.as_str()));
        common_names.chain(self.allow_ou.iter().map(|name| ("OU", name.as_str()))).collect()
    }
}

/// What is asked of a client, in nginx's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Demand {
    /// A certificate of the CA.
    #[value(name = "on")]
    On,
    /// A certificate of the CA, or none.
    #[value(name = "optional")]
    Optional,
    /// Any certificate, or none: what is behind the server has to look at the verdict.
    #[value(name = "optional_no_ca")]
    OptionalNoCa,
}
