//! What is kept of one binding at a registrar.

use std::fmt::Write;
use std::time::{Duration, Instant};

use offhook_auth::ClientAuth;
use offhook_dialog::Registration;
use offhook_sip::header::FlowTimer;
use offhook_sip::{HeaderName, Method, Request, Response, Uri};
use offhook_transaction::Flow;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::compose::{self, Draft};
use crate::outgoing::RegistrationConfig;

/// No registrar may have us speak more often.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// A binding that we keep up.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) machine: Registration,
    pub(crate) config: RegistrationConfig,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    pub(crate) cseq: u32,
    pub(crate) auth: Option<Box<ClientAuth>>,
    pub(crate) deadline: Option<Instant>,
    /// The way to the registrar, once it has granted the binding.
    pub(crate) flow: Option<Flow>,
    /// When the way is to be kept open, while the binding stands.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Contacts of ours that are none any more, to be taken away with the next REGISTER.
    pub(crate) left: Vec<Uri>,
}

/// Line ends on a flow, again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepAlive {
    at: Instant,
    longest: Duration,
}

impl KeepAlive {
    /// RFC 5626 §4.4.1: between 80 and 100 per cent of the longest time, so that phones do not speak in chorus.
    fn after(now: Instant, longest: Duration, rng: &mut StdRng) -> Self {
        let at = now + rng.random_range(longest * 4 / 5..=longest);
        Self { at, longest }
    }
}

impl Registered {
    /// When something is to be done.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let keep_alive = self.keep_alive.map(|keep_alive| keep_alive.at);
        self.machine
            .poll_timeout()
            .into_iter()
            .chain(keep_alive)
            .min()
    }

    /// The binding stands, granted on this flow.
    pub(crate) fn stands(
        &mut self,
        now: Instant,
        flow: Flow,
        response: &Response,
        rng: &mut StdRng,
    ) {
        self.flow = Some(flow);
        self.left.clear();
        let asked = response.headers().typed::<FlowTimer>().ok().flatten();
        let asked = asked.map(|timer| Duration::from_secs(timer.get().into()));
        let longest = self.config.keep_alive.map(|own| {
            let longest = asked.map_or(own, |asked| asked.min(own));
            longest.max(SHORTEST_KEEP_ALIVE)
        });
        self.keep_alive = longest.map(|longest| KeepAlive::after(now, longest, rng));
    }

    /// The flow on which a keep-alive is due.
    pub(crate) fn keeps_alive(&mut self, now: Instant, rng: &mut StdRng) -> Option<Flow> {
        let due = self.keep_alive.filter(|keep_alive| keep_alive.at <= now)?;
        self.keep_alive = Some(KeepAlive::after(now, due.longest, rng));
        self.flow
    }

    /// Whether this binding hangs on a flow that is none any more.
    pub(crate) fn is_on(&self, lost: &Flow) -> bool {
        self.flow.is_some_and(|flow| {
            let same_connection = match (flow.connection, lost.connection) {
                (Some(own), Some(lost)) => own == lost,
                _ => true,
            };
            same_connection
                && (flow.transport, flow.local, flow.remote)
                    == (lost.transport, lost.local, lost.remote)
        })
    }

    /// §10.2: To and From are the address of record, Call-ID stays, CSeq grows.
    pub(crate) fn request(&self, expires: Duration) -> Request {
        let mut request = compose::request(&Draft {
            method: &Method::Register,
            request_uri: &self.config.registrar,
            from: &self.config.aor,
            to: &self.config.aor,
            tag: &self.tag,
            call_id: &self.call_id,
            cseq: self.cseq,
            max_forwards: 70,
            route: &[],
            headers: &self.config.headers,
            body: None,
        });
        let seconds = expires.as_secs().to_string();
        compose::set(request.headers_mut(), HeaderName::EXPIRES, &seconds);
        let params: String = self
            .config
            .contact_params
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!(";{name}={value}"),
                None => format!(";{name}"),
            })
            .collect();
        let mut contact = format!("{}{params}", compose::HERE);
        for left in &self.left {
            let _never_fails = write!(contact, ", <{left}>;expires=0");
        }
        compose::set(request.headers_mut(), HeaderName::CONTACT, &contact);
        request
    }
}
