//! What goes wrong below TLS.

use core::fmt;

/// Why there is no network, no connection, or no connection any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkError {
    /// No DHCP server gave an address in this time.
    NoAddress {
        /// How long was waited, in milliseconds.
        waited_ms: u64,
    },
    /// The host is not an IPv4 address, and there is no resolver here.
    NotAnIpv4Address,
    /// The host answered that nobody listens on the port, or cut the connection.
    Refused,
    /// The host did not answer, or went silent, for this time.
    TimedOut {
        /// How long was waited, in milliseconds.
        waited_ms: u64,
    },
    /// The connection was cut by the other side.
    Reset,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress { waited_ms } => write!(f, "no address by DHCP in {waited_ms} ms"),
            Self::NotAnIpv4Address => f.write_str("the host is not an IPv4 address"),
            Self::Refused => f.write_str("connection refused"),
            Self::TimedOut { waited_ms } => write!(f, "no answer in {waited_ms} ms"),
            Self::Reset => f.write_str("connection reset"),
        }
    }
}

impl core::error::Error for NetworkError {}

impl embedded_io::Error for NetworkError {
    fn kind(&self) -> embedded_io::ErrorKind {
        use embedded_io::ErrorKind;
        match self {
            Self::NoAddress { .. } => ErrorKind::NotConnected,
            Self::NotAnIpv4Address => ErrorKind::InvalidInput,
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Reset => ErrorKind::ConnectionReset,
        }
    }
}
