//! What each slot shows.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use provision_station::enrollment::{Change, Progress};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Paragraph, Wrap};

use super::super::slot::{State, Told};
use super::super::tally::Tally;
use super::big;
use crate::fault::Fault;
use crate::report::sentence;

/// Widths and heights of a box, largest first: the first that has room for all slots is taken.
const BOXES: [(u16, u16); 4] = [(38, 10), (26, 7), (20, 3), (19, 1)];
/// A box of this height or more has big letters.
const BIG_FROM: u16 = 9;

/// Everything on the screen.
#[derive(Debug)]
pub(super) struct Board {
    lot: Option<String>,
    pub(super) scans: bool,
    pub(super) typed: String,
    note: String,
    /// The line is stopped.
    stopped: bool,
    slots: BTreeMap<String, View>,
}

#[derive(Debug)]
struct View {
    look: Look,
    device: String,
    /// Step, cause or what is missing.
    what: String,
    hint: &'static str,
    since: Instant,
    took: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    NoPort,
    Empty,
    Scan,
    Running,
    Passed,
    Failed,
}

impl Look {
    const fn word(self) -> &'static str {
        match self {
            Self::NoPort => "NO PORT",
            Self::Empty => "empty",
            Self::Scan => "SCAN",
            Self::Running => "RUN",
            Self::Passed => "PASS",
            Self::Failed => "FAIL",
        }
    }

    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::NoPort => style.fg(Color::Yellow),
            Self::Empty => style.fg(Color::DarkGray),
            Self::Scan => style.fg(Color::Black).bg(Color::Cyan),
            Self::Running => style.fg(Color::Black).bg(Color::Yellow),
            Self::Passed => style.fg(Color::White).bg(Color::Green),
            Self::Failed => style.fg(Color::White).bg(Color::Red),
        }
    }
}

impl Board {
    pub(super) fn new(lot: Option<&str>, scans: bool) -> Self {
        Self {
            lot: lot.map(Into::into),
            scans,
            typed: String::new(),
            note: String::new(),
            stopped: false,
            slots: BTreeMap::new(),
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        self.note = text.into();
    }

    pub(super) fn stop(&mut self, fault: &Fault) {
        self.note = fault.to_string();
        self.stopped = true;
    }

    pub(super) fn take(&mut self, slot: &str, told: &Told) {
        let view = self.slots.entry(slot.into()).or_insert_with(View::empty);
        match told {
            Told::Ended => {}
            Told::State(state) => view.wait(state),
            Told::Progress(progress) => view.step(progress),
            Told::Passed { outcome, seconds } => {
                let what = match outcome.change {
                    Change::Enrolled => "enrolled",
                    Change::Delivered => "enrolled, with the certificate it had",
                    Change::Nothing => "was enrolled already",
                };
                view.end(Look::Passed, what.into(), "", *seconds);
                view.device = outcome.enrolled.device().to_string();
            }
            Told::Failed { fault, device, seconds } => {
                view.end(Look::Failed, fault.to_string(), fault.hint(), *seconds);
                if let Some(device) = device {
                    view.device = device.to_string();
                }
                self.stopped |= fault.stops_the_line();
            }
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>, tally: &Tally) {
        let Rect { width, height, .. } = frame.area();
        if height < 3 {
            return;
        }
        frame.render_widget(self.header(tally), Rect { x: 0, y: 0, width, height: 1 });
        let area = Rect { x: 0, y: 1, width, height: height - 2 };
        let places = places(area, self.slots.len());
        // Those without a place are told of in the last line.
        let hidden = self.slots.len() - places.len();
        for ((name, view), place) in self.slots.iter().zip(places) {
            view.draw(name, frame, place);
        }
        frame.render_widget(self.footer(hidden), Rect { x: 0, y: height - 1, width, height: 1 });
    }

    fn header(&self, tally: &Tally) -> Paragraph<'_> {
        let (passed, failed) = (tally.passed(), tally.failed);
        let lot = self.lot.as_ref().map(|lot| format!("lot {lot}  ")).unwrap_or_default();
        let yields = match passed + failed {
            0 => String::new(),
            runs => format!("  yield {} %", passed * 100 / runs),
        };
        let hours = tally.seconds() / 3600.0;
        let rate = if passed == 0 { 0.0 } else { passed as f64 / hours };
        let mut text = format!(" {lot}passed {passed}  failed {failed}{yields}  {rate:.0} an hour");
        if self.stopped {
            text = " THE LINE IS STOPPED: call the supervisor ".to_owned() + &text;
        }
        Paragraph::new(text).style(Style::new().add_modifier(Modifier::REVERSED))
    }

    fn footer(&self, hidden: usize) -> Paragraph<'_> {
        let mut text = String::new();
        if hidden > 0 {
            text = format!(" {hidden} slots have no place on this screen ");
        }
        text += &if self.scans {
            format!(" scan: {}_  {}", self.typed, self.note)
        } else if self.note.is_empty() {
            " Ctrl-C ends: devices under way are finished".into()
        } else {
            format!(" {}", self.note)
        };
        Paragraph::new(text).style(Style::new().add_modifier(Modifier::REVERSED))
    }
}

