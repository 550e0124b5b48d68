//! Runs a table and writes what it decided in one line.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::time::Duration;

use offhook_routing::{
    Conf, ConfError, Decision, Facts, Line, Parameters, State, Table, Target, TargetKind,
};

/// 2025-08-12 00:00:00 UTC and a bit.
pub const TIME: Duration = Duration::from_micros(1_754_956_800_000_042);

const ALL: [TargetKind; 14] = [
    TargetKind::Sip,
    TargetKind::Line,
    TargetKind::Tone,
    TargetKind::Play,
    TargetKind::Record,
    TargetKind::Dumb,
    TargetKind::Conference,
    TargetKind::Music,
    TargetKind::Mux,
    TargetKind::Analyzer,
    TargetKind::External,
    TargetKind::Pickup,
    TargetKind::Fork,
    TargetKind::ForkExec,
];

/// A loaded table and its state.
pub struct Server {
    pub table: Table,
    pub state: State,
}

/// Loads a table for a server that reaches every kind of target.
pub fn load(text: &str) -> Result<Table, ConfError> {
    Table::load_for(&Conf::parse("regexroute.conf", text)?, &ALL)
}

impl Server {
    pub fn new(text: &str) -> Self {
        let table = load(text).unwrap_or_else(|error| panic!("{error}"));
        let facts = Facts {
            node_name: "node1".to_owned(),
            run_id: "77".to_owned(),
            version: "0.1.0".to_owned(),
        };
        let state = table.start([9; 32], facts);
        Self { table, state }
    }

    /// Routes a call with these parameters (`username` being verified) and tells the decision.
    pub fn route(&mut self, given: &[(&'static str, &str)]) -> String {
        let before = parameters(given);
        let decision = self.table.route(&mut self.state, TIME, before.clone());
        written(&before, &decision)
    }

    /// What rules have said since the last time.
    pub fn lines(&mut self) -> Vec<Line> {
        core::iter::from_fn(|| self.state.poll_line()).collect()
    }
}

pub fn parameters(given: &[(&'static str, &str)]) -> Parameters {
    let verified = given.iter().find(|(name, _)| *name == "username");
    let mut parameters = Parameters::new(verified.map(|(_, value)| *value));
    for (name, value) in given {
        parameters.set(*name, *value);
    }
    parameters
}

/// Routes one call for `called` through the section `[default]`.
pub fn called(rules: &str, number: &str) -> String {
    Server::new(&format!("[default]\n{rules}\n")).route(&[("called", number)])
}

/// The first line of output of a rule `.*=echo TEXT`.
pub fn echo(text: &str, given: &[(&'static str, &str)]) -> String {
    let mut server = Server::new(&format!("[default]\n^\\(.*\\)$=echo {text}\n"));
    server.route(given);
    match server.lines().into_iter().next() {
        Some(Line::Output(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn written(before: &Parameters, decision: &Decision) -> String {
    match decision {
        Decision::Target { target, parameters } => {
            format!("{}{}", target_text(target), changes(before, parameters))
        }
        Decision::NotRouted { parameters } => format!("none{}", changes(before, parameters)),
        Decision::Reject {
            status,
            reason,
            challenge,
        } => {
            let reason = reason.as_deref().map(|reason| format!(" {reason}"));
            let challenge = if *challenge { " challenge" } else { "" };
            format!("{}{challenge}{}", status.get(), reason.unwrap_or_default())
        }
    }
}

fn target_text(target: &Target) -> String {
    match target {
        Target::Sip(uri) => uri.to_string(),
        Target::Line { number, account } => {
            format!("line/{number}@{}", account.as_deref().unwrap_or_default())
        }
        Target::Tone(name) => format!("tone/{name}"),
        Target::Fork(fork) => {
            let groups: Vec<String> = fork
                .groups
                .iter()
                .map(|group| {
                    let members = group.members.iter();
                    let members: Vec<_> =
                        members.map(|member| target_text(&member.target)).collect();
                    members.join(" ")
                })
                .collect();
            format!("fork {}", groups.join(" | "))
        }
        other => format!("{other:?}"),
    }
}

fn changes(before: &Parameters, after: &Parameters) -> String {
    let set = after
        .iter()
        .filter(|(name, value)| before.get(name) != Some(value))
        .map(|(name, value)| format!(";{name}={value}"));
    let cleared = before
        .iter()
        .filter(|(name, _)| after.get(name).is_none())
        .map(|(name, _)| format!(";{name}"));
    set.chain(cleared).collect()
}
