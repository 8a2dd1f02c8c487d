//! The same server without a socket.

use core::convert::Infallible;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::vec;

use embedded_io::ErrorType;

use super::{
    Credentials, Script, Seen, Step,
    connection::{Connection, Wire},
};

/// A server on the other end of a client's transport: it plays a step whenever the client reads and
/// nothing is there. No thread, no clock: where both would wait for each other, the server hangs up.
pub struct InProcessServer {
    connection: Connection<Ends>,
    script: vec::IntoIter<Step>,
    greeted: bool,
}

impl InProcessServer {
    /// A server waiting for its client.
    #[must_use]
    pub fn new(credentials: Credentials, script: Script) -> Self {
        let connection = Connection::new(Ends::default(), credentials);
        Self { connection, script: script.0.into_iter(), greeted: false }
    }

    /// What the client showed.
    #[must_use]
    pub fn seen(mut self) -> Seen {
        self.connection.hear_out();
        self.connection.seen
    }

    /// `false`: the script has come to its end.
    fn play_on(&mut self) -> bool {
        if !self.greeted {
            self.greeted = true;
            return self.connection.await_client_hello().is_ok();
        }
        self.script.next().is_some_and(|step| self.connection.step(step).is_ok())
    }
}

impl ErrorType for InProcessServer {
    type Error = Infallible;
}

impl embedded_io::Read for InProcessServer {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        while self.connection.wire.to_client.is_empty() && !self.connection.wire.ended {
            self.connection.wire.ended = !self.play_on();
        }
        let mut read = 0;
        for (to, from) in out.iter_mut().zip(&self.connection.wire.to_client) {
            *to = *from;
            read += 1;
        }
        self.connection.wire.to_client.drain(..read);
        Ok(read)
    }
}

impl embedded_io::Write for InProcessServer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.connection.wire.from_client.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Both directions, as the server has them.
#[derive(Default)]
struct Ends {
    from_client: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// Nothing more is to come from the server.
    ended: bool,
}

impl Read for Ends {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.from_client.read(out)
    }
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.ended {
            self.to_client.extend(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for Ends {
    fn hang_up(&mut self) -> io::Result<()> {
        self.ended = true;
        Ok(())
    }

    fn end_sending(&mut self) -> io::Result<()> {
        self.ended = true;
        Ok(())
    }
}
