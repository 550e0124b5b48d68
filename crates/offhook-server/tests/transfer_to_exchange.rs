//! Transfers to what the exchange itself gives (a room, a tone, an announcement), and out of it: whoever
//! is in a room may send somebody else there.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{Command, Service};
use offhook_server::{End, Outcome, SoundRequest};
use offhook_sip::{Method, Request};
use support::party::{Dialog, Party, description};
use support::trio::{
    Trio, hang_up, in_place_of, notified, refer, refer_early, reinvited, ring, talk, they_talk,
};
use support::{Exchange, NUMBERS, USERS};

fn office() -> Trio {
    let numbers = format!(
        "{NUMBERS}^7$=conf/seven;maxusers=2\n\
         ^8$=tone/busy\n\
         ^6$=wave/play/words\n\
         ^5$=fork sip/sip:gone@192.0.2.99:5060 | echo/\n"
    );
    Trio::with(Exchange::of(USERS, &numbers, |_| {}))
}

/// u1 and u2 talk; u1 called.
fn conversation() -> (Trio, Dialog, Dialog) {
    let mut trio = office();
    let (d1, d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    (trio, d1, d2)
}

/// Somebody dials what the exchange answers itself.
fn served(exchange: &mut Exchange, party: &mut Party, number: &str) -> Dialog {
    let mut dialog = party.dial(exchange, number, &description(party.address));
    party.answered(exchange, &mut dialog);
    dialog
}

fn services(exchange: &Exchange) -> Vec<Service> {
    let mut all = Vec::new();
    for command in &exchange.commands {
        if let Command::Serve { service, .. } = command {
            all.push(service.clone());
        }
    }
    all
}

/// Where the relay was told last that somebody served is.
fn served_at(exchange: &Exchange) -> String {
    let mut told = exchange.commands.iter().rev();
    told.find_map(|command| match command {
        Command::SetRemote { id, remote, .. } if id.is_served() => Some(remote.rtp.to_string()),
        _ => None,
    })
    .expect("the relay was told")
}

/// A line of a request's description.
fn line(request: &Request, start: &str) -> String {
    let body = String::from_utf8_lossy(request.body()).into_owned();
    let mut lines = body.lines();
    let line = lines.find(|line| line.starts_with(start));
    line.expect("a line").to_owned()
}

/// The number and the version of a description.
fn session(request: &Request) -> (String, u64) {
    let origin = line(request, "o=");
    let mut words = origin.split(' ').skip(1);
    let mut word = || words.next().expect("a word").to_owned();
    let number = word();
    (number, word().parse().expect("a version"))
}

#[test]
fn either_party_sends_the_other_to_a_room() {
    for callee_refers in [false, true] {
        let (mut trio, d1, d2) = conversation();
        let (exchange, u1, u2, _) = trio.all();
        let ((from, mut mine), (who, mut theirs)) = if callee_refers {
            ((u2, d2), (u1, d1))
        } else {
            ((u1, d1), (u2, d2))
        };
        refer(exchange, from, &mut mine, "sip:7@192.0.2.50");
        let asked = who.agrees(exchange);
        assert_eq!(line(&asked, "m="), line(&asked, "m=audio"));
        // The same session for the phone, which goes on: one version later.
        assert_eq!(session(&asked).1, 2, "{asked}");
        notified(exchange, from, "200 OK", true);
        assert!(matches!(services(exchange)[..], [Service::Room(_)]));
        assert_eq!(served_at(exchange), format!("{}:40000", who.address.ip()));
        from.leave(exchange, &mut mine);
        assert_eq!(exchange.records.len(), 1);
        // He is in a call of his own, which only he can end.
        theirs.cseq += 1;
        who.in_dialog(exchange, &mut theirs, "BYE", "", "", false);
        who.expect(exchange, 401);
        who.in_dialog(exchange, &mut theirs, "INFO", "", "", true);
        who.expect(exchange, 200);
        who.leave(exchange, &mut theirs);
        let record = &exchange.records[1];
        assert_eq!(
            (record.caller.as_str(), record.called.as_str()),
            (who.user.as_str(), "conf/seven")
        );
        assert_eq!(record.outcome, Outcome::Answered(End::Caller));
        assert_eq!(record.call_ids, [theirs.call_id.clone()]);
        trio.finish();
    }
}

#[test]
fn who_does_not_hang_up_by_himself_is_hung_up() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, _) = trio.all();
    refer(exchange, u1, &mut d1, "sip:8@192.0.2.50");
    u2.agrees(exchange);
    notified(exchange, u1, "200 OK", true);
    u1.expect_silence(exchange);
    exchange.pass(Duration::from_secs(2));
    u1.is_hung_up(exchange);
    d2.cseq += 1;
    // The phone may put it on hold: the exchange answers.
    let held = description(u2.address) + "a=sendonly\r\n";
    u2.in_dialog(exchange, &mut d2, "INVITE", "", &held, true);
    let answer = u2.expect(exchange, 200);
    assert!(String::from_utf8_lossy(answer.body()).contains("a=recvonly"));
    u2.acknowledge(exchange, &mut d2, &answer, "");
    u2.leave(exchange, &mut d2);
    trio.finish();
}

