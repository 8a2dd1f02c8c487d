//! Text for where there is little room: labels, and slots on the screen.

/// A text in lines of so many letters, broken at spaces where there are some.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut rest: Vec<char> = text.chars().collect();
    let mut lines = Vec::new();
    while rest.len() > columns {
        let space = rest[..=columns].iter().rposition(|c| *c == ' ').filter(|at| *at > 0);
        let left = rest.split_off(space.unwrap_or(columns));
        lines.push(String::from_iter(rest));
        rest = left.into_iter().skip(usize::from(space.is_some())).collect();
    }
    lines.push(String::from_iter(rest));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_or_anywhere() {
        assert_eq!(wrapped("4c0b 4e5d 9d8b 7a76", 19), ["4c0b 4e5d 9d8b 7a76"]);
        assert_eq!(wrapped("4c0b 4e5d 9d8b 7a76", 12), ["4c0b 4e5d", "9d8b 7a76"]);
        assert_eq!(wrapped("sensor-000000000001", 10), ["sensor-000", "000000001"]);
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped(" äöü", 2), [" ä", "öü"]);
    }
}
