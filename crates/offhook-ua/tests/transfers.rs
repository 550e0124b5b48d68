//! Transfers: REFER with its reports, and calls that take the place of others (RFC 3515, 3891).

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use offhook_sip::{HeaderName, Method, StatusCode};
use offhook_ua::{EndCause, Event, ReferTarget, refer_report};
use support::{ANSWER, Stage, World, cseq, header, sdp, within};

// checklist: R3515-02, R3515-03, R3515-04
#[test]
fn an_accepted_refer_is_reported_on_at_once_and_at_the_end() {
    let mut world = World::new();
    let (out, into) = world.established();
    world.refer(out, "<sip:carol@10.0.0.3>");
    let request = world.request(world.bob);
    let target = ReferTarget::of(request.request()).expect("a target");
    assert_eq!(target.uri.as_str(), "sip:carol@10.0.0.3");
    let referral = request.referral();
    let number = cseq(request.request());
    world.respond(world.bob, request, StatusCode::ACCEPTED);
    world.fly();
    let Event::Response { response, .. } = world.event(world.alice) else {
        panic!("a response was expected")
    };
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let request = world.request(world.alice);
    let notify = request.request();
    assert_eq!(
        header(notify.headers(), HeaderName::EVENT),
        format!("refer;id={number}")
    );
    assert_eq!(
        header(notify.headers(), HeaderName::CONTENT_TYPE),
        "message/sipfrag;version=2.0"
    );
    assert_eq!(notify.body().as_ref(), b"SIP/2.0 100 Trying\r\n");
    assert_eq!(refer_report(notify), Some((StatusCode::TRYING, false)));
    world.respond(world.alice, request, StatusCode::OK);
    world.net.act(world.bob, |bob, now| {
        for status in [StatusCode::RINGING, StatusCode::OK, StatusCode::OK] {
            bob.ua.report_referral(now, into, referral, status);
        }
    });
    world.fly();
    let mut reports = Vec::new();
    for event in world.events(world.alice) {
        if let Event::InCallRequest { request, .. } = event {
            reports.push(refer_report(request.request()).expect("a report"));
            if reports.len() == 2 {
                assert_eq!(
                    header(request.request().headers(), HeaderName::SUBSCRIPTION_STATE),
                    "terminated;reason=noresource"
                );
            }
            world.respond(world.alice, request, StatusCode::OK);
        }
    }
    assert_eq!(
        reports,
        [(StatusCode::RINGING, false), (StatusCode::OK, true)]
    );
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3515-01
#[test]
fn a_refer_without_exactly_one_target_gets_400() {
    let mut stage = Stage::new();
    let (_, invite) = stage.answered();
    stage.say(within(&invite, "b", &Method::Refer, 5));
    let _ = stage.hear_response(400);
    let mut two = within(&invite, "b", &Method::Refer, 6);
    for target in ["<sip:one@10.0.0.3>", "<sip:two@10.0.0.3>"] {
        two.headers_mut()
            .append("Refer-To", target)
            .expect("a Refer-To");
    }
    stage.say(two);
    let _ = stage.hear_response(400);
    stage.no_event();
}

#[test]
fn an_attended_transfer_names_the_dialog_to_be_replaced() {
    let mut world = World::new();
    let (out, _) = world.established();
    world.refer(
        out,
        "<sip:carol@10.0.0.3?Replaces=abc%40here%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    );
    let request = world.request(world.bob);
    let target = ReferTarget::of(request.request()).expect("a target");
    assert_eq!(target.uri.as_str(), "sip:carol@10.0.0.3");
    let replaces = target.replaces.expect("a dialog");
    assert_eq!(replaces.call_id, "abc@here");
    assert_eq!(replaces.to_string(), "abc@here;to-tag=1;from-tag=2");
    world.respond(world.bob, request, StatusCode::FORBIDDEN);
    world.fly();
    world.hang_up(world.alice, out);
    world.nothing_left();
}

// checklist: R3891-01
#[test]
fn a_call_takes_the_place_of_another_and_ends_it() {
    let mut world = World::new();
    let (out, into) = world.established();
    let dialog = world
        .net
        .node(world.bob)
        .ua
        .dialog_of(into)
        .expect("a dialog");
    let second = world.call_with(|outgoing| {
        let value = format!(
            "{};to-tag={};from-tag={}",
            dialog.call_id, dialog.local_tag, dialog.remote_tag
        );
        outgoing
            .headers
            .append("Replaces", &value)
            .expect("a Replaces");
    });
    world.fly();
    let incoming = world.incoming(world.bob);
    assert_eq!(incoming.replaces(), Some(into));
    let by = incoming.id();
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    let events = world.events(world.bob);
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Ended { call, cause: EndCause::Replaced { by: other } } if *call == into && *other == by
    )));
    let events = world.events(world.alice);
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Ended { call, cause: EndCause::RemoteHangUp { .. } } if *call == out
    )));
    world.hang_up(world.alice, second);
    world.nothing_left();
}
