//! The phone: accounts and calls over a user agent.

mod calls;
mod in_call;
mod media;
mod signals;

use core::net::IpAddr;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use offhook_media::port_pool::PortPool;
use offhook_routing::next_hop::DnsAnswer;
use offhook_sip::Uri;
use offhook_transaction::Flow;
use offhook_ua::{Destination, Local, RegistrationConfig, RegistrationId, UserAgent};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::account::{Account, AccountId};
use crate::call::{Call, Stage};
use crate::config::Config;
use crate::event::{CallId, Event, Output};
use crate::lingering::Lingering;
use crate::tracer::Tracer;

/// A softphone without I/O.
///
/// The contract: *feed one thing, drain [`Self::poll_output`] until `None`, sleep until
/// [`Self::poll_timeout`].* While [`Self::has_sound`], give it 20 ms of sound every 20 ms by
/// [`Self::handle_audio_frame`]; what is heard comes as [`Output::Audio`].
#[derive(Debug)]
pub struct Phone {
    config: Config,
    user_agent: UserAgent,
    accounts: BTreeMap<AccountId, Entry>,
    calls: BTreeMap<CallId, Call>,
    /// Calls that are over, whose ports still take what arrives late.
    lingering: VecDeque<Lingering>,
    ports: PortPool,
    random: StdRng,
    tracer: Option<Tracer>,
    next_id: u64,
    output: VecDeque<Output>,
}

#[derive(Debug)]
struct Entry {
    account: Account,
    registration: Option<RegistrationId>,
}

/// A verb that cannot be obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// As many calls are up as there may be.
    #[error("another call is up")]
    Busy,
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// There is no such call, or it is past that.
    #[error("there is no such call")]
    NoCall,
    /// Every voice port is in use.
    #[error("no voice port is free")]
    NoPort,
    /// A change of the call waits for its answer.
    #[error("a change of the call is under way")]
    Pending,
    /// There is no such key.
    #[error("the keys are 0 to 9, *, #, and A to D")]
    BadDigit,
    /// A name cannot be written in a message.
    #[error("a name has characters that no message can carry")]
    BadName,
}

