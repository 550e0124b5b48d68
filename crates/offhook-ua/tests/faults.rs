//! Faults that other stacks have been seen with, each shown to be absent here:
//!
//! | fault | shown absent by |
//! | --- | --- |
//! | the route set lost for ACK and BYE, of the 1xx or of the 2xx | `ack_and_bye_have_the_route_set_of_the_200_reversed`, `the_route_set_of_a_180_outlives_a_200_without_one` |
//! | the ACK of a 2xx without Route, on a new connection, or once for all branches of a fork | the same; `the_ack_of_a_200_goes_over_the_connection_of_its_invite`; `each_answer_of_a_forked_invite_is_acknowledged_once_and_the_extra_one_ended` |
//! | a response dropped since its Via values stand in one line | `offhook-transaction/tests/matching.rs via_values_in_one_line_are_read_like_those_in_several` |
//! | two BYEs at the end | `there_is_one_bye_whatever_the_application_does` |
//! | requests that go on after a refresh has failed | `a_failed_refresh_ends_what_is_sent_to_keep_the_call_alive`, `registrations.rs a_silent_registrar_is_tried_again_ever_more_rarely` |
//! | an in-dialog request taken for the other leg's, its source port having changed | `a_request_from_another_port_is_still_of_its_own_call` |
//! | CANCEL sent to another server of the SRV set than its INVITE | `targets.rs a_name_is_asked_for_and_the_next_server_tried_when_one_is_unavailable` |
//! | T4 instead of 64*T1 waited for the ACK | `offhook-transaction/tests/server_invite.rs a_failure_is_repeated_until_its_ack_never_comes` |
//! | no state Accepted, so that a second 2xx is lost | `offhook-transaction/tests/client_invite.rs every_2xx_is_passed_up_for_64_t1`, `server_invite.rs after_a_2xx_more_2xx_go_out_and_acks_come_up` |
//! | a dialog table that never empties | `nothing_left` at the end of each test, and the simulation |

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use std::net::IpAddr;

use bytes::Bytes;
use offhook_sip::{HeaderName, Message, Method, Request, StatusCode};
use offhook_ua::{EndCause, Event};
use support::{ALICE, ANSWER, BOB, Stage, World, answer, config, header, sdp, uri, with, within};

const RECORD_ROUTE: &str = "<sip:10.0.0.2:5061;lr>, <sip:10.0.0.2:5062;lr>";

fn routed(request: &Request, status: u16, tag: &str) -> offhook_sip::Response {
    with(
        answer(request, status, tag, (status >= 180).then_some(ANSWER)),
        HeaderName::RECORD_ROUTE,
        RECORD_ROUTE,
    )
}

fn routes(request: &Request) -> Vec<String> {
    request
        .headers()
        .get_all(HeaderName::ROUTE)
        .flat_map(|line| line.split(','))
        .map(|route| route.trim().to_owned())
        .collect()
}

// checklist: R3261-69
#[test]
fn ack_and_bye_have_the_route_set_of_the_200_reversed() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(routed(&invite, 180, "b"));
    stage.say(routed(&invite, 200, "b"));
    let ack = stage.hear_request(&Method::Ack);
    let reversed = ["<sip:10.0.0.2:5062;lr>", "<sip:10.0.0.2:5061;lr>"];
    assert_eq!(routes(&ack), reversed);
    assert_eq!(ack.uri().as_str(), "sip:bob@10.0.0.2:5060");
    stage.hang_up(call);
    stage.fly();
    let bye = stage.hear_request(&Method::Bye);
    assert_eq!(routes(&bye), reversed);
    stage.say(answer(&bye, 200, "b", None));
    stage.nothing_left();
}

#[test]
fn the_route_set_of_a_180_outlives_a_200_without_one() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(routed(&invite, 180, "b"));
    stage.say(answer(&invite, 200, "b", Some(ANSWER)));
    let route = ["<sip:10.0.0.2:5062;lr>", "<sip:10.0.0.2:5061;lr>"];
    assert_eq!(routes(&stage.hear_request(&Method::Ack)), route);
    stage.hang_up(call);
    let bye = stage.hear_request(&Method::Bye);
    assert_eq!(routes(&bye), route);
    stage.say(answer(&bye, 200, "b", None));
    stage.nothing_left();
}

