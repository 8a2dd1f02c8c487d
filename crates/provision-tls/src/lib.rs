//! TLS 1.3 with mutual authentication, for devices: no `std`, no allocator.
//!
//! ```text
//!   ClientIdentity ─┐                        ┌─ both proofs in ─► ProvenStream: Read + Write
//!   Endpoint ───────┼─► connect(transport) ──┤
//!   UnixSeconds ────┘                        └─ otherwise ──────► ConnectError
//! ```
//!
//! [`connect()`] is the only way in. It gives out a stream only after the server has proven itself
//! twice: a certificate path valid for *this* name, purpose and time (`provision-path`), and a
//! signature over *this* handshake. Until then nothing but the ClientHello leaves the device: not
//! its certificate, not a signature, not a byte of application data.
//!
//! The protocol is embedded-tls's. Around it stand
//!
//! - a verifier that demands each proof once and in order (`verifier`);
//! - a filter under it that checks every record before it is parsed, and holds back every record
//!   the device would send too early (`record_filter`);
//! - a cipher that looks into every record after decryption, so that nothing is read behind the
//!   server's Finished, and alerts, tickets and data reach [`ProvenStream`] as what they are
//!   (`cipher`).
//!
//! # Limits
//!
//! TLS 1.3 only, key exchange and signatures on P-256, AES-128-GCM with SHA-256. One client
//! certificate is sent and no issuers: the server must know the issuing CA. No resumption, no key
//! update, no HelloRetryRequest, no handshake message split over records. The server's choice among
//! several ALPN protocols is not reported: offer one.
//!
//! A server that refuses the *device* says so only after the handshake, at the first read
//! ([`StreamError::Alert`]). Connected means an answer of the application.
//!
//! ```
//! use embedded_io::{Read, Write};
//! use provision_csr::{Entropy, IdentityKey, PortableP256};
//! use provision_tls::{
//!     Buffers, ClientIdentity, ConnectError, Endpoint, ServerName, UnixSeconds, connect,
//! };
//!
//! fn say_hello(
//!     socket: impl Read + Write,
//!     name: ServerName<'_>,
//!     server_root_der: &[u8],
//!     identity: &ClientIdentity<'_, impl IdentityKey>,
//!     now: UnixSeconds,
//!     entropy: &mut impl Entropy,
//! ) -> Result<(), ConnectError> {
//!     let mut buffers = Buffers::<4_352, 1_024>::new();
//!     let endpoint = Endpoint { name, anchors: &[server_root_der], alpn: &[] };
//!     let mut stream = connect::<PortableP256, _>(
//!         socket, &mut buffers, &endpoint, identity, now, entropy,
//!     )?;
//!     // The server is who it should be. Whether it takes the device, its answer says.
//!     let _ = stream.write_all(b"hello").and_then(|()| stream.flush());
//!     let _ = stream.close();
//!     Ok(())
//! }
//! ```
//!
//! With the feature `async` there is `connect_async`, over `embedded-io-async`: the same in every
//! check, because verifier, filter, cipher and what a record comes to are the same code.
//!
//! What it deliberately does not do: names and routes (the transport is the caller's, connected and
//! with its own timeouts), clocks, and trust in anything that was not handed in.
#![no_std]
// Nothing here may panic on what came over a network or a line.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod buffers;
mod cipher;
mod connect;
mod hash;
mod provider;
mod record_filter;
mod stream;
mod verifier;
mod watch;

pub use buffers::{Buffers, Records};
#[cfg(feature = "async")]
pub use connect::connect_async;
pub use connect::{ClientIdentity, ConnectError, Endpoint, connect};
pub use provision_path::{PathFault, ServerFault, ServerName, UnixSeconds};
pub use record_filter::RecordFault;
#[cfg(feature = "async")]
pub use stream::AsyncProvenStream;
pub use stream::{ProvenStream, StreamError};
