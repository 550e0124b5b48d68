//! All sockets of a process behind one call: what arrives next.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use offhook_media::relay;
use offhook_routing::next_hop::DnsQuestion;
use offhook_sip::Transport;
use offhook_transaction::{ConnectionId, Flow, Transmit};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::arrival::{Arrival, Note};
use crate::bind::{Bound, bind_all};
use crate::census::Census;
use crate::config::Config;
use crate::counters::{Counters, Tally};
use crate::dns::Resolver;
use crate::error::BindError;
use crate::flow_table::{Entry, FlowTable};
use crate::media_ports::{RelayThreads, RtpPorts};
use crate::out_queue::out_queue;
use crate::stream::Surroundings;
use crate::tcp::{self, ConnectionNumbers};
use crate::udp::UdpListener;

/// How late a timer may be while packets wait: so many timers come due together under load that
/// each would otherwise cost a turn of its own.
const LATENESS: Duration = Duration::from_millis(1);
/// How long [`Sockets::shut_down`] waits for what is queued on streams.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// The sockets of a machine: feed it what [`Self::next_before`] yields, hand what it wants sent to
/// [`Self::transmit`].
///
/// Nothing here waits but `next` and `next_before`, and both may be cancelled without loss.
#[derive(Debug)]
pub struct Sockets {
    bound: Vec<(Transport, SocketAddr)>,
    udp: Vec<UdpListener>,
    flows: FlowTable,
    numbers: Arc<ConnectionNumbers>,
    census: Arc<Census>,
    around: Surroundings,
    notes: mpsc::Receiver<Note>,
    /// What our own calls have to report.
    backlog: VecDeque<Arrival>,
    /// How long the last datagram had waited.
    delay: Duration,
    resolver: Resolver,
    relays: RelayThreads,
    rtp: RtpPorts,
    /// Ends with `self`.
    tasks: JoinSet<()>,
}

impl Sockets {
    /// Binds everything that `config` lists. Must be called inside a tokio runtime with I/O and
    /// time enabled; a current-thread one is enough.
    ///
    /// # Errors
    /// The first address that cannot be had; nothing stays bound then.
    pub fn bind(config: Config) -> Result<Self, BindError> {
        let placed = bind_all(&config)?;
        let (sender, notes) = mpsc::channel(config.limits.arrivals.max(1));
        let resolver = Resolver::new(&config, sender.clone())
            .map_err(|source| BindError::Resolver { source })?;
        let mut limits = config.limits;
        limits.connections = limits.connections.min(crate::descriptors::fair_share());
        let census = Census::new(limits.connections, limits.connections_per_source);
        let around = Surroundings {
            notes: sender,
            limits: Arc::new(limits),
            parser: config.parser,
            tally: Arc::new(Tally::default()),
        };
        let relays = RelayThreads::start(config.relay.as_ref())
            .map_err(|source| BindError::Relay { source })?;
        let mut sockets = Self {
            bound: Vec::new(),
            udp: Vec::new(),
            flows: FlowTable::default(),
            numbers: Arc::default(),
            census,
            resolver,
            rtp: RtpPorts::new(around.notes.clone(), Arc::clone(&around.tally)),
            relays,
            around,
            notes,
            backlog: VecDeque::new(),
            delay: Duration::ZERO,
            tasks: JoinSet::new(),
        };
        for (transport, address, bound) in placed {
            sockets.add(bound).map_err(|source| BindError::Refused {
                transport,
                address,
                source,
            })?;
            sockets.bound.push((transport, address));
        }
        Ok(sockets)
    }

    fn add(&mut self, bound: Bound) -> std::io::Result<()> {
        match bound {
            Bound::Udp(socket) => {
                let (listener, tasks) = UdpListener::new(socket, Arc::clone(&self.around.tally))?;
                self.tasks.spawn(tasks.run(self.around.notes.clone()));
                self.udp.push(listener);
            }
            Bound::Tcp(listener) => {
                let (numbers, census) = (Arc::clone(&self.numbers), Arc::clone(&self.census));
                let accepting = tcp::accept_loop(listener, numbers, census, self.around.clone());
                self.tasks.spawn(accepting);
            }
        }
        Ok(())
    }