#[test]
fn the_ack_of_a_200_goes_over_the_connection_of_its_invite() {
    let mut world = World::new();
    let (out, incoming) = world.called_with(|outgoing| {
        outgoing.request_uri = uri("sip:bob@10.0.0.2;transport=tcp");
    });
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    world.hang_up(world.alice, out);
    world.fly();
    // INVITE, 200, ACK, BYE, 200: between the same two ports, whoever speaks.
    let ports: std::collections::BTreeSet<_> = world
        .net
        .sightings()
        .iter()
        .map(|seen| {
            let mut ends = [seen.from, seen.to];
            ends.sort();
            ends
        })
        .collect();
    assert_eq!(world.wire().len(), 5, "{:?}", world.wire());
    assert_eq!(ports.len(), 1, "{ports:?}");
    world.nothing_left();
}

#[test]
fn a_failed_refresh_ends_what_is_sent_to_keep_the_call_alive() {
    let mut refreshing = config(ALICE);
    refreshing.session_timer = Some(offhook_ua::SessionTimerConfig {
        expires: std::time::Duration::from_secs(90),
        min_se: std::time::Duration::from_secs(90),
    });
    let mut stage = Stage::with(refreshing);
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(with(
        answer(&invite, 200, "b", Some(ANSWER)),
        HeaderName::SESSION_EXPIRES,
        "90;refresher=uac",
    ));
    let _ = stage.hear_request(&Method::Ack);
    let _ = stage.event();
    stage.sleep(50_000);
    let refresh = stage.hear_request(&Method::Invite);
    stage.forget(); // its repeats
    stage.say(answer(&refresh, 481, "b", None));
    let _ = stage.hear_request(&Method::Ack);
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 481, "b", None));
    assert!(matches!(stage.event(), Event::Ended { .. }));
    stage.sleep(600_000);
    stage.silence();
    stage.nothing_left();
}

// checklist: R3261-29
#[test]
fn a_strict_router_gets_the_request_uri() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(with(
        answer(&invite, 200, "b", Some(ANSWER)),
        HeaderName::RECORD_ROUTE,
        "<sip:10.0.0.2:5063>",
    ));
    let ack = stage.hear_request(&Method::Ack);
    assert_eq!(ack.uri().as_str(), "sip:10.0.0.2:5063");
    assert_eq!(routes(&ack), ["<sip:bob@10.0.0.2:5060>"]);
}

// checklist: R3261-76
#[test]
fn each_answer_of_a_forked_invite_is_acknowledged_once_and_the_extra_one_ended() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 200, "one", Some(ANSWER)));
    let ack = stage.hear_request(&Method::Ack);
    assert!(header(ack.headers(), HeaderName::TO).ends_with("tag=one"));
    stage.say(answer(&invite, 200, "two", Some(ANSWER)));
    let ack = stage.hear_request(&Method::Ack);
    assert!(header(ack.headers(), HeaderName::TO).ends_with("tag=two"));
    let bye = stage.hear_request(&Method::Bye);
    assert!(header(bye.headers(), HeaderName::TO).ends_with("tag=two"));
    stage.say(answer(&bye, 200, "two", None));
    // A repeat of either is acknowledged again, and nothing more.
    stage.say(answer(&invite, 200, "two", Some(ANSWER)));
    let _ = stage.hear_request(&Method::Ack);
    stage.say(answer(&invite, 200, "one", Some(ANSWER)));
    let _ = stage.hear_request(&Method::Ack);
    stage.silence();
    assert!(matches!(stage.event(), Event::Answered { .. }));
    stage.no_event();
    stage.hang_up(call);
    stage.fly();
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 200, "one", None));
    stage.nothing_left();
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 180, "b", None));
    stage.hang_up(call);
    stage.fly();
    let cancel = stage.hear_request(&Method::Cancel);
    stage.say(answer(&invite, 200, "b", Some(ANSWER)));
    stage.say(answer(&cancel, 200, "b", None));
    let _ = stage.hear_request(&Method::Ack);
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 200, "b", None));
    assert!(matches!(stage.event(), Event::Progress { .. }));
    assert!(matches!(stage.ended(), EndCause::LocalHangUp));
    stage.nothing_left();
}

