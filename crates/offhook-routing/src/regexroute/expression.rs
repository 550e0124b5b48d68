//! The right-hand text of a rule, taken apart at load: `\1`, `${name$default}`, `$(function)`.
//!
//! What a reference yields is data and is never looked at again, so that a dialled `${password}`
//! or `$(++$n)` is only an odd number to call.

use crate::regexroute::function::{Arithmetic, Comparison, Strings, TextFunction};

/// Stands for what is not known before a call comes, in [`Template::sample`].
pub(crate) const UNKNOWN: char = '\u{1A}';

/// Text with references in it, or, most often, without.
#[derive(Debug)]
pub(crate) enum Template {
    Text(Box<str>),
    Parts(Box<[Part]>),
}

impl Default for Template {
    fn default() -> Self {
        Self::Text("".into())
    }
}

#[derive(Debug)]
pub(crate) enum Part {
    Text(Box<str>),
    Capture(u8),
    Parameter {
        name: Template,
        default: Option<Template>,
    },
    Function(Box<Function>),
}

/// Which references may stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// All: the target side of a rule.
    Everything,
    /// No captures, for nothing has been matched yet: the match side.
    NoCaptures,
    /// Captures and nothing else: inside `${...}`.
    Captures,
    /// None: inside `${...}` on the match side.
    Nothing,
}

impl Allowed {
    const fn captures(self) -> bool {
        matches!(self, Self::Everything | Self::Captures)
    }

    const fn more(self) -> bool {
        matches!(self, Self::Everything | Self::NoCaptures)
    }

    const fn inside_parameter(self) -> Self {
        match self {
            Self::Everything | Self::Captures => Self::Captures,
            Self::NoCaptures | Self::Nothing => Self::Nothing,
        }
    }
}

impl Template {
    /// Takes the text apart.
    pub(crate) fn compile(text: &str, allowed: Allowed) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let (part, after) = Self::reference(rest, allowed)?;
            match part {
                Some(part) => {
                    flush(&mut plain, &mut parts);
                    parts.push(part);
                    rest = after;
                }
                None if rest.starts_with("\\\\") => {
                    plain.push('\\');
                    rest = rest.get(2..).unwrap_or_default();
                }
                None => {
                    plain.push(next);
                    rest = rest.get(next.len_utf8()..).unwrap_or_default();
                }
            }
        }
        if parts.is_empty() {
            return Ok(Self::Text(plain.into()));
        }
        flush(&mut plain, &mut parts);
        Ok(Self::Parts(parts.into()))
    }

    /// The reference that the text starts with, if any, and the text behind it.
    fn reference(text: &str, allowed: Allowed) -> Result<(Option<Part>, &str), String> {
        if let Some(after) = text.strip_prefix('\\') {
            let digit = after.chars().next().and_then(|next| next.to_digit(10));
            let Some(digit) = digit.and_then(|digit| u8::try_from(digit).ok()) else {
                return Ok((None, text));
            };
            if !allowed.captures() {
                return Err(format!(
                    "\\{digit} has no value before something has matched"
                ));
            }
            return Ok((
                Some(Part::Capture(digit)),
                after.get(1..).unwrap_or_default(),
            ));
        }
        if let Some(after) = text.strip_prefix("${") {
            let (inside, after) = after.split_once('}').ok_or("a ${ is not closed")?;
            if !allowed.more() || inside.contains("${") {
                return Err("parameters cannot stand inside each other".to_owned());
            }
            return Ok((Some(Self::parameter(inside, allowed)?), after));
        }
        if let Some(after) = text.strip_prefix("$(") {
            if !allowed.more() {
                return Err("a function cannot stand inside a parameter".to_owned());
            }
            let end = end_of_function(after).ok_or("a $( is not closed (functions do not nest)")?;
            let (inside, after) = after.split_at_checked(end).unwrap_or((after, ""));
            let function = Function::compile(inside, allowed)?;
            return Ok((
                Some(Part::Function(Box::new(function))),
                after.get(1..).unwrap_or_default(),
            ));
        }
        Ok((None, text))
    }

    fn parameter(inside: &str, allowed: Allowed) -> Result<Part, String> {
        let inner = allowed.inside_parameter();
        let (name, default) = match inside.split_once('$') {
            Some((name, default)) => (name, Some(Self::compile(default.trim(), inner)?)),
            None => (inside, None),
        };
        let name = Self::compile(name.trim(), inner)?;
        if name.literal() == Some("") {
            return Err("a parameter without a name".to_owned());
        }
        Ok(Part::Parameter { name, default })
    }

    /// The text, if there are no references in it.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Parts(_) => None,
        }
    }

    /// The text with [`UNKNOWN`] for every reference.
    pub(crate) fn sample(&self) -> String {
        let parts = match self {
            Self::Text(text) => return text.to_string(),
            Self::Parts(parts) => parts,
        };
        let mut sample = String::new();
        for part in parts {
            match part {
                Part::Text(text) => sample.push_str(text),
                _ => sample.push(UNKNOWN),
            }
        }
        sample
    }
}

