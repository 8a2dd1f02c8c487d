//! What to do next, for each fault.

use provision_issuer::verify::{CrlFault, VerifyError, VerifyFault};
use provision_issuer::{
    HostError, ImportError, InitError, KeyFileError, KeyFileFault, NewKeyError, OpenError,
    ResponderError, RotateError, TokenFault, TokenUriError,
};
use provision_ledger::{
    AuditError, DatabaseRefusal, LotRefusal, LotsError, OpenError as LedgerOpenError,
    RecordIssuedError, RevokeError, StorageFault,
};
use provision_station::EnrollmentFault;
use provision_station::evidence::{PolicyFault, ProofFault};
use provision_station::exchange::NoAnswer;
use provision_wire::{ChainCause, Refusal};

use super::Fault;

impl Fault {
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
