//! Connecting over [`embedded_io_async`].

use embedded_io_async::{Read, Write};
use embedded_tls::{TlsConnection, TlsContext};
use provision_csr::{Entropy, IdentityKey, VerifyP256};
use provision_path::UnixSeconds;

use super::{ClientIdentity, ConnectError, Endpoint, Prepared, conclude};
use crate::{AsyncProvenStream, Records, record_filter::RecordFilter};

/// [`connect`](crate::connect()), awaited: yields while it waits for the transport.
///
/// It does **not** yield while it computes: checking a certificate's signature, signing, and the
/// key exchange are one call each, of millions of instructions with P-256 in portable Rust
/// (`cargo xtask bench device` has the figures). A task that must not wait so long runs at a
/// higher interrupt priority, in embassy on an `InterruptExecutor`.
///
/// The future may be dropped at any point where it waits; the transport is then of no further
/// use, the buffers are.
///
/// # Errors
///
/// As [`connect`](crate::connect()).
pub async fn connect_async<'a, V, T>(
    transport: T,
    buffers: impl Into<Records<'a>>,
    endpoint: &Endpoint<'_>,
    identity: &ClientIdentity<'_, impl IdentityKey>,
    now: UnixSeconds,
    entropy: &mut impl Entropy,
) -> Result<AsyncProvenStream<'a, T>, ConnectError>
where
    V: VerifyP256,
    T: Read + Write + 'a,
{
    let Prepared { read, write, watch, config, provider } =
        Prepared::<V, _, _>::new(buffers.into(), endpoint, identity, now, entropy)?;
    let filter = RecordFilter::new(transport, watch, read.len());
    let mut tls = TlsConnection::new(filter, read, write);
    conclude(tls.open(TlsContext::new(&config, provider)).await, watch)?;
    Ok(AsyncProvenStream::new(tls, watch))
}
