//! Where everything stands on a label, in the printer's dots.

use core::str::FromStr;

use clap::ValueEnum;
use qrcode::types::{Color, QrError};
use qrcode::{EcLevel, QrCode};

use super::Facts;
use crate::fault::Fault;
use crate::wrapped::wrapped;

/// Light modules around a QR code (ISO/IEC 18004 section 9.1).
const QUIET: u32 = 4;
/// Dots of a module at least: fewer are not printed well.
const MODULE_MIN: u32 = 2;
/// Dots of a module at most: a printer's `^BQ` goes no further.
const MODULE_MAX: u32 = 10;
/// A letter, in dots of a printer with 203 an inch.
pub(super) const LETTER_WIDTH: u32 = 10;
pub(super) const LETTER_HEIGHT: u32 = 20;
/// Between the QR code and the text, in the same.
const GAP: u32 = 4;

/// Width and height, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(super) width_mm: u32,
    pub(super) height_mm: u32,
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a size is WIDTHxHEIGHT in millimetres, from 10x10 to 200x200, such as 50x25";
        let (width, height) = text.split_once('x').ok_or(wrong)?;
        let side = |text: &str| text.parse().ok().filter(|side| (10..=200).contains(side));
        Ok(Self { width_mm: side(width).ok_or(wrong)?, height_mm: side(height).ok_or(wrong)? })
    }
}

/// How fine a printer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dpi {
    /// 8 dots a millimetre.
    #[value(name = "203")]
    Dpi203,
    /// 12 dots a millimetre.
    #[value(name = "300")]
    Dpi300,
    /// 24 dots a millimetre.
    #[value(name = "600")]
    Dpi600,
}

impl Dpi {
    /// As the makers of printers count.
    pub(super) const fn dots_per_mm(self) -> u32 {
        match self {
            Self::Dpi203 => 8,
            Self::Dpi300 => 12,
            Self::Dpi600 => 24,
        }
    }
}

/// A label, drawn by whoever writes it.
#[derive(Debug)]
pub(super) struct Layout {
    /// In dots, as all that follows.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Side of a module.
    pub(super) module: u32,
    /// The corner of the QR code's first module.
    pub(super) qr_at: (u32, u32),
    /// Modules of a side.
    pub(super) qr_side: u32,
    /// Rows of modules, dark or not.
    pub(super) qr: Vec<bool>,
    /// How many times larger letters are.
    pub(super) scale: u32,
    pub(super) lines: Vec<Line>,
}

/// A line of text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its upper left corner.
    pub(super) at: (u32, u32),
    pub(super) text: String,
}

