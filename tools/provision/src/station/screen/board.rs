//! What each slot shows.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use provision_ledger::LotUse;
use provision_station::enrollment::{Change, Progress};
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Paragraph};

use super::super::slot::{State, Told};
use super::super::tally::Tally;
use super::big;
use crate::fault::Fault;
use crate::report::sentence;
use crate::wrapped::wrapped;

/// Widths and heights of a box, largest first: the first that has room for all slots is taken.
const BOXES: [(u16, u16); 4] = [(38, 10), (26, 7), (20, 3), (19, 1)];
/// A box of this height or more has big letters.
const BIG_FROM: u16 = 9;

/// Everything on the screen.
#[derive(Debug)]
pub(super) struct Board {
    lot: Option<String>,
    /// Who works here, if that is said.
    pub(super) operator: Option<String>,
    pub(super) lot_use: Option<LotUse>,
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
            operator: None,
            lot_use: None,
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
        let header = self.header(tally);
        let room = usize::from(width).saturating_sub(header.width());
        let place = Rect { x: 0, y: 0, width, height: 1 };
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        frame.render_widget(Paragraph::new(header).style(reversed), place);
        if let Some(operator) = self.operator_in(room) {
            let beside = operator.width() as u16;
            let place = Rect { x: width.saturating_sub(beside), width: beside, ..place };
            frame.render_widget(Paragraph::new(operator).style(reversed), place);
        }
        let area = Rect { x: 0, y: 1, width, height: height - 2 };
        let (places, strip) = self.layout(area);
        // Those without a place are told of in the last line.
        let hidden = self.slots.len() - places.len();
        for ((name, view), place) in self.slots.iter().zip(places) {
            view.draw(name, frame, place);
        }
        let y = area.bottom() - strip.len() as u16;
        let place = Rect { y, height: strip.len() as u16, ..area };
        let strip: Vec<Line<'_>> = strip.into_iter().map(Line::from).collect();
        frame.render_widget(Paragraph::new(strip).style(Look::Failed.style()), place);
        frame.render_widget(self.footer(hidden), Rect { x: 0, y: height - 1, width, height: 1 });
    }

    /// Where each slot stands, and what is said below them all: what the latest failure is and what
    /// to do, of those that have no room for it.
    fn layout(&self, area: Rect) -> (Vec<Rect>, Vec<String>) {
        for size in BOXES {
            let Some(places) = places(area, size, self.slots.len()) else { continue };
            let Some((name, view)) = self.latest_without_room(&places) else {
                return (places, Vec::new());
            };
            let strip = view.strip(name, area.width.into());
            let above = area.height.saturating_sub(strip.len() as u16);
            if let Some(places) = places_above(area, above, size, self.slots.len()) {
                return (places, strip);
            }
        }
        // Not all have a place, or not with all of it: a line for the cause, and one for what to do.
        let [.., smallest] = BOXES;
        let mut strip = match self.latest_without_room(&[]) {
            Some((name, view)) => view.short_strip(name),
            None => Vec::new(),
        };
        strip.truncate(area.height.saturating_sub(1).into());
        let above = Rect { height: area.height - strip.len() as u16, ..area };
        (places_of_some(above, smallest, self.slots.len()), strip)
    }

    /// Of the slots that failed and cannot say all of it in their places, the one that failed last.
    fn latest_without_room(&self, places: &[Rect]) -> Option<(&str, &View)> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(at, (_, view))| !places.get(*at).is_some_and(|place| view.has_room(*place)))
            .map(|(_, (name, view))| (name.as_str(), view))
            .max_by_key(|(_, view)| view.since)
    }

    fn header(&self, tally: &Tally) -> Line<'static> {
        // The lot's, of all stations and days; what follows is of this run.
        let lot = match (&self.lot, self.lot_use) {
            (None, _) => String::new(),
            (Some(lot), None) => format!("lot {lot}  "),
            (Some(lot), Some(LotUse { used, quota })) => format!("lot {lot}: {used} of {quota}  "),
        };
        let (passing, failing) = tally.devices();
        let yields = match passing + failing {
            0 => String::new(),
            devices => format!("  yield {} %", passing * 100 / devices),
        };
        let hours = tally.seconds() / 3600.0;
        let passed = tally.passed();
        let rate = if passed == 0 { 0.0 } else { passed as f64 / hours };
        let mut text =
            format!(" {lot}passed {passing}  failed {failing}{yields}  {rate:.0} an hour");
        if self.stopped {
            text = " THE LINE IS STOPPED: call the supervisor ".to_owned() + &text;
        }
        Line::from(text)
    }

    /// Who works here, at the end of the first line, in as many columns as the numbers leave: whoever
    /// takes over sees whose name the records get. None if no three letters have room.
    fn operator_in(&self, room: usize) -> Option<Line<'static>> {
        let name = self.operator.as_ref()?;
        let said = |name: &str| Line::from(format!("  operator {name} "));
        let whole = said(name);
        if whole.width() <= room {
            return Some(whole);
        }
        let letters: Vec<char> = name.chars().collect();
        (3..letters.len())
            .rev()
            .map(|len| said(&(String::from_iter(&letters[..len]) + "…")))
            .find(|line| line.width() <= room)
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
        let said = self.said(inner.width);
        let is_big = place.height >= BIG_FROM
            && matches!(self.look, Look::Passed | Look::Failed)
            && said.len() + big::HEIGHT <= usize::from(inner.height);
        let mut lines: Vec<Line<'_>> = if is_big {
            big::lines(word).into_iter().map(|line| Line::from(line).centered()).collect()
        } else {
            vec![Line::from(word).alignment(Alignment::Center).style(Modifier::BOLD)]
        };
        lines.extend(said);
        frame.render_widget(Paragraph::new(Text::from(lines)), inner);
    }

    /// What stands below the word: device, step or cause, and what to do.
    fn said(&self, width: u16) -> Vec<Line<'_>> {
        let mut lines = Vec::new();
        if !self.device.is_empty() {
            lines.push(Line::from(self.device.as_str()).centered());
        }
        for text in [self.what.as_str(), self.hint] {
            lines.extend(lines_of(text, width.into()).into_iter().map(Line::from));
        }
        lines
    }

    /// Whether what is to be read stands in that place, all of it. Only of a failure it matters.
    fn has_room(&self, place: Rect) -> bool {
        let (width, height) = (place.width.saturating_sub(2), place.height.saturating_sub(2));
        self.look != Look::Failed || height > 1 && self.said(width).len() < usize::from(height)
    }

    /// A failure below all slots, whole.
    fn strip(&self, name: &str, width: usize) -> Vec<String> {
        self.short_strip(name).iter().flat_map(|text| lines_of(text, width)).collect()
    }

    /// The same on two lines, as much of them as there is room for.
    fn short_strip(&self, name: &str) -> Vec<String> {
        let device =
            if self.device.is_empty() { String::new() } else { format!(" ({})", self.device) };
        let cause = format!("{name}{device}: {}", self.what);
        let next = (!self.hint.is_empty()).then(|| format!("hint: {}", self.hint));
        core::iter::once(cause).chain(next).collect()
    }
}

