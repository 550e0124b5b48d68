//! What a rule, or a user's section, says of the legs of a call beside where they go.
//!
//! | parameter | what it does |
//! |---|---|
//! | `caller`, `callername` | the number and the name that the callee sees |
//! | `osip_NAME` | a header of the INVITE |
//! | `timeout`, `maxcall` | milliseconds after which nobody rings any more: 408, 480 |
//!
//! Of a fork `callto.N.NAME` is the parameter of target N alone; its limits end that one's ringing.

use std::time::Duration;

use offhook_routing::Parameters;
use offhook_routing::target::ForkMember;
use offhook_sip::{Headers, StatusCode};

/// What begins the names of parameters that are headers.
const HEADER: &str = "osip_";

/// A limit, and what is told when it is reached.
pub(crate) type Patience = (Duration, StatusCode);

/// How one leg is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// The number that the callee sees in place of the caller's name.
    pub(crate) caller: Option<String>,
    /// The name beside it. That is no wish if it is only what the caller says of himself.
    pub(crate) callername: Option<String>,
    headers: Vec<(String, String)>,
    /// How long it may ring.
    pub(crate) patience: Option<Patience>,
}

impl Wishes {
    /// What holds for all legs of a call; its limits are those of the whole call.
    pub(crate) fn of_call(parameters: &Parameters) -> Option<Box<Self>> {
        Self::of(parameters, &[], None)
    }

    /// What holds for a member of a fork: its own parameters go before the call's.
    pub(crate) fn of_member(parameters: &Parameters, member: &ForkMember) -> Option<Box<Self>> {
        let own = &member.parameters;
        let patience = patience(|name| found(own, name));
        Self::of(parameters, own, patience)
    }

    fn of(
        parameters: &Parameters,
        own: &[(String, String)],
        patience: Option<Patience>,
    ) -> Option<Box<Self>> {
        let value = |name: &str| found(own, name).or_else(|| parameters.get(name));
        let text = |name| value(name).filter(|value| !value.is_empty());
        let headers = parameters
            .iter()
            .filter(|(name, _)| found(own, name).is_none())
            .chain(own.iter().map(|(name, value)| (&**name, &**value)))
            .filter_map(|(name, value)| Some((name.strip_prefix(HEADER)?, value)))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let wishes = Self {
            caller: text("caller")
                .filter(|caller| Some(*caller) != parameters.verified_user())
                .map(str::to_owned),
            callername: text("callername").map(str::to_owned),
            headers,
            patience,
        };
        (wishes != Self::default()).then(|| Box::new(wishes))
    }

    /// Adds the headers that are asked for. One that cannot be written is left out, as is one that a
    /// message has anyway.
    pub(crate) fn write(&self, headers: &mut Headers) {
        for (name, value) in &self.headers {
            let _cannot_be_written = headers.append(name.as_str(), value);
        }
    }
}

/// `timeout` and `maxcall`, in milliseconds, as Yate names and answers them: the shorter one.
pub(crate) fn patience<'a>(parameter: impl Fn(&str) -> Option<&'a str>) -> Option<Patience> {
    let limit = |name, status| {
        let milliseconds = parameter(name)?.parse().ok().filter(|limit| *limit > 0)?;
        Some((Duration::from_millis(milliseconds), status))
    };
    let timeout = limit("timeout", StatusCode::REQUEST_TIMEOUT);
    let maxcall = limit("maxcall", StatusCode::TEMPORARILY_UNAVAILABLE);
    timeout
        .into_iter()
        .chain(maxcall)
        .min_by_key(|(limit, _)| *limit)
}

fn found<'a>(own: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = own.iter().find(|(its_name, _)| its_name == name)?;
    Some(value)
}
