//! A phone behind a router: RFC 3581 from end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::{name, outgoing, request};
use offhook_sip::header::Via;
use offhook_sip::{Headers, StatusCode, Transport};
use offhook_testkit::{Conditions, Network, NodeId, Stack};
use offhook_transaction::{Config, Event, Flow, Layer, Local};

const PHONE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SECOND: Duration = Duration::from_secs(1);

fn stack(network: &mut Network, address: IpAddr) -> NodeId<Stack> {
    let local = SocketAddr::new(address, 5060);
    let config = Config {
        locals: vec![
            Local::new(Transport::Udp, local),
            Local::new(Transport::Tcp, local),
        ],
        ..Config::default()
    };
    let layer = Layer::new(config, network.seed32());
    network.add(address, Stack::new(layer))
}

fn told(network: &mut Network, node: NodeId<Stack>) -> Vec<String> {
    network
        .node_mut(node)
        .events
        .drain(..)
        .map(|event| name(&event))
        .collect()
}

// checklist: R3581-01, R3581-02, R3581-03
#[test]
fn a_call_and_its_cancel_pass_the_router_both_ways() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut network = Network::new(1, Conditions::perfect());
        let phone = stack(&mut network, PHONE);
        let server = stack(&mut network, SERVER);
        network.add_nat(ROUTER, &[PHONE], SECOND * 60);
        let flow = Flow {
            transport,
            local: SocketAddr::new(PHONE, 5060),
            remote: SocketAddr::new(SERVER, 5060),
            connection: None,
        };
        let id = network.act(phone, |stack, now| {
            let invite = request(&outgoing("INVITE"));
            stack.layer.request(now, &invite, flow).unwrap()
        });
        network.run_for(SECOND);
        let events: Vec<Event> = network.node_mut(server).events.drain(..).collect();
        let Some(Event::Request {
            transaction,
            request: invite,
            flow: seen,
        }) = events.into_iter().next()
        else {
            panic!("the INVITE did not come")
        };
        assert_eq!(seen.remote.ip(), ROUTER);
        let via = invite.headers().required::<Via>().unwrap();
        assert_eq!(via.received(), Some(ROUTER));
        assert_eq!(via.rport(), Some(Some(seen.remote.port())));

        network.act(server, |stack, now| {
            let ringing = invite.response(StatusCode::RINGING);
            stack.layer.respond(now, transaction, ringing).unwrap();
        });
        network.run_for(SECOND);
        network.act(phone, |stack, now| {
            assert!(stack.layer.cancel(now, id, Headers::new()));
        });
        network.run_for(SECOND);
        assert_eq!(told(&mut network, server), ["Cancelled"]);
        network.act(server, |stack, now| {
            let terminated = invite.response(StatusCode::REQUEST_TERMINATED);
            stack.layer.respond(now, transaction, terminated).unwrap();
        });
        assert!(network.run_until_idle(SECOND * 100));
        let events = told(&mut network, phone);
        assert!(events.contains(&"Response 487".to_owned()), "{events:?}");
        for node in [phone, server] {
            assert!(network.node(node).layer.counts().is_empty());
        }
    }
}
