//! A session with one device, question by question: for what is less than a whole run.

use provision_station::EnrollmentFault;
use provision_station::enrollment::Timing;
use provision_station::exchange::{Exchange, Patience, Tick};
use provision_wire::{Answer, Ask, Hello, VersionRange};

use crate::fault::Fault;
use crate::line::Line;
use crate::system;

/// A session on a line.
pub(crate) struct Conversation<'l> {
    line: &'l mut Line,
    exchange: Exchange,
}

impl<'l> Conversation<'l> {
    /// Says hello, and says who answered.
    pub(crate) fn open(line: &'l mut Line, patience: Patience) -> Result<(Self, Hello), Fault> {
        let session = u32::from_le_bytes(system::bytes()?);
        let exchange = Exchange::new(session).at(line.pace());
        let mut conversation = Self { line, exchange };
        let ask = Ask::Hello { versions: VersionRange::OURS };
        let hello = conversation.ask_within(&ask, patience, |answer| match answer {
            Answer::Hello(hello) => Some(hello.clone()),
            _ => None,
        })?;
        Ok((conversation, hello))
    }

    /// Puts a question that may make the device compute.
    pub(crate) fn ask<T>(
        &mut self,
        ask: &Ask<'_>,
        expected: impl Fn(&Answer<'_>) -> Option<T>,
    ) -> Result<T, Fault> {
        self.ask_within(ask, Timing::default().slow, expected)
    }

    /// Puts a question until it is answered, refused, or patience ends.
    fn ask_within<T>(
        &mut self,
        ask: &Ask<'_>,
        patience: Patience,
        expected: impl Fn(&Answer<'_>) -> Option<T>,
    ) -> Result<T, Fault> {
        let now_ms = self.line.now_ms();
        let mut to_send = Some(self.exchange.ask(ask, patience, now_ms));
        let mut buffer = [0; 512];
        loop {
            if let Some(bytes) = to_send.take() {
                self.line.send(&bytes)?;
            }
            let until_ms = match self.exchange.tick(self.line.now_ms()) {
                Some(Tick::Wait { until_ms }) => until_ms,
                Some(Tick::Resend(bytes)) => {
                    to_send = Some(bytes);
                    continue;
                }
                Some(Tick::GaveUp(no_answer)) => {
                    return Err(Fault::Enrollment(no_answer.into()));
                }
                None => self.line.now_ms(),
            };
            for byte in self.line.receive(&mut buffer, until_ms)? {
                let Some(payload) = self.exchange.receive(*byte) else { continue };
                let Ok(answer) = Answer::decode(&payload) else { continue };
                if let Answer::Refused(refusal) = answer {
                    return Err(EnrollmentFault::Refused { ask: ask.name(), refusal }.into());
                }
                return expected(&answer).ok_or_else(|| {
                    EnrollmentFault::Unexpected { ask: ask.name(), answer: answer.name() }.into()
                });
            }
        }
    }
}
