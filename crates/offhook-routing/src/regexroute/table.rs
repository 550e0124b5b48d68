//! `regexroute.conf`: loading it, and asking it where a call goes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::conf::{Conf, ConfError, Section};
use crate::parameters::Parameters;
use crate::regexroute::check;
use crate::regexroute::compile;
use crate::regexroute::decision::Decision;
use crate::regexroute::handler::{CONTEXTS, Handler, Handlers};
use crate::regexroute::pattern::{Flavour, Pattern};
use crate::regexroute::rule::Program;
use crate::regexroute::run::Run;
use crate::regexroute::scope::Message;
use crate::regexroute::state::{Facts, Line, State};
use crate::target::{Target, TargetKind};

const PREROUTE: &str = "call.preroute";
const ROUTE: &str = "call.route";

/// A value is true unless it is one of these (the option `defaultrule`).
const DEFAULT_RULE: &str = "^\\(false\\|no\\|off\\|disable\\|f\\|0*\\)$^";

/// Whatever the size of the table, a message may try so many conditions.
const MIN_BUDGET: usize = 100_000;

/// What was written under a `name`.
type Values = Vec<(Box<str>, Box<str>)>;

/// A routing table, loaded from `regexroute.conf` and never changed after.
///
/// What rules remember from call to call is in a [`State`] beside it.
///
/// ```
/// use std::time::Duration;
/// use offhook_routing::{Conf, Decision, Facts, Parameters, Table};
///
/// let conf = Conf::parse(
///     "regexroute.conf",
///     "[default]\n${username}^$=-;error=noauth\n^15900941215$=return;called=sunny\n",
/// )?;
/// let table = Table::load(&conf)?;
/// let mut state = table.start([0; 32], Facts::default());
///
/// let mut stranger = Parameters::new(None);
/// stranger.set("called", "15900941215");
/// let decision = table.route(&mut state, Duration::ZERO, stranger);
/// assert!(matches!(decision, Decision::Reject { challenge: true, .. }));
///
/// let mut user = Parameters::new(Some("u1"));
/// user.set("called", "15900941215");
/// let Decision::NotRouted { parameters } = table.route(&mut state, Duration::ZERO, user) else {
///     panic!("routed");
/// };
/// assert_eq!(parameters.get("called"), Some("sunny"));
/// # Ok::<(), offhook_routing::ConfError>(())
/// ```
#[derive(Debug)]
pub struct Table {
    program: Program,
    handlers: Handlers,
    once: Values,
    init: Values,
    add_once: bool,
    preroute_all: bool,
    reachable: BTreeSet<TargetKind>,
    warnings: Vec<ConfError>,
}

/// What handlers made of a message other than a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// Whether a rule has handled it; if not, others may.
    pub handled: bool,
    /// The value that the message returns.
    pub retval: String,
    /// As the rules left them.
    pub parameters: Parameters,
}

impl Table {
    /// Loads a table for a server that reaches SIP targets and forks of them.
    ///
    /// # Errors
    ///
    /// The first line that cannot be used: malformed, not supported, or a target that the server
    /// cannot reach.
    pub fn load(conf: &Conf) -> Result<Self, ConfError> {
        Self::load_for(conf, &[TargetKind::Sip, TargetKind::Fork])
    }

