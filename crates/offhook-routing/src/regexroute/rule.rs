//! A routing table in the form in which it is run.

use std::collections::{BTreeSet, HashMap};

use crate::conf::Place;
use crate::regexroute::expression::Template;
use crate::regexroute::pattern::Pattern;

/// All sections that hold rules.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) sections: Vec<Block>,
    pub(crate) by_name: HashMap<Box<str>, usize>,
    /// What `${name}` alone is matched with.
    pub(crate) default_rule: (Pattern, Inverted),
    pub(crate) max_depth: usize,
    /// How many conditions one message may try.
    pub(crate) budget: usize,
}

impl Program {
    pub(crate) fn section(&self, name: &str) -> Option<&Block> {
        self.by_name
            .get(name)
            .and_then(|&index| self.sections.get(index))
    }
}

/// Whether a condition holds where its expression does not match.
pub(crate) type Inverted = bool;

/// Rules in their order, and a shorter way through them.
///
/// A rule such as `^100$=...` can only fire for one match string, and one such as `^0049...=` only
/// for those that begin so. Such rules are looked up instead of tried one by one, so that a table of
/// 100,000 numbers costs what a table of ten does.
#[derive(Debug, Default)]
pub(crate) struct Block {
    items: Vec<Item>,
    exact: HashMap<Box<str>, Vec<u32>>,
    prefixes: HashMap<Box<str>, Vec<u32>>,
    /// How long these prefixes are, in octets.
    lengths: BTreeSet<usize>,
    others: Vec<u32>,
}

impl Block {
    pub(crate) fn push(&mut self, item: Item) {
        // A table is a file in memory: it has fewer than 2^32 lines.
        let position = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        match item.needed() {
            Some(Needed::Exact(text)) => self.exact.entry(text.into()).or_default().push(position),
            Some(Needed::Prefix(text)) => {
                self.lengths.insert(text.len());
                self.prefixes.entry(text.into()).or_default().push(position);
            }
            None => self.others.push(position),
        }
        self.items.push(item);
    }

    /// The first item at or after `from` of those that are looked up by the match string.
    pub(crate) fn looked_up(&self, from: u32, match_string: &str) -> Option<u32> {
        let prefixes = self.lengths.iter().map_while(|&length| {
            // Longer ones do not fit either.
            (length <= match_string.len()).then(|| {
                let prefix = match_string.get(..length)?;
                first(self.prefixes.get(prefix)?, from)
            })
        });
        let exact = self.exact.get(match_string);
        let exact = exact.and_then(|positions| first(positions, from));
        prefixes.flatten().chain(exact).min()
    }

    /// The first item at or after `from` of those that must be tried.
    pub(crate) fn tried(&self, from: u32) -> Option<u32> {
        first(&self.others, from)
    }

    pub(crate) fn item(&self, position: u32) -> Option<&Item> {
        self.items.get(usize::try_from(position).ok()?)
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }
}

fn first(positions: &[u32], from: u32) -> Option<u32> {
    let index = positions.partition_point(|&position| position < from);
    positions.get(index).copied()
}

/// What a match string must be for an item to do anything.
enum Needed<'a> {
    Exact(&'a str),
    Prefix(&'a str),
}

/// One rule, or a chain `a={ ... } b={ ... } ={ ... }` of which the first that matches is run.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) branches: Box<[Branch]>,
}

impl Item {
    /// What the match string must be for this item to do anything, if that can be looked up.
    fn needed(&self) -> Option<Needed<'_>> {
        let [branch] = &*self.branches else {
            return None;
        };
        let (first, rest) = branch.conditions.split_first()?;
        let alternatives = rest.iter().any(|condition| condition.join == Join::Or);
        if first.inverted || alternatives {
            return None;
        }
        match (&first.subject, &first.test) {
            (Subject::MatchString, Test::Pattern(Pattern::Exact(text))) => {
                Some(Needed::Exact(text))
            }
            (Subject::MatchString, Test::Pattern(Pattern::Regex(expression))) => {
                Some(expression.prefix())
                    .filter(|prefix| !prefix.is_empty())
                    .map(Needed::Prefix)
            }
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Block(Box<Block>),
    Action(Action),
}

/// How a condition goes together with those before it, which are taken as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    And,
    Or,
}

#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) join: Join,
    pub(crate) subject: Subject,
    pub(crate) test: Test,
    pub(crate) inverted: Inverted,
}

/// What is looked at.
#[derive(Debug)]
pub(crate) enum Subject {
    MatchString,
    Value(Template),
}

/// What must be true of it.
#[derive(Debug)]
pub(crate) enum Test {
    Always,
    DefaultRule,
    Pattern(Pattern),
}

/// What a rule does when it fires.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) word: Word,
    pub(crate) assignments: Box<[Assignment]>,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum Word {
    Noop,
    Target(Template),
    Return(Option<Template>),
    Goto { context: Template, quiet: bool },
    Call { context: Template, quiet: bool },
    Match(Template),
    Rename(Template),
    Retval(Template),
    Output(Template),
    Debug(u8, Template),
}

#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) variable: bool,
    pub(crate) name: Template,
    /// None clears.
    pub(crate) value: Option<Template>,
}
