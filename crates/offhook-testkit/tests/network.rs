//! The network keeps its promises: the weather, the streams, the replay.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::Transport;
use offhook_testkit::{Conditions, Datagram, Fate, Network, Node, NodeId, for_each_seed};
use offhook_transaction::{Flow, Transmit};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const SECOND: Duration = Duration::from_secs(1);

/// Sends what it is told to, notes what it hears, and may tick.
#[derive(Default)]
struct Parrot {
    out: Vec<Transmit>,
    media: Vec<Datagram>,
    heard: Vec<(Instant, Flow, Bytes)>,
    heard_media: Vec<(SocketAddr, SocketAddr, Bytes)>,
    errors: Vec<Flow>,
    tick: Option<Instant>,
    ticks: usize,
    echo: bool,
}

impl Node for Parrot {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        if self.echo {
            let payload = payload.clone();
            self.out.push(Transmit { flow, payload });
        }
        self.heard.push((now, flow, payload));
    }

    fn handle_transport_error(&mut self, _now: Instant, flow: Flow) {
        self.errors.push(flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.tick.is_some_and(|at| at <= now) {
            self.ticks += 1;
            self.tick = Some(now + SECOND).filter(|_| self.ticks < 5);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.tick
    }

    fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        (!self.out.is_empty()).then(|| self.out.remove(0))
    }

    fn handle_datagram(
        &mut self,
        _now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        payload: Bytes,
    ) {
        self.heard_media.push((local, from, payload));
    }

    fn poll_datagram(&mut self, _now: Instant) -> Option<Datagram> {
        self.media.pop()
    }
}

fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 5060)
}

fn stream() -> Flow {
    Flow {
        transport: Transport::Tcp,
        local: at(A),
        remote: at(B),
        connection: None,
    }
}

fn pair(seed: u64, conditions: Conditions) -> (Network, NodeId<Parrot>, NodeId<Parrot>) {
    let mut network = Network::new(seed, conditions);
    let a = network.add(A, Parrot::default());
    let b = network.add(B, Parrot::default());
    (network, a, b)
}

fn send(network: &mut Network, from: NodeId<Parrot>, flow: Flow, text: &str) {
    let payload = Bytes::copy_from_slice(text.as_bytes());
    network.act(from, |parrot, _| {
        parrot.out.push(Transmit { flow, payload });
    });
}

fn heard(network: &Network, node: NodeId<Parrot>) -> Vec<String> {
    let heard = &network.node(node).heard;
    let text = |payload: &Bytes| String::from_utf8_lossy(payload).into_owned();
    heard.iter().map(|(_, _, payload)| text(payload)).collect()
}

#[test]
fn a_perfect_link_delivers_in_order_after_its_latency() {
    let (mut network, a, b) = pair(1, Conditions::perfect());
    for number in 0..10 {
        send(
            &mut network,
            a,
            Flow::udp(at(A), at(B)),
            &number.to_string(),
        );
    }
    assert!(network.run_until_idle(SECOND));
    let expected: Vec<String> = (0..10).map(|number: u32| number.to_string()).collect();
    assert_eq!(heard(&network, b), expected);
    let (when, flow, _) = network.node(b).heard[0].clone();
    assert_eq!(when - network.start(), Duration::from_millis(1));
    assert_eq!(flow, Flow::udp(at(B), at(A)));
}

#[test]
fn loss_duplication_and_corruption_come_as_often_as_asked() {
    let weather = Conditions {
        loss: 0.25,
        duplication: 0.25,
        corruption: 0.25,
        ..Conditions::lossy(0.25)
    };
    let (mut network, a, b) = pair(2, weather);
    for _ in 0..4000 {
        send(&mut network, a, Flow::udp(at(A), at(B)), "0123456789");
    }
    network.run_until_idle(SECOND);
    let statistics = network.statistics();
    assert!((900..1100).contains(&statistics.lost), "{statistics:?}");
    // A quarter of the 3,000 that are left comes twice; a quarter of all copies is changed.
    let arrived = heard(&network, b);
    assert!((3600..3900).contains(&arrived.len()), "{}", arrived.len());
    let changed = arrived.iter().filter(|text| *text != "0123456789").count();
    assert!((850..1050).contains(&changed), "{changed}");
}