impl Phone {
    /// A phone with nothing to do. `now` is where the times of its pictures begin; `seed` must be
    /// unguessable.
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        let user_agent = offhook_ua::Config {
            product: config.product.clone(),
            locals: config.locals.clone(),
            ..config.user_agent.clone()
        };
        Self {
            user_agent: UserAgent::new(user_agent, random.random()),
            accounts: BTreeMap::new(),
            calls: BTreeMap::new(),
            lingering: VecDeque::new(),
            ports: PortPool::new(config.media_ports.clone(), config.linger, random.random()),
            tracer: config.ladder.then(|| Tracer::new(now)),
            random,
            next_id: 1,
            output: VecDeque::new(),
            config,
        }
    }

    /// Takes in what the network says.
    pub fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        if let Some(tracer) = &mut self.tracer {
            tracer.message(now, flow.remote, flow.local, &payload);
        }
        self.user_agent.handle_packet(now, flow, payload);
        self.pump(now);
    }

    /// Learns that a flow carries nothing.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.user_agent.handle_transport_error(now, flow);
        self.pump(now);
    }

    /// Takes the answer to an [`Output::Resolve`].
    pub fn handle_dns_answer(&mut self, now: Instant, answer: DnsAnswer) {
        self.user_agent.handle_dns_answer(now, answer);
        self.pump(now);
    }

    /// Does what is due; early and repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.user_agent.handle_timeout(now);
        let due = |call: &&Call| matches!(&call.stage, Stage::Ringing { answer_at: Some(at), .. } if *at <= now);
        let due: Vec<CallId> = self
            .calls
            .values()
            .filter(due)
            .map(|call| call.id)
            .collect();
        for call in due {
            // There is no port: the call was ended for that.
            let _ = self.answer(now, call);
        }
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for id in calls {
            if let Some(call) = self.calls.get_mut(&id) {
                call.voice.handle_timeout(now);
            }
            self.pump_voice(now, id);
        }
        self.clear(now);
        self.pump(now);
    }

    /// When [`Self::handle_timeout`] next has something to do; `None`: nothing is pending.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.values().flat_map(|call| {
            let answer_at = match &call.stage {
                Stage::Ringing { answer_at, .. } => *answer_at,
                _ => None,
            };
            [answer_at, call.voice.poll_timeout()]
        });
        let lingering = self.lingering.front().map(|old| old.until);
        calls
            .flatten()
            .chain(lingering)
            .chain(self.user_agent.poll_timeout())
            .min()
    }

    /// What is to be done now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// What is left of accounts and calls in all machines: for tests that count it.
    pub fn leftovers(&self) -> Leftovers {
        Leftovers {
            calls: self.calls.len(),
            ports: self.ports.in_use(),
            user_agent: self.user_agent.counts(),
        }
    }

    /// Adds an account; nothing is sent yet.
    pub fn add_account(&mut self, account: Account) -> AccountId {
        let id = AccountId(self.mint());
        let registration = None;
        self.accounts.insert(
            id,
            Entry {
                account,
                registration,
            },
        );
        id
    }

    /// Logs in, and stays so until [`Self::unregister`].
    ///
    /// # Errors
    /// [`PhoneError::NoAccount`], or [`PhoneError::BadName`] when the user name fits no URI.
    pub fn register(&mut self, now: Instant, account: AccountId) -> Result<(), PhoneError> {
        let entry = self
            .accounts
            .get_mut(&account)
            .ok_or(PhoneError::NoAccount)?;
        if let Some(registration) = entry.registration {
            self.user_agent.refresh(now, registration);
        } else {
            let config = registration_of(&entry.account)?;
            entry.registration = Some(self.user_agent.register(now, config));
        }
        self.pump(now);
        Ok(())
    }

    /// The phone is somewhere else from now on: it has these addresses. Accounts that are logged in log in anew at once, and
    /// tell the server that the old place is none any more; further calls have their voice at the new one. A call that is
    /// up keeps to the addresses that it has.
    pub fn move_to(&mut self, now: Instant, locals: Vec<Local>, media_address: IpAddr) {
        self.config.locals.clone_from(&locals);
        self.config.media_address = media_address;
        self.user_agent.set_locals(now, locals);
        self.pump(now);
    }

    /// Logs out.
    ///
    /// # Errors
    /// [`PhoneError::NoAccount`].
    pub fn unregister(&mut self, now: Instant, account: AccountId) -> Result<(), PhoneError> {
        let entry = self
            .accounts
            .get_mut(&account)
            .ok_or(PhoneError::NoAccount)?;
        if let Some(registration) = entry.registration {
            self.user_agent.unregister(now, registration);
        }
        self.pump(now);
        Ok(())
    }

    fn mint(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn tell(&mut self, event: Event) {
        self.output.push_back(Output::Event(event));
    }

    /// Takes on what the user agent wants, with the time that the pictures need.
    fn pump(&mut self, now: Instant) {
        while let Some(output) = self.user_agent.poll_output() {
            match output {
                offhook_ua::Output::Transmit(transmit) => {
                    if let Some(tracer) = &mut self.tracer {
                        let (from, to) = (transmit.flow.local, transmit.flow.remote);
                        tracer.message(now, from, to, &transmit.payload);
                    }
                    self.output.push_back(Output::Transmit(transmit));
                }
                offhook_ua::Output::Resolve(question) => {
                    self.output.push_back(Output::Resolve(question));
                }
                offhook_ua::Output::Event(event) => self.handle_signal(now, event),
            }
        }
    }
}

/// What is left in a phone.
#[derive(Debug)]
pub struct Leftovers {
    /// Calls that have not ended.
    pub calls: usize,
    /// Pairs of voice ports in use.
    pub ports: usize,
    /// What the user agent holds.
    pub user_agent: offhook_ua::Counts,
}

fn registration_of(account: &Account) -> Result<RegistrationConfig, PhoneError> {
    let bad = |_| PhoneError::BadName;
    let registrar: Uri = account.server.uri(None).map_err(bad)?;
    let aor = account.server.identity(&account.user).map_err(bad)?;
    Ok(RegistrationConfig {
        contact_user: Some(account.user.clone()),
        expires: account.expires,
        keep_alive: account.keep_alive,
        credentials: account.credentials.clone(),
        destination: Destination::Uri,
        ..RegistrationConfig::new(registrar, aor)
    })
}