// checklist: R3261-47
#[test]
fn an_invite_without_final_response_is_over_64_t1_after_its_cancel() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 180, "b", None));
    let _ = stage.event();
    stage.hang_up(call);
    stage.sleep(31_000);
    stage.no_event();
    stage.sleep(2_000);
    assert!(matches!(stage.ended(), EndCause::LocalHangUp));
    stage.nothing_left();
}

// checklist: R3261-73
#[test]
fn a_request_is_of_a_dialog_by_call_id_and_both_tags() {
    let mut stage = Stage::new();
    let (_, invite) = stage.answered();
    let stranger = |change: &dyn Fn(&mut Request)| {
        let mut bye = within(&invite, "b", &Method::Bye, 17);
        change(&mut bye);
        bye
    };
    let wrong_remote = stranger(&|bye| {
        bye.headers_mut()
            .set(HeaderName::FROM, "<sip:bob@10.0.0.2>;tag=c")
            .expect("a From");
    });
    let wrong_local = stranger(&|bye| {
        bye.headers_mut()
            .set(HeaderName::TO, "<sip:alice@10.0.0.1>;tag=c")
            .expect("a To");
    });
    let wrong_call = stranger(&|bye| {
        bye.headers_mut()
            .set(HeaderName::CALL_ID, "another")
            .expect("a Call-ID");
    });
    for (number, mut bye) in [wrong_remote, wrong_local, wrong_call]
        .into_iter()
        .enumerate()
    {
        let via = format!("SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKstranger{number}");
        bye.headers_mut().set(HeaderName::VIA, &via).expect("a Via");
        stage.say(bye);
        let _ = stage.hear_response(481);
    }
    stage.no_event();
}

#[test]
fn a_request_from_another_port_is_still_of_its_own_call() {
    let mut stage = Stage::new();
    let (_, one) = stage.answered();
    let (_, two) = stage.answered();
    stage.say_from(40_000, within(&two, "b", &Method::Bye, 17));
    let _ = stage.hear_response(200);
    assert!(matches!(stage.ended(), EndCause::RemoteHangUp { .. }));
    stage.no_event();
    stage.say_from(40_001, within(&one, "b", &Method::Bye, 17));
    let _ = stage.hear_response(200);
    assert!(matches!(stage.event(), Event::Ended { .. }));
    stage.nothing_left();
}

/// An INFO with this number reaches Alice within her call, and she has no objection.
fn told_and_answered(stage: &mut Stage, invite: &Request, number: u32) {
    stage.say(within(invite, "b", &Method::Info, number));
    let Event::InCallRequest { request, .. } = stage.event() else {
        panic!("an INFO was expected")
    };
    stage.respond(request, StatusCode::OK);
    let _ = stage.hear_response(200);
}

// checklist: R3261-72
#[test]
fn an_old_cseq_gets_500_and_a_gap_is_fine() {
    let mut stage = Stage::new();
    let (_, invite) = stage.answered();
    told_and_answered(&mut stage, &invite, 1000);
    stage.say(within(&invite, "b", &Method::Info, 999));
    let _ = stage.hear_response(500);
    stage.no_event();
}

#[test]
fn a_bye_that_was_overtaken_gets_its_500_and_ends_the_call_all_the_same() {
    let mut stage = Stage::new();
    let (_, invite) = stage.answered();
    told_and_answered(&mut stage, &invite, 1000);
    stage.say(within(&invite, "b", &Method::Bye, 999));
    let _ = stage.hear_response(500);
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 481, "b", None));
    assert!(matches!(stage.ended(), EndCause::RemoteHangUp { .. }));
    stage.nothing_left();
}