    /// Loads a table for a server that reaches these kinds of targets.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_for(conf: &Conf, reachable: &[TargetKind]) -> Result<Self, ConfError> {
        let options = Options::read(conf.section("priorities"))?;
        let mut warnings = Vec::new();
        let mut program = Program {
            sections: Vec::new(),
            by_name: HashMap::new(),
            default_rule: options.default_rule,
            max_depth: options.max_depth,
            budget: MIN_BUDGET,
        };
        for section in conf.sections() {
            if matches!(section.name(), "priorities" | "extra" | "$once" | "$init") {
                continue;
            }
            let index = program.sections.len();
            let block = compile::section(section, options.flavour, &mut warnings)?;
            program.sections.push(block);
            program.by_name.insert(section.name().into(), index);
            program.budget += 4 * section.entries().len();
        }
        let mut handlers = Handlers::default();
        // Without the section it would handle nothing.
        if program.section(CONTEXTS).is_some() {
            handlers.add(PREROUTE, options.preroute, Handler::Preroute);
        }
        handlers.add(ROUTE, options.route, Handler::Route);
        if let Some(extra) = conf.section("extra") {
            handlers.add_extra(extra, options.flavour, &program, &mut warnings)?;
        }
        let reachable = reachable.iter().copied().collect();
        check::targets(&program, &handlers, &reachable)?;
        check::assignments(&program)?;
        check::contexts(&program, &mut warnings);
        Ok(Self {
            program,
            handlers,
            once: values(conf.section("$once")),
            init: values(conf.section("$init")),
            add_once: options.add_once,
            preroute_all: options.preroute_all,
            reachable,
            warnings,
        })
    }

    /// What is odd in the file and does no harm.
    #[must_use]
    pub fn warnings(&self) -> &[ConfError] {
        &self.warnings
    }

    /// A state with the variables of `[$once]` and `[$init]`; `seed` is where `$(random,???)`
    /// begins.
    #[must_use]
    pub fn start(&self, seed: [u8; 32], facts: Facts) -> State {
        let mut state = State::new(seed, facts);
        for (name, value) in self.once.iter().chain(&self.init) {
            state.set_variable(name, value);
        }
        state
    }

    /// Lets a state go on with this table in place of another: `[$init]` is set again, and of
    /// `[$once]` what is missing, unless `add_once` is off.
    pub fn resume(&self, state: &mut State) {
        for (name, value) in &self.once {
            if self.add_once && !state.has_variable(name) {
                state.set_variable(name, value);
            }
        }
        for (name, value) in &self.init {
            state.set_variable(name, value);
        }
    }

    /// Where does this call go? `time` is the wall clock, since 1970.
    pub fn route(&self, state: &mut State, time: Duration, parameters: Parameters) -> Decision {
        self.route_before(state, time, parameters, u32::MAX)
    }

    /// Like [`Self::route`], with those handlers only that come before the users of `regfile.conf`
    /// or have the same priority.
    pub fn route_before(
        &self,
        state: &mut State,
        time: Duration,
        parameters: Parameters,
        regfile: u32,
    ) -> Decision {
        let preroute = self.dispatch(state, PREROUTE, time, parameters, |_| true);
        let mut parameters = match preroute {
            Ok(handled) => {
                let mut parameters = handled.parameters;
                if handled.handled {
                    if matches!(handled.retval.as_str(), "-" | "error") {
                        return Decision::rejected(&parameters);
                    }
                    parameters.set("context", handled.retval);
                }
                parameters
            }
            Err(decision) => return decision,
        };
        if parameters.get("context") == Some("") {
            parameters.remove("context");
        }
        self.routed(state, time, parameters, |priority| priority <= regfile)
    }

    /// What the handlers decide that come after the users of `regfile.conf`.
    pub fn route_after(
        &self,
        state: &mut State,
        time: Duration,
        parameters: Parameters,
        regfile: u32,
    ) -> Decision {
        self.routed(state, time, parameters, |priority| priority > regfile)
    }

    /// Hands another message to the handlers of `[extra]`.
    pub fn handle(
        &self,
        state: &mut State,
        message: &str,
        time: Duration,
        parameters: Parameters,
    ) -> Handled {
        match self.dispatch(state, message, time, parameters, |_| true) {
            Ok(handled) => handled,
            Err(_) => Handled {
                handled: false,
                retval: String::new(),
                parameters: Parameters::new(None),
            },
        }
    }

    fn routed(
        &self,
        state: &mut State,
        time: Duration,
        parameters: Parameters,
        wanted: impl Fn(u32) -> bool,
    ) -> Decision {
        let handled = match self.dispatch(state, ROUTE, time, parameters, wanted) {
            Ok(handled) => handled,
            Err(decision) => return decision,
        };
        let parameters = handled.parameters;
        if !handled.handled {
            return Decision::NotRouted { parameters };
        }
        match handled.retval.as_str() {
            "-" | "error" => Decision::rejected(&parameters),
            "" => Decision::reject("noroute", None),
            text => self.target(state, text, parameters),
        }
    }

    fn target(&self, state: &mut State, text: &str, parameters: Parameters) -> Decision {
        let target = match Target::parse(text, &parameters) {
            Ok(target) => target,
            Err(error) => {
                state.say(Line::Warning(error.to_string()));
                return Decision::reject("failure", None);
            }
        };
        if target.kinds().all(|kind| self.reachable.contains(&kind)) {
            return Decision::Target { target, parameters };
        }
        state.say(Line::Warning(format!("{text} cannot be reached")));
        Decision::reject("unimplemented", None)
    }

    #[expect(
        clippy::result_large_err,
        reason = "once a message, and only where its rules do not end"
    )]
    fn dispatch(
        &self,
        state: &mut State,
        message: &str,
        time: Duration,
        parameters: Parameters,
        wanted: impl Fn(u32) -> bool,
    ) -> Result<Handled, Decision> {
        let facts = Message {
            name: message.into(),
            time,
            retval: String::new(),
        };
        let mut run = Run::new(&self.program, state, parameters, facts);
        let mut handled = false;
        for (priority, handler) in self.handlers.of(message) {
            let entry = wanted(priority)
                .then(|| handler.entry(message, &run.parameters, self.preroute_all))
                .flatten();
            let Some((context, mut match_string)) = entry else {
                continue;
            };
            // A section that is named by the message may be missing: then nothing is routed.
            handled = run.context(&context, &mut match_string, 0, true);
            if run.exhausted() {
                let name = message.to_owned();
                run.state.say(Line::Warning(format!(
                    "{name}: the rules do not come to an end"
                )));
                return Err(Decision::reject("failure", None));
            }
            if handled {
                break;
            }
        }
        Ok(Handled {
            handled,
            retval: run.message.retval,
            parameters: run.parameters,
        })
    }
}

