//! TCP for firmware without an executor: a [`Network`] over any [`smoltcp`] driver, whose calls return when
//! what they are for is done, or when their patience ends.
//!
//! One interface, configured by DHCP; one connection at a time; hosts by IPv4 address. Memory is the caller's
//! and known at compile time ([`Memory`]).
#![no_std]

mod error;
mod network;
mod stream;

pub use error::NetworkError;
pub use network::{Memory, SmoltcpNetwork, Ticks};
pub use stream::SmoltcpStream;
