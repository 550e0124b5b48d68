//! What outlives one message: global variables and the source of random digits.

use std::collections::{BTreeMap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A rule may build names out of dialled numbers, so there is an end to them.
const MAX_VARIABLES: usize = 10_000;

/// What is said beyond is dropped until someone listens.
const MAX_LINES: usize = 256;

/// What `$(nodename)`, `$(runid)` and `$(engine,version)` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of this server in its system.
    pub node_name: String,
    /// A number that differs from start to start.
    pub run_id: String,
    /// The version of the server.
    pub version: String,
}

/// Something that a rule says to the people who run the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// `echo` or `output`.
    Output(String),
    /// `debug`, with its level from 0 (worst) to 10.
    Debug(u8, String),
    /// Something went wrong in the table itself.
    Warning(String),
}

/// The memory of a routing table: global variables, random digits, and what rules have said.
///
/// It is apart from the table, so that a table can be replaced while the variables stay.
#[derive(Debug)]
pub struct State {
    variables: BTreeMap<String, String>,
    random: StdRng,
    facts: Facts,
    lines: VecDeque<Line>,
}

impl State {
    pub(crate) fn new(seed: [u8; 32], facts: Facts) -> Self {
        Self {
            variables: BTreeMap::new(),
            random: StdRng::from_seed(seed),
            facts,
            lines: VecDeque::new(),
        }
    }

    /// The value of a global variable; empty when there is none.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// What rules have said, oldest first. At most 256 lines are kept.
    pub fn poll_line(&mut self) -> Option<Line> {
        self.lines.pop_front()
    }

    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    pub(crate) fn say(&mut self, line: Line) {
        if self.lines.len() < MAX_LINES {
            self.lines.push_back(line);
        }
    }

    pub(crate) const fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        if let Some(known) = self.variables.get_mut(name) {
            value.clone_into(known);
        } else if self.variables.len() < MAX_VARIABLES {
            self.variables.insert(name.to_owned(), value.to_owned());
        } else {
            self.say(Line::Warning(format!("no room for the variable {name}")));
        }
    }

    pub(crate) fn clear_variable(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// The text with a random digit for every `?`.
    pub(crate) fn randomized(&mut self, text: &str) -> String {
        text.chars()
            .map(|character| match character {
                '?' => char::from(b'0' + self.random.random_range(0..10_u8)),
                other => other,
            })
            .collect()
    }
}
