//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use provision_wire::DeviceSerial;

use crate::ca::CaCommand;
use crate::check_end::CheckEnd;
use crate::config::ConfigCommand;
use crate::convert::Convert;
use crate::crl::Crl;
use crate::csr::Csr;
use crate::dhparam::Dhparam;
use crate::doctor::Doctor;
use crate::fullchain::Fullchain;
use crate::host_cert::{ClientCert, ServerCert};
use crate::inspect::Inspect;
use crate::job::JobArguments;
use crate::key::KeyCommand;
use crate::kit::Kit;
use crate::label::Label;
use crate::ledger::LedgerCommand;
use crate::lot::LotCommand;
use crate::lot_report::ReportCommand;
use crate::matching::Match;
use crate::ocsp::OcspCommand;
use crate::p12::P12Command;
use crate::revoke::Revoke;
use crate::sign::Sign;
#[cfg(unix)]
use crate::simulate::Simulate;
use crate::station::Station;
use crate::verify::Verify;

const EXAMPLES: &str = "\
Examples:
  provision ca init --name Acme                            make a CA in ./ca, once
  provision --port /dev/ttyUSB0 --endpoint mqtt.acme.com:8883   enroll the device on that port
  provision station --ports 'usb:*' --endpoint mqtt.acme.com:8883   enroll whatever is plugged in
  provision ask hello --port /dev/ttyUSB0                  who is there?

Exit codes:
  0  enrolled, or done          13  policy: wrong device, known key, cloned key
  1  anything else              14  issuer: CA missing, wrong passphrase or PIN, expired
  2  usage                      15  ledger
  10 no answer from the device  16  the port cannot be used
  11 refused by the device      17  the device broke the protocol
  12 possession or stored identity not proven
  18 a certificate is not to be believed, ends, or does not match
  19 no connection, or no TLS on it (`doctor`)
  20 nothing in common with the server (`doctor`)
  21 the server does not take us (`doctor`)";

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

    /// Sign and record even though this machine's clock is behind the last entry of the ledger, or
    /// behind the making of this program, or jumps.
    #[arg(long, global = true)]
    pub insecure_ignore_clock: bool,

    #[command(flatten)]
    pub enroll: Enroll,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Certification authority.
    #[command(
        subcommand,
        after_help = "Examples:\n  provision ca init --name Acme\n  \
        provision ca show"
    )]
    Ca(CaCommand),
    /// Make a key and a certificate for a server that devices connect to.
    ServerCert(ServerCert),
    /// Make a key and a certificate for a person or a service.
    ClientCert(ClientCert),
    /// Sign a CSR that was made elsewhere.
    Sign(Sign),
    /// Make a CSR for a key.
    Csr(Csr),
    /// Say whether a certificate is to be believed, and if not, which one is at fault.
    Verify(Verify),
    /// Say whether a TLS server takes us, and if not, why.
    Doctor(Doctor),
    /// Show what is in a file: certificate, CSR, CRL, key, PKCS#12, PKCS#7.
    Inspect(Inspect),
    /// Say whether certificates are good for so many days more.
    CheckEnd(CheckEnd),
    /// Say whether key, certificate and CSR belong together.
    Match(Match),
    /// Make, show, encrypt and decrypt private keys.
    #[command(
        subcommand,
        after_help = "Examples:\n  provision key make --out host.key\n  \
        provision key encrypt host.key --out host.enc.key"
    )]
    Key(KeyCommand),
    /// Turn PEM into DER and back.
    Convert(Convert),
    /// Put a certificate and its issuers in order.
    Fullchain(Fullchain),
    /// Make and open PKCS#12.
    #[command(
        subcommand,
        after_help = "Examples:\n  provision p12 make --key client.key --certificate client.crt --out alice.p12\n  \
        provision p12 open alice.p12 --out alice"
    )]
    P12(P12Command),
    /// Print a group for Diffie-Hellman (RFC 7919).
    Dhparam(Dhparam),
    /// Revoke a certificate.
    Revoke(Revoke),
    /// Make the CRLs of every CA.
    Crl(Crl),
    /// Make everything for mutual TLS at once: CA, server, client, PKCS#12, nginx, README.
    Kit(Kit),
    /// Write the configuration of a server that takes the CA's devices and people.
    #[command(subcommand, after_help = "Example:\n  provision config nginx --for ca --out nginx")]
    Config(ConfigCommand),
    /// Answer whether a certificate was revoked (OCSP, RFC 6960).
    #[command(
        subcommand,
        after_help = "Examples:\n  provision ocsp cert --out ocsp\n  \
        provision ocsp serve --responder ocsp --listen 127.0.0.1:8888"
    )]
    Ocsp(OcspCommand),
    /// Enroll what comes, on many ports, until it is told to end.
    Station(Station),
    /// Put simulated devices on simulated ports, for training and load.
    #[cfg(unix)]
    Simulate(Simulate),
    /// Put one question to a device by hand.
    #[command(after_help = "Example:\n  provision ask hello --port /dev/ttyUSB0")]
    Ask(Ask),
    /// List the serial ports of this machine.
    #[command(after_help = "Example:\n  provision ports")]
    Ports,
    /// The record of what was issued.
    #[command(
        subcommand,
        after_help = "Examples:\n  provision ledger list\n  \
        provision ledger find --device sensor-0042"
    )]
    Ledger(LedgerCommand),
    /// Lots: how many devices, of what, until when.
    #[command(
        subcommand,
        after_help = "Examples:\n  provision lot create --id 2026-W47 --quota 500\n  \
        provision lot show --id 2026-W47"
    )]
    Lot(LotCommand),
    /// Make labels for devices: serial, fingerprint, and a QR code to claim them by.
    Label(Label),
    /// Reports for line controllers, test systems and people.
    #[command(subcommand, after_help = "Example:\n  provision report lot --id 2026-W47")]
    Report(ReportCommand),
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
    #[arg(
        long,
        value_name = "RATE",
        default_value_t = 115_200,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub baud: u32,
}

