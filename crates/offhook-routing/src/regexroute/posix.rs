//! POSIX regular expressions, basic and extended, written as the `regex` crate wants them.
//!
//! That crate matches in time linear in the text whatever the expression is, which is what makes a
//! dialled number harmless. The price: no back-references, and between alternatives the first
//! that fits is taken where POSIX takes the longest.

use core::fmt::Write as _;

use regex::{Regex, RegexBuilder};

/// Enough for any table of numbers; `\(a\{200\}\)\{200\}` is not one.
const SIZE_LIMIT: usize = 1 << 20;

/// POSIX lets an interval count to 255.
const MAX_REPEAT: u32 = 255;

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
    Regex(Box<Regex>),
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
    /// Translates an expression.
    pub(crate) fn new(expression: &str, flavour: Flavour) -> Result<Self, String> {
        let mut translator = Translator {
            rest: expression.chars().collect::<Vec<_>>().into_iter(),
            flavour,
            out: String::with_capacity(expression.len() + 8),
            literal: Literal::Start,
            branch_starts: true,
            depth: 0,
        };
        translator.run()?;
        if let Literal::Ended(text) = &translator.literal {
            let caseless = !text.chars().any(char::is_alphabetic);
            if caseless || !flavour.insensitive {
                return Ok(Self::Exact(text.as_str().into()));
            }
        }
        RegexBuilder::new(&translator.out)
            .case_insensitive(flavour.insensitive)
            .dot_matches_new_line(true)
            .size_limit(SIZE_LIMIT)
            .build()
            .map(|regex| Self::Regex(Box::new(regex)))
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the expression is too large".to_owned(),
                _ => "the expression is malformed".to_owned(),
            })
    }

    /// Where the expression and its groups are found in `text`.
    pub(crate) fn find(&self, text: &str) -> Option<Spans> {
        match self {
            Self::Exact(exact) => (text == &**exact).then(|| {
                let mut spans = Spans::default();
                spans.0[..2].fill(Some((0, text.len())));
                spans
            }),
            Self::Regex(regex) if regex.captures_len() == 1 => {
                let found = regex.find(text)?;
                let mut spans = Spans::default();
                // Without a group of its own, `\1` is the whole match too.
                spans.0[..2].fill(Some((found.start(), found.end())));
                Some(spans)
            }
            Self::Regex(regex) => {
                let captures = regex.captures(text)?;
                let mut spans = Spans::default();
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
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Follows whether the expression is `^`, plain characters, `$`.
#[derive(Debug)]
enum Literal {
    Start,
    Open(String),
    Ended(String),
    No,
}

impl Literal {
    fn start(&mut self) {
        *self = match self {
            Self::Start => Self::Open(String::new()),
            _ => Self::No,
        };
    }

    fn end(&mut self) {
        *self = match core::mem::replace(self, Self::No) {
            Self::Open(text) => Self::Ended(text),
            _ => Self::No,
        };
    }

    fn push(&mut self, literal: char) {
        match self {
            Self::Open(text) => text.push(literal),
            _ => *self = Self::No,
        }
    }
}

struct Translator {
    rest: std::vec::IntoIter<char>,
    flavour: Flavour,
    out: String,
    literal: Literal,
    /// Whether a `^` would be an anchor in a basic expression.
    branch_starts: bool,
    depth: usize,
}

/// What the expression says next.
enum Token {
    Char(char),
    Dot,
    Bracket,
    Open,
    Close,
    Or,
    Caret,
    Dollar,
    Star,
    Plus,
    Question,
    Interval,
    Assertion(&'static str),
    Set(&'static str),
}

impl Translator {
    fn run(&mut self) -> Result<(), String> {
        // Where the atom that a repetition would repeat begins; none at the start of a branch.
        let mut atom: Option<usize> = None;
        let mut opened = Vec::new();
        while let Some(token) = self.next()? {
            let from = self.out.len();
            self.branch_starts = matches!(token, Token::Open | Token::Or);
            match token {
                Token::Star | Token::Plus | Token::Question | Token::Interval => {
                    let Some(start) = atom else {
                        self.leading_repetition(&token)?;
                        atom = Some(from);
                        continue;
                    };
                    self.repeat(&token, start)?;
                    continue;
                }
                Token::Open => {
                    opened.push(from);
                    self.depth += 1;
                    self.special("(");
                    atom = None;
                    continue;
                }
                Token::Close => {
                    let start = opened
                        .pop()
                        .ok_or("a group is closed that was never opened")?;
                    self.depth -= 1;
                    self.out.push(')');
                    atom = Some(start);
                    continue;
                }
                Token::Or => {
                    self.special("|");
                    atom = None;
                    continue;
                }
                Token::Caret => {
                    self.out.push('^');
                    self.literal.start();
                    // `^*`: in a basic expression the star stands for itself.
                    atom = None;
                    continue;
                }
                Token::Dollar => {
                    self.out.push('$');
                    self.literal.end();
                }
                Token::Char(literal) => self.char(literal),
                Token::Dot => self.special("."),
                Token::Bracket => self.bracket()?,
                Token::Assertion(text) | Token::Set(text) => self.special(text),
            }
            atom = Some(from);
        }
        if opened.is_empty() {
            Ok(())
        } else {
            Err("a group is not closed".to_owned())
        }
    }

    fn char(&mut self, literal: char) {
        self.literal.push(literal);
        let mut buffer = [0; 4];
        self.out
            .push_str(&regex::escape(literal.encode_utf8(&mut buffer)));
    }

    fn special(&mut self, text: &str) {
        self.literal = Literal::No;
        self.out.push_str(text);
    }

    /// A repetition with nothing before it: itself in a basic expression, an error in an extended.
    fn leading_repetition(&mut self, token: &Token) -> Result<(), String> {
        match token {
            Token::Star if !self.flavour.extended => {
                self.char('*');
                Ok(())
            }
            _ => Err("a repetition with nothing to repeat".to_owned()),
        }
    }

    /// Wraps the atom that began at `start`, so that `a*?` is no lazy star.
    fn repeat(&mut self, token: &Token, start: usize) -> Result<(), String> {
        self.literal = Literal::No;
        let suffix = match token {
            Token::Plus => "+".to_owned(),
            Token::Question => "?".to_owned(),
            Token::Interval => self.interval()?,
            _ => "*".to_owned(),
        };
        self.out.insert_str(start, "(?:");
        self.out.push_str(&suffix);
        self.out.push(')');
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Token>, String> {
        let Some(first) = self.rest.next() else {
            return Ok(None);
        };
        let extended = self.flavour.extended;
        Ok(Some(match first {
            '\\' => self.escaped()?,
            '.' => Token::Dot,
            '*' => Token::Star,
            '[' => Token::Bracket,
            '^' if extended || self.branch_starts => Token::Caret,
            '$' if extended || self.at_end() => Token::Dollar,
            '(' if extended => Token::Open,
            ')' if extended => Token::Close,
            '|' if extended => Token::Or,
            '+' if extended => Token::Plus,
            '?' if extended => Token::Question,
            '{' if extended && self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                Token::Interval
            }
            other => Token::Char(other),
        }))
    }

    fn escaped(&mut self) -> Result<Token, String> {
        let escaped = self
            .rest
            .next()
            .ok_or("a backslash with nothing behind it")?;
        let basic = !self.flavour.extended;
        Ok(match escaped {
            '(' if basic => Token::Open,
            ')' if basic => Token::Close,
            '|' if basic => Token::Or,
            '{' if basic => Token::Interval,
            '+' if basic => Token::Plus,
            '?' if basic => Token::Question,
            '1'..='9' => {
                return Err(format!(
                    "a back-reference (\\{escaped}) cannot be matched in linear time"
                ));
            }
            'w' => Token::Set("[A-Za-z0-9_]"),
            'W' => Token::Set("[^A-Za-z0-9_]"),
            's' => Token::Set("[\\t\\n\\x0B\\x0C\\r ]"),
            'S' => Token::Set("[^\\t\\n\\x0B\\x0C\\r ]"),
            'b' => Token::Assertion("\\b"),
            'B' => Token::Assertion("\\B"),
            '<' => Token::Assertion("\\b{start}"),
            '>' => Token::Assertion("\\b{end}"),
            '`' => Token::Assertion("\\A"),
            '\'' => Token::Assertion("\\z"),
            other => Token::Char(other),
        })
    }

    fn peek(&self) -> Option<char> {
        self.rest.as_slice().first().copied()
    }

    /// Whether a `$` here is an anchor in a basic expression.
    fn at_end(&self) -> bool {
        match self.rest.as_slice() {
            [] | ['\\', '|', ..] => true,
            ['\\', ')', ..] => self.depth > 0,
            _ => false,
        }
    }

    /// `{3}`, `{3,}`, `{3,5}`, the brace being read already.
    fn interval(&mut self) -> Result<String, String> {
        let close = if self.flavour.extended { "}" } else { "\\}" };
        let rest: String = self.rest.as_slice().iter().collect();
        let (inside, _) = rest.split_once(close).ok_or("an interval is not closed")?;
        let count = |digits: &str| {
            digits
                .parse::<u32>()
                .ok()
                .filter(|&count| count <= MAX_REPEAT)
                .ok_or_else(|| format!("an interval with `{digits}`"))
        };
        let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
        let low = count(low)?;
        let suffix = if high.is_empty() {
            format!("{{{low},}}")
        } else {
            let high = count(high)?;
            if low > high {
                return Err("an interval that counts down".to_owned());
            }
            format!("{{{low},{high}}}")
        };
        let taken = inside.chars().count() + close.len();
        self.rest.by_ref().take(taken).for_each(drop);
        Ok(suffix)
    }

    /// `[...]`: a backslash in it stands for itself, and a leading `]` too.
    fn bracket(&mut self) -> Result<(), String> {
        const OPEN: &str = "a bracket is not closed";
        self.special("[");
        if self.peek() == Some('^') {
            self.rest.next();
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let low = match self.rest.next().ok_or(OPEN)? {
                ']' if !first => break,
                '[' if matches!(self.peek(), Some(':')) => {
                    self.class()?;
                    first = false;
                    continue;
                }
                '[' if matches!(self.peek(), Some('.' | '=')) => self.collating()?,
                other => other,
            };
            first = false;
            let is_range = matches!(self.rest.as_slice(), ['-', end, ..] if *end != ']');
            if !is_range {
                self.member(low);
                continue;
            }
            self.rest.next();
            let high = match self.rest.next().ok_or(OPEN)? {
                '[' if matches!(self.peek(), Some('.' | '=')) => self.collating()?,
                '[' if matches!(self.peek(), Some(':')) => {
                    return Err("a class cannot end a range".to_owned());
                }
                other => other,
            };
            if low > high {
                return Err(format!("the range {low}-{high} is empty"));
            }
            self.member(low);
            self.out.push('-');
            self.member(high);
        }
        self.out.push(']');
        Ok(())
    }

    fn member(&mut self, member: char) {
        // Infallible: a String takes whatever is written.
        let _ = write!(self.out, "\\x{{{:X}}}", u32::from(member));
    }

    /// `[:digit:]`, after its first bracket.
    fn class(&mut self) -> Result<(), String> {
        self.rest.next();
        let rest: String = self.rest.as_slice().iter().collect();
        let (name, _) = rest
            .split_once(":]")
            .ok_or("a character class is not closed")?;
        let known = [
            "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "xdigit",
        ];
        if !known.contains(&name) {
            return Err(format!("[:{name}:] is no character class"));
        }
        let _ = write!(self.out, "[:{name}:]");
        self.rest.by_ref().take(name.len() + 2).for_each(drop);
        Ok(())
    }

    /// `[.a.]` or `[=a=]`, after its first bracket.
    fn collating(&mut self) -> Result<char, String> {
        match *self.rest.as_slice() {
            [open, member, close, ']', ..] if open == close => {
                self.rest.by_ref().take(4).for_each(drop);
                Ok(member)
            }
            _ => Err("only single characters can stand in [. .] and [= =]".to_owned()),
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
