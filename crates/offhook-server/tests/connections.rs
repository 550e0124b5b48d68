//! Phones that are reached on their connection: when that is gone, callers know it at once.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_routing::location::Change;
use offhook_server::Config;
use offhook_sip::{Method, Transport};
use offhook_transaction::Flow;
use offhook_ua::Local;
use support::party::{Party, description};
use support::{Exchange, SERVER, address};

/// Where a NAT lets the callee's phone appear.
const OUTSIDE: &str = "198.51.100.9:40000";

fn with_streams(config: &mut Config) {
    config
        .locals
        .push(Local::new(Transport::Tcp, address(SERVER)));
}

/// An exchange, a caller, and a callee who is logged in on connection 7.
struct Stage {
    exchange: Exchange,
    caller: Party,
    callee: Party,
}

impl Stage {
    /// The callee says that he is at `contact`.
    fn new(contact: &str) -> Self {
        let mut exchange = Exchange::with(with_streams);
        let mut callee = Party::new("u2", "secret2", contact);
        callee.seen_at = Some(address(OUTSIDE));
        callee.connection = Some(7);
        callee.register(&mut exchange, 600);
        Self {
            exchange,
            caller: Party::new("u1", "secret1", "192.0.2.183:5060"),
            callee,
        }
    }

    fn connection(&self) -> Flow {
        self.exchange.flow(address(OUTSIDE), Some(7))
    }

    /// The caller dials and is told at once that nobody is there.
    fn nobody_is_there(&mut self) {
        let body = description(self.caller.address);
        let dialog = self.caller.dial(&mut self.exchange, "2", &body);
        self.caller.refused(&mut self.exchange, &dialog, 480);
        self.callee.expect_silence(&self.exchange);
    }
}

#[test]
fn whose_connection_is_gone_is_offline() {
    let mut stage = Stage::new("10.0.0.7:5060");
    stage.exchange.changes.clear();
    stage.exchange.gone(stage.connection());
    assert!(
        matches!(&stage.exchange.changes[..], [Change::Remove { .. }]),
        "{:?}",
        stage.exchange.changes
    );
    stage.nobody_is_there();
    stage.exchange.assert_nothing_left();
}

#[test]
fn he_is_called_when_he_has_come_back() {
    let mut stage = Stage::new("10.0.0.7:5060");
    stage.exchange.gone(stage.connection());
    stage.callee.connection = Some(8);
    stage.callee.register(&mut stage.exchange, 600);
    // What is told late of the old connection does not concern the new one.
    stage.exchange.gone(stage.connection());
    let body = description(stage.caller.address);
    let dialog = stage.caller.dial(&mut stage.exchange, "2", &body);
    let invite = stage
        .callee
        .expect_request(&mut stage.exchange, &Method::Invite);
    let flow = stage.exchange.flow_to(address(OUTSIDE));
    assert_eq!(flow, stage.exchange.flow(address(OUTSIDE), Some(8)));
    stage.callee.refuse(&mut stage.exchange, &invite, 486);
    stage.caller.refused(&mut stage.exchange, &dialog, 486);
    stage.callee.register(&mut stage.exchange, 0);
    stage.exchange.assert_nothing_left();
}

#[test]
fn his_other_phones_ring() {
    let mut stage = Stage::new("10.0.0.7:5060");
    let mut desk = Party::new("u2", "secret2", "192.0.2.102:5060");
    desk.register(&mut stage.exchange, 600);
    let body = description(stage.caller.address);
    // The connection is lost while both ring.
    let dialog = stage.caller.dial(&mut stage.exchange, "2", &body);
    stage
        .callee
        .expect_request(&mut stage.exchange, &Method::Invite);
    let invite = desk.expect_request(&mut stage.exchange, &Method::Invite);
    stage.exchange.gone(stage.connection());
    desk.refuse(&mut stage.exchange, &invite, 486);
    stage.caller.refused(&mut stage.exchange, &dialog, 486);
    // And before.
    let dialog = stage.caller.dial(&mut stage.exchange, "2", &body);
    stage.callee.expect_silence(&stage.exchange);
    let invite = desk.expect_request(&mut stage.exchange, &Method::Invite);
    desk.refuse(&mut stage.exchange, &invite, 486);
    stage.caller.refused(&mut stage.exchange, &dialog, 486);
    desk.register(&mut stage.exchange, 0);
    stage.exchange.assert_nothing_left();
}

#[test]
fn a_call_that_rings_on_a_lost_connection_ends() {
    let mut stage = Stage::new("10.0.0.7:5060");
    let body = description(stage.caller.address);
    let dialog = stage.caller.dial(&mut stage.exchange, "2", &body);
    stage
        .callee
        .expect_request(&mut stage.exchange, &Method::Invite);
    stage.exchange.gone(stage.connection());
    stage.caller.refused(&mut stage.exchange, &dialog, 480);
    stage.exchange.assert_nothing_left();
}

/// A phone without NAT is called on a new connection, and if it takes none that is told at once.
fn is_called_anew(stage: &mut Stage, at: &str) {
    let at = address(at);
    let body = description(stage.caller.address);
    let dialog = stage.caller.dial(&mut stage.exchange, "2", &body);
    assert_eq!(stage.exchange.waiting(at), 1);
    let flow = stage.exchange.flow_to(at);
    assert_eq!((flow.transport, flow.connection), (Transport::Tcp, None));
    stage.exchange.letter(at);
    stage.exchange.gone(flow);
    stage.caller.refused(&mut stage.exchange, &dialog, 480);
}

#[test]
fn a_phone_without_nat_may_take_a_new_connection() {
    let mut stage = Stage::new("198.51.100.9:5060");
    stage.exchange.gone(stage.connection());
    is_called_anew(&mut stage, "198.51.100.9:5060");
    stage.callee.connection = Some(8);
    stage.callee.register(&mut stage.exchange, 0);
    stage.exchange.assert_nothing_left();
}

#[test]
fn after_a_restart_nobody_is_waited_for_either() {
    for contact in ["10.0.0.7:5060", "198.51.100.9:5060"] {
        let mut stage = Stage::new(contact);
        let kept = stage.exchange.changes.drain(..);
        let kept: Vec<_> = kept
            .filter_map(|change| match change {
                Change::Put(binding) => Some(*binding),
                Change::Remove { .. } => None,
            })
            .collect();
        let mut restarted = Exchange::with(with_streams);
        restarted.server.restore(restarted.now, kept);
        stage.exchange = restarted;
        if contact == "10.0.0.7:5060" {
            stage.nobody_is_there();
        } else {
            is_called_anew(&mut stage, contact);
        }
    }
}
