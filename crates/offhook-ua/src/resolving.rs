//! From a URI to a flow: at once for an address, by questions to the DNS for a name (RFC 3263).

use std::net::SocketAddr;
use std::time::Instant;

use offhook_dialog::{Failure, Purpose};
use offhook_routing::next_hop::{
    DnsAnswer, Family, Hop, NextHop, Output as HopOutput, Preferences, Wanted,
};
use offhook_sip::{Host, Transport, UriRef};
use offhook_transaction::Flow;
use rand::RngExt;

use crate::config::Config;
use crate::event::{Event, Output};
use crate::exchange::{Outgoing, Owner, Undelivered};
use crate::user_agent::UserAgent;

impl UserAgent {
    /// Looks for the address of a request's target and sends it there, now or when the DNS has answered.
    pub(crate) fn look_up(&mut self, now: Instant, mut outgoing: Outgoing, target: UriRef<'_>) {
        let near = self.near(&outgoing.owner);
        if let Some(flow) = self.config.literal(target, near.as_ref()) {
            self.transmit(now, outgoing, flow);
            return;
        }
        let id = self.number();
        let mut preferences = self.config.preferences();
        if let Some(only) = self.only_kind(&outgoing.owner) {
            preferences.families.retain(|family| *family == only);
        }
        let hop = Wanted::of_uri(target)
            .and_then(|wanted| NextHop::new(id, self.rng.random(), preferences, wanted));
        match hop {
            Ok(hop) => {
                outgoing.hop = Some(Box::new((id, hop)));
                self.advance(now, outgoing, Failure::Unresolved);
            }
            Err(_) => self.undelivered.push_back(Undelivered {
                owner: outgoing.owner,
                failure: Failure::Unresolved,
            }),
        }
    }

    pub(crate) fn resolved(&mut self, now: Instant, answer: DnsAnswer) {
        let Some(mut outgoing) = self.resolving.waiting.remove(&answer.id) else {
            return; // Withdrawn meanwhile.
        };
        if let Some(hop) = &mut outgoing.hop {
            hop.1.handle_dns_answer(answer);
        }
        self.advance(now, outgoing, Failure::Unresolved);
    }

    /// The next address of the same target, if there is one (RFC 3263 §4.3).
    pub(crate) fn fail_over(&mut self, now: Instant, mut outgoing: Outgoing, failure: Failure) {
        match &mut outgoing.hop {
            Some(hop) => {
                hop.1.fail_over();
                self.advance(now, outgoing, failure);
            }
            None => self.undelivered.push_back(Undelivered {
                owner: outgoing.owner,
                failure,
            }),
        }
    }

    fn advance(&mut self, now: Instant, mut outgoing: Outgoing, failure: Failure) {
        let Some((id, hop)) = outgoing.hop.as_deref_mut() else {
            return;
        };
        let id = *id;
        let mut found = None;
        while let Some(output) = hop.poll_output() {
            match output {
                HopOutput::Resolve(question) => self.output.push_back(Output::Resolve(question)),
                HopOutput::Try(hop) => found = Some(Some(hop)),
                HopOutput::Exhausted(_) => found = Some(None),
            }
        }
        let near = self.near(&outgoing.owner);
        match found {
            Some(Some(hop)) => match self.config.flow_to(&hop, near.as_ref()) {
                Some(flow) if !outgoing.avoids(hop.remote.ip()) => {
                    self.transmit(now, outgoing, flow);
                }
                _ => self.fail_over(now, outgoing, failure),
            },
            Some(None) => self.undelivered.push_back(Undelivered {
                owner: outgoing.owner,
                failure,
            }),
            None if self.resolving.len() >= self.config.limits.resolving => {
                self.event(Event::LimitReached { what: "resolving" });
                self.undelivered.push_back(Undelivered {
                    owner: outgoing.owner,
                    failure: Failure::LimitReached,
                });
            }
            None => {
                self.resolving.waiting.insert(id, outgoing);
            }
        }
    }

    /// The kind of address that a request must go to.
    fn only_kind(&self, owner: &Owner) -> Option<Family> {
        match owner {
            Owner::Call {
                call,
                purpose: Purpose::Invite,
            } => self.calls.get(call)?.only,
            _ => None,
        }
    }

    /// The flow whose local address and connection are to be used again where they fit.
    fn near(&self, owner: &Owner) -> Option<Flow> {
        match owner {
            Owner::Call { call, .. } => self.calls.get(call)?.flow,
            Owner::Ack { transaction, .. } => Some(self.accepted.get(transaction)?.flow),
            Owner::Subscription { id, .. } => self.subscriptions.get(id)?.flow,
            Owner::Subscriber(id) => Some(self.subscribers.get(id)?.flow),
            Owner::Request(_) | Owner::Registration(_) | Owner::Nobody => None,
        }
    }
}

impl Config {
    /// The flow to an address that a URI spells out (RFC 3263 §4.2); `None`: ask the DNS.
    fn literal(&self, uri: UriRef<'_>, near: Option<&Flow>) -> Option<Flow> {
        let secure = uri.scheme_str().eq_ignore_ascii_case("sips");
        if uri.param("maddr").is_some()
            || (!secure && !uri.scheme_str().eq_ignore_ascii_case("sip"))
        {
            return None;
        }
        let Host::Ip(ip) = uri.host()? else {
            return None;
        };
        let transport = match (uri.param("transport"), uri.transport_param()) {
            (None, _) if !secure => Transport::Udp,
            (None, _) | (Some(_), Some(Transport::Tcp)) if secure => Transport::Tls,
            (Some(_), Some(named)) if !secure => named,
            _ => return None,
        };
        let port = uri.port().unwrap_or_else(|| transport.default_port());
        let remote = SocketAddr::new(ip, port);
        self.flow_to(&Hop { transport, remote }, near)
    }

    fn flow_to(&self, hop: &Hop, near: Option<&Flow>) -> Option<Flow> {
        if let Some(near) =
            near.filter(|near| near.transport == hop.transport && near.remote == hop.remote)
        {
            return Some(*near);
        }
        let local = self.local_for(hop.transport, hop.remote.ip(), near)?;
        Some(Flow {
            transport: hop.transport,
            local,
            remote: hop.remote,
            connection: None,
        })
    }

    /// The transports and families that we listen on.
    fn preferences(&self) -> Preferences {
        let mut transports = Vec::new();
        let mut families = Vec::new();
        for local in &self.locals {
            if !transports.contains(&local.transport) {
                transports.push(local.transport);
            }
            let family = if local.bound.is_ipv4() {
                Family::V4
            } else {
                Family::V6
            };
            if !families.contains(&family) {
                families.push(family);
            }
        }
        Preferences {
            transports,
            families,
        }
    }
}
