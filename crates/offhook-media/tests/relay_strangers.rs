//! Whose voice is passed, and whose is not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::relay::{Command, Config, Latch, LegPorts, Output, Relay, Remote, Side};
use offhook_rtp::id::PayloadType;
use support::*;

#[test]
fn strangers_are_neither_heard_nor_answered() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    assert_eq!(bench.stream(A, mallory(), 66, 1, 50), (0, None));
    assert_eq!(bench.stream(B, bob(), 7, 1, 5), (5, Some(alice())));
    assert_eq!(bench.stream(A, mallory(), 66, 51, 50), (0, None));
}

#[test]
fn a_talking_phone_cannot_be_robbed() {
    for latch in [Latch::Never, Latch::From(mallory().ip()), Latch::Anyone] {
        let mut bench = Bench::new(latched(alice(), latch), Remote::new(bob()));
        assert_eq!(bench.stream(A, alice(), 5, 1, 10), (10, Some(bob())));
        for round in 0..100 {
            assert_eq!(bench.stream(A, mallory(), 5, 11 + round, 1).0, 0);
            assert_eq!(bench.stream(A, alice(), 5, 11 + round, 1).0, 1);
        }
        assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(alice())));
    }
}

#[test]
fn the_phone_behind_a_nat_is_learned_once_and_then_kept() {
    let public = address("203.0.113.50:31000");
    let latch = Latch::From(public.ip());
    let mut bench = Bench::new(latched(address("10.0.0.5:4000"), latch), Remote::new(bob()));
    assert_eq!(bench.stream(A, public, 5, 1, 3), (2, Some(bob())));
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(public)));
    // Another port of the same NAT, another source: refused, also after the phone fell silent.
    let neighbour = address("203.0.113.50:31999");
    bench.now += Duration::from_secs(5);
    assert_eq!(bench.stream(A, neighbour, 6, 1, 50).0, 0);
    // The same stream from a new port: the NAT's doing.
    assert_eq!(bench.stream(A, neighbour, 5, 260, 5).0, 4);
    assert_eq!(bench.stream(B, bob(), 7, 2, 1), (1, Some(neighbour)));
}

#[test]
fn the_signalled_address_displaces_whoever_was_first() {
    let mut bench = Bench::new(latched(alice(), Latch::Anyone), Remote::new(bob()));
    assert_eq!(bench.stream(A, mallory(), 66, 1, 10).0, 6);
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(mallory())));
    assert_eq!(bench.stream(A, alice(), 5, 1, 1).0, 1);
    assert_eq!(bench.stream(B, bob(), 7, 2, 1), (1, Some(alice())));
    assert_eq!(bench.stream(A, mallory(), 66, 11, 50).0, 0);
}

#[test]
fn sprayed_packets_do_not_keep_a_phone_from_being_learned() {
    let public = address("203.0.113.50:31000");
    let mut bench = Bench::new(
        latched(address("10.0.0.5:4000"), Latch::Anyone),
        Remote::new(bob()),
    );
    let mut passed = 0;
    for sequence in 0..50 {
        passed += bench.stream(A, public, 5, sequence, 1).0;
        for _ in 0..20 {
            // The very same packet over and over, as the known attack tools send.
            let mut spray = voice(66, 1, PayloadType::PCMU, 0);
            assert_eq!(bench.packet(A, mallory(), &mut spray), None);
        }
    }
    assert!(passed >= 44, "{passed}");
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(public)));
}

#[test]
fn a_new_description_moves_the_voice_at_once() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    bench.stream(A, alice(), 5, 1, 3);
    let carol = address("192.0.2.77:7000");
    let now = bench.now;
    let remote = Remote::new(carol);
    bench.relay.handle_command(
        now,
        Command::SetRemote {
            id: ID,
            side: Side::A,
            remote,
        },
    );
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(carol)));
    assert_eq!(bench.stream(A, alice(), 5, 4, 10).0, 0);
    assert_eq!(bench.stream(A, carol, 8, 1, 1).0, 1);
}

#[test]
fn who_guesses_the_source_after_hold_is_not_heard() {
    let nat = address("203.0.113.50:31000");
    for latch in [Latch::Never, Latch::From(nat.ip()), Latch::Anyone] {
        let from = if latch == Latch::Never { alice() } else { nat };
        let mut bench = Bench::new(latched(alice(), latch), Remote::new(bob()));
        assert!(bench.stream(A, from, 5, 1, 20).0 >= 10);
        let hold = Remote {
            sends: false,
            ..latched(alice(), latch)
        };
        bench.set_remote(A, hold);
        bench.now += Duration::from_secs(60);
        // Another source; and the very source, but not where its numbers are.
        assert_eq!(bench.stream(A, mallory(), 66, 21, 100).0, 0);
        assert_eq!(bench.stream(A, mallory(), 5, 40_000, 100).0, 0);
        assert_eq!(bench.stream(A, mallory(), 5, 20, 1).0, 0);
        assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(from)));
        bench.set_remote(A, latched(alice(), latch));
        assert_eq!(bench.stream(A, from, 5, 3_021, 5), (5, Some(bob())));
        assert_eq!(bench.stream(A, mallory(), 66, 121, 100).0, 0);
    }
}

