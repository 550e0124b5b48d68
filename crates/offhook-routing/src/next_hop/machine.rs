//! The machine that asks the questions of RFC 3263 and keeps what is still to be tried.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use offhook_sip::Transport;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::next_hop::dns::{DnsAnswer, DnsFailure, DnsQuestion, Naptr, Record, RecordKind, Srv};
use crate::next_hop::service;
use crate::next_hop::wanted::{Family, NextHopError, Preferences, Wanted};

/// Records of one answer that are looked at; more than any domain has.
const MAX_RECORDS: usize = 32;

/// Addresses that are given out for one request.
const MAX_HOPS: usize = 64;

/// One address to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// Over which transport.
    pub transport: Transport,
    /// Where to.
    pub remote: SocketAddr,
}

/// Why there is no address to try (any more).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// All were tried.
    AllTried,
    /// The name does not exist, or has no address that we can use.
    NotFound,
    /// The name could not be looked up.
    DnsFailed,
}

/// What [`NextHop`] wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be answered by [`NextHop::handle_dns_answer`].
    Resolve(DnsQuestion),
    /// Send the request there; if that fails, [`NextHop::fail_over`].
    Try(Hop),
    /// There is nothing left: the request has failed as if with a 503.
    Exhausted(Unreachable),
}

/// Finds the address for one request, and the next when that one fails (RFC 3263 §4).
///
/// Feed one thing (an answer, or [`Self::fail_over`]), drain [`Self::poll_output`] until `None`.
/// There is no timer: whoever resolves names ends a question that gets no answer.
///
/// A transaction's ACK and CANCEL go where their INVITE went, without asking again.
///
/// ```
/// use offhook_routing::next_hop::{Hop, NextHop, Output, Preferences, Record, Wanted};
/// use offhook_sip::{Transport, Uri};
///
/// let uri: Uri = "sip:100@pbx.example:5070".parse()?;
/// let wanted = Wanted::of_uri(uri.as_ref())?;
/// let mut hop = NextHop::new(1, [0; 32], Preferences::default(), wanted)?;
/// while let Some(output) = hop.poll_output() {
///     match output {
///         Output::Resolve(question) => {
///             let records = vec![Record::A([192, 0, 2, 7].into())];
///             hop.handle_dns_answer(question.answer(Ok(records)));
///         }
///         Output::Try(hop) => {
///             let remote = "192.0.2.7:5070".parse()?;
///             assert_eq!(hop, Hop { transport: Transport::Udp, remote });
///         }
///         Output::Exhausted(why) => panic!("{why:?}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NextHop {
    id: u64,
    random: StdRng,
    preferences: Preferences,
    wanted: Wanted,
    candidates: VecDeque<Candidate>,
    awaiting: Option<Awaiting>,
    /// Where to look when no service is found.
    fallback: Option<Candidate>,
    tried: Vec<Hop>,
    dns_failed: bool,
    outputs: VecDeque<Output>,
}

/// Something that may still lead to an address.
#[derive(Clone, Debug)]
enum Candidate {
    Service {
        name: String,
        transport: Transport,
    },
    Host {
        name: String,
        port: u16,
        transport: Transport,
    },
    Hop(Hop),
}

/// What was asked last.
#[derive(Debug)]
enum Awaiting {
    Services,
    Hosts {
        name: String,
        transport: Transport,
    },
    Addresses {
        name: String,
        port: u16,
        transport: Transport,
        missing: Vec<RecordKind>,
        found: Vec<IpAddr>,
    },
}

