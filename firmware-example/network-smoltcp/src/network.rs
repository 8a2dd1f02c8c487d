//! The interface: an address, and connections.

use core::fmt;
use core::net::Ipv4Addr;

use provision_firmware_app::Network;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::Device;
use smoltcp::socket::{dhcpv4, tcp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};

use crate::{NetworkError, SmoltcpStream};

/// Patience for an address.
const ADDRESS_WITHIN_MS: u64 = 5_000;
/// Patience for a connection, and for a host that says nothing.
pub(crate) const ANSWER_WITHIN_MS: u64 = 10_000;

/// Bytes that may arrive before they are read: the TCP window.
const RECEIVE_LEN: usize = 2048;
/// Bytes that may wait to be sent or acknowledged.
const SEND_LEN: usize = 1536;
/// DHCP and one connection.
const SOCKETS: usize = 2;

/// Time, for waiting. Not the date.
pub trait Ticks {
    /// Milliseconds since some moment before the program began; never goes back.
    fn now_ms(&mut self) -> u64;

    /// Sleeps a little: until something happened, or a millisecond or so.
    fn idle(&mut self);
}

/// What a [`SmoltcpNetwork`] needs to work, apart from its driver: for a static.
pub struct Memory {
    sockets: [SocketStorage<'static>; SOCKETS],
    receive: [u8; RECEIVE_LEN],
    send: [u8; SEND_LEN],
}

impl Memory {
    /// Fresh memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sockets: [SocketStorage::EMPTY; SOCKETS],
            receive: [0; RECEIVE_LEN],
            send: [0; SEND_LEN],
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

/// One Ethernet interface.
pub struct SmoltcpNetwork<D: Device + 'static, T> {
    device: &'static mut D,
    interface: Interface,
    sockets: SocketSet<'static>,
    dhcp: SocketHandle,
    tcp: SocketHandle,
    ticks: T,
    /// The port of the connection before: the next one takes another, or a server that remembers
    /// the last would refuse it.
    local_port: u16,
}

impl<D: Device, T> fmt::Debug for SmoltcpNetwork<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmoltcpNetwork").finish_non_exhaustive()
    }
}

impl<D: Device, T: Ticks> SmoltcpNetwork<D, T> {
    /// Takes the interface into use.
    ///
    /// `random` is fresh for each start: TCP's sequence numbers, DHCP's transaction and the local port are made
    /// from it.
    pub fn new(
        device: &'static mut D,
        address: EthernetAddress,
        memory: &'static mut Memory,
        mut ticks: T,
        random: u64,
    ) -> Self {
        let mut config = Config::new(address.into());
        config.random_seed = random;
        let interface = Interface::new(config, device, instant(&mut ticks));

        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let dhcp = sockets.add(dhcpv4::Socket::new());
        let tcp = sockets.add(tcp::Socket::new(
            tcp::SocketBuffer::new(&mut memory.receive[..]),
            tcp::SocketBuffer::new(&mut memory.send[..]),
        ));
        Self { device, interface, sockets, dhcp, tcp, ticks, local_port: random as u16 }
    }

    /// Lets everything happen that can happen now.
    pub(crate) fn poll(&mut self) {
        let now = instant(&mut self.ticks);
        self.interface.poll(now, self.device, &mut self.sockets);
        match self.sockets.get_mut::<dhcpv4::Socket<'_>>(self.dhcp).poll() {
            Some(dhcpv4::Event::Configured(lease)) => {
                self.interface.update_ip_addrs(|addresses| {
                    addresses.clear();
                    // There is room for one.
                    let _ = addresses.push(IpCidr::Ipv4(lease.address));
                });
                match lease.router {
                    // There is room for one.
                    Some(router) => {
                        let _ = self.interface.routes_mut().add_default_ipv4_route(router);
                    }
                    None => {
                        self.interface.routes_mut().remove_default_ipv4_route();
                    }
                }
            }
            Some(dhcpv4::Event::Deconfigured) => {
                self.interface.update_ip_addrs(|addresses| addresses.clear());
                self.interface.routes_mut().remove_default_ipv4_route();
            }
            None => {}
        }
    }

    /// Polls until `done` gives something, or `within_ms` have passed.
    pub(crate) fn wait_for<R>(
        &mut self,
        within_ms: u64,
        mut done: impl FnMut(&mut Self) -> Option<R>,
    ) -> Option<R> {
        let until = self.ticks.now_ms().saturating_add(within_ms);
        loop {
            self.poll();
            if let Some(result) = done(self) {
                return Some(result);
            }
            if self.ticks.now_ms() >= until {
                return None;
            }
            self.ticks.idle();
        }
    }

    pub(crate) fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.tcp)
    }

    fn next_local_port(&mut self) -> u16 {
        // The dynamic ports of RFC 6335 section 6: 49152 to 65535.
        self.local_port = self.local_port.wrapping_add(1) | 0xc000;
        self.local_port
    }
}

impl<D: Device, T: Ticks> Network for SmoltcpNetwork<D, T> {
    type Error = NetworkError;
    type Stream<'a>
        = SmoltcpStream<'a, D, T>
    where
        Self: 'a;

    fn up(&mut self) -> Result<Ipv4Addr, NetworkError> {
        self.wait_for(ADDRESS_WITHIN_MS, |network| network.interface.ipv4_addr())
            .ok_or(NetworkError::NoAddress { waited_ms: ADDRESS_WITHIN_MS })
    }

    fn connect(&mut self, host: &str, port: u16) -> Result<SmoltcpStream<'_, D, T>, NetworkError> {
        let host: Ipv4Addr = host.parse().map_err(|_| NetworkError::NotAnIpv4Address)?;
        let local_port = self.next_local_port();

        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.tcp);
        socket.abort();
        socket
            .connect(self.interface.context(), (IpAddress::Ipv4(host), port), local_port)
            // Only an unspecified address or port, or no address of our own, can be refused here.
            .map_err(|_| NetworkError::Refused)?;

        let state = self.wait_for(ANSWER_WITHIN_MS, |network| {
            let state = network.socket().state();
            (state != tcp::State::SynSent).then_some(state)
        });
        match state {
            Some(tcp::State::Closed) => Err(NetworkError::Refused),
            Some(_) => Ok(SmoltcpStream::new(self)),
            None => {
                self.socket().abort();
                Err(NetworkError::TimedOut { waited_ms: ANSWER_WITHIN_MS })
            }
        }
    }
}

fn instant(ticks: &mut impl Ticks) -> Instant {
    Instant::from_millis(i64::try_from(ticks.now_ms()).unwrap_or(i64::MAX))
}
