//! Connecting over [`embedded_io`].

use embedded_io::{Read, Write};
use embedded_tls::{TlsContext, blocking::TlsConnection};
use provision_csr::{Entropy, IdentityKey, VerifyP256};
use provision_path::UnixSeconds;

use super::{ClientIdentity, ConnectError, Endpoint, Prepared, conclude};
use crate::{ProvenStream, Records, record_filter::RecordFilter};

/// Opens TLS 1.3 over a connected transport, and returns the stream once the server has proven to
/// be `endpoint` at the time `now` and the device's own part of the handshake is on its way.
///
/// Whether the server takes the device is not known by then: if it does not, the first read says
/// so.
///
/// The transport blocks; how long is up to it. It should fail its reads after a while of silence,
/// which ends the attempt as [`ConnectError::Transport`]. Pass `&mut socket` to keep the socket.
///
/// `now` is a duty: without a clock there is no trust. A device without one takes the time written
/// at provisioning as the least it can be.
///
/// # Errors
///
/// [`ConnectError`] says what stood in the way. In each case nothing but a ClientHello was sent,
/// unless the server had proven itself; the transport is then of no further use.
pub fn connect<'a, V, T>(
    transport: T,
    buffers: impl Into<Records<'a>>,
    endpoint: &Endpoint<'_>,
    identity: &ClientIdentity<'_, impl IdentityKey>,
    now: UnixSeconds,
    entropy: &mut impl Entropy,
) -> Result<ProvenStream<'a, T>, ConnectError>
where
    V: VerifyP256,
    T: Read + Write + 'a,
{
    let Prepared { read, write, watch, config, provider } =
        Prepared::<V, _, _>::new(buffers.into(), endpoint, identity, now, entropy)?;
    let filter = RecordFilter::new(transport, watch, read.len());
    let mut tls = TlsConnection::new(filter, read, write);
    conclude(tls.open(TlsContext::new(&config, provider)), watch)?;
    Ok(ProvenStream::new(tls, watch))
}