#[test]
fn a_481_to_what_overtook_our_200_does_not_end_the_call() {
    let mut world = World::new();
    let (out, incoming) = world.called();
    let into = incoming.id();
    let (alice, bob): (IpAddr, IpAddr) = (
        ALICE.parse().expect("an address"),
        BOB.parse().expect("an address"),
    );
    world.net.partition(alice, bob);
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.net.heal();
    // The 200 is lost, and what Bob asks next comes first.
    world.net.act(world.bob, |bob, now| {
        let headers = offhook_sip::Headers::new();
        bob.ua
            .request_in_call(now, into, Method::Info, headers, None);
    });
    world.sleep(1);
    assert!(matches!(world.event(world.bob), Event::Response { .. }));
    assert!(matches!(world.event(world.alice), Event::Answered { .. }));
    assert!(matches!(world.event(world.bob), Event::Confirmed { .. }));
    world.hang_up(world.alice, out);
    world.fly();
    assert!(matches!(
        world.ended(world.bob, into),
        EndCause::RemoteHangUp { .. }
    ));
}

#[test]
fn there_is_one_bye_whatever_the_application_does() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    let _ = stage.pick_up(&invite);
    for _ in 0..3 {
        stage.hang_up(call);
    }
    stage.fly();
    let bye = stage.hear_request(&Method::Bye);
    stage.silence();
    stage.say(answer(&bye, 200, "b", None));
    stage.nothing_left();
}

#[test]
fn a_bye_that_is_refused_as_guarded_does_nothing() {
    let mut guarding = config(ALICE);
    guarding.guard = true;
    let mut stage = Stage::with(guarding);
    let (_, invite) = stage.answered();
    stage.say(within(&invite, "b", &Method::Bye, 17));
    let Event::Guarded(guarded) = stage.event() else {
        panic!("a guarded BYE was expected")
    };
    let mut challenge = guarded.response(StatusCode::UNAUTHORIZED);
    challenge
        .headers_mut()
        .append(
            HeaderName::WWW_AUTHENTICATE,
            "Digest realm=\"r\", nonce=\"n\"",
        )
        .expect("a challenge");
    stage.net.act(stage.alice, |alice, now| {
        alice.ua.refuse(now, guarded, challenge);
    });
    stage.fly();
    let _ = stage.hear_response(401);
    stage.no_event();
    // The same number again, or the next: neither was counted.
    stage.say(within(&invite, "b", &Method::Bye, 18));
    let Event::Guarded(guarded) = stage.event() else {
        panic!("a guarded BYE was expected")
    };
    stage
        .net
        .act(stage.alice, |alice, now| alice.ua.admit(now, guarded));
    stage.fly();
    let _ = stage.hear_response(200);
    assert!(matches!(stage.ended(), EndCause::RemoteHangUp { .. }));
    stage.nothing_left();
}

// checklist: R3261-71
#[test]
fn a_481_to_a_request_within_the_call_ends_it() {
    let mut stage = Stage::new();
    let (call, _) = stage.answered();
    stage.net.act(stage.alice, |alice, now| {
        alice
            .ua
            .request_in_call(now, call, Method::Info, offhook_sip::Headers::new(), None)
    });
    stage.fly();
    let info = stage.hear_request(&Method::Info);
    stage.say(answer(&info, 481, "b", None));
    assert!(matches!(stage.event(), Event::Response { .. }));
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 481, "b", None));
    let EndCause::DialogGone { status } = stage.ended() else {
        panic!("a lost dialog was expected")
    };
    assert_eq!(status.get(), 481);
    stage.nothing_left();
}

#[test]
fn a_response_with_a_compact_via_is_read() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    let via = header(invite.headers(), HeaderName::VIA).to_owned();
    let mut response = answer(&invite, 200, "b", Some(ANSWER));
    response.headers_mut().remove(HeaderName::VIA);
    response
        .headers_mut()
        .prepend("v", &via)
        .expect("a compact Via");
    stage.say(response);
    assert!(matches!(stage.event(), Event::Answered { .. }));
}

