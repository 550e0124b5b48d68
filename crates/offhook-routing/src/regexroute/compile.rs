//! From the lines of a section to rules that can be run.

use crate::conf::{ConfError, Entry, Section};
use crate::parameters::USERNAME;
use crate::regexroute::expression::{Allowed, Template, end_of_function, split_outside_all};
use crate::regexroute::pattern::{Flavour, Pattern};
use crate::regexroute::rule::{
    Action, Assignment, Block, Body, Branch, Condition, Item, Join, Subject, Test, Word,
};

/// Blocks inside each other.
const MAX_NESTING: usize = 10;

/// Compiles the rules of one section; what is odd but harmless is added to `warnings`.
pub(crate) fn section(
    section: &Section,
    flavour: Flavour,
    warnings: &mut Vec<ConfError>,
) -> Result<Block, ConfError> {
    let mut builder = Builder {
        flavour,
        stack: vec![Frame::default()],
    };
    for entry in section.entries() {
        builder
            .rule(entry, warnings)
            .map_err(|what| entry.error(what))?;
    }
    if builder.stack.len() > 1 {
        let last = section.entries().last();
        let place = last.map_or(section.place(), Entry::place);
        warnings.push(place.error("a block is not closed at the end of its section"));
    }
    while builder.stack.len() > 1 {
        builder.close();
        builder.end_chain();
    }
    Ok(builder.stack.pop().unwrap_or_default().block)
}

/// A block that is being filled.
#[derive(Debug, Default)]
struct Frame {
    block: Block,
    /// The branches of the chain whose last block is being filled one frame further in.
    chain: Vec<Branch>,
    /// The conditions of that last block.
    open: Option<Box<[Condition]>>,
}

struct Builder {
    flavour: Flavour,
    stack: Vec<Frame>,
}

impl Builder {
    fn rule(&mut self, entry: &Entry, warnings: &mut Vec<ConfError>) -> Result<(), String> {
        let (closes, key) = match entry.key().strip_prefix('}') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, entry.key()),
        };
        if closes && self.stack.len() == 1 {
            warnings.push(entry.error("a block is closed that was never opened"));
        } else if closes {
            self.close();
        }
        if key.is_empty() && entry.value().is_empty() {
            self.end_chain();
            return Ok(());
        }
        let first = if key.is_empty() {
            Condition {
                join: Join::And,
                subject: Subject::MatchString,
                test: Test::Always,
                inverted: false,
            }
        } else {
            self.condition(key, Join::And)?
        };
        let (conditions, target) = self.conditions(first, entry.value())?;
        if target == "{" {
            if self.stack.len() > MAX_NESTING {
                return Err(format!("more than {MAX_NESTING} blocks inside each other"));
            }
            if let Some(frame) = self.stack.last_mut() {
                frame.open = Some(conditions);
            }
            self.stack.push(Frame::default());
            return Ok(());
        }
        let body = Body::Action(action(entry, target)?);
        if let Some(frame) = self.stack.last_mut() {
            frame.chain.push(Branch { conditions, body });
        }
        self.end_chain();
        Ok(())
    }

    /// A `}`: what was filled becomes a branch of the chain around it.
    fn close(&mut self) {
        let Some(inner) = self.stack.pop() else {
            return;
        };
        if let Some(frame) = self.stack.last_mut() {
            frame.chain.push(Branch {
                conditions: frame.open.take().unwrap_or_default(),
                body: Body::Block(Box::new(inner.block)),
            });
        }
    }

    fn end_chain(&mut self) {
        if let Some(frame) = self.stack.last_mut()
            && !frame.chain.is_empty()
        {
            let branches = core::mem::take(&mut frame.chain).into();
            frame.block.push(Item { branches });
        }
    }

    /// The conditions of `if`, `and` and `or`, and what is left of the value.
    fn conditions<'a>(
        &self,
        first: Condition,
        value: &'a str,
    ) -> Result<(Box<[Condition]>, &'a str), String> {
        let mut conditions = vec![first];
        let mut rest = value;
        loop {
            let (word, after) = split_word(rest);
            let join = match word {
                "if" | "and" => Join::And,
                "or" => Join::Or,
                _ => return Ok((conditions.into(), rest)),
            };
            let (expression, target) = after
                .split_once('=')
                .ok_or_else(|| format!("`{word}` needs an expression, `=` and a target"))?;
            conditions.push(self.condition(expression.trim(), join)?);
            rest = target.trim_start();
        }
    }

    fn condition(&self, written: &str, join: Join) -> Result<Condition, String> {
        let (subject, expression) = if let Some(inside) = written.strip_prefix("${") {
            let end = inside.find('}').ok_or("a ${ is not closed")?;
            split_subject(written, end + 3)?
        } else if let Some(inside) = written.strip_prefix("$(") {
            let end = end_of_function(inside).ok_or("a $( is not closed")?;
            split_subject(written, end + 3)?
        } else {
            (Subject::MatchString, written)
        };
        let (expression, inverted) = match expression.strip_suffix('^') {
            Some(expression) => (expression.trim_end(), true),
            None => (expression, false),
        };
        let test = match (&subject, expression) {
            (Subject::Value(_), "") => Test::DefaultRule,
            (Subject::MatchString, "") => return Err("an empty expression".to_owned()),
            _ => Test::Pattern(
                Pattern::new(expression, self.flavour)
                    .map_err(|why| format!("{why}: {expression}"))?,
            ),
        };
        Ok(Condition {
            join,
            subject,
            test,
            inverted,
        })
    }
}

