//! What can be said of a table before a call comes.

use std::collections::BTreeSet;

use crate::conf::ConfError;
use crate::parameters::{Parameters, without_effect};
use crate::regexroute::expression::{Template, UNKNOWN};
use crate::regexroute::handler::Handlers;
use crate::regexroute::rule::{Action, Block, Body, Program, Word};
use crate::target::{Target, TargetError, TargetKind};

/// Finds targets that are none, or that the server cannot reach.
///
/// Sections that are run for `call.preroute` or another message return the name of a section or
/// something else, and are left out.
pub(crate) fn targets(
    program: &Program,
    handlers: &Handlers,
    reachable: &BTreeSet<TargetKind>,
) -> Result<(), ConfError> {
    let mut left_out = Reached::default();
    left_out.mark(program, "contexts");
    for (message, context) in handlers.extra() {
        if message != "call.route" {
            left_out.mark(program, context);
        }
    }
    let mut routing = Reached::default();
    routing.mark(program, "default");
    // The first in the file is what is reported. A section of which it cannot be known who runs it
    // is checked when it is run.
    let wanted = (0..program.sections.len()).filter(|index| {
        let routes = !left_out.anywhere || routing.sections.contains(index);
        routes && !left_out.sections.contains(index)
    });
    for block in wanted.filter_map(|index| program.sections.get(index)) {
        each_action(block, &mut |action| match &action.word {
            Word::Target(target) | Word::Retval(target) => {
                target_is_reachable(target, reachable).map_err(|why| action.place.error(why))
            }
            _ => Ok(()),
        })?;
    }
    Ok(())
}

/// Finds parameters that are set and would do nothing.
pub(crate) fn assignments(program: &Program) -> Result<(), ConfError> {
    for block in &program.sections {
        each_action(block, &mut |action| {
            let names = action.assignments.iter().filter(|it| !it.variable);
            let mut names = names.filter_map(|assignment| assignment.name.literal());
            match names.find_map(|name| without_effect(name.trim())) {
                Some(why) => Err(action.place.error(why)),
                None => Ok(()),
            }
        })?;
    }
    Ok(())
}

/// Finds sections that are named and do not exist; that only matters when such a rule fires.
pub(crate) fn contexts(program: &Program, warnings: &mut Vec<ConfError>) {
    for block in &program.sections {
        // Collecting cannot fail.
        let _ = each_action(block, &mut |action| {
            if let Word::Goto { context, quiet } | Word::Call { context, quiet } = &action.word
                && let Some(name) = context.literal()
                && !quiet
                && program.section(name).is_none()
            {
                warnings.push(action.place.error(format!("there is no section [{name}]")));
            }
            Ok(())
        });
    }
}

/// Sections that may be run.
#[derive(Debug, Default)]
struct Reached {
    sections: BTreeSet<usize>,
    /// Whether one of them goes on where only the call knows.
    anywhere: bool,
}

impl Reached {
    /// Adds a section and those that it goes to.
    fn mark(&mut self, program: &Program, name: &str) {
        let mut pending = vec![name.to_owned()];
        while let Some(name) = pending.pop() {
            let Some(&index) = program.by_name.get(name.as_str()) else {
                continue;
            };
            if !self.sections.insert(index) {
                continue;
            }
            let Some(block) = program.sections.get(index) else {
                continue;
            };
            // Collecting cannot fail.
            let _ = each_action(block, &mut |action| {
                if let Word::Goto { context, .. } | Word::Call { context, .. } = &action.word {
                    self.anywhere |= context.literal().is_none();
                    pending.extend(context.literal().map(str::to_owned));
                }
                Ok(())
            });
        }
    }
}

fn each_action(
    block: &Block,
    visit: &mut impl FnMut(&Action) -> Result<(), ConfError>,
) -> Result<(), ConfError> {
    for branch in block.items().iter().flat_map(|item| &item.branches) {
        match &branch.body {
            Body::Block(inner) => each_action(inner, visit)?,
            Body::Action(action) => visit(action)?,
        }
    }
    Ok(())
}

fn target_is_reachable(target: &Template, reachable: &BTreeSet<TargetKind>) -> Result<(), String> {
    let sample = target.sample();
    let sample = sample.trim();
    // What comes with the call is taken for a digit. A word that begins with it may be anything,
    // and so may what is behind `sip/`: a number or a URI.
    let unknown = |word: &&str| {
        word.strip_prefix("sip/")
            .unwrap_or(word)
            .starts_with(UNKNOWN)
    };
    if matches!(sample, "" | "-" | "error" | "fork") || unknown(&sample) {
        return Ok(());
    }
    let known: Vec<String> = sample
        .split_whitespace()
        .filter(|word| !unknown(word))
        .map(|word| word.replace(UNKNOWN, "1"))
        .collect();
    let complete = known.len() == sample.split_whitespace().count();
    match Target::parse(&known.join(" "), &Parameters::new(None)) {
        Ok(target) => match target.kinds().find(|kind| !reachable.contains(kind)) {
            Some(kind) => Err(format!("a target of kind {kind:?} cannot be reached")),
            None => Ok(()),
        },
        Err(TargetError::Unknown(text)) => Err(TargetError::Unknown(text).to_string()),
        Err(_) if !complete => Ok(()),
        Err(TargetError::Uri(_)) if sample.contains(UNKNOWN) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
