//! POSIX regular expressions, basic and extended, written as the `regex` crate wants them.
//!
//! That crate matches in time linear in the text whatever the expression is, which is what makes a
//! dialled number harmless. The price: no back-references, and between alternatives the first
//! that fits is taken where POSIX takes the longest.

use core::fmt::Write as _;

/// POSIX lets an interval count to 255.
const MAX_REPEAT: u32 = 255;

/// What an expression comes to.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The same for the `regex` crate.
    pub(crate) regex: String,
    /// The only text that matches, if there is only one.
    pub(crate) exact: Option<String>,
    /// What a text must begin with to match.
    pub(crate) prefix: String,
}

/// Translates a basic or an extended expression.
pub(crate) fn translate(expression: &str, extended: bool) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: expression.chars().collect::<Vec<_>>().into_iter(),
        extended,
        out: String::with_capacity(expression.len() + 8),
        literal: Literal::Start,
        prefix: Prefix::default(),
        branch_starts: true,
        depth: 0,
    };
    translator.run()?;
    let exact = match translator.literal {
        Literal::Ended(text) => Some(text),
        _ => None,
    };
    Ok(Translated {
        regex: translator.out,
        exact,
        prefix: translator.prefix.text,
    })
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

/// The plain characters between a leading `^` and whatever else comes.
#[derive(Debug, Default)]
struct Prefix {
    text: String,
    open: bool,
}

impl Prefix {
    fn push(&mut self, literal: char) {
        if self.open {
            self.text.push(literal);
        }
    }

    /// What was pushed last may be repeated, or be absent.
    fn repeat(&mut self) {
        if self.open {
            self.text.pop();
        }
        self.open = false;
    }

    /// There is another way to match, which begins otherwise.
    fn forget(&mut self) {
        *self = Self::default();
    }
}

struct Translator {
    rest: std::vec::IntoIter<char>,
    extended: bool,
    out: String,
    literal: Literal,
    prefix: Prefix,
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
                    self.or();
                    atom = None;
                    continue;
                }
                Token::Caret => {
                    self.caret();
                    // `^*`: in a basic expression the star stands for itself.
                    atom = None;
                    continue;
                }
                Token::Dollar => self.dollar(),
                Token::Char(literal) => self.char(literal),
                Token::Dot => self.special("."),
                Token::Bracket => self.bracket()?,
                Token::Assertion(text) => {
                    self.special(text);
                    atom = None;
                    continue;
                }
                Token::Set(text) => self.special(text),
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
        self.prefix.push(literal);
        if "\\.+*?()|[]{}^$#&-~".contains(literal) {
            self.out.push('\\');
        }
        self.out.push(literal);
    }

    fn or(&mut self) {
        self.special("|");
        if self.depth == 0 {
            self.prefix.forget();
        }
    }

    fn caret(&mut self) {
        self.out.push('^');
        self.prefix.open = matches!(self.literal, Literal::Start);
        self.literal.start();
    }

    fn dollar(&mut self) {
        self.out.push('$');
        self.prefix.open = false;
        self.literal.end();
    }

    fn special(&mut self, text: &str) {
        self.literal = Literal::No;
        self.prefix.open = false;
        self.out.push_str(text);
    }

    /// A repetition with nothing before it: itself in a basic expression, an error in an extended.
    fn leading_repetition(&mut self, token: &Token) -> Result<(), String> {
        match token {
            Token::Star if !self.extended => {
                self.char('*');
                Ok(())
            }
            _ => Err("a repetition with nothing to repeat".to_owned()),
        }
    }

    /// Wraps the atom that began at `start`, so that `a*?` is no lazy star.
    fn repeat(&mut self, token: &Token, start: usize) -> Result<(), String> {
        self.literal = Literal::No;
        self.prefix.repeat();
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
        let extended = self.extended;
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
        let basic = !self.extended;
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
        let close = if self.extended { "}" } else { "\\}" };
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