fn split_subject(text: &str, end: usize) -> Result<(Subject, &str), String> {
    let (subject, expression) = text.split_at_checked(end).unwrap_or((text, ""));
    let subject = Template::compile(subject, Allowed::NoCaptures)?;
    Ok((Subject::Value(subject), expression.trim()))
}

/// The first word, and the text behind it without blanks.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

fn template(text: &str) -> Result<Template, String> {
    Template::compile(text.trim(), Allowed::Everything)
}

fn action(entry: &Entry, target: &str) -> Result<Action, String> {
    let place = entry.place().clone();
    if let Some(word) = printed(target)? {
        return Ok(Action {
            word,
            assignments: Box::default(),
            place,
        });
    }
    let mut pieces = target.split(';');
    let word = word(pieces.next().unwrap_or_default().trim())?;
    let assignments = pieces
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .map(assignment)
        .collect::<Result<_, _>>()?;
    Ok(Action {
        word,
        assignments,
        place,
    })
}

/// `echo`, `output` and `debug`: their text is not split at semicolons.
fn printed(target: &str) -> Result<Option<Word>, String> {
    let (word, text) = split_word(target);
    Ok(match word {
        "echo" | "output" => Some(Word::Output(template(text)?)),
        "debug" => {
            let (level, rest) = split_word(text);
            Some(match level.parse::<u8>() {
                Ok(level) => Word::Debug(level.min(10), template(rest)?),
                Err(_) => Word::Debug(10, template(text)?),
            })
        }
        _ => None,
    })
}

fn word(piece: &str) -> Result<Word, String> {
    let (word, rest) = split_word(piece);
    let context = || match rest {
        "" => Err(format!("`{word}` needs the name of a section")),
        _ => template(rest),
    };
    let quiet = word.starts_with('@');
    Ok(match word {
        "" => Word::Noop,
        "noop" if rest.is_empty() => Word::Noop,
        "return" if rest.is_empty() => Word::Return(None),
        "return" => Word::Return(Some(template(rest)?)),
        "goto" | "jump" | "@goto" | "@jump" => Word::Goto {
            context: context()?,
            quiet,
        },
        "call" | "include" | "@call" | "@include" => Word::Call {
            context: context()?,
            quiet,
        },
        "match" | "newmatch" => Word::Match(template(rest)?),
        "rename" => Word::Rename(template(rest)?),
        "retval" => Word::Retval(template(rest)?),
        "enqueue" | "dispatch" | "msleep" => {
            return Err(format!("`{word}` is not supported"));
        }
        _ if piece.starts_with('{') => {
            return Err("nothing can follow the { that opens a block".to_owned());
        }
        _ => Word::Target(template(piece)?),
    })
}

fn assignment(piece: &str) -> Result<Assignment, String> {
    let variable = piece.starts_with('$') && !piece.starts_with("${") && !piece.starts_with("$(");
    let piece = if variable {
        piece.get(1..).unwrap_or_default()
    } else {
        piece
    };
    let (name, value) = match split_outside_all(piece, '=') {
        Some((name, value)) => (name, Some(template(value)?)),
        None => (piece, None),
    };
    let name = template(name)?;
    match name.literal() {
        Some("") => return Err("an assignment without a name".to_owned()),
        Some(USERNAME) if !variable => {
            return Err("`username` is set by a verified digest and by nothing else".to_owned());
        }
        _ => {}
    }
    Ok(Assignment {
        variable,
        name,
        value,
    })
}
