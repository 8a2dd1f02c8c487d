//! The client against a server that does what it is told, and against real ones.
//!
//! Every hostile script is the honest one with one change, so the honest tests are the twins that
//! show the harness lets a good server through.

mod after_handshake;
mod cancelled;
mod certificates;
mod half;
mod honest;
mod inputs;
mod mutations;
mod proofs;
mod real_servers;
mod records;
mod world;