    /// The addresses that are really listened on, in the order of [`Config::listen`].
    pub fn bound(&self) -> &[(Transport, SocketAddr)] {
        &self.bound
    }

    /// The numbers since the start.
    pub fn counters(&self) -> Counters {
        self.around.tally.snapshot()
    }

    /// How long the datagram that was handed out last had waited, from its arrival at this machine
    /// on: what the owner of the sockets is behind. Only Linux tells; elsewhere it is zero.
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// Open stream connections, those being opened included.
    pub fn connections(&self) -> usize {
        self.flows.len()
    }

    /// The next thing to feed a machine.
    pub async fn next(&mut self) -> Arrival {
        loop {
            if let Some(arrival) = self.at_hand() {
                return arrival;
            }
            self.relays.wake();
            tokio::select! {
                // Never `None`: `self.around` holds a sender.
                Some(note) = self.notes.recv() => self.take(note),
                event = self.relays.next() => return Arrival::Media(event),
            }
        }
    }

    /// What needs no waiting for: the rest of a batch, fed without asking everything else that a
    /// loop waits for in between. It ends, as the tasks that receive have no turn meanwhile.
    pub fn at_hand(&mut self) -> Option<Arrival> {
        loop {
            if let Some(arrival) = self.backlog.pop_front() {
                return Some(arrival);
            }
            if let Some(event) = self.relays.at_hand() {
                return Some(Arrival::Media(event));
            }
            let note = self.notes.try_recv().ok()?;
            self.take(note);
        }
    }

    /// What has arrived already, if anything: for those who must have it before they go on, as a
    /// phone before it plays what it has heard. Lets the tasks that receive have their turn first.
    pub async fn next_waiting(&mut self) -> Option<Arrival> {
        if self.backlog.is_empty() && self.notes.is_empty() {
            self.relays.wake();
            tokio::task::yield_now().await;
        }
        while self.backlog.is_empty() {
            let note = self.notes.try_recv().ok()?;
            self.take(note);
        }
        self.backlog.pop_front()
    }

    /// The next thing to feed a machine, or `None` once `deadline` has come. A deadline that came a
    /// millisecond ago goes before everything else, so that no flood of packets holds the timers
    /// up.
    pub async fn next_before(&mut self, deadline: Option<Instant>) -> Option<Arrival> {
        let Some(deadline) = deadline else {
            return Some(self.next().await);
        };
        let now = Instant::now();
        if deadline + LATENESS > now
            && let Some(arrival) = self.at_hand()
        {
            return Some(arrival);
        }
        if deadline <= now {
            self.relays.wake();
            // Timers that are always due must not starve the tasks that receive.
            tokio::task::yield_now().await;
            return None;
        }
        tokio::select! {
            biased;
            arrival = self.next() => Some(arrival),
            () = sleep_until(deadline.into()) => None,
        }
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Arrival(Arrival::Rtp { port, .. }) if !self.rtp.is_open(port) => {}
            Note::Arrival(arrival) => self.backlog.push_back(arrival),
            Note::Datagram {
                flow,
                payload,
                arrived,
            } => {
                // The world's clock may have been set back meanwhile.
                let waited = arrived.and_then(|at| SystemTime::now().duration_since(at).ok());
                self.delay = waited.unwrap_or_default();
                self.backlog.push_back(Arrival::Packet { flow, payload });
            }
            Note::Accepted { flow, queue } => {
                if let Some(connection) = flow.connection {
                    let entry = Entry::accepted(connection, flow, queue);
                    self.flows.insert(connection, entry);
                }
            }
            Note::Opened { connection } => self.flows.stands(connection),
            Note::Gone { connection } => self.forget(connection),
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        let flows = self.flows.remove(connection).into_iter();
        self.backlog
            .extend(flows.map(|flow| Arrival::TransportError { flow }));
    }

