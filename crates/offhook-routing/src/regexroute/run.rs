//! Running the rules of a table for one message.
//!
//! How much is done for one message is bounded: by the depth of calls, by the length of a value,
//! and by a budget of conditions tried, which a table whose sections call each other in a tangle
//! would exceed.

use crate::conf::boolean;
use crate::parameters::Parameters;
use crate::regexroute::expression::Template;
use crate::regexroute::rule::{
    Action, Assignment, Block, Body, Branch, Condition, Item, Join, Program, Subject, Test, Word,
};
use crate::regexroute::scope::{Captures, Message, Scope};
use crate::regexroute::state::{Line, State};

/// No header of a call is longer.
const MAX_VALUE: usize = 8192;

/// How many octets are matched for the price of one condition.
const OCTETS_A_STEP: usize = 64;

/// One message on its way through a table.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) program: &'a Program,
    pub(crate) state: &'a mut State,
    pub(crate) parameters: Parameters,
    pub(crate) message: Message<'a>,
    captures: Captures,
    /// Counts the match strings, so that it shows when there is another.
    matched: usize,
    budget: usize,
    exhausted: bool,
}

/// Whether the rules go on.
enum Next {
    Rule,
    /// Leave this section with this result.
    Stop(bool),
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        program: &'a Program,
        state: &'a mut State,
        parameters: Parameters,
        message: Message<'a>,
    ) -> Self {
        Self {
            program,
            state,
            parameters,
            message,
            captures: Captures::default(),
            matched: 0,
            budget: program.budget,
            exhausted: false,
        }
    }

    /// Whether the message took more than a message may.
    pub(crate) const fn exhausted(&self) -> bool {
        self.exhausted
    }

    /// Runs a section and tells whether the message was handled.
    pub(crate) fn context(
        &mut self,
        name: &str,
        match_string: &mut String,
        depth: usize,
        quiet: bool,
    ) -> bool {
        if depth > self.program.max_depth {
            self.warn(format!("possible loop: [{name}] is called too deep"));
            return false;
        }
        let program = self.program;
        let Some(section) = program.section(name) else {
            if !quiet {
                self.warn(format!("missing target context [{name}]"));
            }
            return false;
        };
        match self.block(section, match_string, depth) {
            Next::Stop(handled) => handled,
            Next::Rule => false,
        }
    }

    fn block(&mut self, block: &Block, match_string: &mut String, depth: usize) -> Next {
        let mut from = 0;
        let mut looked_up = block.looked_up(from, match_string.trim());
        let mut at = self.matched;
        loop {
            if at != self.matched || looked_up.is_some_and(|position| position < from) {
                looked_up = block.looked_up(from, match_string.trim());
                at = self.matched;
            }
            let position = match (looked_up, block.tried(from)) {
                (Some(one), Some(other)) => one.min(other),
                (one, other) => match one.or(other) {
                    Some(position) => position,
                    None => return Next::Rule,
                },
            };
            let Some(item) = block.item(position) else {
                return Next::Rule;
            };
            from = position + 1;
            if let Next::Stop(handled) = self.item(item, match_string, depth) {
                return Next::Stop(handled);
            }
            if self.exhausted {
                return Next::Stop(false);
            }
        }
    }

    fn item(&mut self, item: &Item, match_string: &mut String, depth: usize) -> Next {
        for Branch { conditions, body } in &*item.branches {
            if self.hold(conditions, match_string) {
                return match body {
                    Body::Block(block) => self.block(block, match_string, depth),
                    Body::Action(action) => self.act(action, match_string, depth),
                };
            }
        }
        Next::Rule
    }

    fn hold(&mut self, conditions: &[Condition], match_string: &str) -> bool {
        let mut so_far = true;
        for condition in conditions {
            so_far = match condition.join {
                Join::And => so_far && self.holds(condition, match_string),
                Join::Or => so_far || self.holds(condition, match_string),
            };
        }
        so_far && !self.exhausted
    }

    fn holds(&mut self, condition: &Condition, match_string: &str) -> bool {
        let value;
        let text = match &condition.subject {
            Subject::MatchString => match_string.trim(),
            Subject::Value(template) => {
                value = self.expand(template);
                value.trim()
            }
        };
        let cost = 1 + text.len() / OCTETS_A_STEP;
        self.exhausted |= self.budget < cost;
        self.budget = self.budget.saturating_sub(cost);
        let mut captures = Captures::default();
        let matches = match &condition.test {
            Test::Always => true,
            Test::DefaultRule => {
                let (pattern, inverted) = &self.program.default_rule;
                pattern.is_match(text) != *inverted
            }
            Test::Pattern(pattern) if condition.inverted => pattern.is_match(text),
            Test::Pattern(pattern) => match pattern.find(text) {
                Some(spans) => {
                    text.clone_into(&mut captures.text);
                    captures.spans = spans;
                    true
                }
                None => false,
            },
        };
        self.captures = captures;
        matches != condition.inverted
    }

    fn act(&mut self, action: &Action, match_string: &mut String, depth: usize) -> Next {
        let argument = match &action.word {
            Word::Noop | Word::Return(None) => String::new(),
            Word::Target(template) => self.expand_target(template),
            Word::Return(Some(template))
            | Word::Match(template)
            | Word::Rename(template)
            | Word::Retval(template)
            | Word::Output(template)
            | Word::Debug(_, template)
            | Word::Goto {
                context: template, ..
            }
            | Word::Call {
                context: template, ..
            } => self.expand(template),
        };
        for assignment in &action.assignments {
            self.assign(assignment);
        }
        if self.exhausted {
            self.warn(format!("{}: a value grew too long", action.place));
            return Next::Stop(false);
        }
        let argument = argument.trim();
        match &action.word {
            Word::Noop => {}
            Word::Target(_) if argument.is_empty() => {}
            Word::Target(_) => {
                argument.clone_into(&mut self.message.retval);
                return Next::Stop(true);
            }
            Word::Return(_) => return Next::Stop(boolean(argument).unwrap_or(false)),
            Word::Goto { quiet, .. } => {
                return Next::Stop(self.context(argument, match_string, depth + 1, *quiet));
            }
            Word::Call { quiet, .. } => {
                if self.context(argument, match_string, depth + 1, *quiet) {
                    return Next::Stop(true);
                }
            }
            Word::Match(_) => {
                argument.clone_into(match_string);
                self.matched += 1;
            }
            Word::Rename(_) => argument.clone_into(self.message.name.to_mut()),
            Word::Retval(_) => argument.clone_into(&mut self.message.retval),
            Word::Output(_) => self.state.say(Line::Output(argument.to_owned())),
            Word::Debug(level, _) => self.state.say(Line::Debug(*level, argument.to_owned())),
        }
        Next::Rule
    }

    fn assign(&mut self, assignment: &Assignment) {
        let name = self.expand(&assignment.name);
        let name = name.trim();
        let value = assignment.value.as_ref().map(|value| self.expand(value));
        let value = value.as_deref().map(str::trim);
        match (assignment.variable, value) {
            (true, Some(value)) => self.state.set_variable(name, value),
            (true, None) => self.state.clear_variable(name),
            (false, Some(value)) => {
                if !self.parameters.set(name, value) {
                    self.warn(format!("the parameter `{name}` cannot be set"));
                }
            }
            (false, None) => {
                self.parameters.remove(name);
            }
        }
    }

    fn expand(&mut self, template: &Template) -> String {
        self.in_scope(|scope| template.expand(scope))
    }

    fn expand_target(&mut self, template: &Template) -> String {
        self.in_scope(|scope| template.expand_target(scope))
    }

    fn in_scope(&mut self, expand: impl FnOnce(&mut Scope<'_>) -> String) -> String {
        let mut scope = Scope {
            parameters: &self.parameters,
            state: self.state,
            message: &self.message,
            captures: &self.captures,
            max_value: MAX_VALUE,
            overflow: false,
        };
        let expanded = expand(&mut scope);
        self.exhausted |= scope.overflow;
        expanded
    }

    fn warn(&mut self, what: String) {
        self.state.say(Line::Warning(what));
    }
}