#[test]
fn a_stranger_can_neither_end_nor_attract_reports() {
    let public = address("203.0.113.50:31000");
    let latch = Latch::From(public.ip());
    let mut bench = Bench::new(latched(address("10.0.0.5:4000"), latch), Remote::new(bob()));
    // Before anybody has spoken, and then to a talking phone, on the RTCP port and on the voice port.
    for round in 0..2 {
        for port in 0..2 {
            let from = SocketAddr::new(mallory().ip(), 9_000 + port);
            let goodbye = &mut rtcp(5, None, 1, 2);
            assert_eq!(bench.rtcp(A, from, goodbye), None, "{round}");
            assert_eq!(bench.packet(A, from, goodbye), None, "{round}");
        }
        bench.stream(A, public, 5, 1 + 10 * round, 10);
    }
    // The phone's own reports are, and the answers go to where they come from.
    let real = address("203.0.113.50:31007");
    assert!(bench.rtcp(A, real, &mut rtcp(5, None, 1, 2)).is_some());
    let answer = bench.rtcp(B, control(bob()), &mut rtcp(7, None, 1, 2));
    assert_eq!(answer.map(|forward| forward.to), Some(real));
}

#[test]
fn a_port_is_settled_only_when_nobody_else_could_be_heard() {
    let mut bench = Bench::new(latched(alice(), Latch::Anyone), Remote::new(bob()));
    let (a, b) = (bench.a, bench.b);
    // Believed, but the signalled address would still win.
    bench.stream(A, mallory(), 66, 1, 10);
    assert_eq!(bench.peers(), []);
    bench.stream(A, alice(), 5, 1, 1);
    bench.stream(B, bob(), 7, 1, 1);
    assert_eq!(bench.peers(), [(a, Some(alice())), (b, Some(bob()))]);
    // Told once; another source of the same phone and the refresh of a description change nothing.
    bench.stream(A, alice(), 6, 1, 5);
    bench.set_remote(A, latched(alice(), Latch::Anyone));
    assert_eq!(bench.peers(), []);
    // What the machine drops now is what a connected socket drops.
    assert_eq!(bench.stream(A, mallory(), 6, 6, 100).0, 0);
    let neighbour = SocketAddr::new(alice().ip(), 4_444);
    assert_eq!(bench.stream(A, neighbour, 6, 6, 100).0, 0);
    let report = &mut rtcp(6, None, 1, 2);
    assert_eq!(bench.packet(A, neighbour, report), None);
    // A transfer lets others in again.
    let carol = address("192.0.2.77:7000");
    bench.set_remote(A, Remote::new(carol));
    assert_eq!(bench.peers(), [(a, None)]);
    bench.stream(A, carol, 9, 1, 1);
    assert_eq!(bench.peers(), [(a, Some(carol))]);
}

#[test]
fn a_shared_port_is_not_settled_while_reports_come_from_elsewhere() {
    for (rtcp_at, settled) in [(alice(), true), (control(alice()), false)] {
        let mut relay = Relay::new(Config::default(), [1; 32]);
        let now = Instant::now();
        let ip = "192.0.2.50".parse().unwrap();
        let (a, b) = (LegPorts::muxed(ip, 20_000), LegPorts::pair(ip, 20_002));
        relay.handle_command(now, Command::Open { id: ID, a, b });
        let remote = Remote {
            rtcp: rtcp_at,
            ..Remote::new(alice())
        };
        let command = Command::SetRemote {
            id: ID,
            side: A,
            remote,
        };
        relay.handle_command(now, command);
        let port = relay.port_keys(ID).unwrap().a_rtp;
        let mut payload = voice(5, 1, PayloadType::PCMU, 0);
        relay.handle_packet(now, port, alice(), &mut payload);
        let told = std::iter::from_fn(|| relay.poll_output())
            .any(|output| matches!(output, Output::Peer { .. }));
        assert_eq!(told, settled);
        let mut report = rtcp(5, None, 1, 2);
        relay.handle_packet(now, port, rtcp_at, &mut report);
        // It is read, though nobody is known at the other leg yet.
        assert!(relay.port_keys(ID).is_some());
    }
}