fn values(section: Option<&Section>) -> Values {
    section
        .map(Section::entries)
        .unwrap_or_default()
        .iter()
        .map(|entry| (entry.key().into(), entry.value().into()))
        .collect()
}

/// The section `[priorities]`.
struct Options {
    preroute: u32,
    route: u32,
    flavour: Flavour,
    default_rule: (Pattern, bool),
    preroute_all: bool,
    max_depth: usize,
    add_once: bool,
}

impl Options {
    fn read(section: Option<&Section>) -> Result<Self, ConfError> {
        let mut options = Self {
            preroute: 100,
            route: 100,
            flavour: Flavour::default(),
            default_rule: rule(DEFAULT_RULE, Flavour::default()).unwrap_or_else(|_| {
                // The text above is a good expression, which the tests show.
                (Pattern::Exact("".into()), true)
            }),
            preroute_all: false,
            max_depth: 5,
            add_once: true,
        };
        let entries = section.map(Section::entries).unwrap_or_default();
        // The default rule is an expression like the others, wherever it stands among the options.
        for entry in entries {
            match entry.key() {
                "extended" => options.flavour.extended = entry.as_bool()?,
                "insensitive" => options.flavour.insensitive = entry.as_bool()?,
                _ => {}
            }
        }
        for entry in entries {
            match entry.key() {
                "preroute" => options.preroute = entry.parse()?,
                "route" => options.route = entry.parse()?,
                "prerouteall" => options.preroute_all = entry.as_bool()?,
                "maxdepth" => options.max_depth = entry.parse::<usize>()?.clamp(5, 100),
                "add_once" => options.add_once = entry.as_bool()?,
                "defaultrule" => {
                    options.default_rule =
                        rule(entry.value(), options.flavour).map_err(|why| entry.error(why))?;
                }
                // Two are read above; the others are about what Yate shows to its operator.
                "extended" | "insensitive" | "status" | "trackparam" | "rex_debug" => {}
                other => return Err(entry.error(format!("the option `{other}` is not known"))),
            }
        }
        Ok(options)
    }
}

fn rule(text: &str, flavour: Flavour) -> Result<(Pattern, bool), String> {
    let (expression, inverted) = match text.strip_suffix('^') {
        Some(expression) => (expression, true),
        None => (text, false),
    };
    Pattern::new(expression, flavour).map(|pattern| (pattern, inverted))
}