/// Where each of so many boxes of this size or more stands; none if not all have room. Rows that are
/// left over are theirs.
fn places(area: Rect, size: (u16, u16), count: usize) -> Option<Vec<Rect>> {
    if count == 1 {
        return Some(vec![area]);
    }
    let places = places_of_some(area, size, count);
    (places.len() == count).then_some(places)
}

fn places_above(area: Rect, height: u16, size: (u16, u16), count: usize) -> Option<Vec<Rect>> {
    if height == 0 { None } else { places(Rect { height, ..area }, size, count) }
}

/// The same for as many as there is room for: the smallest boxes of a terminal of 80 by 24 are 88.
fn places_of_some(area: Rect, (width, height): (u16, u16), count: usize) -> Vec<Rect> {
    let (columns_max, rows_max) = (area.width / width, area.height / height);
    let room = usize::from(columns_max) * usize::from(rows_max);
    let count = count.min(room);
    if count == 0 {
        return Vec::new();
    }
    let rows = count.div_ceil(columns_max.into());
    let columns = count.div_ceil(rows);
    // A box without a frame has nothing to say on a second line.
    let height = if height < 3 { height } else { area.height / rows as u16 };
    let width = area.width / columns as u16;
    let place = |at: usize| Rect {
        x: area.x + (at % columns) as u16 * width,
        y: area.y + (at / columns) as u16 * height,
        width,
        height,
    };
    (0..count).map(place).collect()
}

