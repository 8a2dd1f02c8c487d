//! What the CA makes, held against OpenSSL, GnuTLS and webpki.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ca;
mod device;
mod mutations;
mod open;
mod server;
mod support;
mod token;
