//! What is worth a line in the log, by `defmt`: with the features `defmt`.

use provision_device::Served;
use provision_tls::ConnectError;

/// After each call of `serve`.
pub fn served(served: Served) {
    match served {
        Served::Answered { refusal: Some(refusal) } => defmt::warn!("refused: {}", refusal),
        Served::Answered { refusal: None } => defmt::debug!("answered"),
        Served::Noise => defmt::trace!("noise on the line"),
        Served::Listened => {}
    }
}

/// After `connect`.
pub fn not_connected(error: ConnectError) {
    defmt::error!("no connection: {}", error);
}