#[test]
fn garbage_and_keep_alives_do_nothing() {
    let mut stage = Stage::new();
    for text in [
        "\r\n\r\n",
        "\0\0\0\0",
        "HELLO\r\n\r\n",
        "INVITE sip:a@b SIP/2.0\r\n",
    ] {
        stage.say_raw(5060, Bytes::from_static(text.as_bytes()));
    }
    stage.no_event();
    let _ = uri("sip:a@b");
    stage.nothing_left();
}

#[test]
fn a_stray_200_makes_nobody_send_anything() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 486, "b", None));
    let _ = stage.hear_request(&Method::Ack);
    stage.sleep(100_000);
    stage.forget();
    stage.say(answer(&invite, 200, "b", Some(ANSWER)));
    stage.silence();
    assert!(matches!(stage.event(), Event::Ended { .. }));
    stage.nothing_left();
}

// checklist: R3261-37, R3261-38
#[test]
fn what_cannot_be_taken_is_turned_away_with_the_right_status() {
    let mut stage = Stage::new();
    stage.ask(1, "INVITE", "Require: foo, 100rel\r\n", "");
    let response = stage.hear_response(420);
    assert_eq!(header(response.headers(), HeaderName::UNSUPPORTED), "foo");
    assert!(header(response.headers(), HeaderName::TO).contains(";tag="));
    stage.ask(2, "REGISTER", "", "");
    let response = stage.hear_response(405);
    assert!(header(response.headers(), HeaderName::ALLOW).contains("INVITE"));
    stage.ask(3, "FOO", "", "");
    let response = stage.hear_response(501);
    assert!(header(response.headers(), HeaderName::ALLOW).contains("INVITE"));
    stage.ask(4, "INVITE", "Content-Type: text/plain\r\n", "hello");
    let response = stage.hear_response(415);
    assert_eq!(
        header(response.headers(), HeaderName::ACCEPT),
        "application/sdp"
    );
    stage.ask(5, "BYE", "", "");
    let _ = stage.hear_response(481);
    stage.ask(6, "INVITE", "Replaces: x;to-tag=1;from-tag=2\r\n", "");
    let _ = stage.hear_response(481);
    stage.no_event();
    stage.nothing_left();
}

#[test]
fn a_flood_of_calls_meets_the_limit() {
    let mut limited = config(ALICE);
    limited.limits.calls = 2;
    let mut stage = Stage::with(limited);
    for number in 0..4 {
        stage.ask(number, "INVITE", "", "");
    }
    assert!(matches!(stage.event(), Event::IncomingCall(_)));
    assert!(matches!(stage.event(), Event::IncomingCall(_)));
    assert!(matches!(stage.event(), Event::LimitReached { .. }));
    let refused = loop {
        if let Message::Response(response) = stage.hear()
            && response.status().is_final()
        {
            break response;
        }
    };
    assert_eq!(refused.status().get(), 503);
    assert_eq!(header(refused.headers(), HeaderName::RETRY_AFTER), "5");
}

// checklist: R3261-31
#[test]
fn unknown_statuses_are_taken_by_their_class() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 199, "b", None));
    assert!(matches!(stage.event(), Event::Progress { .. }));
    stage.say(answer(&invite, 299, "b", Some(ANSWER)));
    let _ = stage.hear_request(&Method::Ack);
    assert!(matches!(stage.event(), Event::Answered { .. }));
    stage.hang_up(call);
    let bye = stage.hear_request(&Method::Bye);
    stage.say(answer(&bye, 299, "b", None));
    assert!(matches!(stage.event(), Event::Ended { .. }));
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 499, "b", None));
    let _ = stage.hear_request(&Method::Ack);
    assert!(matches!(stage.ended(), EndCause::Rejected { .. }));
    stage.nothing_left();
}

// checklist: R3261-34
#[test]
fn a_420_is_asked_again_without_what_the_peer_does_not_know() {
    let mut stage = Stage::new();
    let _ = stage.call(|outgoing| {
        outgoing
            .headers
            .append("Require", "replaces, foo")
            .expect("a Require");
    });
    let invite = stage.hear_request(&Method::Invite);
    stage.say(with(
        answer(&invite, 420, "b", None),
        HeaderName::UNSUPPORTED,
        "foo",
    ));
    let _ = stage.hear_request(&Method::Ack);
    let again = stage.hear_request(&Method::Invite);
    assert_eq!(header(again.headers(), HeaderName::REQUIRE), "replaces");
    stage.say(with(
        answer(&again, 420, "b", None),
        HeaderName::UNSUPPORTED,
        "bar",
    ));
    let _ = stage.hear_request(&Method::Ack);
    stage.silence();
    assert!(matches!(stage.event(), Event::Ended { .. }));
}

