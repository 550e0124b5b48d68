//! A compiled expression, and what it captures.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use crate::regexroute::posix::{Translated, translate};

/// Enough for any table of numbers; `\(a\{200\}\)\{200\}` is not one.
const SIZE_LIMIT: usize = 1 << 20;

/// Which expressions a table uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flavour {
    /// Extended instead of basic (`extended=yes`).
    pub(crate) extended: bool,
    /// Upper and lower case are the same (`insensitive=yes`).
    pub(crate) insensitive: bool,
}

/// A translated expression.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// `^...$` around characters that stand for themselves: can be looked up instead of tried.
    Exact(Box<str>),
    /// Anything else.
    Regex(Box<Expression>),
}

/// An expression that must be tried.
///
/// Most rules of a table do not fit a number, and most of those show it in their first characters.
/// One that has such characters is therefore compiled when a number begins so for the first time:
/// compiled, it takes about 14,000 octets.
#[derive(Debug)]
pub(crate) struct Expression {
    prefix: Box<str>,
    source: Box<str>,
    insensitive: bool,
    compiled: OnceLock<Option<Box<Regex>>>,
}

impl Expression {
    fn compile(&self) -> Result<Box<Regex>, regex::Error> {
        RegexBuilder::new(&self.source)
            .case_insensitive(self.insensitive)
            .dot_matches_new_line(true)
            .size_limit(SIZE_LIMIT)
            .build()
            .map(Box::new)
    }

    /// What every text that matches begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The compiled expression, if the text begins as it must.
    fn for_text(&self, text: &str) -> Option<&Regex> {
        if !text.starts_with(&*self.prefix) {
            return None;
        }
        // It has been compiled once when the table was loaded, and so it can be again.
        let compiled = self.compiled.get_or_init(|| self.compile().ok());
        compiled.as_deref()
    }
}

/// What an expression captured: the places of `\0` to `\9` in the text that was matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans([Option<(usize, usize)>; 10]);

impl Spans {
    pub(crate) fn get<'a>(&self, number: u8, text: &'a str) -> &'a str {
        let span = self.0.get(usize::from(number)).copied().flatten();
        span.and_then(|(start, end)| text.get(start..end))
            .unwrap_or_default()
    }
}

