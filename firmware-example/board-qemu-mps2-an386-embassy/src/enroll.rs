//! Without an identity: the line is served until there is one.

use core::fmt::Write;

use embassy_time::{Duration, with_timeout};
use provision_device::Stage;

use crate::device::Device;
use crate::heartbeat::Watched;

/// After the last answer, how long the line must be quiet before anything else is done: the station may not have
/// heard, and repeats a slow question after five seconds.
const QUIET: Duration = Duration::from_secs(6);

impl Device {
    /// Serves the line until the device is sealed and the line quiet; returns at once if it was sealed before.
    pub(crate) async fn enroll(&mut self) {
        if self.stage == Some(Stage::Sealed) {
            return;
        }
        let _ = writeln!(self.log, "line ready");
        // Enrollment begins with the first thing that is heard.
        self.serve_byte().await;
        let watched = Watched::begin("enrollment", &mut self.log);
        while self.stage < Some(Stage::Certified) {
            self.serve_byte().await;
        }
        self.serve_until_quiet(QUIET, Some(Stage::Sealed)).await;
        watched.end(&mut self.log);
        self.serve_until_quiet(QUIET, None).await;
        self.log_stack("enrollment");
    }

    /// Serves the line until nothing came for so long, or the device has come so far.
    pub(crate) async fn serve_until_quiet(&mut self, quiet: Duration, enough: Option<Stage>) {
        while enough.is_none() || self.stage < enough {
            // What is dropped at its end is a wait for a byte, and loses nothing.
            if with_timeout(quiet, self.serve_byte()).await.is_err() {
                return;
            }
        }
    }
}
