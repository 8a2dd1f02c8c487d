//! What the operator sees: a box for each slot, green or red, to be read from where one stands.
//!
//! ```text
//!   board      what each slot shows; no terminal is needed for it
//!   big        PASS and FAIL in letters five lines high
//! ```

mod big;
mod board;

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use provision_ledger::LotUse;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::slot::Told;
use super::tally::Tally;
use crate::fault::Fault;
use crate::operator::Operator;
use board::Board;

/// The terminal, until it is dropped.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    board: Board,
    /// `None` once the terminal is gone.
    keys: Receiver<Option<KeyEvent>>,
}

/// What the operator did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Ctrl-C, or q.
    End,
    /// A line was scanned or typed.
    Scanned(String),
}

impl Screen {
    /// Takes the terminal over. `scans`: whether what is typed is for slots.
    pub(super) fn open(
        lot: Option<&str>,
        operator: Option<&Operator>,
        scans: bool,
    ) -> Result<Self, Fault> {
        let terminal = ratatui::try_init()?;
        let (send, keys) = channel();
        // By a thread of its own, which is not waited for: on a terminal that was closed a read may
        // never return.
        thread::spawn(move || {
            loop {
                let key = match event::read() {
                    Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => Some(key),
                    Ok(_) => continue,
                    Err(_) => None,
                };
                if send.send(key).is_err() || key.is_none() {
                    break;
                }
            }
        });
        let mut board = Board::new(lot, scans);
        board.operator = operator.map(ToString::to_string);
        Ok(Self { terminal, board, keys })
    }

    /// Takes in what a slot tells.
    pub(super) fn take(&mut self, slot: &str, told: &Told) {
        self.board.take(slot, told);
    }

    /// Something that concerns no slot.
    pub(super) fn note(&mut self, text: &str) {
        self.board.note(text);
    }

    /// What concerns no slot, and stops the line.
    pub(super) fn stop(&mut self, fault: &Fault) {
        self.board.stop(fault);
    }

    /// Shows everything as it is now.
    pub(super) fn draw(&mut self, tally: &Tally, lot: Option<LotUse>) -> Result<(), Fault> {
        self.board.lot_use = lot;
        self.terminal.draw(|frame| self.board.draw(frame, tally))?;
        Ok(())
    }

    /// What the operator did since the last look.
    pub(super) fn wishes(&mut self) -> Vec<Wish> {
        let mut wishes = Vec::new();
        while let Ok(key) = self.keys.try_recv() {
            wishes.extend(match key {
                Some(key) => self.key(key),
                None => Some(Wish::End),
            });
        }
        wishes
    }

    fn key(&mut self, KeyEvent { code, modifiers, .. }: KeyEvent) -> Option<Wish> {
        let control = modifiers.contains(KeyModifiers::CONTROL);
        match code {
            KeyCode::Char('c') if control => Some(Wish::End),
            KeyCode::Char('q') if !self.board.scans => Some(Wish::End),
            KeyCode::Char(letter) if self.board.scans && !control => {
                self.board.typed.push(letter);
                None
            }
            KeyCode::Backspace => {
                self.board.typed.pop();
                None
            }
            KeyCode::Enter if self.board.scans => {
                Some(Wish::Scanned(core::mem::take(&mut self.board.typed)))
            }
            _ => None,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = ratatui::try_restore();
    }
}
