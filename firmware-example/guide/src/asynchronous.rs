//! Under an executor: steps 5 and 6 awaited, with the features `async`.

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write};
use provision_csr::{Entropy, IdentityKey};
use provision_device::{Enrollee, Line, Served, Stage, Vault, VaultFault};
use provision_tls::{
    AsyncProvenStream, Buffers, ClientIdentity, ConnectError, Endpoint, UnixSeconds, connect_async,
};

use crate::enroll::{DELIVERY_LEN_MAX, FRAME_LEN_MAX};
use crate::key::P256;

/// [`until_sealed`](crate::enroll::until_sealed). Making a key, signing and checking are one call
/// each and do not yield: what must go on meanwhile runs at a higher interrupt priority.
pub async fn until_sealed<S: Read + Write>(
    line: &mut Line<FRAME_LEN_MAX>,
    enrollee: &mut Enrollee<'_, P256, DELIVERY_LEN_MAX>,
    serial: &mut S,
    vault: &mut impl Vault,
    entropy: &mut impl Entropy,
) -> Result<(), VaultFault> {
    let mut stage = vault.stage()?;
    if stage == Stage::Sealed {
        return Ok(());
    }
    loop {
        let served = line.serve_async(serial, enrollee, vault, entropy);
        match with_timeout(Duration::from_secs(6), served).await {
            Ok(Ok(Served::Answered { .. })) => stage = vault.stage()?,
            Ok(_) => {}
            // Six seconds of silence. The wait for a byte that was dropped has lost nothing.
            Err(_) if stage == Stage::Sealed => return Ok(()),
            Err(_) => {}
        }
    }
}

/// The same `connect`, awaited. Give `socket` a timeout of its own: a stream whose `write` was
/// dropped halfway is lost.
pub async fn secure<'a, T: Read + Write + 'a>(
    socket: T,
    buffers: &'a mut Buffers<4_352, 1_024>,
    endpoint: &Endpoint<'_>,
    identity: &ClientIdentity<'_, impl IdentityKey>,
    now: UnixSeconds,
    entropy: &mut impl Entropy,
) -> Result<AsyncProvenStream<'a, T>, ConnectError> {
    connect_async::<P256, _>(socket, buffers, endpoint, identity, now, entropy).await
}
