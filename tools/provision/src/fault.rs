//! What went wrong: for people a sentence and a hint, for line controllers an exit code.

use std::path::PathBuf;

use provision_issuer::verify::{CrlFault, VerifyError, VerifyFault};
use provision_issuer::{
    CertifyError, FileError, HostError, ImportError, InitError, IssueError, KeyFault, KeyFileError,
    KeyFileFault, NewKeyError, OpenError, ProfileError, ResponderError, RotateError, TokenFault,
    TokenUriError, WriteKeyError, pkcs12::Pkcs12Error,
};
use provision_ledger::{
    AuditError, DatabaseRefusal, FallbackError, LotCheckError, LotRefusal, LotsError,
    OpenError as LedgerOpenError, RecordCertificateError, RecordEnrolledError, RecordIssuedError,
    RevokeError, StorageError, StorageFault,
};
use provision_station::EnrollmentFault;
use provision_station::evidence::{PolicyFault, ProofFault};
use provision_station::exchange::NoAnswer;
use provision_wire::{ChainCause, Refusal};
use thiserror::Error;

use crate::doctor::Diagnosis;
use crate::secret::Of;

/// Why the tool did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Records cannot be written where they are wanted.
    #[error("cannot write records into {}: {cause}", dir.display())]
    Records {
        /// The directory.
        dir: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The record of one run could not be written.
    #[error(
        "cannot write the record {}{}: {cause}",
        path.display(),
        device.as_ref().map(|device| format!(" of device {device}")).unwrap_or_default()
    )]
    RecordLost {
        /// The file it was to be in.
        path: PathBuf,
        /// Whose run it was.
        device: Option<String>,
        /// Why.
        cause: std::io::Error,
    },
    /// Some records could not be written; each was reported.
    #[error("records that could not be written: {lost}")]
    RecordsLost {
        /// How many.
        lost: u64,
    },
    /// Labels cannot be written where they are wanted.
    #[error("cannot write labels into {}: {cause}", dir.display())]
    Labels {
        /// The directory.
        dir: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A device has passed, and its label was not written.
    #[error("device {device} has passed, and has no label in {}: {why}", dir.display())]
    LabelLost {
        /// Whose.
        device: String,
        /// The directory it was to be in.
        dir: PathBuf,
        /// Why.
        why: String,
    },
    /// Some labels could not be written; each was reported.
    #[error("labels that could not be written: {lost}")]
    LabelsLost {
        /// How many.
        lost: u64,
    },
    /// A serial port cannot be opened.
    #[error("cannot open port {port}: {cause}")]
    PortOpen {
        /// As given.
        port: String,
        /// Why.
        cause: serialport::Error,
    },
    /// A serial port failed while it was used.
    #[error("port {port} failed: {cause}")]
    PortFailed {
        /// As given.
        port: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A device could not be reset.
    #[error("cannot reset the device on {port}: {cause}")]
    Reset {
        /// As given.
        port: String,
        /// Why.
        cause: String,
    },
    /// Something on another port means that nothing more may be signed.
    #[error("the line was stopped: nothing was signed for this device")]
    LineStopped,
    /// The operator did not want to wait for this run.
    #[error("interrupted")]
    Interrupted,
    /// The ports of this machine cannot be listed.
    #[error("cannot list the serial ports: {0}")]
    PortList(serialport::Error),
    /// A run ended without an enrolled device.
    #[error("{0}")]
    Enrollment(EnrollmentFault),
    /// A CA could not be made.
    #[error(transparent)]
    CaInit(#[from] InitError),
    /// A CA could not be opened.
    #[error(transparent)]
    CaOpen(#[from] OpenError),
    /// A token with a CA's key cannot be used.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// Nothing was signed.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A CA could not be taken over.
    #[error("{} with the key {}: {fault}", certificate.display(), key.display())]
    CaImport {
        /// Its certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Why.
        fault: ImportError,
    },
    /// No new CA took the place of the old one.
    #[error(transparent)]
    CaRotate(#[from] RotateError),
    /// A profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// No key and certificate was made for a host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No CRL was made.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// There is no OCSP responder, or none was made.
    #[error(transparent)]
    Responder(#[from] ResponderError),
    /// Nobody can be listened to.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// Where.
        address: core::net::SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// No key was made, or it cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A key could not be written.
    #[error(transparent)]
    WriteKey(#[from] WriteKeyError),
    /// A PKCS#12 file could not be made.
    #[error(transparent)]
    Pkcs12(#[from] Pkcs12Error),
    /// A file could not be made.
    #[error(transparent)]
    File(FileError),
    /// A file or directory cannot be written.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Another file is where one is to be written.
    #[error("{} is there already, with other contents", path.display())]
    Differs {
        /// Which.
        path: PathBuf,
        /// Whether it is a key or a password.
        is_secret: bool,
    },
    /// A file does not hold what it should.
    #[error("{}: {fault}", path.display())]
    Document {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A certificate is not to be believed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A server does not take us, or should not be taken.
    #[error(transparent)]
    Diagnosis(#[from] Diagnosis),
    /// A certificate ends too soon.
    #[error("{subject} ends on {not_after}, within {days} days")]
    Ends {
        /// Whose.
        subject: String,
        /// When.
        not_after: String,
        /// How long it was to be good.
        days: u32,
    },
    /// Two files are of different keys.
    #[error("{} ({kind}) is of another key than {}", other.display(), first.display())]
    Mismatch {
        /// The first file.
        first: PathBuf,
        /// The one that does not fit.
        other: PathBuf,
        /// What that is.
        kind: String,
    },
    /// The ledger refuses a certificate.
    #[error(transparent)]
    RecordCertificate(#[from] RecordCertificateError),
    /// Nothing was revoked.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// A certificate that no CRL made here would ever list.
    #[error(
        "{} was signed by {issuer}, which is no CA of {}, and it is not on record", path.display(),
        ca.display()
    )]
    Stranger {
        /// The certificate.
        path: PathBuf,
        /// Who signed it, as it says.
        issuer: String,
        /// The CA's directory.
        ca: PathBuf,
    },
    /// A CRL needs a number, and the ledger cannot be added to.
    #[error("a CRL has a number of its own, which the ledger has to record, and {0}")]
    NoCrlNumber(StorageError),
    /// A device whose certificate was revoked is at the line again.
    #[error("the certificate {cert_serial} of device {device} was revoked")]
    RevokedDevice {
        /// Which device.
        device: String,
        /// Serial number of its certificate.
        cert_serial: String,
    },
    /// The ledger cannot be opened or made.
    #[error(transparent)]
    LedgerOpen(#[from] LedgerOpenError),
    /// The ledger cannot be read.
    #[error(transparent)]
    LedgerStorage(#[from] StorageError),
    /// The ledger refuses a certificate.
    #[error(transparent)]
    RecordIssued(#[from] RecordIssuedError),
    /// The ledger refuses a proof.
    #[error(transparent)]
    RecordEnrolled(#[from] RecordEnrolledError),
    /// A device is not in the ledger.
    #[error("device {device} is not in ledger {}", ledger.display())]
    NotInLedger {
        /// Which device.
        device: String,
        /// Which ledger.
        ledger: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// No passphrase where one is needed.
    #[error("{what}")]
    Passphrase {
        /// Whose.
        of: Of,
        /// What is wrong.
        what: String,
    },
    /// The clock cannot be right.
    #[error(
        "the clock of this machine is not set: it shows {now_s} s since 1970, and this program was \
         built at {built_s} s"
    )]
    Clock {
        /// What it shows.
        now_s: u64,
        /// When this program was built.
        built_s: u64,
    },
    /// The clock was moved while the program ran.
    #[error(
        "the clock of this machine jumped: it shows {now_s} s since 1970 where {expected_s} s were \
         expected"
    )]
    ClockJumped {
        /// What it shows.
        now_s: u64,
        /// What it should show.
        expected_s: u64,
    },
    /// A lot was not made, closed or found.
    #[error(transparent)]
    Lots(#[from] LotsError),
    /// The ledger was tampered with, or cannot be looked at.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Somebody signed the ledger who should not.
    #[error("station {fingerprint} signed, and is none of those given")]
    ForeignStation {
        /// SHA-256 of its public key.
        fingerprint: String,
    },
    /// A device cannot be had where it is exported to.
    #[error("device {device}: {why}")]
    NotExported {
        /// Which.
        device: String,
        /// Why not.
        why: String,
    },
    /// A line of what was to be imported cannot stand.
    #[error("{}, line {line}: {why}", path.display())]
    NotImported {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: u64,
        /// Why not.
        why: String,
    },
    /// What was made while the ledger's server was away cannot stand beside what it knows. It is on
    /// record as that.
    #[error("{}", conflicts.join("\n  and: "))]
    Conflicts {
        /// Each in a sentence.
        conflicts: Vec<String>,
    },
    /// There is no file to go on in.
    #[error(transparent)]
    Fallback(FallbackError),
    /// A device gets no label.
    #[error("device {device} gets no label: {why}")]
    NoLabel {
        /// Which.
        device: String,
        /// Why not.
        why: &'static str,
    },
    /// Nothing on record is what was looked for.
    #[error("the ledger {place} has nothing of that kind")]
    NothingFound {
        /// The ledger.
        place: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// Standard output cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
    /// A station ended because nothing more may be signed; why was reported.
    #[error("the station has stopped the line")]
    StationStopped {
        /// Exit code of what stopped it.
        exit_code: u8,
    },
    /// Several ports, and some failed; each was reported.
    #[error("{failed} of {ports} devices were not enrolled")]
    Some {
        /// How many failed.
        failed: usize,
        /// How many ports there were.
        ports: usize,
        /// Exit code of the first.
        exit_code: u8,
    },
}

/// What clap says, without its own word for an error and its own hint.
impl From<clap::Error> for Fault {
    fn from(wrong: clap::Error) -> Self {
        let text = wrong.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let text = text.split("\n\nFor more information").next().unwrap_or(text);
        Self::Usage(text.trim_end().to_owned())
    }
}

impl From<EnrollmentFault> for Fault {
    fn from(fault: EnrollmentFault) -> Self {
        Self::Enrollment(fault)
    }
}

impl From<FallbackError> for Fault {
    /// What is wrong with a ledger is that, whichever of the two it is; but that there is no file is
    /// about `--fallback`.
    fn from(error: FallbackError) -> Self {
        match error {
            FallbackError::Storage(error) => Self::LedgerStorage(error),
            FallbackError::Open(error @ LedgerOpenError::NotFound { .. }) => {
                Self::Fallback(FallbackError::Open(error))
            }
            FallbackError::Open(error) => Self::LedgerOpen(error),
            error => Self::Fallback(error),
        }
    }
}

impl From<LotCheckError> for Fault {
    fn from(error: LotCheckError) -> Self {
        Self::RecordIssued(error.into())
    }
}

impl Fault {
    /// The exit code; published in `provision --help`, and stable.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Enrollment(fault) => match fault {
                EnrollmentFault::NoAnswer(_) | EnrollmentFault::Restarts { .. } => 10,
                EnrollmentFault::Refused { .. } | EnrollmentFault::DeliveryTooLong { .. } => 11,
                EnrollmentFault::Possession(_) | EnrollmentFault::Proof(_) => 12,
                EnrollmentFault::Policy(_) | EnrollmentFault::DeviceChanged { .. } => 13,
                EnrollmentFault::DeliveryUnfit => 2,
                _ => 17,
            },
            Self::CaInit(_)
            | Self::CaImport { .. }
            | Self::CaRotate(_)
            | Self::CaOpen(_)
            | Self::Token(_)
            | Self::Profile(_)
            | Self::Issue(_)
            | Self::Host(_)
            | Self::Certify(_)
            | Self::Responder(_)
            | Self::Key(_)
            | Self::WriteKey(_)
            | Self::Passphrase { .. }
            | Self::Clock { .. }
            | Self::ClockJumped { .. } => 14,
            Self::RecordIssued(
                RecordIssuedError::WeakKey { .. }
                | RecordIssuedError::KeyElsewhere { .. }
                | RecordIssuedError::DeviceHasCertificate { .. }
                | RecordIssuedError::Lot(_),
            )
            | Self::RecordEnrolled(RecordEnrolledError::Revoked { .. }) => 13,
            Self::LedgerOpen(_)
            | Self::LedgerStorage(_)
            | Self::NoCrlNumber(_)
            | Self::RecordIssued(_)
            | Self::RecordEnrolled(_)
            | Self::RecordCertificate(_)
            | Self::Revoke(_)
            | Self::Stranger { .. }
            | Self::Lots(_)
            | Self::Audit(_)
            | Self::ForeignStation { .. }
            | Self::NothingFound { .. }
            | Self::Fallback(_)
            | Self::NotImported { .. }
            | Self::NotExported { .. }
            | Self::NoLabel { .. }
            | Self::NotInLedger { .. } => 15,
            Self::RevokedDevice { .. } | Self::LineStopped | Self::Conflicts { .. } => 13,
            Self::Verify(_) | Self::Ends { .. } | Self::Mismatch { .. } => 18,
            Self::PortOpen { .. }
            | Self::PortFailed { .. }
            | Self::PortList(_)
            | Self::Reset { .. } => 16,
            Self::Diagnosis(diagnosis) => diagnosis.cause.exit_code(),
            Self::Some { exit_code, .. } | Self::StationStopped { exit_code } => *exit_code,
            Self::Records { .. }
            | Self::RecordLost { .. }
            | Self::RecordsLost { .. }
            | Self::Labels { .. }
            | Self::LabelLost { .. }
            | Self::LabelsLost { .. }
            | Self::Interrupted
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::File(_)
            | Self::Differs { .. }
            | Self::Document { .. }
            | Self::Listen { .. }
            | Self::Pkcs12(_)
            | Self::Random(_)
            | Self::Output(_) => 1,
        }
    }

    /// Whether the devices after this one must wait: a key that two devices have, or a weak one, may
    /// mean that all of them draw from a broken random generator; what was signed and does not verify
    /// would be signed again; and without CA or ledger none can be enrolled.
    pub(crate) const fn stops_the_line(&self) -> bool {
        match self {
            Self::Enrollment(EnrollmentFault::Policy(PolicyFault::KeyElsewhere { .. }))
            | Self::RecordIssued(
                RecordIssuedError::KeyElsewhere { .. } | RecordIssuedError::WeakKey { .. },
            )
            | Self::Conflicts { .. }
            | Self::Verify(_) => true,
            // A name that the profile does not take is this device's alone.
            Self::Issue(IssueError::Profile(_)) => false,
            _ => matches!(self.exit_code(), 14 | 15),
        }
    }

    /// Whether another run of the same device may go better with nothing changed.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self.exit_code(), 10 | 16 | 17)
    }

    /// One word for programs.
    pub(crate) const fn name(&self) -> &'static str {
        if let Self::Diagnosis(diagnosis) = self {
            return diagnosis.cause.code();
        }
        if let Self::Records { .. } | Self::RecordLost { .. } | Self::RecordsLost { .. } = self {
            return "records";
        }
        if let Self::Labels { .. } | Self::LabelLost { .. } | Self::LabelsLost { .. } = self {
            return "labels";
        }
        match self.exit_code() {
            2 => "usage",
            10 => "no-answer",
            11 => "refused",
            12 => "not-proven",
            13 => "policy",
            14 => "issuer",
            15 => "ledger",
            16 => "port",
            17 => "protocol",
            18 => "not-believed",
            _ => "other",
        }
    }

    /// What the ledger's storage said, if that is what went wrong.
    pub(crate) const fn storage_fault(&self) -> Option<&StorageFault> {
        match self {
            Self::LedgerStorage(error)
            | Self::NoCrlNumber(error)
            | Self::LedgerOpen(LedgerOpenError::Storage(error))
            | Self::RecordIssued(RecordIssuedError::Storage(error))
            | Self::RecordEnrolled(RecordEnrolledError::Storage(error))
            | Self::RecordCertificate(RecordCertificateError::Storage(error))
            | Self::Revoke(RevokeError::Storage(error))
            | Self::Lots(LotsError::Storage(error))
            | Self::Audit(AuditError::Storage(error)) => Some(&error.fault),
            _ => None,
        }
    }

    /// What is wrong with a token, wherever it showed.
    const fn token_fault(&self) -> Option<&TokenFault> {
        match self {
            Self::Token(fault)
            | Self::CaInit(InitError::Key(NewKeyError::Token(fault)))
            | Self::CaOpen(OpenError::Key(KeyFileError {
                fault: KeyFileFault::Token(fault),
                ..
            }))
            | Self::CaRotate(RotateError::Open(OpenError::Key(KeyFileError {
                fault: KeyFileFault::Token(fault),
                ..
            })))
            | Self::CaRotate(RotateError::Made(InitError::Key(NewKeyError::Token(fault)))) => {
                Some(fault)
            }
            _ => None,
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> &'static str {
        if let Self::NoCrlNumber(_) = self {
            return "nothing was written; run it where the ledger can be added to, and copy the CRLs: \
                    two with one number would be two with different contents";
        }
        if let Some(hint) = self.storage_fault().and_then(storage_hint) {
            return hint;
        }
        if let Some(hint) = self.token_fault().and_then(token_hint) {
            return hint;
        }
        match self {
            Self::Usage(_) => "`--help` behind the command shows what it takes, with an example",
            Self::Records { .. } => {
                "no device was touched; may you write there, and is there room? `--records` names \
                 another directory"
            }
            Self::RecordLost { .. } => {
                "what became of the device is in the ledger as always; is there room?"
            }
            Self::RecordsLost { .. } => {
                "what became of the devices is told above, and in the ledger: only these records are \
                 missing; devices that are run again change nothing, and are recorded"
            }
            Self::Labels { .. } => {
                "no device was touched; may you write there, and is there room? `--labels` names \
                 another directory"
            }
            Self::LabelLost { .. } => {
                "the device is as good as any: `provision label --device` makes its label; one of an \
                 earlier certificate has to be put away first, for it claims what is no more"
            }
            Self::LabelsLost { .. } => {
                "each is told above, and the devices are as good as any: `provision label --device` \
                 makes a label, `provision label --lot` those of a lot"
            }
            Self::PortOpen { cause, .. } => match cause.kind() {
                serialport::ErrorKind::NoDevice => {
                    "is the cable in? `provision ports` lists what is there; another program may \
                     hold the port"
                }
                serialport::ErrorKind::Io(std::io::ErrorKind::PermissionDenied) => {
                    "add yourself to the group that owns the port (`dialout` on Debian) and log in \
                     again"
                }
                _ => "`provision ports` lists what is there; another program may hold the port",
            },
            Self::PortFailed { .. } => {
                "was the cable pulled? Put it back and run the same command again: it goes on \
                 where it was"
            }
            Self::Reset { .. } => {
                "has the port these lines, is the program there? `--reset none` leaves the device \
                 alone"
            }
            Self::LineStopped => {
                "what stopped it is reported for another port; find out before going on, then run \
                 the same command again"
            }
            Self::Interrupted => "run the same command again: it goes on where it was",
            Self::Enrollment(fault) => enrollment_hint(fault),
            Self::CaOpen(OpenError::NotACaDirectory { .. }) => {
                "`provision ca init` makes a CA; `--ca` says where it is (for `config`: `--for`)"
            }
            Self::CaOpen(_) => {
                "is it the CA's own passphrase? `provision inspect` shows what each file holds; \
                 `--ca` says where the CA is (for `config`: `--for`)"
            }
            Self::Token(_) => {
                "`p11tool --list-tokens` and `pkcs11-tool --list-objects` show what the token has, and \
                 its URIs"
            }
            Self::CaInit(_) => "nothing was made; choose another place with `--ca`",
            Self::Issue(_) => {
                "nothing was signed: put right what is said above, and ask again; a device can be run again"
            }
            Self::CaImport { fault: ImportError::IssuerMissing { .. }, .. } => {
                "give the CAs above it with `--chain`"
            }
            Self::CaImport { .. } => {
                "nothing was made; `provision inspect` shows what the files hold"
            }
            Self::CaRotate(_) => {
                "the CA is as it was; the key of the device root is needed (device-root.key)"
            }
            Self::Profile(_) => {
                "no key was touched; `--name` gives a profile {common_name} and {device_serial}, \
                 `--set NAME=VALUE` its other values; every line is explained in profiles/device.toml"
            }
            Self::Host(HostError::AlreadyExists { .. }) => {
                "nothing was written; `--out` names another directory"
            }
            Self::Host(_) => {
                "nothing was written; `--ca` says where the CA is; a wrong passphrase shows here too"
            }
            Self::Responder(ResponderError::NotAResponder { .. }) => {
                "`provision ocsp cert` makes one; `--responder` says where it is"
            }
            Self::Responder(_) => {
                "nothing was written; `provision ocsp cert` makes the certificates anew, which needs \
                 the CAs' keys"
            }
            Self::Listen { .. } => "another program may listen there: `--listen ADDRESS:PORT`",
            Self::Certify(_) | Self::Key(_) | Self::WriteKey(_) => "nothing was written",
            Self::Pkcs12(_) => "nothing was written; `provision match` tells which files fit",
            Self::File(fault) if fault.already_exists() => {
                "nothing that is there is overwritten: choose another name with `--out`"
            }
            Self::Differs { is_secret: true, .. } => {
                "nothing was written; a key is never replaced: `--out` names another directory"
            }
            Self::Differs { .. } => {
                "nothing was written; `--replace` puts the new one in its place, `--out` names \
                 another directory"
            }
            Self::File(_) | Self::Write { .. } => "may you write there, and is there room?",
            Self::Document { .. } => {
                "`provision inspect` shows what a file holds; a wrong passphrase shows here too"
            }
            Self::Verify(VerifyError { fault: VerifyFault::UnfitCrls { .. }, .. }) => {
                "`provision inspect` shows what each says: a CRL with a place \
                 (issuingDistributionPoint, from `crl --url`) stands for certificates that name the \
                 same (crlDistributionPoints, from `[revocation] crl` of a profile)"
            }
            Self::Verify(error) => next_step(&error.fault),
            Self::Diagnosis(diagnosis) => diagnosis.cause.next_step(),
            Self::Ends { .. } => "make a new one in time; the old one is good until then",
            Self::Mismatch { .. } => {
                "somewhere a file was replaced and its partner was not; the public keys are \
                 different"
            }
            Self::RecordCertificate(_) => {
                "no certificate leaves unrecorded; mend the ledger and run again"
            }
            Self::Revoke(RevokeError::NotOnRecord { which }) if which.starts_with("lot ") => {
                "nothing was revoked; a lot is on record once a device was enrolled under that very \
                 name (`provision --lot`); `--ledger` says in which ledger"
            }
            Self::Revoke(_) => {
                "`provision ledger list` shows what is on record; one that is not can be given \
                 with `--certificate`"
            }
            Self::Stranger { .. } => {
                "nothing was revoked: the CRLs of these CAs say nothing of it; `--ca` says where the CA \
                 is that signed it, and `provision ca import` takes one over"
            }
            Self::RevokedDevice { .. } => {
                "a certificate that was revoked is not delivered again; nothing was signed for this \
                 device"
            }
            Self::LedgerOpen(LedgerOpenError::AlreadyExists { .. }) => {
                "nothing was touched; choose another place with `--ledger`"
            }
            Self::LedgerOpen(LedgerOpenError::OlderSchema { .. }) => {
                "`provision ledger upgrade`, as the tables' owner, brings them to this version; \
                 stations of earlier versions are shut out then; of a ledger that is evidence, \
                 upgrade a copy"
            }
            Self::LedgerOpen(LedgerOpenError::UnreadLog { .. }) => {
                "copy the ledger, with the `-wal` beside it, to where you may write, and look at the \
                 copy"
            }
            Self::LedgerOpen(LedgerOpenError::NewerSchema { .. }) => {
                "use the version of this program that wrote it, or a later one; nothing was changed"
            }
            Self::Conflicts { .. } => {
                "all of it is on record, and the certificates are revoked (`provision ledger \
                 conflicts`): find these devices before anything goes on"
            }
            Self::NotImported { .. } => {
                "nothing of the file was imported; docs/ledger.md says what a line has to hold, \
                 `--issuers` gives the CA's certificates"
            }
            Self::Fallback(_) => {
                "nothing was changed; `--fallback` takes the file that this station goes on in, and a \
                 run with it makes one where there is none"
            }
            Self::LedgerOpen(LedgerOpenError::NotFound { .. }) => {
                "`--ledger` says where it is; `provision ledger create` makes one"
            }
            Self::RecordIssued(RecordIssuedError::KeyElsewhere { .. }) => {
                "a cloned device or a broken random number generator: find out before going on"
            }
            Self::RecordIssued(RecordIssuedError::WeakKey { .. }) => {
                "its random number generator is broken, or a test key was left in the firmware: no \
                 device with this firmware is to be shipped"
            }
            Self::RecordIssued(RecordIssuedError::Lot(refusal)) => match refusal {
                LotRefusal::Unknown { .. } | LotRefusal::Needed => {
                    "`provision lot list` shows which there are, `--lot` names one, `provision lot \
                     create` makes one"
                }
                LotRefusal::OtherProfile { .. } => "`--profile` names the profile",
                LotRefusal::Leased { .. } => {
                    "`provision lot leases` shows who has them; a station gives back what it has not \
                     used when it ends"
                }
                LotRefusal::NoLease { .. }
                | LotRefusal::LeaseUsedUp { .. }
                | LotRefusal::LeaseExpired { .. } => {
                    "nothing was signed; it goes on once the server is there again, and `--lease` \
                     leases more then"
                }
                _ => "nothing was signed; `provision lot create` makes another lot",
            },
            Self::Lots(LotsError::NoSuchLease { .. }) => {
                "`provision lot leases` shows which there are"
            }
            Self::Lots(LotsError::NotFound { .. }) => "`provision lot list` shows which there are",
            Self::Lots(LotsError::AlreadyExists { .. }) => {
                "the terms of a lot are never changed: `provision lot close`, then another name"
            }
            Self::Audit(AuditError::Tampered(_)) | Self::ForeignStation { .. } => {
                "keep the file as it is, and compare it with a copy; docs/ledger.md says what this \
                 shows and what not"
            }
            Self::NotExported { .. } => {
                "nothing was written: half an export would be taken for a whole one; `--lot` exports \
                 the devices of one lot alone"
            }
            Self::NoLabel { .. } => {
                "a label is made of what the device has proven: enroll it; `provision ledger find \
                 --device` shows what is on record, `--ledger` says in which ledger"
            }
            Self::NothingFound { .. } => "`provision ledger list` shows what is on record",
            Self::Lots(_)
            | Self::Audit(_)
            | Self::LedgerOpen(_)
            | Self::LedgerStorage(_)
            | Self::NoCrlNumber(_)
            | Self::RecordIssued(_)
            | Self::RecordEnrolled(_) => {
                "no certificate leaves the station unrecorded; mend the ledger and run again"
            }
            Self::NotInLedger { .. } => {
                "give the certificate with `--leaf`, or the right ledger with `--ledger`"
            }
            Self::Passphrase { of, .. } => of.hint(),
            Self::Clock { .. } => {
                "set the clock first: certificates would be valid from the wrong day on \
                 (`--insecure-ignore-clock` goes on nevertheless)"
            }
            Self::ClockJumped { .. } => {
                "somebody set the clock: see that it is right, and start again"
            }
            Self::Read { .. } => "is the file there, and may you read it?",
            Self::StationStopped { .. } => {
                "what stopped it is reported above: find out before anything goes on"
            }
            Self::Some { .. } => {
                "each is reported above; run the same command again for those alone"
            }
            Self::Output(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => {
                "whoever reads the output has stopped, as `head` does; what the command does besides, \
                 it may have done"
            }
            Self::PortList(_) | Self::Random(_) | Self::Output(_) => {
                "the operating system refused; what it said is above"
            }
        }
    }
}

/// What to do about a certificate that is not to be believed.
const fn next_step(fault: &VerifyFault) -> &'static str {
    match fault {
        VerifyFault::IssuerNotFound { .. } => {
            "the certificate of that CA is missing: `verify` takes it with `--untrusted`, or with \
             `--trusted` if it is to be trusted; `fullchain` as one more file"
        }
        VerifyFault::SelfSigned => {
            "`--trusted` takes it if it is to be trusted; if it is a root, was the leaf to be the \
             first certificate?"
        }
        VerifyFault::Signature { .. } => {
            "a CA of the same name has another key: an older or a newer one, or a stranger's; \
             `provision inspect` shows key_identifier and authorityKeyIdentifier, which have to match"
        }
        VerifyFault::NotYetValid { .. } => {
            "is the clock of this machine right, and was that of the CA? `--attime` asks about \
             another time"
        }
        VerifyFault::NoCrl { .. } => {
            "`--crl` takes the CRL of that CA (`provision crl` makes those of every CA: all.crl)"
        }
        VerifyFault::Crl { fault: CrlFault::Expired { .. }, .. } => {
            "whoever signs it has to make a new one: `provision crl`, or `provision crl watch` in time"
        }
        VerifyFault::Expired { .. } | VerifyFault::Revoked { .. } => {
            "it stays so: its holder needs a new certificate"
        }
        _ => "`provision inspect` shows what each certificate says",
    }
}

/// What to do about the ledger's storage; none where nothing special is known. Whatever it is, no
/// certificate left unrecorded, and the device can be run again.
const fn storage_hint(fault: &StorageFault) -> Option<&'static str> {
    Some(match fault {
        StorageFault::Locked => {
            "nothing left unrecorded; see which other program has the ledger open, and run the same \
             command again"
        }
        StorageFault::ReadOnly => {
            "nothing left unrecorded; a ledger in a file needs a file and a directory that you may \
             write to"
        }
        StorageFault::DiskFull => {
            "nothing left unrecorded; make room where the ledger is, and run the same command again"
        }
        StorageFault::Unreachable { .. } => {
            "nothing left unrecorded; is the server up, and can it be reached from here? Then run \
             the same command again: it goes on where it was"
        }
        StorageFault::Refused { refusal, .. } => match refusal {
            DatabaseRefusal::Password => {
                "nothing left unrecorded; the password is in PGPASSWORD, where `--ledger` has none; \
                 somebody may have changed it at the server"
            }
            DatabaseRefusal::Role => {
                "nothing left unrecorded; `--ledger postgres://ROLE@HOST/DATABASE` names the role: \
                 does the server have it, may it log in, and does `pg_hba.conf` let it in from here? \
                 One that comes by certificate has its name in it (`sslcert`)"
            }
            DatabaseRefusal::NoDatabase => {
                "nothing left unrecorded; `--ledger postgres://ROLE@HOST/DATABASE` names the \
                 database; `createdb` makes one, and `provision ledger create` a ledger in it"
            }
            DatabaseRefusal::NoRight => {
                "nothing left unrecorded; the tables' owner gives a station its rights: `GRANT \
                 SELECT, INSERT ON ALL TABLES IN SCHEMA public TO ROLE` (who only looks needs \
                 SELECT alone; `ledger create` and `ledger upgrade` are for the owner)"
            }
            DatabaseRefusal::ReadOnly => {
                "nothing left unrecorded; a standby only serves who looks: `--ledger` has to name the \
                 server that it copies, or both with `target_session_attrs=read-write`; after a \
                 failover somebody has to promote it"
            }
            DatabaseRefusal::TooManyConnections => {
                "nothing left unrecorded; wait and run the same command again, or have the server \
                 take more (`max_connections`, the role's `CONNECTION LIMIT`)"
            }
        },
        StorageFault::Tls { .. } => {
            "nothing left unrecorded; `sslrootcert` names the CA of the database's certificate, which \
             has to be for the host's name; `sslcert` and `sslkey` are for a server that asks"
        }
        StorageFault::TlsFile { .. } => {
            "nothing left unrecorded; is the file there, and may you read it? `sslrootcert`, `sslcert` \
             and `sslkey` in `--ledger` name PEM files"
        }
        StorageFault::NotALedger => {
            "`--ledger` says where the ledger is; `provision ledger create` makes one"
        }
        StorageFault::Corrupt { .. } => {
            "keep it as it is, and compare it with a copy; `provision ledger verify` names what was \
             changed"
        }
        StorageFault::Tampered(_) => {
            "nothing was signed or recorded after that, and nothing will be: keep it as it is; \
             `provision ledger verify` names what was changed"
        }
        StorageFault::ClockBehind { .. } => {
            "set the clock; if the last entry was made by a clock that was ahead, \
             `--insecure-ignore-clock`"
        }
        _ => return None,
    })
}

fn enrollment_hint(fault: &EnrollmentFault) -> &'static str {
    match fault {
        EnrollmentFault::NoAnswer(NoAnswer { ask: "hello", passed_over, .. }) => {
            if passed_over.echoes > 0 {
                "the line echoes what is sent: is a shell on this port?"
            } else if passed_over.noise > 0 {
                "something talks on this port, but not this protocol: check `--baud`, and that the \
                 firmware serves enrollment here"
            } else {
                "is the device powered, is this its port (`provision ports`), are TX and RX \
                 crossed, is `--baud` right?"
            }
        }
        EnrollmentFault::NoAnswer(_) | EnrollmentFault::Restarts { .. } => {
            "the device went silent or was reset midway; run the same command again: it goes on \
             where it was"
        }
        EnrollmentFault::Refused { refusal, .. } => match refusal {
            Refusal::NoEntropy => {
                "its random number generator is at fault; do not ship this device"
            }
            Refusal::VaultCorrupt | Refusal::VaultFailed => {
                "its flash is at fault, or was not erased before the firmware was written"
            }
            Refusal::ChainBroken { cause: ChainCause::Algorithm, .. } => {
                "the CA's key is not on P-256, so the device cannot check its signatures: \
                 `--unchecked-on-device ca-signatures` has it store the chain on the station's word"
            }
            Refusal::WrongKey | Refusal::ChainBroken { .. } => {
                "the CA's certificates do not fit together, or the station's clock is wrong; the \
                 device keeps what it had"
            }
            Refusal::Version { .. } => "device firmware and this tool are of different ages",
            Refusal::Sealed => "its identity is final and cannot be changed over the line",
            _ => "the device keeps what it had; `provision ask hello` shows its stage",
        },
        EnrollmentFault::DeliveryTooLong { .. } => {
            "fewer or smaller server anchors (`--server-anchor`), or more room in the firmware"
        }
        EnrollmentFault::Possession(_) => {
            "nothing was signed: this device does not show that it holds its key"
        }
        EnrollmentFault::Proof(ProofFault::OtherLeaf | ProofFault::OtherDelivery) => {
            "the device stores something else than this ledger knows: was it enrolled elsewhere?"
        }
        EnrollmentFault::Proof(ProofFault::BadSignature) => {
            "do not ship this device: it does not hold the key of its certificate"
        }
        EnrollmentFault::Policy(PolicyFault::OtherDevice { .. })
        | EnrollmentFault::DeviceChanged { .. } => {
            "another device is in the fixture than expected, or its firmware names it in two ways; \
             nothing was signed for it"
        }
        EnrollmentFault::Policy(PolicyFault::KnownWithOtherKey { .. }) => {
            "was the device erased, or the serial used twice? Nothing was signed; for one that was \
             erased `--accept-new-key` is the word: it gets a new certificate, and the one it had is \
             revoked"
        }
        EnrollmentFault::Policy(PolicyFault::KeyElsewhere { .. }) => {
            "a cloned device or a broken random number generator: find out before going on"
        }
        EnrollmentFault::Policy(PolicyFault::SealedElsewhere { .. }) => {
            "use the ledger it was enrolled with (`--ledger`)"
        }
        EnrollmentFault::Policy(PolicyFault::SealedUnproven { .. }) => {
            "somebody else sealed it, or this ledger is an old copy: do not ship this device"
        }
        EnrollmentFault::DeliveryUnfit => "at most four server anchors",
        _ => "the firmware does not keep to docs/protocol.md",
    }
}

/// `None`: nothing better than what is said of whatever the token was needed for.
const fn token_hint(fault: &TokenFault) -> Option<&'static str> {
    Some(match fault {
        TokenFault::NeedsPin => {
            "give the token's PIN with `--passphrase-file FILE` or in PROVISION_PASSPHRASE, or name its \
             file in the URI: `pin-source=file:/…`"
        }
        TokenFault::WrongPin => {
            "some tokens lock after three wrong PINs: make sure of it before you try again"
        }
        TokenFault::PinLocked => "the token's security officer (SO) sets a new one",
        TokenFault::Library { .. } => {
            "`module-path` is the vendor's PKCS#11 library, for this machine's architecture; what it \
             wants (a configuration file, a variable such as SOFTHSM2_CONF) must be there too"
        }
        TokenFault::Uri(TokenUriError::PinValue) => {
            "put the PIN into a file that only you read, and name that: `pin-source=file:/…`"
        }
        TokenFault::PinReadableByOthers { .. } => {
            "`chmod 600` that file, or give the PIN otherwise"
        }
        TokenFault::NoToken { .. }
        | TokenFault::SeveralTokens { .. }
        | TokenFault::NoKey
        | TokenFault::SeveralKeys
        | TokenFault::NoPublicKey
        | TokenFault::Uri(_) => {
            "`p11tool --provider LIBRARY --list-tokens` and `p11tool --list-privkeys --login URI` show \
             the URIs of what is there"
        }
        _ => return None,
    })
}