impl View {
    fn empty() -> Self {
        Self {
            look: Look::Empty,
            device: String::new(),
            what: String::new(),
            hint: "",
            since: Instant::now(),
            took: None,
        }
    }

    fn wait(&mut self, state: &State) {
        // A failure is there to be read: until the next run, or until the device is taken out.
        if let State::Scan { device } = state
            && self.look == Look::Failed
            && self.device == device.as_str()
        {
            return;
        }
        *self = Self { what: state.to_string(), ..Self::empty() };
        match state {
            State::NoPort => self.look = Look::NoPort,
            State::BadPort { .. } => self.look = Look::Failed,
            State::Empty { .. } => {}
            State::Scan { device } => {
                self.look = Look::Scan;
                self.device = device.to_string();
            }
        }
    }

    fn step(&mut self, progress: &Progress) {
        if self.look != Look::Running {
            *self = Self { look: Look::Running, ..Self::empty() };
        }
        if let Progress::Found { device, .. } = progress {
            self.device = device.to_string();
        }
        self.what = sentence(progress);
    }

    fn end(&mut self, look: Look, what: String, hint: &'static str, seconds: f64) {
        let took = Duration::try_from_secs_f64(seconds).ok();
        *self = Self {
            look,
            what,
            hint,
            took,
            device: core::mem::take(&mut self.device),
            ..Self::empty()
        };
    }

    fn seconds(&self) -> String {
        match (self.took, self.look) {
            (Some(took), _) => format!("{:.1} s", took.as_secs_f64()),
            (None, Look::Running) => format!("{:.0} s", self.since.elapsed().as_secs_f64()),
            (None, _) => String::new(),
        }
    }

    fn draw(&self, name: &str, frame: &mut Frame<'_>, place: Rect) {
        let (word, seconds) = (self.look.word(), self.seconds());
        let device = &self.device;
        if place.height < 3 {
            // The end of a serial tells devices apart.
            let room = usize::from(place.width).saturating_sub(name.len() + word.len() + 3);
            let cut = device.len().saturating_sub(room);
            let text = format!("{name} {word} {}", device.get(cut..).unwrap_or_default());
            frame.render_widget(Paragraph::new(text).style(self.look.style()), place);
            return;
        }
        let mut title = format!(" {name} ");
        if !seconds.is_empty() {
            title += &format!("{seconds} ");
        }
        let block = Block::bordered().title(title).style(self.look.style());
        let inner = block.inner(place);
        frame.render_widget(block, place);
        if inner.height == 1 {
            frame.render_widget(Paragraph::new(format!("{word} {device}")), inner);
            return;
        }
        let is_big = place.height >= BIG_FROM && matches!(self.look, Look::Passed | Look::Failed);
        let mut lines: Vec<Line<'_>> = if is_big {
            big::lines(word).into_iter().map(|line| Line::from(line).centered()).collect()
        } else {
            vec![Line::from(word).alignment(Alignment::Center).style(Modifier::BOLD)]
        };
        if !device.is_empty() {
            lines.push(Line::from(device.as_str()).centered());
        }
        for text in [self.what.as_str(), self.hint] {
            if !text.is_empty() {
                lines.push(Line::from(text));
            }
        }
        frame.render_widget(Paragraph::new(Text::from(lines)).wrap(Wrap { trim: true }), inner);
    }
}