impl NextHop {
    /// Begins to look. `id` marks the questions of this machine, `seed` draws among SRV weights.
    ///
    /// # Errors
    ///
    /// When the wanted transport is not among `preferences`.
    pub fn new(
        id: u64,
        seed: [u8; 32],
        preferences: Preferences,
        wanted: Wanted,
    ) -> Result<Self, NextHopError> {
        let mut machine = Self {
            id,
            random: StdRng::from_seed(seed),
            preferences,
            wanted,
            candidates: VecDeque::new(),
            awaiting: None,
            fallback: None,
            tried: Vec::new(),
            dns_failed: false,
            outputs: VecDeque::new(),
        };
        machine.start()?;
        Ok(machine)
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The address given out last does not work: a timeout, a transport error or a 503
    /// (RFC 3263 §4.3).
    pub fn fail_over(&mut self) {
        if self.awaiting.is_none() && self.outputs.is_empty() {
            self.advance();
        }
    }

    /// Takes an answer; one that was not asked for is ignored.
    pub fn handle_dns_answer(&mut self, answer: DnsAnswer) {
        if answer.id != self.id {
            return;
        }
        let DnsAnswer {
            name,
            kind,
            records,
            ..
        } = answer;
        match (self.awaiting.take(), kind) {
            (Some(Awaiting::Services), RecordKind::Naptr) if name == self.wanted.host => {
                self.services(records);
            }
            (
                Some(Awaiting::Hosts {
                    name: asked,
                    transport,
                }),
                RecordKind::Srv,
            ) if name == asked => self.hosts(transport, records),
            (Some(awaiting), kind) => {
                self.awaiting = Some(awaiting);
                self.addresses(&name, kind, records);
            }
            (None, _) => {}
        }
    }

    fn supports(&self, transport: Transport) -> bool {
        let secure = matches!(transport, Transport::Tls | Transport::Wss);
        (secure || !self.wanted.secure) && self.preferences.transports.contains(&transport)
    }

    /// The transport when neither the URI nor the domain says one (RFC 3263 §4.1).
    fn default_transport(&self) -> Option<Transport> {
        let usual = if self.wanted.secure {
            Transport::Tls
        } else {
            Transport::Udp
        };
        let ours = self.preferences.transports.iter().copied();
        core::iter::once(usual)
            .chain(ours)
            .find(|&transport| self.supports(transport))
    }

    fn start(&mut self) -> Result<(), NextHopError> {
        let transport = match self.wanted.transport {
            Some(transport) => Some(transport).filter(|&transport| self.supports(transport)),
            None => self.default_transport(),
        };
        let transport = transport.ok_or(NextHopError::Transport)?;
        let port = self.wanted.port.unwrap_or(transport.default_port());
        if let Some(address) = self.wanted.address() {
            self.candidates.push_back(Candidate::Hop(Hop {
                transport,
                remote: SocketAddr::new(address, port),
            }));
            self.advance();
            return Ok(());
        }
        let host = Candidate::Host {
            name: self.wanted.host.clone(),
            port,
            transport,
        };
        if self.wanted.port.is_some() {
            self.candidates.push_back(host);
            self.advance();
            return Ok(());
        }
        self.fallback = Some(host);
        if let Some(transport) = self.wanted.transport {
            let name = service::name(transport, &self.wanted.host);
            self.candidates
                .extend(name.map(|name| Candidate::Service { name, transport }));
            self.advance();
        } else {
            self.awaiting = Some(Awaiting::Services);
            self.ask(self.wanted.host.clone(), RecordKind::Naptr);
        }
        Ok(())
    }

    fn ask(&mut self, name: String, kind: RecordKind) {
        let id = self.id;
        self.outputs
            .push_back(Output::Resolve(DnsQuestion { id, name, kind }));
    }

    /// Goes on with the next candidate.
    fn advance(&mut self) {
        while self.tried.len() < MAX_HOPS {
            let next = self.candidates.pop_front().or_else(|| self.fallback.take());
            match next {
                Some(Candidate::Hop(hop)) => {
                    if !self.tried.contains(&hop) {
                        self.tried.push(hop);
                        self.outputs.push_back(Output::Try(hop));
                        return;
                    }
                }
                Some(Candidate::Service { name, transport }) => {
                    self.ask(name.clone(), RecordKind::Srv);
                    self.awaiting = Some(Awaiting::Hosts { name, transport });
                    return;
                }
                Some(Candidate::Host {
                    name,
                    port,
                    transport,
                }) => {
                    self.look_up(name, port, transport);
                    return;
                }
                None => break,
            }
        }
        let why = match (self.tried.is_empty(), self.dns_failed) {
            (false, _) => Unreachable::AllTried,
            (true, true) => Unreachable::DnsFailed,
            (true, false) => Unreachable::NotFound,
        };
        self.outputs.push_back(Output::Exhausted(why));
    }

    fn look_up(&mut self, name: String, port: u16, transport: Transport) {
        let missing: Vec<RecordKind> = self
            .preferences
            .families
            .iter()
            .map(|family| match family {
                Family::V4 => RecordKind::A,
                Family::V6 => RecordKind::Aaaa,
            })
            .collect();
        for &kind in &missing {
            self.ask(name.clone(), kind);
        }
        let nothing_to_ask = missing.is_empty();
        self.awaiting = Some(Awaiting::Addresses {
            name,
            port,
            transport,
            missing,
            found: Vec::new(),
        });
        if nothing_to_ask {
            self.awaiting = None;
            self.outputs
                .push_back(Output::Exhausted(Unreachable::NotFound));
        }
    }

    /// The records of an answer; a failure is remembered and goes on like an empty answer.
    fn records(&mut self, records: Result<Vec<Record>, DnsFailure>) -> Vec<Record> {
        self.dns_failed |= records.is_err();
        let mut records = records.unwrap_or_default();
        records.truncate(MAX_RECORDS);
        records
    }

    fn services(&mut self, records: Result<Vec<Record>, DnsFailure>) {
        let mut naptrs: Vec<Naptr> = self
            .records(records)
            .into_iter()
            .filter_map(|record| match record {
                Record::Naptr(naptr) => Some(naptr),
                _ => None,
            })
            .collect();
        service::sort(&mut naptrs);
        for naptr in naptrs {
            let transport = service::transport(&naptr.service);
            let Some(transport) = transport.filter(|&transport| self.supports(transport)) else {
                continue;
            };
            let name = host_name(&naptr.replacement);
            match naptr.flags.to_ascii_lowercase().as_str() {
                "s" => self
                    .candidates
                    .push_back(Candidate::Service { name, transport }),
                "a" => self.candidates.push_back(Candidate::Host {
                    name,
                    port: transport.default_port(),
                    transport,
                }),
                _ => {}
            }
        }
        if self.candidates.is_empty() {
            for &transport in &self.preferences.transports {
                if !self.supports(transport) {
                    continue;
                }
                let name = service::name(transport, &self.wanted.host);
                self.candidates
                    .extend(name.map(|name| Candidate::Service { name, transport }));
            }
        }
        self.advance();
    }

    fn hosts(&mut self, transport: Transport, records: Result<Vec<Record>, DnsFailure>) {
        let hosts: Vec<Srv> = self
            .records(records)
            .into_iter()
            .filter_map(|record| match record {
                Record::Srv(srv) => Some(srv),
                _ => None,
            })
            .collect();
        if !hosts.is_empty() {
            // The domain has SRV records: its own address is not where SIP is spoken.
            self.fallback = None;
        }
        let ordered = service::shuffle(hosts, &mut self.random);
        for host in ordered.into_iter().rev() {
            let name = host_name(&host.target);
            if !name.is_empty() {
                self.candidates.push_front(Candidate::Host {
                    name,
                    port: host.port,
                    transport,
                });
            }
        }
        self.advance();
    }

    fn addresses(
        &mut self,
        answered: &str,
        kind: RecordKind,
        records: Result<Vec<Record>, DnsFailure>,
    ) {
        let Some(Awaiting::Addresses {
            name,
            port,
            transport,
            missing,
            found,
        }) = &mut self.awaiting
        else {
            return;
        };
        let asked = missing.iter().position(|&asked| asked == kind);
        let Some(asked) = asked.filter(|_| answered == name) else {
            return;
        };
        missing.remove(asked);
        self.dns_failed |= records.is_err();
        let records = records.unwrap_or_default().into_iter();
        found.extend(records.take(MAX_RECORDS).filter_map(|record| match record {
            Record::A(address) => Some(IpAddr::V4(address)),
            Record::Aaaa(address) => Some(IpAddr::V6(address)),
            _ => None,
        }));
        if !missing.is_empty() {
            return;
        }
        let (port, transport) = (*port, *transport);
        let mut found = core::mem::take(found);
        self.awaiting = None;
        let rank = |address: &IpAddr| {
            let family = if address.is_ipv4() {
                Family::V4
            } else {
                Family::V6
            };
            self.preferences
                .families
                .iter()
                .position(|&preferred| preferred == family)
        };
        found.sort_by_key(rank);
        for address in found.into_iter().rev() {
            self.candidates.push_front(Candidate::Hop(Hop {
                transport,
                remote: SocketAddr::new(address, port),
            }));
        }
        self.advance();
    }
}

fn host_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_owned()
}
