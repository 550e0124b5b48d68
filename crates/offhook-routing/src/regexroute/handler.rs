//! Which sections answer which messages, and in which order.

use std::borrow::Cow;

use crate::conf::{ConfError, Entry, Section};
use crate::parameters::Parameters;
use crate::regexroute::pattern::{Flavour, Pattern};
use crate::regexroute::rule::Program;

/// The section that says which context a caller is in.
pub(crate) const CONTEXTS: &str = "contexts";

/// The handlers of all messages.
#[derive(Debug, Default)]
pub(crate) struct Handlers(Vec<Installed>);

#[derive(Debug)]
struct Installed {
    message: Box<str>,
    priority: u32,
    handler: Handler,
}

/// What runs for a message.
#[derive(Debug)]
pub(crate) enum Handler {
    /// `[contexts]`, matched with `caller`.
    Preroute,
    /// The section named by `context`, matched with `called`.
    Route,
    /// A line of `[extra]`.
    Extra(Extra),
}

#[derive(Debug)]
pub(crate) struct Extra {
    /// The parameter that is matched; none is the message's name.
    parameter: Option<Box<str>>,
    pub(crate) context: Box<str>,
    filter: Option<(Box<str>, Filter)>,
}

#[derive(Debug)]
enum Filter {
    Present,
    Equal(Box<str>),
    Pattern(Pattern),
}

impl Handlers {
    /// Installs a handler behind those of the same priority; priority 0 is off.
    pub(crate) fn add(&mut self, message: &str, priority: u32, handler: Handler) {
        if priority == 0 {
            return;
        }
        let before = self
            .0
            .partition_point(|installed| installed.priority <= priority);
        let installed = Installed {
            message: message.into(),
            priority,
            handler,
        };
        self.0.insert(before, installed);
    }

    /// The lines of `[extra]`: `message=priority,parameter,context,filter_parameter,filter`.
    pub(crate) fn add_extra(
        &mut self,
        section: &Section,
        flavour: Flavour,
        program: &Program,
        warnings: &mut Vec<ConfError>,
    ) -> Result<(), ConfError> {
        for entry in section.entries() {
            let (priority, extra) =
                Extra::read(entry, flavour).map_err(|what| entry.error(what))?;
            if program.section(&extra.context).is_none() {
                warnings.push(entry.error(format!("missing context [{}]", extra.context)));
                continue;
            }
            self.add(entry.key(), priority, Handler::Extra(extra));
        }
        Ok(())
    }

    /// The handlers of a message with their priorities, first first.
    pub(crate) fn of(&self, message: &str) -> impl Iterator<Item = (u32, &Handler)> {
        self.0
            .iter()
            .filter(move |installed| &*installed.message == message)
            .map(|installed| (installed.priority, &installed.handler))
    }

    /// The sections that `[extra]` installs, with their messages.
    pub(crate) fn extra(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|installed| {
            let Handler::Extra(extra) = &installed.handler else {
                return None;
            };
            Some((&*installed.message, &*extra.context))
        })
    }
}

impl Handler {
    /// The section to run for a message and the string to match, if the handler wants it.
    pub(crate) fn entry<'h>(
        &'h self,
        message: &str,
        parameters: &Parameters,
        preroute_all: bool,
    ) -> Option<(Cow<'h, str>, String)> {
        let get = |name| parameters.get(name).unwrap_or_default();
        match self {
            Self::Preroute => {
                let caller = get("caller");
                let wanted = preroute_all || (get("context").is_empty() && !caller.is_empty());
                wanted.then(|| (CONTEXTS.into(), caller.to_owned()))
            }
            Self::Route => {
                let called = get("called");
                let context = parameters
                    .get("context")
                    .filter(|context| !context.is_empty())
                    .map_or("default".into(), |context| context.to_owned().into());
                (!called.is_empty()).then(|| (context, called.to_owned()))
            }
            Self::Extra(extra) => {
                let matched = extra.parameter.as_deref().map_or(message, get);
                extra
                    .wants(parameters)
                    .then(|| ((&*extra.context).into(), matched.to_owned()))
            }
        }
    }
}

impl Extra {
    fn read(entry: &Entry, flavour: Flavour) -> Result<(u32, Self), String> {
        let mut fields = entry.value().splitn(5, ',').map(str::trim);
        let priority = fields.next().unwrap_or_default();
        let priority = priority
            .parse()
            .map_err(|_| format!("`{priority}` is no priority"))?;
        let mut field = || fields.next().filter(|field| !field.is_empty());
        let parameter = field();
        let context = field().unwrap_or(entry.key());
        let filter = match (field(), field()) {
            (None, _) => None,
            (Some(name), None) => Some((name, Filter::Present)),
            (Some(name), Some(text)) if text.starts_with('^') => {
                Some((name, Filter::Pattern(Pattern::new(text, flavour)?)))
            }
            (Some(name), Some(text)) => Some((name, Filter::Equal(text.into()))),
        };
        let extra = Self {
            parameter: parameter.map(Into::into),
            context: context.into(),
            filter: filter.map(|(name, filter)| (name.into(), filter)),
        };
        Ok((priority, extra))
    }

    fn wants(&self, parameters: &Parameters) -> bool {
        let Some((name, filter)) = &self.filter else {
            return true;
        };
        let value = parameters.get(name).unwrap_or_default();
        match filter {
            Filter::Present => !value.is_empty(),
            Filter::Equal(text) => value == &**text,
            Filter::Pattern(pattern) => pattern.is_match(value),
        }
    }
}