#[test]
fn who_does_not_want_to_goes_back() {
    let (mut trio, mut d1, _d2) = conversation();
    let (exchange, u1, u2, _) = trio.all();
    refer(exchange, u1, &mut d1, "sip:7@192.0.2.50");
    let asked = reinvited(exchange, u2, 488, "");
    notified(exchange, u1, "488 Not Acceptable Here", true);
    let back = u2.agrees(exchange);
    // What is told again is newer than what was refused.
    assert_eq!(session(&back).0, session(&asked).0);
    assert!(session(&back).1 > session(&asked).1, "{back}");
    they_talk(exchange, u1, &mut d1, u2);
    assert_eq!(exchange.server.counts().rooms, 0);
    trio.finish();
}

#[test]
fn what_cannot_be_given_leaves_the_call_as_it_was() {
    let (mut trio, mut d1, _d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    // No such sound.
    refer(exchange, u1, &mut d1, "sip:6@192.0.2.50");
    u2.expect_silence(exchange);
    let Some(SoundRequest::Read { id, .. }) = exchange.sounds.pop() else {
        panic!("a sound is asked for")
    };
    exchange.sound(id, None);
    notified(exchange, u1, "404 Not Found", true);
    // A room that is full.
    let mut others = [served(exchange, u3, "7"), served(exchange, u3, "7")];
    refer(exchange, u1, &mut d1, "sip:7@192.0.2.50");
    notified(exchange, u1, "486 Busy Here", true);
    for dialog in &mut others {
        u3.leave(exchange, dialog);
    }
    u2.expect_silence(exchange);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn who_is_transferred_hangs_up_meanwhile() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, _) = trio.all();
    refer(exchange, u1, &mut d1, "sip:7@192.0.2.50");
    let asked = u2.expect_request(exchange, &Method::Invite);
    u2.leave(exchange, &mut d2);
    u2.refuse(exchange, &asked, 487);
    notified(exchange, u1, "480 Temporarily Unavailable", true);
    u1.is_hung_up(exchange);
    trio.finish();
}

#[test]
fn the_transferor_hangs_up_at_once() {
    for agrees in [true, false] {
        let (mut trio, mut d1, mut d2) = conversation();
        let (exchange, u1, u2, _) = trio.all();
        refer(exchange, u1, &mut d1, "sip:7@192.0.2.50");
        let asked = u2.expect_request(exchange, &Method::Invite);
        u1.leave(exchange, &mut d1);
        let (status, told) = if agrees {
            (200, "200 OK")
        } else {
            (488, "488 Not Acceptable Here")
        };
        let body = description(u2.address);
        u2.answer(exchange, &asked, status, if agrees { &body } else { "" });
        u2.expect_request(exchange, &Method::Ack);
        notified(exchange, u1, told, true);
        if agrees {
            d2.cseq += 1;
            u2.leave(exchange, &mut d2);
        } else {
            u2.is_hung_up(exchange);
        }
        trio.finish();
    }
}

/// The exchange's turn comes when nobody else answers, in a blind and in a semi-attended transfer.
#[test]
fn a_fork_may_end_at_the_exchange() {
    let gateway = Party::new("gateway", "", "192.0.2.99:5060");
    for early in [false, true] {
        let (mut trio, mut d1, mut d2) = conversation();
        let (exchange, u1, u2, _) = trio.all();
        let mut other = None;
        let invite = if early {
            let offer = description(u1.address);
            let (dialog, _, invite) = ring(exchange, u1, &gateway, "5", &offer);
            refer_early(exchange, u1, &mut d1, "5", &dialog);
            other = Some(dialog);
            invite
        } else {
            refer(exchange, u1, &mut d1, "sip:5@192.0.2.50");
            gateway.expect_request(exchange, &Method::Invite)
        };
        gateway.refuse(exchange, &invite, 486);
        if let Some(dialog) = other {
            u1.refused(exchange, &dialog, 487);
        }
        u2.agrees(exchange);
        notified(exchange, u1, "200 OK", true);
        assert!(matches!(services(exchange)[..], [Service::Echo]));
        u1.leave(exchange, &mut d1);
        d2.cseq += 1;
        u2.leave(exchange, &mut d2);
        trio.finish();
    }
}

/// u1, in the room, has u3 called, who makes the offer.
fn call_into_room(trio: &mut Trio, dialog: &mut Dialog) -> Request {
    let (exchange, u1, _, u3) = trio.all();
    refer(exchange, u1, dialog, "sip:3@192.0.2.50");
    let invite = u3.expect_request(exchange, &Method::Invite);
    assert!(invite.body().is_empty(), "{invite}");
    let by = invite.headers().get("Referred-By");
    assert_eq!(by, Some("<sip:u1@192.0.2.50>"));
    u3.answer(exchange, &invite, 180, "");
    notified(exchange, u1, "180 Ringing", false);
    invite
}