    /// Sends a message, or queues it. What goes wrong arrives as
    /// [`Arrival::TransportError`] with the flow given here.
    pub fn transmit(&mut self, transmit: Transmit) {
        let flow = transmit.flow;
        let sent = match flow.transport {
            Transport::Udp => self.send_datagram(transmit),
            Transport::Tcp => self.send_on_stream(flow, transmit.payload),
            _ => false,
        };
        if sent {
            self.around.tally.sent.add_one();
        } else {
            self.around.tally.send_failures.add_one();
            self.report(flow);
        }
    }

    /// Once: the flow may have been reported with its connection just now.
    fn report(&mut self, flow: Flow) {
        let told = |arrival: &Arrival| matches!(arrival, Arrival::TransportError { flow: told } if *told == flow);
        if !self.backlog.iter().rev().take(2).any(told) {
            self.backlog.push_back(Arrival::TransportError { flow });
        }
    }

    fn send_datagram(&self, transmit: Transmit) -> bool {
        let flow = transmit.flow;
        let suits = |listener: &&UdpListener| listener.suits(flow.local);
        let Some(listener) = self
            .udp
            .iter()
            .max_by_key(suits)
            .filter(|best| suits(best) > 0)
        else {
            tracing::debug!(%flow, "no UDP socket of this address family");
            return false;
        };
        let sent = listener.send(transmit);
        if let Err(error) = &sent {
            tracing::debug!(%flow, local = %listener.bound(), %error, "sending");
        }
        sent.is_ok()
    }

    fn send_on_stream(&mut self, flow: Flow, payload: Bytes) -> bool {
        if let Some((connection, queue)) = self.flows.find(&flow) {
            let queued = queue.push(payload);
            if !queued {
                self.forget(connection);
            }
            return queued;
        }
        let Some(admission) = self.census.admit_own() else {
            self.around.tally.refused.add_one();
            return false;
        };
        let (queue, outbox) = out_queue(self.around.limits.stream_queue);
        if !queue.push(payload) {
            return false;
        }
        let connection = self.numbers.next();
        self.flows
            .insert(connection, Entry::opened(connection, flow, queue));
        tokio::spawn(tcp::open(
            flow,
            connection,
            outbox,
            self.around.clone(),
            admission,
        ));
        true
    }

    /// Asks the DNS; the answer comes as [`Arrival::Dns`].
    pub fn resolve(&mut self, question: DnsQuestion) {
        if let Some(answer) = self.resolver.ask(question) {
            self.backlog.push_back(Arrival::Dns(answer));
        }
    }

    /// Tells the relay thread of that relay; what it reports comes as [`Arrival::Media`]. It obeys
    /// when arrivals are waited for next, or before it handles a packet that comes first.
    pub fn media(&mut self, command: relay::Command) {
        self.relays.tell(command);
    }

    /// Opens a plain media port for a phone: RTP or RTCP, one call each. Port 0 takes a free one.
    ///
    /// # Errors
    /// What the system says, above all that the port is taken.
    pub fn rtp_open(&mut self, local: SocketAddr) -> std::io::Result<SocketAddr> {
        self.rtp.open(local)
    }

    /// Sends from a plain media port, if that is possible now: late voice is worth nothing.
    pub fn rtp_send(&mut self, port: u16, to: SocketAddr, payload: &[u8]) {
        self.rtp.send(port, to, payload);
    }

    /// Closes a plain media port.
    pub fn rtp_close(&mut self, port: u16) {
        self.rtp.close(port);
    }

    /// Writes what is queued on streams, for a second at most, and closes everything.
    pub async fn shut_down(mut self) {
        let mut open = self.flows.close_all();
        let flushed = async {
            while open > 0 {
                if let Some(Note::Gone { .. }) = self.notes.recv().await {
                    open -= 1;
                }
            }
        };
        // What a peer does not read in this time is lost.
        let _ = timeout(FLUSH_TIME, flushed).await;
        self.relays.stop();
    }
}