/// Where each of so many boxes stands.
fn places(area: Rect, count: usize) -> Vec<Rect> {
    if count == 1 {
        return vec![area];
    }
    let room = |(width, height): (u16, u16)| {
        (usize::from(area.width / width), usize::from(area.height / height))
    };
    let fits = |size: &&(u16, u16)| {
        let (columns, rows) = room(**size);
        columns * rows >= count
    };
    // What does not fit at all is left out: the smallest boxes of a terminal of 80 by 24 are 88.
    let size = BOXES.iter().find(fits).unwrap_or(&BOXES[BOXES.len() - 1]);
    let (columns, rows) = room(*size);
    let width = area.width / columns.max(1) as u16;
    let place = |at: usize| Rect {
        x: area.x + (at % columns.max(1)) as u16 * width,
        y: area.y + (at / columns.max(1)) as u16 * size.1,
        width: width.min(area.width),
        height: size.1,
    };
    (0..count.min(columns * rows)).map(place).collect()
}

#[cfg(test)]
mod tests {
    use provision_wire::{DeviceSerial, Stage};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn shown(board: &Board, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| board.draw(frame, &Tally::default())).unwrap();
        terminal.backend().to_string()
    }

    fn device() -> DeviceSerial {
        DeviceSerial::new("sensor-0001").unwrap()
    }

    fn failed(fault: Fault) -> Told {
        Told::Failed { fault, device: Some(device()), seconds: 2.04 }
    }

    #[test]
    fn one_slot_has_the_whole_screen_and_big_letters() {
        let mut board = Board::new(Some("L-7"), false);
        board.take("left", &failed(Fault::LineStopped));
        let shown = shown(&board, 80, 24);
        for part in [
            "lot L-7  passed 0  failed 0",
            " left 2.0 s ",
            "█████   ███   ███  █    ",
            "sensor-0001",
            "the line was stopped",
            "what stopped it is reported for another port",
            "Ctrl-C ends",
        ] {
            assert!(shown.contains(part), "no `{part}` in\n{shown}");
        }
    }

    #[test]
    fn what_was_shown_before_is_gone() {
        let mut board = Board::new(None, false);
        board.take("left", &failed(Fault::Interrupted));
        board.take("left", &Told::State(State::Empty { noise: false }));
        let empty = shown(&board, 80, 24);
        assert!(empty.contains("waits for a device") && !empty.contains("sensor"), "{empty}");
        let found = Progress::Found { device: device(), stage: Stage::Blank };
        board.take("left", &Told::Progress(found));
        board.take("left", &Told::Progress(Progress::Stored));
        let running = shown(&board, 80, 24);
        for part in ["RUN", "sensor-0001", "checked and stored"] {
            assert!(running.contains(part), "no `{part}` in\n{running}");
        }
    }

    #[test]
    fn sixty_four_slots_fit_a_small_terminal() {
        for count in [2, 4, 6, 9, 12, 24, 28, 64] {
            let mut board = Board::new(None, false);
            for slot in 1..=count {
                board.take(&format!("slot-{slot:02}"), &failed(Fault::Interrupted));
            }
            let shown = shown(&board, 80, 24);
            for slot in 1..=count {
                let name = format!("slot-{slot:02}");
                assert!(shown.contains(&name), "{count} slots, no {name} in\n{shown}");
            }
            assert_eq!(shown.matches("0001").count(), count, "{shown}");
        }
    }

    #[test]
    fn slots_without_a_place_are_counted() {
        let mut board = Board::new(None, false);
        for slot in 1..=100 {
            board.take(&format!("slot-{slot:03}"), &failed(Fault::Interrupted));
        }
        let shown = shown(&board, 80, 24);
        assert!(shown.contains("12 slots have no place"), "{shown}");
    }

    #[test]
    fn a_terminal_of_any_size_is_no_harm() {
        let mut board = Board::new(None, true);
        board.typed = "sensor-00".into();
        for slot in 1..=5 {
            board.take(&format!("slot-{slot}"), &Told::State(State::Scan { device: device() }));
        }
        for (width, height) in [(1, 1), (10, 3), (19, 4), (20, 24), (200, 60)] {
            shown(&board, width, height);
        }
        assert!(shown(&board, 80, 24).contains("scan: sensor-00_"));
    }
}
