//! The durable record of every certificate issued.
//!
//! ```text
//!            standing(device, key)      what is known?
//!                  │
//!   Chain ──record_issued──► Issued     durable before the certificate leaves the station
//!                  │
//!   Enrolled ─record_enrolled─► Enrolled ──► Receipt
//! ```
//!
//! The ledger is what makes a factory line safe to stop at any moment: a certificate that is not
//! in it does not exist, and a device that comes again gets the one it has. Its rules (one live
//! certificate per device, one device per key, one certificate per serial number, no more devices
//! in a lot than its quota; nothing ever changed or removed) are enforced by the database, whoever
//! writes to it. That nobody changed it past those rules can be shown: every row has a link in a
//! chain of hashes, whose end the station signs ([`SqlLedger::audit`]).
//!
//! [`Certificates`] is the other half: certificates of people, services and servers, and what was
//! revoked.
//!
//! [`StoreAndForward`] is a station's: it records to a server, and to a file of its own while the
//! server is away, within places of a lot that it has leased.
//!
//! [`Ledger`] says what any implementation promises; [`SqlLedger`] keeps it in one SQLite file, in
//! PostgreSQL, or in memory for tests.
//!
//! ```text
//!   store_and_forward, fallback, forwarding   a server, and a file for when it is away
//!   sql_ledger, together, certificates, lots, leases, search, audit, import
//!                  the rules, once, for every database
//!   session        one transaction: each row that is added gets its link, and the end is signed
//!   database       what is needed of a database: sqlite, postgres
//!   schema, postgres*.sql, query   tables, and what is asked of them
//! ```
//!
//! What it deliberately does not do: decide who gets a certificate
//! ([`Policy`](provision_station::evidence::Policy) does), check signatures (what arrives here was
//! proven: only a verified proof makes an [`Enrolled`](provision_station::evidence::Enrolled)), sign
//! CRLs, or read the clock.
//!
//! # Example
//!
//! ```
//! use provision_ledger::{Ledger, SqliteLedger};
//! use provision_wire::DeviceSerial;
//!
//! # let place = tempfile::tempdir()?;
//! # let path = place.path().join("ledger.db");
//! let mut ledger = SqliteLedger::create(&path)?;
//! let device = DeviceSerial::new("sensor-0042")?;
//! assert_eq!(ledger.find(&device)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod certificates;
mod chain;
mod conflict;
mod connection;
mod database;
mod fallback;
mod fault;
mod forwarding;
mod import;
mod leases;
mod ledger;
mod lot;
mod lots;
mod migration;
mod new_file;
mod open_error;
mod postgres;
mod query;
mod row;
mod schema;
mod search;
mod session;
mod sql_ledger;
mod sqlite;
mod station_key;
mod store_and_forward;
mod together;
mod weak_key;

pub use audit::{About, Audit, AuditError, Expected, SignedHead, StationRecord, Tampering};
pub use certificates::{
    CertificateRecord, CertificateStatus, Certificates, CrlRecord, NewCertificate,
    RecordCertificateError, Revocable, RevocationRecord, RevokeError, Unreadable, Which,
};
pub use conflict::{ConflictCause, ConflictRecord};
pub use fallback::{Fallback, FallbackError, Merged};
pub use forwarding::Forwarding;
pub use import::{ImportError, ImportHolder, ImportRow, Imported};
pub use leases::{Lease, LeaseHolder, LeaseTerms};
pub use ledger::{
    DatabaseRefusal, Entry, Ledger, Receipt, RecordEnrolledError, RecordIssuedError, State,
    StorageError, StorageFault,
};
pub use lot::{Lot, LotError};
pub use lots::{LotCheckError, LotRecord, LotRefusal, LotTerms, LotUse, LotsError};
pub use open_error::OpenError;
pub use postgres::{PostgresUrl, PostgresUrlError};
pub use search::{Found, Holder, Search};
pub use sql_ledger::{Issuance, SqlLedger, SqliteLedger};
pub use station_key::{StationKey, StationKeyError, public_key_pem, station_fingerprint};
pub use store_and_forward::{LeaseWish, Look, Looked, News, StoreAndForward};
pub use together::Together;
pub use weak_key::{WeakKey, weak_key};
