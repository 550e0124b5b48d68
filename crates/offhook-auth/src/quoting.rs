//! Quoted strings (RFC 3261 §25.1), and lines that hold more than they should.

use alloc::borrow::Cow;
use alloc::string::String;

/// `text` in quotes, `"` and `\` escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// The same, behind another text.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    if text.contains(['"', '\\']) {
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
    } else {
        out.push_str(text);
    }
    out.push('"');
}

/// A parameter value without its quotes and escapes: what goes into a hash.
pub(crate) fn unquoted(raw: &str) -> Cow<'_, str> {
    let inner = raw
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'));
    let Some(inner) = inner else {
        return Cow::Borrowed(raw);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            _ => plain.push(character),
        }
    }
    Cow::Owned(plain)
}

/// The values of a line of `WWW-Authenticate` or its kin. RFC 3261 §7.3.1 wants one a line, as commas already part the
/// parameters; HTTP servers and some phones put several into one all the same.
pub(crate) fn split_values(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    core::iter::from_fn(move || {
        let text = rest?;
        let next = commas(text).find(|at| begins_value(text.get(at + 1..).unwrap_or_default()));
        rest = next.and_then(|at| text.get(at + 1..));
        text.get(..next.unwrap_or(text.len())).map(str::trim)
    })
}

/// Where the commas outside of quotes are.
fn commas(text: &str) -> impl Iterator<Item = usize> {
    let (mut in_quotes, mut escaped) = (false, false);
    text.bytes().enumerate().filter_map(move |(at, octet)| {
        let was_escaped = core::mem::take(&mut escaped);
        match octet {
            _ if was_escaped => None,
            b'\\' => {
                escaped = in_quotes;
                None
            }
            b'"' => {
                in_quotes = !in_quotes;
                None
            }
            b',' if !in_quotes => Some(at),
            _ => None,
        }
    })
}

/// A scheme, white space, and something that is no `=`: `Digest realm=..` but not `realm = ..`.
fn begins_value(text: &str) -> bool {
    let text = text.trim_start();
    let word_ends = text
        .find([' ', '\t', '\r', '\n', '=', ',', '"'])
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(word_ends);
    let after = rest.trim_start();
    !word.is_empty()
        && after.len() < rest.len()
        && !after.is_empty()
        && !after.starts_with(['=', ','])
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn split(line: &str) -> Vec<&str> {
        split_values(line).collect()
    }

    #[test]
    fn quotes_and_escapes_come_off_and_go_on() {
        assert_eq!(unquoted("auth"), "auth");
        assert_eq!(unquoted("\"a, b\""), "a, b");
        assert_eq!(unquoted(r#""a\"b\\c\d""#), r#"a"b\cd"#);
        for plain in ["", "a\"b", "r\\x", "\\\"", "Jäsøn"] {
            assert_eq!(unquoted(&quoted(plain)), plain);
        }
    }

    // checklist: R7616-06
    #[test]
    fn several_values_in_one_line_come_apart() {
        assert_eq!(split("Digest a=1, b=2"), ["Digest a=1, b=2"]);
        assert_eq!(
            split("Digest a=1, b=2, Digest a=3,Basic realm=\"x\""),
            ["Digest a=1, b=2", "Digest a=3", "Basic realm=\"x\"",]
        );
        assert_eq!(
            split("Digest a = 1 , b =2,\r\n Digest a=3"),
            ["Digest a = 1 , b =2", "Digest a=3"]
        );
    }

    // checklist: R7616-06
    #[test]
    fn commas_in_quotes_do_not_split() {
        for line in [
            r#"Digest realm="a, Digest realm=b", nonce="c""#,
            r#"Digest realm="a\", Digest realm=b", nonce="c""#,
            r#"Digest realm="a\\", nonce="c, Basic d""#,
        ] {
            assert_eq!(split(line), [line]);
        }
        assert_eq!(
            split(r#"Digest realm="a\\", Basic d"#),
            [r#"Digest realm="a\\""#, "Basic d"]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_split_without_loss_of_text(line in "[a-z\"\\\\, =é]{0,60}") {
            let solid = |text: &str| text.split([' ', ',']).collect::<String>();
            let parts: String = split(&line).concat();
            proptest::prop_assert_eq!(solid(&parts), solid(&line));
        }
    }
}
