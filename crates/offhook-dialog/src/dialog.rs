//! A dialog: what two user agents remember of each other between requests (RFC 3261 §12).

use offhook_sip::{HeaderName, Headers, Method, Request, Response, Uri};

use crate::error::DialogError;
use crate::id::DialogId;
use crate::route_set::RouteSet;
use crate::wire;

/// Which side sent the request that made the dialog, and so owns its Call-ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We sent it.
    Caller,
    /// The peer sent it.
    Callee,
}

/// The texts of a dialog, one behind the other: they are kept for as long as a call lasts, and one
/// block of memory is smaller than five.
#[derive(Clone, Debug)]
struct Names {
    text: Box<str>,
    ends: [u32; 5],
}

impl Names {
    const CALL_ID: usize = 0;
    /// The whole From or To value of our side, with its tag.
    const LOCAL: usize = 1;
    const REMOTE: usize = 2;
    const LOCAL_TAG: usize = 3;
    const REMOTE_TAG: usize = 4;

    fn new(parts: [&str; 5]) -> Self {
        let mut end = 0;
        let ends = parts.map(|part| {
            end += part.len();
            // No message is that long.
            u32::try_from(end).unwrap_or(u32::MAX)
        });
        Self {
            text: parts.concat().into(),
            ends,
        }
    }

    fn get(&self, part: usize) -> &str {
        let end = |part: usize| self.ends[part] as usize;
        let start = part.checked_sub(1).map_or(0, end);
        self.text.get(start..end(part)).unwrap_or_default()
    }
}

/// The state that RFC 3261 §12 gives a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    role: Role,
    names: Names,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    remote_target: Uri,
    route_set: RouteSet,
}

impl Dialog {
    /// The caller's dialog, from the request it sent and a response with a To tag (§12.1.2).
    ///
    /// # Errors
    ///
    /// [`DialogError`] when the response lacks a tag or a Contact that a dialog needs; a response
    /// of an RFC 2543 peer without a To tag is taken, with an empty tag, if it is a 2xx.
    pub fn of_caller(request: &Request, response: &Response) -> Result<Self, DialogError> {
        let sent = request.headers();
        let got = response.headers();
        let remote_tag = wire::to_tag(got).unwrap_or_default();
        if remote_tag.is_empty() && !response.status().is_success() {
            return Err(DialogError::NoTag);
        }
        let remote_target = match wire::contact_uri(got) {
            Some(uri) => uri,
            // An early dialog may be without a Contact when the 1xx is unreliable: what was called stands in.
            None if response.status().is_provisional() => wire::detached(request.uri()),
            None => return Err(DialogError::NoContact),
        };
        writable([wire::text(got, HeaderName::TO)])?;
        Ok(Self {
            role: Role::Caller,
            names: Names::new([
                wire::call_id(sent),
                wire::text(sent, HeaderName::FROM),
                wire::text(got, HeaderName::TO),
                wire::from_tag(sent).unwrap_or_default(),
                remote_tag,
            ]),
            local_cseq: wire::cseq_number(sent).unwrap_or_default(),
            remote_cseq: None,
            remote_target,
            route_set: RouteSet::of_caller(got),
        })
    }

    /// The callee's dialog, from the request that it received and the tag that it answers with (§12.1.1).
    ///
    /// # Errors
    ///
    /// [`DialogError::NoContact`]: there is nowhere to send requests to.
    pub fn of_callee(request: &Request, local_tag: &str) -> Result<Self, DialogError> {
        let got = request.headers();
        let remote_target = wire::contact_uri(got).ok_or(DialogError::NoContact)?;
        writable(
            [HeaderName::TO, HeaderName::FROM, HeaderName::CALL_ID]
                .map(|name| wire::text(got, name)),
        )?;
        Ok(Self {
            role: Role::Callee,
            names: Names::new([
                wire::call_id(got),
                &wire::with_tag(wire::text(got, HeaderName::TO), local_tag),
                wire::text(got, HeaderName::FROM),
                local_tag,
                wire::from_tag(got).unwrap_or_default(),
            ]),
            local_cseq: 0,
            remote_cseq: wire::cseq_number(got),
            remote_target,
            route_set: RouteSet::of_callee(got),
        })
    }

    /// The subscriber's dialog, from the first NOTIFY (RFC 6665 §4.4.1); `cseq` is the number of
    /// the SUBSCRIBE.
    ///
    /// # Errors
    ///
    /// As [`Self::of_callee`].
    pub fn of_notify(notify: &Request, cseq: u32) -> Result<Self, DialogError> {
        let local_tag = wire::to_tag(notify.headers()).unwrap_or_default();
        Ok(Self {
            role: Role::Caller,
            local_cseq: cseq,
            ..Self::of_callee(notify, local_tag)?
        })
    }

    /// Call-ID and both tags.
    #[must_use]
    pub fn id(&self) -> DialogId {
        DialogId {
            call_id: self.call_id().to_owned(),
            local_tag: self.local_tag().to_owned(),
            remote_tag: self.remote_tag().to_owned(),
        }
    }

