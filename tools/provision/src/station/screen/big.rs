//! Letters five lines high.

/// Lines of a letter.
pub(super) const HEIGHT: usize = 5;

/// A word in big letters, a line each; letters that are not needed are blank.
pub(super) fn lines(word: &str) -> [String; HEIGHT] {
    core::array::from_fn(|line| {
        word.chars().map(|letter| glyph(letter)[line]).collect::<Vec<_>>().join("  ")
    })
}

const fn glyph(letter: char) -> [&'static str; HEIGHT] {
    match letter {
        'A' => [" ███ ", "█   █", "█████", "█   █", "█   █"],
        'F' => ["█████", "█    ", "████ ", "█    ", "█    "],
        'I' => ["███", " █ ", " █ ", " █ ", "███"],
        'L' => ["█    ", "█    ", "█    ", "█    ", "█████"],
        'P' => ["████ ", "█   █", "████ ", "█    ", "█    "],
        'S' => [" ████", "█    ", " ███ ", "    █", "████ "],
        _ => ["     "; HEIGHT],
    }
}