impl Pattern {
    /// Compiles an expression.
    pub(crate) fn new(expression: &str, flavour: Flavour) -> Result<Self, String> {
        let Translated {
            regex,
            exact,
            prefix,
        } = translate(expression, flavour.extended)?;
        let sensitive = |text: &str| !flavour.insensitive || !text.chars().any(char::is_alphabetic);
        if let Some(exact) = exact.filter(|exact| sensitive(exact)) {
            return Ok(Self::Exact(exact.into()));
        }
        let prefix = Some(prefix)
            .filter(|prefix| sensitive(prefix))
            .unwrap_or_default();
        let expression = Expression {
            prefix: prefix.into(),
            source: regex.into(),
            insensitive: flavour.insensitive,
            compiled: OnceLock::new(),
        };
        let compiled = expression.compile().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the expression is too large",
            _ => "the expression is malformed",
        })?;
        if expression.prefix.is_empty() {
            // Nothing is in it yet.
            let _ = expression.compiled.set(Some(compiled));
        }
        Ok(Self::Regex(Box::new(expression)))
    }

    /// Where the expression and its groups are found in `text`.
    pub(crate) fn find(&self, text: &str) -> Option<Spans> {
        match self {
            Self::Exact(exact) => (text == &**exact).then(|| {
                let mut spans = Spans::default();
                spans.0[..2].fill(Some((0, text.len())));
                spans
            }),
            Self::Regex(expression) => {
                let regex = expression.for_text(text)?;
                let mut spans = Spans::default();
                if regex.captures_len() == 1 {
                    let found = regex.find(text)?;
                    // Without a group of its own, `\1` is the whole match too.
                    spans.0[..2].fill(Some((found.start(), found.end())));
                    return Some(spans);
                }
                let captures = regex.captures(text)?;
                for (span, capture) in spans.0.iter_mut().zip(captures.iter()) {
                    *span = capture.map(|found| (found.start(), found.end()));
                }
                Some(spans)
            }
        }
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == &**exact,
            Self::Regex(expression) => expression
                .for_text(text)
                .is_some_and(|regex| regex.is_match(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASIC: Flavour = Flavour {
        extended: false,
        insensitive: false,
    };
    const EXTENDED: Flavour = Flavour {
        extended: true,
        insensitive: false,
    };

    fn captured(expression: &str, flavour: Flavour, text: &str) -> Option<Vec<String>> {
        let spans = Pattern::new(expression, flavour).unwrap().find(text)?;
        let last = (0..10).rev().find(|&n| spans.0[usize::from(n)].is_some())?;
        Some((0..=last).map(|n| spans.get(n, text).to_owned()).collect())
    }

    #[test]
    fn basic_expressions_match_as_posix_says() {
        for (expression, text, expected) in [
            ("^100$", "100", Some(vec!["100", "100"])),
            ("^100$", "1000", None),
            ("^00\\(.*\\)$", "0049", Some(vec!["0049", "49"])),
            (
                "^\\([0-9]\\{2,3\\}\\)\\(.*\\)",
                "1234",
                Some(vec!["1234", "123", "4"]),
            ),
            ("^[0-9]\\{3\\}$", "123", Some(vec!["123", "123"])),
            ("^[0-9]\\{3,\\}$", "12", None),
            ("a\\+b\\?", "caac", Some(vec!["aa", "aa"])),
            ("^\\(a\\|b\\)c", "bc", Some(vec!["bc", "b"])),
            ("^+49$", "+49", Some(vec!["+49", "+49"])),
            ("^a(b)$", "a(b)", Some(vec!["a(b)", "a(b)"])),
            ("^a{2}|?$", "a{2}|?", Some(vec!["a{2}|?", "a{2}|?"])),
            ("^*1$", "*1", Some(vec!["*1", "*1"])),
            ("*1", "a*1", Some(vec!["*1", "*1"])),
            ("\\(*\\)1", "a*1", Some(vec!["*1", "*"])),
            ("a^b$c", "a^b$c", Some(vec!["a^b$c", "a^b$c"])),
            ("^\\(^a$\\)$", "a", Some(vec!["a", "a"])),
            ("^a\\.b$", "a.b", Some(vec!["a.b", "a.b"])),
            ("^a\\.b$", "axb", None),
            ("^a\\*\\{2\\}$", "a**", Some(vec!["a**", "a**"])),
            ("^ab**c$", "abbc", Some(vec!["abbc", "abbc"])),
            ("^(*)$", "((", None),
            ("^[]a^-]*$", "]-a^", Some(vec!["]-a^", "]-a^"])),
            ("^[^]a]$", "b", Some(vec!["b", "b"])),
            ("^[\\n&&~~]*$", "\\n&~", Some(vec!["\\n&~", "\\n&~"])),
            (
                "^[[:alpha:][:digit:]_]*$",
                "aB9_",
                Some(vec!["aB9_", "aB9_"]),
            ),
            ("^[[.-.]-9]*$", "-5", Some(vec!["-5", "-5"])),
            ("^[[=a=]]$", "a", Some(vec!["a", "a"])),
            ("\\<b", "a b", Some(vec!["b", "b"])),
            ("^\\w\\W\\s*$", "a! ", Some(vec!["a! ", "a! "])),
            ("^$", "", Some(vec!["", ""])),
            ("^.$", "\n", Some(vec!["\n", "\n"])),
            ("^ä$", "ä", Some(vec!["ä", "ä"])),
        ] {
            let found = captured(expression, BASIC, text);
            let found = found
                .as_ref()
                .map(|spans| spans.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{expression} on {text}");
        }
    }

    #[test]
    fn extended_expressions_match_as_posix_says() {
        for (expression, text, expected) in [
            (
                "^(00|\\+)([1-9]{2,4})",
                "+4912",
                Some(vec!["+4912", "+", "4912"]),
            ),
            ("^a+b?$", "aa", Some(vec!["aa", "aa"])),
            ("^(a*?)b$", "aab", Some(vec!["aab", "aa"])),
            ("^a{2}$", "aa", Some(vec!["aa", "aa"])),
            ("^a{,}$", "a{,}", Some(vec!["a{,}", "a{,}"])),
            ("^\\(\\)\\{$", "(){", Some(vec!["(){", "(){"])),
            ("(|a)b", "b", Some(vec!["b", ""])),
            ("^(a|b$|^c)$", "c", Some(vec!["c", "c"])),
        ] {
            let found = captured(expression, EXTENDED, text);
            let found = found
                .as_ref()
                .map(|spans| spans.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{expression} on {text}");
        }
    }

    #[test]
    fn what_cannot_be_matched_is_refused() {
        for (expression, flavour) in [
            ("\\(a\\)\\1", BASIC),
            ("(a)\\1", EXTENDED),
            ("\\(a", BASIC),
            ("a\\)", BASIC),
            ("[a", BASIC),
            ("[[:nope:]]", BASIC),
            ("[z-a]", BASIC),
            ("[[.ab.]]", BASIC),
            ("a\\{1", BASIC),
            ("a\\{2,1\\}", BASIC),
            ("a\\{300\\}", BASIC),
            ("\\(\\(a\\{200\\}\\)\\{200\\}\\)\\{200\\}", BASIC),
            ("a\\", BASIC),
            ("*a", EXTENDED),
            ("(+a)", EXTENDED),
        ] {
            assert!(Pattern::new(expression, flavour).is_err(), "{expression}");
        }
    }

    #[test]
    fn what_a_match_must_begin_with_is_known() {
        let prefix = |expression, flavour| match Pattern::new(expression, flavour).unwrap() {
            Pattern::Regex(expression) => expression.prefix.to_string(),
            Pattern::Exact(text) => text.to_string(),
        };
        for (expression, expected) in [
            ("^0049\\(.*\\)$", "0049"),
            ("^0049*$", "004"),
            ("^0\\{1,3\\}", ""),
            ("^01\\(2\\|3\\)$", "01"),
            ("^01$\\|^2", ""),
            ("^0\\(1*\\)*2", "0"),
            ("0049", ""),
            ("^+49.", "+49"),
        ] {
            assert_eq!(prefix(expression, BASIC), expected, "{expression}");
        }
        assert_eq!(prefix("^12^3", EXTENDED), "12");
        let insensitive = Flavour {
            extended: false,
            insensitive: true,
        };
        assert_eq!(prefix("^ab.", insensitive), "");
    }

    #[test]
    fn plain_numbers_are_recognised() {
        let exact = |expression, flavour| match Pattern::new(expression, flavour).unwrap() {
            Pattern::Exact(text) => Some(text.to_string()),
            Pattern::Regex(_) => None,
        };
        assert_eq!(exact("^123$", BASIC).as_deref(), Some("123"));
        assert_eq!(exact("^+123$", BASIC).as_deref(), Some("+123"));
        assert_eq!(exact("^\\+123$", EXTENDED).as_deref(), Some("+123"));
        assert_eq!(exact("^$", BASIC).as_deref(), Some(""));
        for other in [
            "123$",
            "^123",
            "^12.$",
            "^12*$",
            "^\\(12\\)$",
            "^a$\\|b",
            "^12$*",
        ] {
            assert_eq!(exact(other, BASIC), None, "{other}");
        }
        let insensitive = Flavour {
            extended: false,
            insensitive: true,
        };
        assert_eq!(exact("^123$", insensitive).as_deref(), Some("123"));
        assert_eq!(exact("^ab$", insensitive), None);
        assert!(Pattern::new("^ab$", insensitive).unwrap().is_match("AB"));
    }
}
