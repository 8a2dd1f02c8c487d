//! What went wrong: for people a sentence and a hint, for line controllers an exit code.

mod hint;

use std::path::PathBuf;

use provision_issuer::verify::VerifyError;
use provision_issuer::{
    CertifyError, FileError, HostError, ImportError, InitError, IssueError, KeyFault, OpenError,
    ProfileError, ResponderError, RotateError, TokenFault, WriteKeyError, pkcs12::Pkcs12Error,
};
use provision_ledger::{
    AuditError, FallbackError, LotCheckError, LotsError, OpenError as LedgerOpenError,
    RecordCertificateError, RecordEnrolledError, RecordIssuedError, RevokeError, StorageError,
    StorageFault,
};
use provision_station::EnrollmentFault;
use provision_station::evidence::PolicyFault;
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
}
