//! What the device's network reaches.

use core::net::{SocketAddr, SocketAddrV4};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::QemuError;
use super::board::Nic;

/// The network at the board's Ethernet port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// No cable.
    #[default]
    None,
    /// An address by DHCP (10.0.2.15), and one TCP service; nothing else of the host or of the internet can
    /// be reached.
    RestrictedTo {
        /// Where the device finds the service, within 10.0.2.0/24.
        guest: SocketAddrV4,
        /// Where it is on the host.
        host: SocketAddr,
    },
}

impl Network {
    /// [`Network::RestrictedTo`]
    #[must_use]
    pub const fn restricted_to(guest: SocketAddrV4, host: SocketAddr) -> Self {
        Self::RestrictedTo { guest, host }
    }

    /// QEMU's arguments for a board that is connected like this. Writes what it needs into `scratch`.
    pub(super) fn arguments(self, nic: Nic, scratch: &Path) -> Result<Vec<OsString>, QemuError> {
        let Self::RestrictedTo { guest, host } = self else {
            return Ok(["-nic", "none"].map(OsString::from).into());
        };
        let relay = write_relay(scratch, host)
            .map_err(|source| QemuError::System { doing: "writing the relay", source })?;
        let command = escape(&format!("bash '{}'", relay.display()));
        let forward = format!("restrict=on,guestfwd=tcp:{guest}-cmd:{command}");
        let arguments: Vec<String> = match nic {
            Nic::OnBoard(model) => vec!["-nic".into(), format!("user,model={model},{forward}")],
            Nic::Device(model) => vec![
                "-netdev".into(),
                format!("user,id=cable,{forward}"),
                "-device".into(),
                format!("{model},netdev=cable"),
            ],
            Nic::None => return Err(QemuError::NoNetwork),
        };
        Ok(arguments.into_iter().map(OsString::from).collect())
    }
}

/// QEMU's other way to forward, to a character device, is one connection for the emulator's life, which the
/// device's close does not close. A command is run anew for each connection.
///
/// Two copies run; when one ends, because its side closed, so does the other, and with it the connection. Complaints of
/// the shell would reach the device as if the service had said them.
fn write_relay(scratch: &Path, host: SocketAddr) -> io::Result<PathBuf> {
    let path = scratch.join("relay.sh");
    let (ip, port) = (host.ip(), host.port());
    fs::write(
        &path,
        format!(
            "exec 2>/dev/null\n\
             exec 3<>/dev/tcp/{ip}/{port} 4<&0 || exit 1\n\
             cat <&4 >&3 & there=$!\n\
             cat <&3 & back=$!\n\
             wait -n\n\
             kill $there $back\n"
        ),
    )?;
    Ok(path)
}

/// QEMU's options end at a comma, unless it is doubled.
pub(super) fn escape(value: &str) -> String {
    value.replace(',', ",,")
}
