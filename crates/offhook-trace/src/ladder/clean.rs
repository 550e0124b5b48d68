//! Text of strangers, made fit for a terminal and a picture.

/// At most `most` characters of `text`, without control characters and without those that turn
/// the direction of writing or have no width: they could forge lines or move the cursor.
pub(super) fn clean(text: &str, most: usize) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut cleaned: String = text
        .chars()
        .map(|c| if is_hidden(c) { '?' } else { c })
        .take(most + 1)
        .collect();
    if let Some((end, _)) = cleaned.char_indices().nth(most) {
        cleaned.truncate(end);
        cleaned.pop();
        cleaned.push('~');
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{202e}d", 40), "a?[2Jb??c?d");
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde~");
        assert_eq!(clean("\u{e4}\u{e4}\u{e4}", 2), "\u{e4}~");
    }
}