#[test]
fn who_is_in_a_room_sends_somebody_there() {
    for leaves_at_once in [false, true] {
        let mut trio = office();
        let mut dialog = served(&mut trio.exchange, &mut trio.u1, "7");
        let invite = call_into_room(&mut trio, &mut dialog);
        let (exchange, u1, _, u3) = trio.all();
        if leaves_at_once {
            u1.leave(exchange, &mut dialog);
        }
        let mut theirs = u3.answer(exchange, &invite, 200, &description(u3.address));
        let ack = u3.expect_request(exchange, &Method::Ack);
        assert_eq!(line(&ack, "m="), line(&ack, "m=audio"));
        notified(exchange, u1, "200 OK", true);
        let rooms = services(exchange);
        assert_eq!(rooms.len(), 2, "{rooms:?}");
        assert_eq!(rooms[0] == rooms[1], !leaves_at_once, "{rooms:?}");
        assert_eq!(served_at(exchange), "192.0.2.103:40000");
        if !leaves_at_once {
            exchange.pass(Duration::from_secs(2));
            u1.is_hung_up(exchange);
        }
        assert_eq!(exchange.records.len(), 1);
        u3.leave(exchange, &mut theirs);
        assert_eq!(exchange.records.len(), 2);
        trio.finish();
    }
}

#[test]
fn who_is_called_into_a_room_does_not_come() {
    // Declines; offers nothing; hangs up; or the exchange is stopped.
    for ways in 0..4 {
        let mut trio = office();
        let mut dialog = served(&mut trio.exchange, &mut trio.u1, "7");
        let invite = call_into_room(&mut trio, &mut dialog);
        let (exchange, u1, _, u3) = trio.all();
        match ways {
            0 => {
                u3.refuse(exchange, &invite, 486);
                notified(exchange, u1, "486 Busy Here", true);
            }
            1 => {
                u3.answer(exchange, &invite, 200, "");
                u3.expect_request(exchange, &Method::Ack);
                notified(exchange, u1, "488 Not Acceptable Here", true);
                u3.is_hung_up(exchange);
            }
            2 => {
                exchange.ports_are_taken = true;
                u3.answer(exchange, &invite, 200, &description(u3.address));
                notified(exchange, u1, "503 Service Unavailable", true);
                u3.expect_request(exchange, &Method::Ack);
                u3.is_hung_up(exchange);
                exchange.ports_are_taken = false;
            }
            _ => {
                exchange.server.shut_down(exchange.now);
                exchange.pass(Duration::ZERO);
                u3.is_cancelled(exchange, &invite);
                notified(exchange, u1, "503 Service Unavailable", true);
                u1.is_hung_up(exchange);
                trio.finish();
                continue;
            }
        }
        u1.expect_silence(exchange);
        u1.leave(exchange, &mut dialog);
        trio.finish();
    }
}

/// u1 is in a room and talks to u3: either REFER brings u3 into the room.
#[test]
fn two_calls_of_which_one_is_a_room_become_one() {
    for in_room in [true, false] {
        let mut trio = office();
        let mut room = served(&mut trio.exchange, &mut trio.u1, "7");
        let (mut d13, mut d3) = talk(&mut trio.exchange, &mut trio.u1, &trio.u3, "3");
        let (exchange, u1, _, u3) = trio.all();
        let (within, named) = if in_room {
            (&mut room, &d13)
        } else {
            (&mut d13, &room)
        };
        let to = in_place_of("3", named);
        refer(exchange, u1, within, &to);
        u3.agrees(exchange);
        notified(exchange, u1, "200 OK", true);
        exchange.pass(Duration::from_secs(2));
        for _ in 0..2 {
            u1.is_hung_up(exchange);
        }
        assert_eq!(exchange.server.counts().rooms, 1);
        d3.cseq += 1;
        u3.leave(exchange, &mut d3);
        assert_eq!(exchange.records.len(), 3);
        trio.finish();
    }
}

#[test]
fn the_exchange_is_not_connected_with_itself() {
    let mut trio = office();
    let (exchange, u1, u2, _) = trio.all();
    let mut room = served(exchange, u1, "7");
    refer(exchange, u1, &mut room, "sip:8@192.0.2.50");
    notified(exchange, u1, "501 Not Implemented", true);
    let mut tone = served(exchange, u1, "8");
    let to = in_place_of("8", &tone);
    refer(exchange, u1, &mut room, &to);
    notified(exchange, u1, "501 Not Implemented", true);
    for dialog in [&mut room, &mut tone] {
        u1.leave(exchange, dialog);
    }
    // Without a proof nobody transfers anybody.
    let mut room = served(exchange, u1, "7");
    let to = "Refer-To: <sip:3@192.0.2.50>\r\n";
    u1.in_dialog(exchange, &mut room, "REFER", to, "", false);
    u1.expect(exchange, 401);
    u1.leave(exchange, &mut room);
    let (mut again, _) = talk(exchange, u1, u2, "2");
    hang_up(exchange, u1, &mut again, u2);
    trio.finish();
}