impl Layout {
    /// The QR code at the left, as large as it can be; the text beside it.
    pub(super) fn new(facts: &Facts, claim: &str, size: Size, dpi: Dpi) -> Result<Self, Fault> {
        let code = QrCode::with_error_correction_level(claim, EcLevel::M)
            .map_err(|fault| no_code(claim, fault))?;
        let dots = dpi.dots_per_mm();
        let (width, height) = (size.width_mm * dots, size.height_mm * dots);
        let qr_side = u32::try_from(code.width()).unwrap_or(u32::MAX);
        let scale = dots / Dpi::Dpi203.dots_per_mm();
        let (letter, line) = (LETTER_WIDTH * scale, LETTER_HEIGHT * scale);
        // Twelve letters fit beside it in any case.
        let room = width.saturating_sub(12 * letter + 2 * GAP * scale).min(height);
        let module = (room / (qr_side + 2 * QUIET)).min(MODULE_MAX);
        if module < MODULE_MIN {
            return Err(Fault::Usage(format!(
                "a QR code of {qr_side} by {qr_side} modules is too fine for a label of {} by {} mm at \
                 {dots} dots a mm: a larger `--size`, or a shorter `--claim-url`",
                size.width_mm, size.height_mm
            )));
        }
        let taken = module * (qr_side + 2 * QUIET);
        let qr_at = (module * QUIET, (height - taken) / 2 + module * QUIET);
        let (x, columns) = (taken + GAP * scale, (width - taken - 2 * GAP * scale) / letter);
        let rows = height / line;
        let mut text = wrapped(&facts.device, columns as usize);
        text.push(String::new());
        text.extend(wrapped(&facts.short_sha256(), columns as usize));
        let needed = text.len() as u32;
        if let Some(lot) = &facts.lot {
            text.push(String::new());
            text.extend(wrapped(lot, columns as usize));
        }
        // What is left of the lot is cut off, but nothing of the device's name and fingerprint.
        text.truncate(rows as usize);
        if needed > rows {
            return Err(Fault::Usage(format!(
                "the serial {} does not fit beside the QR code on a label of {} by {} mm: a larger \
                 `--size`",
                facts.device, size.width_mm, size.height_mm
            )));
        }
        let top = (height - text.len() as u32 * line) / 2;
        let lines = text
            .into_iter()
            .zip(0..)
            .filter(|(text, _)| !text.is_empty())
            .map(|(text, row)| Line { at: (x, top + row * line), text })
            .collect();
        let qr = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { width, height, module, qr_at, qr_side, qr, scale, lines })
    }

    /// The dark modules of each row, in runs: row, first, how many.
    pub(super) fn runs(&self) -> Vec<(u32, u32, u32)> {
        let mut runs: Vec<(u32, u32, u32)> = Vec::new();
        for (row, modules) in (0..).zip(self.qr.chunks(self.qr_side.max(1) as usize)) {
            for (column, _) in (0..).zip(modules).filter(|(_, dark)| **dark) {
                match runs.last_mut() {
                    Some((last, first, count)) if *last == row && *first + *count == column => {
                        *count += 1;
                    }
                    _ => runs.push((row, column, 1)),
                }
            }
        }
        runs
    }
}

fn no_code(claim: &str, fault: QrError) -> Fault {
    Fault::Usage(format!(
        "no QR code says {} characters ({fault}): a shorter `--claim-url`",
        claim.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_on_the_label_or_it_is_refused() {
        let of = |len: usize, claim: &str, size: &str, dpi| {
            let facts = Facts {
                device: "x".repeat(len),
                sha256: "0123456789abcdef".repeat(4),
                cert_serial: "01".into(),
                lot: Some("W47 / 3".into()),
            };
            Layout::new(&facts, claim, size.parse().unwrap(), dpi)
        };
        for dpi in [Dpi::Dpi203, Dpi::Dpi300, Dpi::Dpi600] {
            for (len, size) in
                [(11, "50x25"), (64, "50x25"), (64, "100x50"), (1, "40x20"), (20, "200x200")]
            {
                let claim = format!("provision:{}?sha256={}", "x".repeat(len), "0".repeat(64));
                let layout = of(len, &claim, size, dpi).unwrap();
                let end = layout.qr_at.0 + layout.module * (layout.qr_side + QUIET);
                let low = layout.qr_at.1 + layout.module * (layout.qr_side + QUIET);
                assert!(low <= layout.height && layout.qr_at.1 >= layout.module * QUIET);
                let shown: String = layout.lines.iter().map(|line| line.text.as_str()).collect();
                assert!(
                    shown.starts_with(&"x".repeat(len)) && shown.contains("cdef"),
                    "{layout:?}"
                );
                for Line { at: (x, y), text } in &layout.lines {
                    let width = text.chars().count() as u32 * LETTER_WIDTH * layout.scale;
                    assert!(*x >= end && x + width <= layout.width, "{layout:?}");
                    assert!(y + LETTER_HEIGHT * layout.scale <= layout.height, "{layout:?}");
                }
            }
        }
        assert!(of(11, &"x".repeat(3000), "50x25", Dpi::Dpi203).is_err(), "no QR code has so much");
        assert!(of(11, &"x".repeat(900), "50x25", Dpi::Dpi203).is_err(), "none that fine");
        assert!(of(64, "a:b", "10x10", Dpi::Dpi203).is_err());
        for wrong in ["", "50", "50x", "9x50", "50x201", "x", "1e2x50", "-50x25"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
