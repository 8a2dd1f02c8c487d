//! From a name and a port to a TCP connection.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use core::time::Duration;
use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::mpsc;
use std::thread;

use provision_issuer::ServerName;

use super::cause::{Cause, Diagnosis};
use super::socket::Socket;

/// Where to connect to.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Name or address.
    pub host: ServerName,
    /// TCP port.
    pub port: u16,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "HOST:PORT is expected, as mqtt.acme.com:8883 or [2001:db8::1]:443";
        let (host, port) = text.rsplit_once(':').ok_or(wanted)?;
        let port = port.parse().map_err(|_| wanted)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => ServerName::Ip(IpAddr::V6(inner.parse().map_err(|_| wanted)?)),
            None => host.parse().map_err(|fault| format!("{fault}"))?,
        };
        match host {
            ServerName::Ip(IpAddr::V6(_)) if !text.starts_with('[') => Err(wanted.into()),
            ServerName::Dns(name) if name.as_str().starts_with('*') => Err(wanted.into()),
            host if port > 0 => Ok(Self { host, port }),
            _ => Err(wanted.into()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            ServerName::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// The addresses of an endpoint; at least one.
pub(crate) fn resolve(
    endpoint: &Endpoint,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, Diagnosis> {
    let name = match &endpoint.host {
        ServerName::Ip(address) => return Ok(vec![SocketAddr::new(*address, endpoint.port)]),
        ServerName::Dns(name) => name.to_string(),
    };
    let fault =
        |why: &str| Diagnosis::new(Cause::NameNotResolved, format!("{name} has no address: {why}"));
    // The system's resolver knows no deadline; a thread that it keeps ends with the program.
    let (sender, receiver) = mpsc::channel();
    let (asked, port) = (name.clone(), endpoint.port);
    thread::spawn(move || {
        let found = (asked.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        let _ = sender.send(found);
    });
    match receiver.recv_timeout(timeout) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err(fault("none is known")),
        Ok(Err(error)) => Err(fault(&error.to_string())),
        Err(_) => Err(fault("the resolver does not answer")),
    }
}

/// Connects to the first address that takes the connection.
pub(crate) fn connect(
    addresses: &[SocketAddr],
    timeout: Duration,
) -> Result<(SocketAddr, Socket), Diagnosis> {
    let mut first = None;
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match Socket::connect(*address, timeout) {
            Ok(socket) => return Ok((*address, socket)),
            Err(error) => {
                first.get_or_insert_with(|| refused(*address, &error, timeout));
            }
        }
    }
    let none = || Diagnosis::new(Cause::NameNotResolved, "there is no address to connect to");
    Err(first.unwrap_or_else(none))
}

fn refused(address: SocketAddr, error: &io::Error, timeout: Duration) -> Diagnosis {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Diagnosis::new(Cause::NothingListening, format!("nothing listens on {address}"))
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Diagnosis::new(
            Cause::ConnectTimeout,
            format!("{address} did not answer for {} s", timeout.as_secs_f32()),
        ),
        io::ErrorKind::ConnectionReset => Diagnosis::new(
            Cause::Closed,
            format!("{address} took the connection and closed it at once"),
        ),
        _ => Diagnosis::new(Cause::Unreachable, format!("{address} cannot be reached: {error}")),
    }
}

/// A name with more addresses has been tried enough.
const ADDRESSES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, shown) in [
            ("Mqtt.Acme.com:8883", Some("mqtt.acme.com:8883")),
            ("127.0.0.1:1", Some("127.0.0.1:1")),
            ("[::1]:443", Some("[::1]:443")),
            ("::1:443", None),
            ("a.example", None),
            ("a.example:0", None),
            ("a.example:65536", None),
            ("*.example.org:443", None),
            ("https://a.example:443", None),
            (":443", None),
        ] {
            let parsed = text.parse::<Endpoint>().ok().map(|endpoint| endpoint.to_string());
            assert_eq!(parsed.as_deref(), shown, "{text}");
        }
    }
}
