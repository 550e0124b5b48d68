//! What is kept of one binding at a registrar.

use std::time::{Duration, Instant};

use offhook_auth::ClientAuth;
use offhook_dialog::Registration;
use offhook_sip::{HeaderName, Method, Request};
use offhook_transaction::Flow;

use crate::compose::{self, Draft};
use crate::outgoing::RegistrationConfig;

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
}

impl Registered {
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
        let contact = format!("{}{params}", compose::HERE);
        compose::set(request.headers_mut(), HeaderName::CONTACT, &contact);
        request
    }
}
