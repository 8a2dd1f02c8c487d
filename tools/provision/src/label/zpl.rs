//! ZPL II, as Zebra's programming guide describes it. The printer draws text and QR code itself.

use super::layout::{LETTER_HEIGHT, Layout, Line};

/// What `^A0` is told, so that its letters, which are narrow, take no more than a letter's place.
const FONT_WIDTH: u32 = 14;

pub(super) fn write(layout: &Layout, claim: &str) -> String {
    // UTF-8; width and length of the label; its corner.
    let mut zpl = format!("^XA\n^CI28\n^PW{}\n^LL{}\n^LH0,0\n", layout.width, layout.height);
    let (x, y) = layout.qr_at;
    // `^BQ` draws ten dots lower than it is told. Model 2; a module's dots. The data begins with how
    // much may be damaged (M) and how it is coded (A: as the printer sees fit).
    let y = y.saturating_sub(10);
    let claim = field(claim);
    zpl += &format!("^FO{x},{y}^BQN,2,{}^FH^FDMA,{claim}^FS\n", layout.module);
    let (height, width) = (LETTER_HEIGHT * layout.scale, FONT_WIDTH * layout.scale);
    for Line { at: (x, y), text } in &layout.lines {
        zpl += &format!("^FO{x},{y}^A0N,{height},{width}^FH^FD{}^FS\n", field(text));
    }
    zpl + "^XZ\n"
}

/// Data of a field behind `^FH`: whatever is more than a letter to the printer (^ and ~ begin
/// commands, _ a byte in hexadecimal) is a byte in hexadecimal.
fn field(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b" .:/-?=&%#".contains(&b) => char::from(b).to_string(),
        b => format!("_{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_field_is_a_command() {
        assert_eq!(field("sensor-0001"), "sensor-0001");
        assert_eq!(field("a^XZ~JR_5E\\&"), "a_5EXZ_7EJR_5F5E_5C&");
        assert_eq!(field("ä\n\0,"), "_C3_A4_0A_00_2C");
    }
}