// checklist: R3261-75
#[test]
fn a_refusal_ends_the_early_dialogs_of_its_invite() {
    let mut stage = Stage::new();
    let _ = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    stage.say(answer(&invite, 180, "one", None));
    stage.say(answer(&invite, 180, "two", None));
    stage.say(answer(&invite, 486, "one", None));
    let _ = stage.hear_request(&Method::Ack);
    stage.say(within(&invite, "two", &Method::Info, 5));
    let _ = stage.hear_response(481);
}

// checklist: R3261-42, R3261-41
#[test]
fn options_tells_what_we_take() {
    let mut stage = Stage::new();
    stage.ask(0, "OPTIONS", "", "");
    let Event::IncomingRequest(request) = stage.event() else {
        panic!("an OPTIONS was expected")
    };
    stage.respond(request, StatusCode::OK);
    let response = stage.hear_response(200);
    for name in [HeaderName::ALLOW, HeaderName::ACCEPT, HeaderName::SUPPORTED] {
        assert!(response.headers().contains(name), "{name} is missing");
    }
    stage.nothing_left();
}

#[test]
fn a_contact_on_another_host_is_followed_though_the_answer_came_on_a_connection() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| {
        outgoing.request_uri = uri("sip:bob@10.0.0.2;transport=tcp");
    });
    let (flow, message) = stage
        .net
        .node_mut(stage.peer)
        .heard
        .pop_front()
        .expect("an INVITE");
    let invite = message.into_request().expect("an INVITE");
    let mut ok = answer(&invite, 200, "b", Some(ANSWER));
    ok.headers_mut()
        .set(
            HeaderName::CONTACT,
            "<sip:bob@10.0.0.77:5060;transport=tcp>",
        )
        .expect("a Contact");
    stage.net.act(stage.peer, |peer, _| {
        peer.say.push_back(offhook_transaction::Transmit {
            flow,
            payload: ok.to_bytes(),
        });
    });
    stage.fly();
    // A proxy that did not record itself has nothing to do with the call any more (§16.6 step 4).
    let ack = stage.net.sightings().last().expect("an ACK");
    assert!(ack.first_line().starts_with("ACK sip:bob@10.0.0.77"));
    assert_eq!(ack.to.ip().to_string(), "10.0.0.77");
    let _ = call;
}

#[test]
fn an_address_with_control_characters_makes_no_dialog() {
    let mut stage = Stage::new();
    let text = "INVITE sip:alice@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKx\r\n\
        Max-Forwards: 70\r\nFrom: <sip:b\u{1d}b@10.0.0.2>;tag=x\r\nTo: <sip:alice@10.0.0.1>\r\n\
        Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@10.0.0.2>\r\nContent-Length: 0\r\n\r\n";
    stage.say_raw(5060, Bytes::from_static(text.as_bytes()));
    // Refused by the parser; whether enough of it can be read for an answer is no matter here.
    stage.forget();
    stage.no_event();
    let call = stage.call(|_| {});
    let invite = stage
        .net
        .node_mut(stage.peer)
        .heard
        .pop_back()
        .and_then(|(_, message)| message.into_request())
        .expect("an INVITE");
    let octets = answer(&invite, 200, "b", Some(ANSWER)).to_bytes();
    let mut broken = octets.to_vec();
    let at = octets
        .windows(4)
        .position(|four| four == b"sip:")
        .expect("a URI");
    broken[at + 3] = 0x1d;
    stage.say_raw(5060, Bytes::from(broken));
    stage.say_raw(5060, octets);
    // Whatever was made of the first one, nothing may be left over.
    stage.hang_up(call);
    stage.nothing_left();
}
