//! Text of files on its way to a person.

/// Text with its control characters escaped (`\u{1b}`, `\n`, …), so that a file cannot steer the terminal that shows its
/// names. Characters that turn the direction of writing are escaped as well.
pub fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return text.into();
    }
    text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.into() }).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(plain("aspirin, 5 µM, β-lactam"), "aspirin, 5 µM, β-lactam");
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}d\u{202e}"), "a\\u{1b}[2Jb\\nc\\u{9b}d\\u{202e}");
    }
}