#[test]
fn reordering_lets_later_packets_overtake() {
    let weather = Conditions {
        reordering: 0.5,
        ..Conditions::perfect()
    };
    let (mut network, a, b) = pair(3, weather);
    for number in 10..60 {
        send(
            &mut network,
            a,
            Flow::udp(at(A), at(B)),
            &number.to_string(),
        );
    }
    network.run_until_idle(SECOND);
    let arrived = heard(&network, b);
    assert_eq!(arrived.len(), 50);
    assert!(!arrived.is_sorted());
}

#[test]
fn a_run_follows_from_its_seed() {
    let run = |seed| {
        let (mut network, a, b) = pair(seed, Conditions::hostile());
        network.node_mut(b).echo = true;
        for number in 0..50 {
            send(
                &mut network,
                a,
                Flow::udp(at(A), at(B)),
                &number.to_string(),
            );
            send(&mut network, a, stream(), &number.to_string());
        }
        network.run_until_idle(SECOND * 60);
        network.sightings().to_vec()
    };
    for_each_seed(5, |seed| assert_eq!(run(seed), run(seed)));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_stream_is_opened_once_and_keeps_its_order_through_loss() {
    let (mut network, a, b) = pair(4, Conditions::lossy(0.5));
    network.node_mut(b).echo = true;
    let expected: Vec<String> = (0..40).map(|number: u32| number.to_string()).collect();
    for text in &expected {
        send(&mut network, a, stream(), text);
    }
    assert!(network.run_until_idle(SECOND * 600));
    assert_eq!(heard(&network, b), expected);
    assert_eq!(
        heard(&network, a),
        expected,
        "the echo on the same connection"
    );
    let flows: Vec<Flow> = network.node(b).heard.iter().map(|heard| heard.1).collect();
    assert!(
        flows
            .iter()
            .all(|flow| flow.connection == flows[0].connection)
    );
    assert_eq!(flows[0].local, at(B));
    assert_eq!(flows[0].remote.ip(), A);
    assert_ne!(flows[0].remote.port(), 5060, "an ephemeral port");
}

#[test]
fn a_refused_or_unknown_address_is_a_transport_error() {
    let (mut network, a, _) = pair(5, Conditions::perfect());
    network.refuse(B, Transport::Tcp);
    send(&mut network, a, stream(), "hello");
    network.run_for(SECOND);
    assert_eq!(network.node(a).errors, [stream()]);

    let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 99)), 5060);
    let flow = Flow::udp(at(A), nobody);
    send(&mut network, a, flow, "hello");
    network.run_for(SECOND);
    assert_eq!(network.node(a).errors.len(), 1, "silence without ICMP");
    network.set_conditions(Conditions {
        icmp: true,
        ..Conditions::perfect()
    });
    send(&mut network, a, flow, "hello");
    network.run_for(SECOND);
    assert_eq!(network.node(a).errors[1], flow);
    assert_eq!(network.sightings()[1].fate, Fate::Undeliverable);
}

#[test]
fn a_short_cut_delays_a_stream_and_a_long_one_breaks_it() {
    let (mut network, a, b) = pair(6, Conditions::perfect());
    send(&mut network, a, stream(), "one");
    network.run_for(SECOND);
    network.partition(A, B);
    send(&mut network, a, stream(), "two");
    send(&mut network, a, Flow::udp(at(A), at(B)), "lost");
    network.run_for(SECOND * 10);
    assert_eq!(heard(&network, b), ["one"]);
    network.heal();
    network.run_for(SECOND * 2);
    assert_eq!(heard(&network, b), ["one", "two"]);
    network.partition(A, B);
    send(&mut network, a, stream(), "three");
    network.run_for(SECOND * 40);
    assert_eq!(network.node(a).errors.len(), 1);
    assert_eq!(network.node(b).errors.len(), 1);
    network.heal();
    send(&mut network, a, stream(), "four");
    network.run_for(SECOND);
    assert_eq!(heard(&network, b), ["one", "two", "four"]);
}

#[test]
fn a_restart_resets_connections_and_keeps_the_address() {
    let (mut network, a, b) = pair(7, Conditions::perfect());
    send(&mut network, a, stream(), "one");
    network.run_for(SECOND);
    let old = network.restart(b, Parrot::default());
    assert_eq!(old.heard.len(), 1);
    network.run_for(SECOND);
    assert_eq!(network.node(a).errors.len(), 1);
    send(&mut network, a, stream(), "two");
    network.run_for(SECOND);
    assert_eq!(heard(&network, b), ["two"]);
}

