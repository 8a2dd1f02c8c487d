//! What can be said on the command line.

use core::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use provision_wire::DeviceSerial;

const EXAMPLES: &str = "\
Examples:
  provision ca init --name Acme                            make a CA in ./ca, once
  provision --port /dev/ttyUSB0 --endpoint mqtt.acme.com:8883   enroll the device on that port
  provision ask hello --port /dev/ttyUSB0                  who is there?

Exit codes:
  0  enrolled, or done          13  policy: wrong device, known key, cloned key
  1  anything else              14  issuer: CA missing, wrong passphrase, expired
  2  usage                      15  ledger
  10 no answer from the device  16  the port cannot be used
  11 refused by the device      17  the device broke the protocol
  12 possession or stored identity not proven";

/// Gives every device on the line an identity: its key is made on the device and never leaves it;
/// its CSR comes over the serial port, is proven and signed; certificate, trust anchors and
/// endpoint go back; and it counts as enrolled once it has proven what it stores.
///
/// Without a subcommand it enrolls the devices on the ports given. Any run can be repeated: same
/// key, same certificate.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Print one JSON object per event on standard output.
    #[arg(long, global = true)]
    pub json: bool,

    #[command(flatten)]
    pub enroll: Enroll,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Certification authority.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Make a key and a certificate for a server that devices connect to.
    ServerCert(ServerCert),
    /// Put one question to a device by hand.
    Ask(Ask),
    /// List the serial ports of this machine.
    Ports,
    /// The record of what was issued.
    #[command(subcommand)]
    Ledger(LedgerCommand),
}

/// Where the CA is, and what opens it.
#[derive(Debug, Args)]
pub(crate) struct CaPlace {
    /// Directory of the CA.
    #[arg(long, value_name = "DIR", env = "PROVISION_CA", default_value = "ca")]
    pub ca: PathBuf,

    /// File whose first line is the CA's passphrase. Without it: the environment variable
    /// PROVISION_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Which port, and how fast.
#[derive(Debug, Args)]
pub(crate) struct Baud {
    /// Bits per second.
    #[arg(long, value_name = "RATE", default_value_t = 115_200)]
    pub baud: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// Serial ports with a device each, one after the other.
    #[arg(long, value_name = "PORT", num_args = 1..)]
    pub port: Vec<String>,

    #[command(flatten)]
    pub baud: Baud,

    /// Where the device is to connect in the field: name or IP address, and port.
    #[arg(long, value_name = "HOST:PORT", env = "PROVISION_ENDPOINT")]
    pub endpoint: Option<String>,

    /// ALPN protocol the device offers there (RFC 7301), such as x-amzn-mqtt-ca.
    #[arg(long, value_name = "NAME")]
    pub alpn: Option<String>,

    #[command(flatten)]
    pub ca: CaPlace,

    /// The record of what was issued [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,

    /// Certificate (PEM) a device trusts for servers; may be given up to four times
    /// [default: server-root.crt in the CA's directory].
    #[arg(long, value_name = "FILE")]
    pub server_anchor: Vec<PathBuf>,

    /// The device that must be there; any other is refused before its key is touched.
    #[arg(long, value_name = "SERIAL")]
    pub expect: Option<DeviceSerial>,

    /// Days the certificate is valid [default: until the issuing CA ends].
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,

    /// Organization in the certificate's subject.
    #[arg(long, value_name = "TEXT")]
    pub organization: Option<String>,

    /// Organizational unit in the certificate's subject.
    #[arg(long, value_name = "TEXT")]
    pub organizational_unit: Option<String>,

    /// Country in the certificate's subject, two letters.
    #[arg(long, value_name = "CC")]
    pub country: Option<String>,

    /// Leave the device open for another run instead of making its identity final.
    #[arg(long)]
    pub no_seal: bool,

    /// Seconds to wait for the device's first answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub wait: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make a device root, a device issuing CA and, apart, a server root.
    Init(CaInit),
}

#[derive(Debug, Args)]
pub(crate) struct CaInit {
    /// Whose CA it is; its certificates are called "NAME Device Root CA" and so on.
    #[arg(long, value_name = "NAME", default_value = "Factory")]
    pub name: String,

    #[command(flatten)]
    pub place: CaPlace,

    /// Organization in the CA's subjects.
    #[arg(long, value_name = "TEXT")]
    pub organization: Option<String>,

    /// Country in the CA's subjects, two letters.
    #[arg(long, value_name = "CC")]
    pub country: Option<String>,

    /// Keep the CA's private keys unencrypted. For development only.
    #[arg(long, conflicts_with = "passphrase_file")]
    pub insecure_plaintext_keys: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServerCert {
    /// DNS name of the server; may be given several times, and begin with `*.`.
    #[arg(long, value_name = "NAME")]
    pub dns: Vec<String>,

    /// IP address of the server; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<IpAddr>,

    #[command(flatten)]
    pub place: CaPlace,

    /// Directory for server.crt and server.key; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "server")]
    pub out: PathBuf,

    /// Days the certificate is valid.
    #[arg(long, value_name = "N", default_value_t = 825)]
    pub days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    #[command(subcommand)]
    pub question: Question,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// Who is there, and how far has it come? Changes nothing.
    Hello(AskPort),
    /// For the public key. A blank device makes its key now, and keeps it.
    Key(AskPort),
    /// For a CSR over a fresh challenge; printed as PEM once it has proven possession.
    Csr(AskPort),
    /// For a signature by the key of the stored certificate. Changes nothing.
    Prove(AskProve),
}

#[derive(Debug, Args)]
pub(crate) struct AskPort {
    /// The serial port.
    #[arg(long, value_name = "PORT")]
    pub port: String,

    #[command(flatten)]
    pub baud: Baud,
}

#[derive(Debug, Args)]
pub(crate) struct AskProve {
    #[command(flatten)]
    pub port: AskPort,

    /// Directory of the CA.
    #[arg(long, value_name = "DIR", env = "PROVISION_CA", default_value = "ca")]
    pub ca: PathBuf,

    /// The certificate (PEM or DER) the device should store.
    #[arg(long, value_name = "FILE")]
    pub leaf: Option<PathBuf>,

    /// The ledger to take the certificate from, if no file is given
    /// [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER", conflicts_with = "leaf")]
    pub ledger: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Make an empty ledger where none is. `ca init` makes one in the CA's directory.
    Create(LedgerPlace),
    /// List what was issued, oldest first.
    List(LedgerPlace),
}

#[derive(Debug, Args)]
pub(crate) struct LedgerPlace {
    /// Directory of the CA.
    #[arg(long, value_name = "DIR", env = "PROVISION_CA", default_value = "ca")]
    pub ca: PathBuf,

    /// The ledger [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,
}
