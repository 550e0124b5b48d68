//! What a template and its functions yield when a call is there.

use core::fmt::Write as _;

use crate::regexroute::expression::{Fact, Function, List, Operand, Part, Template};
use crate::regexroute::function::{hex, number};
use crate::regexroute::scope::Scope;

impl Template {
    /// The text with every reference replaced.
    pub(crate) fn expand(&self, scope: &mut Scope<'_>) -> String {
        self.expand_with(scope, str::to_owned)
    }

    /// Like [`Self::expand`], for a place in a URI: no capture can bring in blanks or controls, and
    /// with them a second target.
    pub(crate) fn expand_target(&self, scope: &mut Scope<'_>) -> String {
        self.expand_with(scope, without_blanks)
    }

    fn expand_with(&self, scope: &mut Scope<'_>, capture: impl Fn(&str) -> String) -> String {
        let parts = match self {
            Self::Text(text) => return text.to_string(),
            Self::Parts(parts) => parts,
        };
        let mut whole = String::new();
        for part in parts {
            match part {
                Part::Text(text) => whole.push_str(text),
                Part::Capture(number) => whole.push_str(&capture(scope.capture(*number))),
                Part::Parameter { name, default } => {
                    let name = name.expand(scope);
                    match (scope.parameters.get(&name), default) {
                        (Some(value), _) => whole.push_str(value),
                        (None, Some(default)) => whole.push_str(&default.expand(scope)),
                        (None, None) => {}
                    }
                }
                Part::Function(function) => whole.push_str(&function.evaluate(scope)),
            }
            if !scope.fits(whole.len()) {
                break;
            }
        }
        whole
    }
}

impl Function {
    /// The function's result.
    pub(crate) fn evaluate(&self, scope: &mut Scope<'_>) -> String {
        match self {
            Self::Constant(text) => (*text).to_owned(),
            Self::Variable(name) => variable(name, scope),
            Self::Step(step, operand) => {
                let stepped = operand.number(scope).wrapping_add(*step).to_string();
                operand.store(scope, &stepped);
                stepped
            }
            Self::Text(function, operand) => function.apply(&operand.value(scope)),
            Self::Random(text) => {
                let text = text.expand(scope);
                scope.state.randomized(&text)
            }
            Self::Hex {
                number: operand,
                length,
                separator,
            } => {
                let octets = operand.number(scope);
                let length = length.as_ref().map(|length| length.number(scope));
                hex(octets, length, &separator.expand(scope))
            }
            Self::Arithmetic {
                operator,
                operands: [first, second],
                length,
            } => {
                let written = first.value(scope);
                let second = second.number(scope);
                let width = match length {
                    Some(length) => usize::try_from(length.number(scope)).unwrap_or(0),
                    None => written.len(),
                };
                operator.apply(number(&written), second, width)
            }
            Self::Compare(comparison, [first, second]) => {
                let (first, second) = (first.number(scope), second.number(scope));
                comparison.apply(first, second).to_string()
            }
            Self::Strings(function, [first, second]) => {
                let (first, second) = (first.value(scope), second.value(scope));
                function.apply(&first, &second)
            }
            Self::Index(number, list) => {
                let (items, at) = turn(number, list, scope);
                items.get(at).cloned().unwrap_or_default()
            }
            Self::Rotate(number, list) => {
                let (mut items, at) = turn(number, list, scope);
                items.rotate_left(at);
                items.join(" ")
            }
            Self::Fact(fact) => fact.evaluate(scope),
            Self::List(list, separator) => {
                let separator = separator.expand(scope);
                list.names(scope).join(&separator)
            }
        }
    }
}

impl List {
    fn names<'a>(self, scope: &'a Scope<'_>) -> Vec<&'a str> {
        match self {
            Self::Parameters => scope.parameters.iter().map(|(name, _)| name).collect(),
            Self::Variables => scope.state.variable_names().collect(),
        }
    }
}

impl Fact {
    fn evaluate(self, scope: &Scope<'_>) -> String {
        match self {
            Self::RunId => scope.state.facts().run_id.clone(),
            Self::NodeName => scope.state.facts().node_name.clone(),
            Self::Version => scope.state.facts().version.clone(),
            Self::Timestamp => {
                let time = scope.message.time;
                format!("{}.{:06}", time.as_secs(), time.subsec_micros())
            }
            Self::MessageName => scope.message.name.to_string(),
            Self::MessageTime => scope.message.time.as_secs().to_string(),
            Self::MessageRetval => scope.message.retval.clone(),
            Self::MessageCount => scope.parameters.iter().count().to_string(),
            Self::VariableCount => scope.state.variable_names().count().to_string(),
        }
    }
}

impl Operand {
    fn value(&self, scope: &mut Scope<'_>) -> String {
        match self {
            Self::Value(value) => value.expand(scope),
            Self::Variable(name) => variable(name, scope),
        }
    }

    fn number(&self, scope: &mut Scope<'_>) -> i32 {
        number(&self.value(scope))
    }

    fn store(&self, scope: &mut Scope<'_>, value: &str) {
        if let Self::Variable(name) = self {
            let name = name.expand(scope);
            scope.state.set_variable(&name, value);
        }
    }
}

fn variable(name: &Template, scope: &mut Scope<'_>) -> String {
    let name = name.expand(scope);
    scope.state.variable(&name).to_owned()
}

/// The items of a list and which of them is due; a variable is moved on to the next.
fn turn(number: &Operand, list: &[Operand], scope: &mut Scope<'_>) -> (Vec<String>, usize) {
    let mut items = Vec::new();
    for operand in list {
        let value = operand.value(scope);
        // A list may come whole from a parameter or variable.
        items.extend(value.split(',').map(|item| item.trim().to_owned()));
    }
    let count = i32::try_from(items.len()).unwrap_or(i32::MAX).max(1);
    let at = number.number(scope).rem_euclid(count);
    number.store(scope, &((at + 1) % count).to_string());
    (items, usize::try_from(at).unwrap_or(0))
}

fn without_blanks(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        if character.is_whitespace() || character.is_control() {
            let mut buffer = [0; 4];
            for octet in character.encode_utf8(&mut buffer).bytes() {
                // Infallible: a String takes whatever is written.
                let _ = write!(out, "%{octet:02X}");
            }
        } else {
            out.push(character);
        }
    }
    out
}
