//! The route set of a dialog and what it does to a request (RFC 3261 §12.1, §12.2.1.1).

use offhook_sip::{HeaderName, Headers, Request, Uri};

use crate::wire;

/// The proxies that every request of a dialog passes, in the order in which we send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSet {
    hops: Box<[Uri]>,
}

impl RouteSet {
    /// The callee's route set: Record-Route of the request, in order (§12.1.1).
    #[must_use]
    pub fn of_callee(request: &Headers) -> Self {
        Self {
            hops: wire::record_route(request).into(),
        }
    }

    /// The caller's route set: Record-Route of the response, reversed (§12.1.2).
    #[must_use]
    pub fn of_caller(response: &Headers) -> Self {
        let mut hops = wire::record_route(response);
        hops.reverse();
        Self { hops: hops.into() }
    }

    /// A route set given beforehand, as a Path or an outbound proxy gives one (§8.1.2).
    #[must_use]
    pub fn preloaded(hops: &[Uri]) -> Self {
        Self {
            hops: hops.iter().map(wire::detached).collect(),
        }
    }

    /// The first proxy.
    #[must_use]
    pub fn first(&self) -> Option<&Uri> {
        self.hops.first()
    }

    /// Whether requests go to the target without a proxy between.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }

    /// Writes the Request-URI and the Route lines of a request to `target`.
    ///
    /// A first hop without `lr` is a strict router: it becomes the Request-URI and the target
    /// closes the list (§12.2.1.1).
    pub fn apply(&self, target: &Uri, request: &mut Request) {
        let strict = self.first().is_some_and(|hop| !hop.is_loose_router());
        let (request_uri, hops) = match self.hops.split_first() {
            Some((first, rest)) if strict => (first, rest),
            _ => (target, &self.hops[..]),
        };
        request.set_uri(request_uri.clone());
        request.headers_mut().remove(HeaderName::ROUTE);
        let last = strict.then_some(target);
        for hop in hops.iter().chain(last) {
            wire::append(
                request.headers_mut(),
                HeaderName::ROUTE,
                &format!("<{hop}>"),
            );
        }
    }
}