/// A function with its operands.
#[derive(Debug)]
pub(crate) enum Function {
    Constant(&'static str),
    Variable(Template),
    Step(i32, Operand),
    Text(TextFunction, Operand),
    Random(Template),
    Hex {
        number: Operand,
        length: Option<Operand>,
        separator: Template,
    },
    Arithmetic {
        operator: Arithmetic,
        operands: [Operand; 2],
        length: Option<Operand>,
    },
    Compare(Comparison, [Operand; 2]),
    Strings(Strings, [Operand; 2]),
    Index(Operand, Box<[Operand]>),
    Rotate(Operand, Box<[Operand]>),
    Fact(Fact),
    List(List, Template),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    RunId,
    NodeName,
    Version,
    Timestamp,
    MessageName,
    MessageTime,
    MessageRetval,
    MessageCount,
    VariableCount,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum List {
    Parameters,
    Variables,
}

/// An operand; one that is written `$name` is the global variable of that name.
#[derive(Debug)]
pub(crate) enum Operand {
    Value(Template),
    Variable(Template),
}

impl Operand {
    fn compile(text: &str, allowed: Allowed) -> Result<Self, String> {
        let text = text.trim();
        let variable = text
            .strip_prefix('$')
            .filter(|name| !name.starts_with('{') && !name.is_empty());
        Ok(match variable {
            Some(name) => Self::Variable(Template::compile(name, allowed)?),
            None => Self::Value(Template::compile(text, allowed)?),
        })
    }
}

impl Function {
    /// Takes what stands between the parentheses apart.
    pub(crate) fn compile(inside: &str, allowed: Allowed) -> Result<Self, String> {
        for (sign, step) in [("++", 1), ("--", -1)] {
            if let Some(operand) = inside.strip_prefix(sign) {
                return Ok(Self::Step(step, Operand::compile(operand, allowed)?));
            }
        }
        let Some((name, rest)) = split_outside(inside, ',') else {
            return Self::compile_bare(inside.trim(), allowed);
        };
        let name = name.trim();
        let args = Args { rest, allowed };
        if let Some(operator) = Arithmetic::named(name) {
            let (first, second, length) = args.three()?;
            return Ok(Self::Arithmetic {
                operator,
                operands: [first, second],
                length,
            });
        }
        if let Some(comparison) = Comparison::named(name) {
            return Ok(Self::Compare(comparison, args.two(name)?));
        }
        if let Some(strings) = Strings::named(name) {
            return Ok(Self::Strings(strings, args.two(name)?));
        }
        if let Some(function) = TextFunction::named(name) {
            return Ok(Self::Text(function, args.one()?));
        }
        match name {
            "random" => Ok(Self::Random(Template::compile(rest.trim(), allowed)?)),
            "hex" => args.hex(),
            "index" => args.list().map(|(n, list)| Self::Index(n, list)),
            "rotate" => args.list().map(|(n, list)| Self::Rotate(n, list)),
            "message" => args.message(),
            "variables" => args.variables(),
            "engine" => match rest.trim() {
                "nodename" => Ok(Self::Fact(Fact::NodeName)),
                "runid" => Ok(Self::Fact(Fact::RunId)),
                "version" => Ok(Self::Fact(Fact::Version)),
                other => Err(format!("$(engine,{other}) is not known here")),
            },
            "config" | "loaded" | "transcode" => {
                Err(format!("$({name}) has no meaning in this server"))
            }
            _ => Err(format!("$({name}) is no function")),
        }
    }

    fn compile_bare(name: &str, allowed: Allowed) -> Result<Self, String> {
        Ok(match name {
            "" => Self::Constant(";"),
            "$" => Self::Constant("$"),
            "accepting" => Self::Constant("accept"),
            "dispatching" => Self::Constant("1"),
            "runid" => Self::Fact(Fact::RunId),
            "nodename" => Self::Fact(Fact::NodeName),
            "timestamp" => Self::Fact(Fact::Timestamp),
            "threadname" => return Err("$(threadname) has no meaning in this server".to_owned()),
            _ => Self::Variable(Template::compile(name, allowed)?),
        })
    }
}

/// The operands of a function, to be read as it wants them.
struct Args<'a> {
    rest: &'a str,
    allowed: Allowed,
}

impl Args<'_> {
    fn operand(&self, text: &str) -> Result<Operand, String> {
        Operand::compile(text, self.allowed)
    }