/// A cause or a hint on lines of that width; none of nothing. What is broken into lines by whoever
/// wrote it goes on here.
fn lines_of(text: &str, width: usize) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { Vec::new() } else { wrapped(&words.join(" "), width) }
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
    fn numbers_are_the_lots_or_this_runs() {
        let mut board = Board::new(Some("W47"), false);
        board.lot_use = Some(LotUse { used: 312, quota: 5000 });
        board.take("left", &Told::State(State::Empty { noise: false }));
        let shown = shown(&board, 80, 24);
        assert!(shown.contains(" lot W47: 312 of 5000  passed 0  failed 0"), "{shown}");
    }

    #[test]
    fn who_works_here_stands_beside_the_numbers_as_far_as_there_is_room() {
        let mut board = Board::new(Some("W47"), false);
        let first = |board: &Board, width| {
            let shown = shown(board, width, 24);
            shown.lines().next().unwrap().trim_matches('"').to_owned()
        };
        let without = first(&board, 80);
        assert!(!without.contains("operator"), "{without}");
        board.operator = Some("A. Meier".into());
        let whole = first(&board, 80);
        assert!(whole.ends_with("  operator A. Meier "), "{whole}");
        // Numbers go before names.
        board.operator = Some("Maria Theodora Müller-Lüdenscheidt, night shift".into());
        let cut = first(&board, 80);
        assert!(cut.starts_with(without.trim_end()), "{cut}");
        assert!(cut.ends_with("  operator Maria Theodora Müller-Lüdens… "), "{cut}");
        assert_eq!(first(&board, 45), first(&Board::new(Some("W47"), false), 45));
        // A letter may take two columns.
        board.operator = Some("\u{5c71}\u{7530}".repeat(12));
        let beside = board.operator_in(30).unwrap();
        assert!((29..=30).contains(&beside.width()), "{beside}");
        board.stop(&Fault::LineStopped);
        assert!(first(&board, 80).contains("passed 0  failed 0"));
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
            // Once more where the latest failure stands below them all.
            let serials = shown.matches("0001").count();
            assert!((count..=count + 1).contains(&serials), "{shown}");
        }
    }

    /// Cause and hint are read whole, in the slot or below all slots, wherever there is any room.
    #[test]
    fn what_to_do_is_on_the_screen_whatever_its_size() {
        let hint = Fault::LineStopped.hint();
        for (count, width, height) in [
            (1, 80, 24),
            (2, 80, 24),
            (3, 80, 24),
            (4, 80, 24),
            (16, 80, 24),
            (64, 80, 24),
            (16, 200, 50),
            (64, 200, 50),
            (4, 40, 10),
        ] {
            let mut board = Board::new(None, false);
            for slot in 1..count {
                board.take(&format!("slot-{slot:02}"), &Told::State(State::Empty { noise: false }));
            }
            board.take(&format!("slot-{count:02}"), &failed(Fault::LineStopped));
            let shown = shown(&board, width, height);
            let read: Vec<&str> = shown
                .split(|letter: char| letter.is_whitespace() || "│\"".contains(letter))
                .filter(|word| !word.is_empty())
                .collect();
            // Slots side by side share lines: the words of one stand between those of others.
            for text in [Fault::LineStopped.to_string().as_str(), hint] {
                let mut words = read.iter();
                let missing = text.split(' ').find(|word| !words.any(|read| read == word));
                assert_eq!(missing, None, "{count} slots, {width} by {height}:\n{shown}");
            }
            let names = shown.matches("slot-").count();
            assert!(names >= count, "{count} slots, {width} by {height}:\n{shown}");
        }
    }

    #[test]
    fn of_several_failures_without_room_the_latest_is_read() {
        let mut board = Board::new(None, false);
        for slot in 1..=64 {
            board.take(&format!("slot-{slot:02}"), &failed(Fault::Interrupted));
        }
        board.take("slot-07", &failed(Fault::LineStopped));
        let shown = shown(&board, 80, 24);
        let cause = format!("slot-07 (sensor-0001): {}", Fault::LineStopped);
        assert!(shown.contains(&cause) && shown.contains("hint: what stopped it"), "{shown}");
    }

    #[test]
    fn slots_without_a_place_are_counted() {
        let mut board = Board::new(None, false);
        for slot in 1..=100 {
            board.take(&format!("slot-{slot:03}"), &failed(Fault::Interrupted));
        }
        let shown = shown(&board, 80, 24);
        assert!(shown.contains("20 slots have no place"), "{shown}");
        assert!(shown.contains("hint: run the same command again"), "{shown}");
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
