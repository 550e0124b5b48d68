//! A routing table in the form in which it is run.

use std::collections::HashMap;

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
/// A rule such as `^100$=...` can only fire for one match string. Such rules are looked up instead
/// of tried one by one, so that a table of 100,000 numbers costs what a table of ten does.
#[derive(Debug, Default)]
pub(crate) struct Block {
    items: Vec<Item>,
    exact: HashMap<Box<str>, Vec<u32>>,
    others: Vec<u32>,
}

impl Block {
    pub(crate) fn push(&mut self, item: Item) {
        // A table is a file in memory: it has fewer than 2^32 lines.
        let position = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        match item.only_match_string() {
            Some(text) => self.exact.entry(text.into()).or_default().push(position),
            None => self.others.push(position),
        }
        self.items.push(item);
    }

    /// The first item at or after `from` that may fire for this match string, and its position.
    pub(crate) fn next(&self, from: u32, match_string: &str) -> Option<(u32, &Item)> {
        let first = |positions: &[u32]| {
            let index = positions.partition_point(|&position| position < from);
            positions.get(index).copied()
        };
        let exact = self.exact.get(match_string).and_then(|found| first(found));
        let position = match (exact, first(&self.others)) {
            (Some(exact), Some(other)) => exact.min(other),
            (exact, other) => exact.or(other)?,
        };
        let item = self.items.get(usize::try_from(position).ok()?)?;
        Some((position, item))
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }
}

/// One rule, or a chain `a={ ... } b={ ... } ={ ... }` of which the first that matches is run.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) branches: Box<[Branch]>,
}

impl Item {
    /// The one match string for which this item can do anything, if there is only one.
    fn only_match_string(&self) -> Option<&str> {
        let [branch] = &*self.branches else {
            return None;
        };
        let (first, rest) = branch.conditions.split_first()?;
        let alternatives = rest.iter().any(|condition| condition.join == Join::Or);
        match (&first.subject, &first.test) {
            (Subject::MatchString, Test::Pattern(Pattern::Exact(text)))
                if !first.inverted && !alternatives =>
            {
                Some(text)
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
