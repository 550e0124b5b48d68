//! Transfers to what the exchange itself gives (a room, a tone, an announcement), and out of it: whoever
//! is in a room may send somebody else there.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{Command, Service};
use offhook_server::{End, Outcome, SoundRequest};
use offhook_sip::{Method, Request};
use support::party::{Dialog, Party, description};
use support::trio::{Trio, hang_up, notified, refer, reinvited, replaces, talk, they_talk, to_of};
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
    let answer = party.expect(exchange, 200);
    party.acknowledge(exchange, &mut dialog, &answer, "");
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

fn leave(exchange: &mut Exchange, party: &mut Party, dialog: &mut Dialog) {
    party.in_dialog(exchange, dialog, "BYE", "", "", true);
    party.expect(exchange, 200);
}

#[test]
fn either_party_sends_the_other_to_a_room() {
    for callee_refers in [false, true] {
        let (mut trio, d1, d2) = conversation();
        let Trio {
            exchange, u1, u2, ..
        } = &mut trio;
        let ((from, mut mine), (who, mut theirs)) = if callee_refers {
            ((u2, d2), (u1, d1))
        } else {
            ((u1, d1), (u2, d2))
        };
        refer(exchange, from, &mut mine, "sip:7@192.0.2.50");
        let asked = reinvited(exchange, who, 200, &description(who.address));
        assert_eq!(line(&asked, "m="), line(&asked, "m=audio"));
        // The same session for the phone, which goes on: one version later.
        assert_eq!(session(&asked).1, 2, "{asked}");
        notified(exchange, from, "200 OK", true);
        assert!(matches!(services(exchange)[..], [Service::Room(_)]));
        assert_eq!(served_at(exchange), format!("{}:40000", who.address.ip()));
        leave(exchange, from, &mut mine);
        assert_eq!(exchange.records.len(), 1);
        // He is in a call of his own, which only he can end.
        theirs.cseq += 1;
        who.in_dialog(exchange, &mut theirs, "BYE", "", "", false);
        who.expect(exchange, 401);
        who.in_dialog(exchange, &mut theirs, "INFO", "", "", true);
        who.expect(exchange, 200);
        leave(exchange, who, &mut theirs);
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
    let Trio {
        exchange, u1, u2, ..
    } = &mut trio;
    refer(exchange, u1, &mut d1, "sip:8@192.0.2.50");
    reinvited(exchange, u2, 200, &description(u2.address));
    notified(exchange, u1, "200 OK", true);
    u1.expect_silence(exchange);
    exchange.pass(Duration::from_secs(2));
    let bye = u1.expect_request(exchange, &Method::Bye);
    u1.answer(exchange, &bye, 200, "");
    d2.cseq += 1;
    // The phone may put it on hold: the exchange answers.
    let held = description(u2.address) + "a=sendonly\r\n";
    u2.in_dialog(exchange, &mut d2, "INVITE", "", &held, true);
    let answer = u2.expect(exchange, 200);
    assert!(String::from_utf8_lossy(answer.body()).contains("a=recvonly"));
    u2.acknowledge(exchange, &mut d2, &answer, "");
    leave(exchange, u2, &mut d2);
    trio.finish();
}

#[test]
fn who_does_not_want_to_goes_back() {
    let (mut trio, mut d1, _d2) = conversation();
    let Trio {
        exchange, u1, u2, ..
    } = &mut trio;
    refer(exchange, u1, &mut d1, "sip:7@192.0.2.50");
    let asked = reinvited(exchange, u2, 488, "");
    notified(exchange, u1, "488 Not Acceptable Here", true);
    let back = reinvited(exchange, u2, 200, &description(u2.address));
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
    let Trio {
        exchange,
        u1,
        u2,
        u3,
    } = &mut trio;
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
        leave(exchange, u3, dialog);
    }
    u2.expect_silence(exchange);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn who_is_transferred_hangs_up_meanwhile() {
    let (mut trio, mut d1, mut d2) = conversation();
    let Trio {
        exchange, u1, u2, ..
    } = &mut trio;
    refer(exchange, u1, &mut d1, "sip:7@192.0.2.50");
    let asked = u2.expect_request(exchange, &Method::Invite);
    leave(exchange, u2, &mut d2);
    u2.answer(exchange, &asked, 487, "");
    u2.expect_request(exchange, &Method::Ack);
    notified(exchange, u1, "480 Temporarily Unavailable", true);
    let bye = u1.expect_request(exchange, &Method::Bye);
    u1.answer(exchange, &bye, 200, "");
    trio.finish();
}

#[test]
fn the_transferor_hangs_up_at_once() {
    for agrees in [true, false] {
        let (mut trio, mut d1, mut d2) = conversation();
        let Trio {
            exchange, u1, u2, ..
        } = &mut trio;
        refer(exchange, u1, &mut d1, "sip:7@192.0.2.50");
        let asked = u2.expect_request(exchange, &Method::Invite);
        leave(exchange, u1, &mut d1);
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
            leave(exchange, u2, &mut d2);
        } else {
            let bye = u2.expect_request(exchange, &Method::Bye);
            u2.answer(exchange, &bye, 200, "");
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
        let Trio {
            exchange, u1, u2, ..
        } = &mut trio;
        let mut other = None;
        let invite = if early {
            let mut dialog = u1.dial(exchange, "5", &description(u1.address));
            let invite = gateway.expect_request(exchange, &Method::Invite);
            gateway.answer(exchange, &invite, 180, "");
            let heard = u1.expect(exchange, 180);
            to_of(&heard).clone_into(&mut dialog.remote);
            let to = format!("sip:5@192.0.2.50?Replaces={}", replaces(&dialog));
            refer(exchange, u1, &mut d1, &to);
            notified(exchange, u1, "180 Ringing", false);
            other = Some(dialog);
            invite
        } else {
            refer(exchange, u1, &mut d1, "sip:5@192.0.2.50");
            gateway.expect_request(exchange, &Method::Invite)
        };
        gateway.answer(exchange, &invite, 486, "");
        gateway.expect_request(exchange, &Method::Ack);
        if let Some(dialog) = other {
            let ended = u1.expect(exchange, 487);
            u1.acknowledge_failure(exchange, &dialog, &ended);
        }
        reinvited(exchange, u2, 200, &description(u2.address));
        notified(exchange, u1, "200 OK", true);
        assert!(matches!(services(exchange)[..], [Service::Echo]));
        leave(exchange, u1, &mut d1);
        d2.cseq += 1;
        leave(exchange, u2, &mut d2);
        trio.finish();
    }
}

/// u1, in the room, has u3 called, who makes the offer.
fn call_into_room(trio: &mut Trio, dialog: &mut Dialog) -> Request {
    let Trio {
        exchange, u1, u3, ..
    } = trio;
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
        let Trio {
            exchange, u1, u3, ..
        } = &mut trio;
        if leaves_at_once {
            leave(exchange, u1, &mut dialog);
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
            let bye = u1.expect_request(exchange, &Method::Bye);
            u1.answer(exchange, &bye, 200, "");
        }
        assert_eq!(exchange.records.len(), 1);
        leave(exchange, u3, &mut theirs);
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
        let Trio {
            exchange, u1, u3, ..
        } = &mut trio;
        match ways {
            0 => {
                u3.answer(exchange, &invite, 486, "");
                u3.expect_request(exchange, &Method::Ack);
                notified(exchange, u1, "486 Busy Here", true);
            }
            1 => {
                u3.answer(exchange, &invite, 200, "");
                u3.expect_request(exchange, &Method::Ack);
                notified(exchange, u1, "488 Not Acceptable Here", true);
                let bye = u3.expect_request(exchange, &Method::Bye);
                u3.answer(exchange, &bye, 200, "");
            }
            2 => {
                exchange.ports_are_taken = true;
                u3.answer(exchange, &invite, 200, &description(u3.address));
                notified(exchange, u1, "503 Service Unavailable", true);
                u3.expect_request(exchange, &Method::Ack);
                let bye = u3.expect_request(exchange, &Method::Bye);
                u3.answer(exchange, &bye, 200, "");
                exchange.ports_are_taken = false;
            }
            _ => {
                exchange.server.shut_down(exchange.now);
                exchange.pass(Duration::ZERO);
                let cancel = u3.expect_request(exchange, &Method::Cancel);
                u3.answer(exchange, &cancel, 200, "");
                u3.answer(exchange, &invite, 487, "");
                u3.expect_request(exchange, &Method::Ack);
                notified(exchange, u1, "503 Service Unavailable", true);
                let bye = u1.expect_request(exchange, &Method::Bye);
                u1.answer(exchange, &bye, 200, "");
                trio.finish();
                continue;
            }
        }
        u1.expect_silence(exchange);
        leave(exchange, u1, &mut dialog);
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
        let Trio {
            exchange, u1, u3, ..
        } = &mut trio;
        let (within, named) = if in_room {
            (&mut room, &d13)
        } else {
            (&mut d13, &room)
        };
        let to = format!("sip:3@192.0.2.50?Replaces={}", replaces(named));
        refer(exchange, u1, within, &to);
        reinvited(exchange, u3, 200, &description(u3.address));
        notified(exchange, u1, "200 OK", true);
        exchange.pass(Duration::from_secs(2));
        for _ in 0..2 {
            let bye = u1.expect_request(exchange, &Method::Bye);
            u1.answer(exchange, &bye, 200, "");
        }
        assert_eq!(exchange.server.counts().rooms, 1);
        d3.cseq += 1;
        leave(exchange, u3, &mut d3);
        assert_eq!(exchange.records.len(), 3);
        trio.finish();
    }
}

#[test]
fn the_exchange_is_not_connected_with_itself() {
    let mut trio = office();
    let Trio {
        exchange, u1, u2, ..
    } = &mut trio;
    let mut room = served(exchange, u1, "7");
    refer(exchange, u1, &mut room, "sip:8@192.0.2.50");
    notified(exchange, u1, "501 Not Implemented", true);
    let mut tone = served(exchange, u1, "8");
    let to = format!("sip:8@192.0.2.50?Replaces={}", replaces(&tone));
    refer(exchange, u1, &mut room, &to);
    notified(exchange, u1, "501 Not Implemented", true);
    for dialog in [&mut room, &mut tone] {
        leave(exchange, u1, dialog);
    }
    // Without a proof nobody transfers anybody.
    let mut room = served(exchange, u1, "7");
    let to = "Refer-To: <sip:3@192.0.2.50>\r\n";
    u1.in_dialog(exchange, &mut room, "REFER", to, "", false);
    u1.expect(exchange, 401);
    leave(exchange, u1, &mut room);
    let (mut again, _) = talk(exchange, u1, u2, "2");
    hang_up(exchange, u1, &mut again, u2);
    trio.finish();
}
