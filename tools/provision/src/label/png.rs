//! A picture in black and white, a pixel for each dot.

use embedded_graphics::Drawable as _;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};
use png::{BitDepth, ColorType, Encoder, EncodingError, PixelDimensions, Unit};

use super::layout::{Dpi, Layout, Line};
use crate::fault::Fault;

pub(super) fn write(layout: &Layout, dpi: Dpi) -> Result<Vec<u8>, Fault> {
    let mut paper = Paper::blank(layout.width, layout.height);
    for (row, column, count) in layout.runs() {
        let (x, y) =
            (layout.qr_at.0 + column * layout.module, layout.qr_at.1 + row * layout.module);
        paper.blacken(x, y, count * layout.module, layout.module);
    }
    for Line { at, text } in &layout.lines {
        let mut letters = Letters { paper: &mut paper, at: *at, scale: layout.scale };
        let style = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
        // What the font does not have is drawn as a question mark.
        let text = Text::with_baseline(text, Point::zero(), style, Baseline::Top);
        let Ok(_) = text.draw(&mut letters);
    }
    let mut png = Vec::new();
    let mut encoder = Encoder::new(&mut png, paper.width, paper.height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let per_metre = dpi.dots_per_mm() * 1000;
    let dimensions = PixelDimensions { xppu: per_metre, yppu: per_metre, unit: Unit::Meter };
    encoder.set_pixel_dims(Some(dimensions));
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&paper.rows)?;
        writer.finish()
    });
    written.map_err(|fault| match fault {
        EncodingError::IoError(cause) => Fault::Output(cause),
        fault => Fault::Usage(fault.to_string()),
    })?;
    Ok(png)
}

/// Bits, row by row from whole bytes; a one is white.
struct Paper {
    width: u32,
    height: u32,
    rows: Vec<u8>,
}

impl Paper {
    fn blank(width: u32, height: u32) -> Self {
        Self { width, height, rows: vec![0xff; width.div_ceil(8) as usize * height as usize] }
    }

    /// What lies outside is passed over.
    fn blacken(&mut self, x: u32, y: u32, width: u32, height: u32) {
        for y in y..(y + height).min(self.height) {
            for x in x..(x + width).min(self.width) {
                let at = (y * self.width.div_ceil(8) + x / 8) as usize;
                if let Some(byte) = self.rows.get_mut(at) {
                    *byte &= !(0x80 >> (x % 8));
                }
            }
        }
    }
}

/// Takes letters, and makes them larger.
struct Letters<'a> {
    paper: &'a mut Paper,
    at: (u32, u32),
    scale: u32,
}

impl OriginDimensions for Letters<'_> {
    fn size(&self) -> Size {
        Size::new(self.paper.width, self.paper.height)
    }
}

impl DrawTarget for Letters<'_> {
    type Color = BinaryColor;
    type Error = core::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(Point { x, y }, color) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { continue };
            if color.is_on() {
                let (left, top) = self.at;
                let (x, y) = (left + x * self.scale, top + y * self.scale);
                self.paper.blacken(x, y, self.scale, self.scale);
            }
        }
        Ok(())
    }
}
