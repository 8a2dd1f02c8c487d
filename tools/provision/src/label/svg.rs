//! To scale. Letters are drawn by whoever shows it, in the width they have on paper.

use maud::{PreEscaped, html};

use super::layout::{LETTER_HEIGHT, LETTER_WIDTH, Layout, Size};

pub(super) fn write(layout: &Layout, size: Size) -> String {
    let module = layout.module;
    let path: String = layout
        .runs()
        .into_iter()
        .map(|(row, column, count)| {
            let (x, y) = (layout.qr_at.0 + column * module, layout.qr_at.1 + row * module);
            format!("M{x} {y}h{0}v{module}h-{0}z", count * module)
        })
        .collect();
    let height = LETTER_HEIGHT * layout.scale;
    let svg = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        svg xmlns="http://www.w3.org/2000/svg" width=(format!("{}mm", size.width_mm))
            height=(format!("{}mm", size.height_mm)) viewBox=(format!("0 0 {} {}", layout.width, layout.height)) {
            rect width=(layout.width) height=(layout.height) fill="#fff" {}
            path fill="#000" shape-rendering="crispEdges" d=(path) {}
            g fill="#000" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size=(height * 4 / 5) {
                @for line in &layout.lines {
                    @let letters = u32::try_from(line.text.chars().count()).unwrap_or(u32::MAX);
                    text x=(line.at.0) y=(line.at.1 + height * 4 / 5)
                        textLength=(letters * LETTER_WIDTH * layout.scale) lengthAdjust="spacingAndGlyphs"
                        xml:space="preserve" { (line.text) }
                }
            }
        }
    };
    svg.into_string() + "\n"
}