    fn one(&self) -> Result<Operand, String> {
        self.operand(self.rest)
    }

    fn two(&self, name: &str) -> Result<[Operand; 2], String> {
        let (first, second) =
            split_outside(self.rest, ',').ok_or_else(|| format!("$({name}) needs two operands"))?;
        Ok([self.operand(first)?, self.operand(second)?])
    }

    fn three(&self) -> Result<(Operand, Operand, Option<Operand>), String> {
        let (first, rest) = split_outside(self.rest, ',').ok_or("a sum needs two operands")?;
        let (second, third) = match split_outside(rest, ',') {
            Some((second, third)) => (second, Some(self.operand(third)?)),
            None => (rest, None),
        };
        Ok((self.operand(first)?, self.operand(second)?, third))
    }

    fn hex(&self) -> Result<Function, String> {
        let (number, rest) = split_outside(self.rest, ',').unwrap_or((self.rest, ""));
        let (length, separator) = split_outside(rest, ',').unwrap_or((rest, ""));
        let length = match length.trim() {
            "" => None,
            length => Some(self.operand(length)?),
        };
        Ok(Function::Hex {
            number: self.operand(number)?,
            length,
            separator: Template::compile(separator, self.allowed)?,
        })
    }

    fn list(&self) -> Result<(Operand, Box<[Operand]>), String> {
        let (number, mut rest) =
            split_outside(self.rest, ',').ok_or("a list function without its list")?;
        let mut items = Vec::new();
        while let Some((item, after)) = split_outside(rest, ',') {
            items.push(self.operand(item)?);
            rest = after;
        }
        items.push(self.operand(rest)?);
        Ok((self.operand(number)?, items.into()))
    }

    fn message(&self) -> Result<Function, String> {
        let (what, separator) = split_outside(self.rest, ',').unwrap_or((self.rest, ","));
        Ok(match what.trim() {
            "name" => Function::Fact(Fact::MessageName),
            "time" => Function::Fact(Fact::MessageTime),
            "broadcast" => Function::Constant("false"),
            "retval" => Function::Fact(Fact::MessageRetval),
            "count" => Function::Fact(Fact::MessageCount),
            "parameters" => Function::List(
                List::Parameters,
                Template::compile(separator, self.allowed)?,
            ),
            other => return Err(format!("$(message,{other}) is not known")),
        })
    }

    fn variables(&self) -> Result<Function, String> {
        let (what, separator) = split_outside(self.rest, ',').unwrap_or((self.rest, ","));
        Ok(match what.trim() {
            "count" => Function::Fact(Fact::VariableCount),
            "list" => Function::List(List::Variables, Template::compile(separator, self.allowed)?),
            name => Function::Variable(Template::compile(name, self.allowed)?),
        })
    }
}

fn flush(plain: &mut String, parts: &mut Vec<Part>) {
    if !plain.is_empty() {
        parts.push(Part::Text(core::mem::take(plain).into()));
    }
}

/// Where the `)` is that closes a function: the first one, for functions do not nest.
pub(crate) fn end_of_function(text: &str) -> Option<usize> {
    outside_parameters(text).find_map(|(at, found)| (found == ')').then_some(at))
}

/// The characters of `text` that stand outside of all `${...}`, with their places.
pub(crate) fn outside_parameters(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut skip_to = 0;
    text.char_indices().filter(move |&(at, _)| {
        if at < skip_to {
            return false;
        }
        let rest = text.get(at..).unwrap_or_default();
        if let (true, Some(end)) = (rest.starts_with("${"), rest.find('}')) {
            skip_to = at + end + 1;
            return false;
        }
        true
    })
}

/// Splits at the first `separator` outside of all `${...}`.
pub(crate) fn split_outside(text: &str, separator: char) -> Option<(&str, &str)> {
    let (at, _) = outside_parameters(text).find(|&(_, found)| found == separator)?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.get(separator.len_utf8()..)?))
}

/// Splits at the first `separator` outside of all `${...}` and `$(...)`.
pub(crate) fn split_outside_all(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut function = false;
    let mut previous = ' ';
    let (at, _) = outside_parameters(text).find(|&(_, found)| {
        function = match found {
            '(' if previous == '$' => true,
            ')' => false,
            _ => function,
        };
        previous = found;
        found == separator && !function
    })?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.get(separator.len_utf8()..)?))
}