#[test]
fn an_unplugged_node_hears_nothing() {
    let (mut network, a, b) = pair(8, Conditions::perfect());
    network.unplug(B);
    send(&mut network, a, Flow::udp(at(A), at(B)), "one");
    network.run_for(SECOND);
    network.plug(B);
    send(&mut network, a, Flow::udp(at(A), at(B)), "two");
    network.run_for(SECOND);
    assert_eq!(heard(&network, b), ["two"]);
    assert_eq!(network.statistics().cut_off, 1);
}

#[test]
fn media_goes_from_port_to_port() {
    let (mut network, a, b) = pair(9, Conditions::perfect());
    let datagram = Datagram {
        from: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 4000),
        to: SocketAddr::new(B, 4002),
        payload: Bytes::from_static(&[0x80; 172]),
    };
    network.act(a, |parrot, _| parrot.media.push(datagram.clone()));
    network.run_for(SECOND);
    let expected = (datagram.to, SocketAddr::new(A, 4000), datagram.payload);
    assert_eq!(network.node(b).heard_media, [expected]);
    assert!(network.node(b).heard.is_empty());
    assert_eq!(network.sightings()[0].transport, None);
}

#[test]
fn time_jumps_from_timer_to_timer() {
    let (mut network, a, _) = pair(10, Conditions::perfect());
    network.act(a, |parrot, now| parrot.tick = Some(now + SECOND * 3600));
    assert!(
        !network.run_until_idle(SECOND * 3600),
        "the second tick is still to come"
    );
    assert_eq!(network.node(a).ticks, 1);
    assert!(network.run_until_idle(SECOND * 3600));
    assert_eq!(network.node(a).ticks, 5);
    assert_eq!(network.elapsed(), SECOND * 3604);
    assert!(!network.step(), "nothing will ever happen again");
}

#[test]
#[should_panic(expected = "spins")]
fn a_node_that_makes_no_progress_is_found_out() {
    struct Stuck(Instant);
    impl Node for Stuck {
        fn handle_packet(&mut self, _: Instant, _: Flow, _: Bytes) {}
        fn handle_transport_error(&mut self, _: Instant, _: Flow) {}
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_timeout(&self) -> Option<Instant> {
            Some(self.0)
        }
        fn poll_transmit(&mut self, _: Instant) -> Option<Transmit> {
            None
        }
    }
    let mut network = Network::new(11, Conditions::perfect());
    let start = network.start();
    network.add(A, Stuck(start));
    network.run_for(SECOND);
}

#[test]
fn a_router_hides_its_inside_and_keeps_strangers_out() {
    const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
    const C: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
    let (mut network, a, b) = pair(12, Conditions::perfect());
    let c = network.add(C, Parrot::default());
    network.add_nat(PUBLIC, &[A], SECOND * 60);
    network.node_mut(b).echo = true;
    send(&mut network, a, Flow::udp(at(A), at(B)), "one");
    network.run_for(SECOND);
    let seen = network.node(b).heard[0].1.remote;
    assert_eq!(seen.ip(), PUBLIC);
    assert_eq!(heard(&network, a), ["one"], "the answer comes back in");
    assert_eq!(network.node(a).heard[0].1, Flow::udp(at(A), at(B)));

    send(&mut network, c, Flow::udp(at(C), seen), "stranger");
    send(&mut network, c, Flow::udp(at(C), at(A)), "around");
    network.run_for(SECOND);
    assert_eq!(
        heard(&network, a),
        ["one", "around"],
        "only the router hides it"
    );

    network.run_for(SECOND * 30);
    send(&mut network, a, Flow::udp(at(A), at(B)), "two");
    network.run_for(SECOND * 61);
    assert_eq!(
        network.node(b).heard[1].1.remote,
        seen,
        "alive: the same port"
    );
    send(&mut network, b, Flow::udp(at(B), seen), "late");
    send(&mut network, a, Flow::udp(at(A), at(B)), "three");
    network.run_for(SECOND);
    assert_ne!(
        network.node(b).heard[2].1.remote,
        seen,
        "after silence another port"
    );
    assert!(!heard(&network, a).contains(&"late".to_owned()));

    send(&mut network, a, stream(), "four");
    network.run_for(SECOND);
    let flow = network.node(b).heard[3].1;
    assert_eq!((flow.transport, flow.remote.ip()), (Transport::Tcp, PUBLIC));
    assert_eq!(
        heard(&network, a).last().unwrap(),
        "four",
        "back on the connection"
    );
}