    /// Whether a message with these three belongs to this dialog. Nothing less will do (§12).
    #[must_use]
    pub fn is(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
        self.call_id() == call_id
            && self.local_tag() == local_tag
            && self.remote_tag() == remote_tag
    }

    /// Who sent the first request.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.names.get(Names::CALL_ID)
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        self.names.get(Names::LOCAL_TAG)
    }

    /// The peer's tag; empty for a peer of RFC 2543.
    #[must_use]
    pub fn remote_tag(&self) -> &str {
        self.names.get(Names::REMOTE_TAG)
    }

    /// The whole From or To value of our side, with our tag.
    pub(crate) fn local_value(&self) -> &str {
        self.names.get(Names::LOCAL)
    }

    /// Where the peer wants its requests: its last Contact.
    #[must_use]
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// The proxies between.
    #[must_use]
    pub fn route_set(&self) -> &RouteSet {
        &self.route_set
    }

    /// The URI whose address a request of this dialog is sent to (§8.1.2).
    #[must_use]
    pub fn next_hop(&self) -> &Uri {
        self.route_set.first().unwrap_or(&self.remote_target)
    }

    /// The next request, with a CSeq one higher than the last (§12.2.1.1). An ACK is made by [`Self::ack`].
    #[must_use]
    pub fn request(&mut self, method: &Method) -> Request {
        let number = self.take_cseq();
        self.build(method, number)
    }

    /// Takes the next CSeq, for a request that is sent again with credentials (§22.2).
    #[must_use]
    pub fn take_cseq(&mut self) -> u32 {
        // §8.1.1.5: below 2^31; a dialog that gets there starts nothing more that a peer would take.
        self.local_cseq = (self.local_cseq + 1) & 0x7fff_ffff;
        self.local_cseq
    }

    /// The last CSeq that we used.
    #[must_use]
    pub fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// Never goes back behind `number`: a request with it went out by another hand.
    pub fn raise_local_cseq(&mut self, number: u32) {
        self.local_cseq = self.local_cseq.max(number);
    }

    /// The ACK for a 2xx to `invite`: its CSeq number and credentials, this dialog's route (§13.2.2.4).
    #[must_use]
    pub fn ack(&self, invite: &Request) -> Request {
        let number = wire::cseq_number(invite.headers()).unwrap_or(self.local_cseq);
        let mut ack = self.build(&Method::Ack, number);
        for name in [HeaderName::AUTHORIZATION, HeaderName::PROXY_AUTHORIZATION] {
            wire::copy(invite.headers(), ack.headers_mut(), name);
        }
        ack
    }

    fn build(&self, method: &Method, number: u32) -> Request {
        let mut request = Request::new(method.clone(), self.remote_target.clone());
        self.route_set.apply(&self.remote_target, &mut request);
        let headers = request.headers_mut();
        wire::append(headers, HeaderName::MAX_FORWARDS, "70");
        wire::append(headers, HeaderName::FROM, self.local_value());
        wire::append(headers, HeaderName::TO, self.names.get(Names::REMOTE));
        wire::append(headers, HeaderName::CALL_ID, self.call_id());
        let cseq = format_args!("{number} {}", method.as_str());
        let _ = headers.append_fmt(HeaderName::CSEQ, cseq);
        request
    }

    /// Whether a request with this CSeq comes in order; gaps are fine (§12.2.2).
    ///
    /// Says nothing to the dialog: a request that is refused (401 to a BYE) must not count.
    ///
    /// # Errors
    ///
    /// [`DialogError::OutOfOrder`], to be answered 500.
    pub fn check_cseq(&self, number: u32) -> Result<(), DialogError> {
        match self.remote_cseq {
            Some(last) if number <= last => Err(DialogError::OutOfOrder),
            _ => Ok(()),
        }
    }

    /// Counts a request that was taken.
    pub fn take_remote_cseq(&mut self, number: u32) {
        self.remote_cseq = Some(self.remote_cseq.map_or(number, |last| last.max(number)));
    }

    /// Takes the Contact of a target refresh, if it has one; the route set stays (§12.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        // Mostly it is where it was, and what is kept stays as it is.
        if let Some(uri) = wire::contact(headers)
            && uri.as_str() != self.remote_target.as_str()
        {
            self.remote_target = uri.to_owned();
        }
    }

    /// Confirms an early dialog: the 2xx's target and, once more, its route set (§13.2.2.4).
    pub fn confirm(&mut self, response: &Response) {
        self.refresh_target(response.headers());
        if self.role == Role::Caller {
            // The 2xx is what counts, but a 2xx that lost its Record-Route on the way must not
            // cost the route that the 1xx gave.
            let route_set = RouteSet::of_caller(response.headers());
            if !route_set.is_empty() {
                self.route_set = route_set;
            }
        }
    }
}

/// What our requests will repeat must fit in a header line.
fn writable<const N: usize>(values: [&str; N]) -> Result<(), DialogError> {
    let fit = values.into_iter().all(wire::is_writable);
    fit.then_some(()).ok_or(DialogError::Unwritable)
}