/// What a device may have no algorithm for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unchecked {
    /// Signatures by a CA whose key is not on P-256, such as RSA or P-384.
    CaSignatures,
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// Serial ports with a device each, all at the same time.
    #[arg(long, value_name = "PORT", num_args = 1..)]
    pub port: Vec<String>,

    /// The device that must be there; any other is refused before its key is touched.
    #[arg(long, value_name = "SERIAL")]
    pub expect: Option<DeviceSerial>,

    /// Seconds to wait for the device's first answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub wait: u32,

    /// Show what would be done and do nothing: the device is asked who it is and which key it has,
    /// and neither it nor ledger and CA are changed.
    #[arg(long)]
    pub dry_run: bool,

    /// On a terminal too, tell of each step on a line instead of showing a bar for each port.
    #[arg(long)]
    pub plain: bool,

    #[command(flatten)]
    pub job: JobArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    #[command(subcommand)]
    pub question: Question,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// Who is there, and how far has it come? Changes nothing.
    #[command(after_help = "Example:\n  provision ask hello --port /dev/ttyUSB0")]
    Hello(AskPort),
    /// For the public key. A blank device makes its key now, and keeps it.
    #[command(after_help = "Example:\n  provision ask key --port /dev/ttyUSB0")]
    Key(AskPort),
    /// For a CSR over a fresh challenge; printed as PEM once it has proven possession.
    #[command(after_help = "Example:\n  provision ask csr --port /dev/ttyUSB0")]
    Csr(AskPort),
    /// For a signature by the key of the stored certificate. Changes nothing.
    #[command(after_help = "Example:\n  provision ask prove --port /dev/ttyUSB0 --leaf leaf.crt")]
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

#[derive(Debug, Args)]
pub(crate) struct LedgerPlace {
    /// Directory of the CA.
    #[arg(long, value_name = "DIR", env = "PROVISION_CA", default_value = "ca")]
    pub ca: PathBuf,

    /// The ledger [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_and_every_group_has_an_example() {
        fn look(command: &clap::Command, path: &str, without: &mut Vec<String>) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            // An example of a group is one of a command in it.
            if !help.contains("Example") || !help.contains(path) {
                without.push(path.to_owned());
            }
            for below in command.get_subcommands() {
                look(below, &format!("{path} {}", below.get_name()), without);
            }
        }
        let mut without = Vec::new();
        look(&Cli::command(), "provision", &mut without);
        assert_eq!(without, [""; 0]);
    }
}
