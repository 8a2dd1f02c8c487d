//! What a proven server is spoken to with.
//!
//! [`Conversation`] decides and does no IO; the two streams move its bytes.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
mod conversation;
mod error;

#[cfg(feature = "async")]
pub use self::asynchronous::AsyncProvenStream;
pub use self::blocking::ProvenStream;
use self::conversation::{Conversation, IDLE_RECORDS_MAX};
pub use self::error::StreamError;
