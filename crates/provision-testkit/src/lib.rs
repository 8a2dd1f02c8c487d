//! What the tests of provisioning are made of, for this project's tests and for those of others.
//!
//! ```text
//!   flash            NOR flash in memory whose power can be cut at any operation
//!   device           a simulated device: the real Line, Enrollee and FlashVault over that flash
//!   faulty_line      loses, repeats and corrupts bytes, and lets logs talk into them
//!   planted          bugs put in on purpose: device, vault, station, ledger, issuer
//!   impostor         devices that lie
//!   toy_p256         keys and signatures without arithmetic, where a million are made
//!   ca               a CA for tests that are not about it
//!   cli              the `provision` program, called as a person would
//!   pty              a serial port with one of these behind it, for the real CLI
//!   tap              a serial port or TCP address that keeps what passes
//!   simulation       whole enrollments from a seed: device, line, station, issuer, ledger, intruder
//!   crypto           which P-256 those use: the real one, or toy_p256
//!   toy              a CA over toy_p256, in real DER
//!   memory_ledger    the ledger's semantics without a database
//!   vault_image      what a vault's flash says, read by its documented layout alone
//!   wiretap          frames as they were sent, for who listens along
//!   qemu             a firmware image on an emulated board, with its UARTs, flash and network
//!   kills            a station that is killed at random moments, and what must be true afterwards
//!   scene            a factory and a cloud on one machine: the program, nginx, emulated devices
//!   servers          nginx, mosquitto and openssl, started on loopback
//!   softhsm          tokens with a PKCS#11 library, as HSMs have
//!   hostile_server   a TLS 1.3 server that breaks the rules
//! ```
//!
//! What it deliberately does not do: stand in for the real thing where the real thing can be had.
//! Simulated devices are a second way to test; the first is firmware on an emulated Cortex-M4.

extern crate alloc;

#[cfg(feature = "factory")]
pub mod ca;
pub mod cli;
pub mod crypto;
pub mod device;
pub mod faulty_line;
pub mod flash;
pub mod hostile_server;
#[cfg(unix)]
pub mod impostor;
#[cfg(unix)]
pub mod kills;
#[cfg(feature = "factory")]
pub mod memory_ledger;
pub mod pki;
pub mod planted;
#[cfg(unix)]
pub mod pty;
#[cfg(unix)]
pub mod qemu;
pub mod random;
pub mod relay;
#[cfg(unix)]
pub mod scene;
#[cfg(unix)]
pub mod servers;
#[cfg(feature = "factory")]
pub mod simulation;
pub mod softhsm;
#[cfg(unix)]
pub mod tap;
pub mod tcp;
#[cfg(feature = "factory")]
pub mod toy;
pub mod toy_p256;
pub mod vault_image;
pub mod wiretap;
