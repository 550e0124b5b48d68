//! Who picks a call up and then does not behave, and those who vanish meanwhile: everything ends, and
//! nothing is left.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::{Message, Method, Request};
use support::networks::everywhere;
use support::party::{Dialog, Party, description};
use support::trio::{
    Trio, hang_up, refer, reinvited, replaces, take_all, take_over, talk, they_talk, to_of,
    voice_of,
};
use support::{Exchange, NUMBERS};

const USERS: &str = "[u1]\npassword=secret1\n[u2]\npassword=secret2\npickupgroup=all\n\
    [u3]\npassword=secret3\n\
    [u4]\npassword=secret4\npickupgroup=all\nmaxcalls=1\n";
/// As long as anybody may take to answer by himself.
const PATIENCE: Duration = Duration::from_secs(32);

/// u1 calls 2; the phone of u2 rings, and another one of u2 is at hand.
struct Scene {
    trio: Trio,
    picker: Party,
    /// At the caller.
    d1: Dialog,
    /// At the phone that rings.
    d2: Dialog,
    ringing: Request,
}

impl Scene {
    fn new() -> Self {
        Self::at("192.0.2.112:5060")
    }

    fn at(picker: &str) -> Self {
        let numbers = format!("{NUMBERS}^7$=conf/seven\n");
        let mut trio = Trio::with(Exchange::of(USERS, &numbers, everywhere));
        let (exchange, u1, u2, _) = trio.all();
        let (d1, d2, ringing) = rings(exchange, u1, u2);
        Self {
            trio,
            picker: Party::new("u2", "secret2", picker),
            d1,
            d2,
            ringing,
        }
    }

    fn all(&mut self) -> (&mut Exchange, &mut Party, &mut Party, &mut Party) {
        let (exchange, u1, u2, _) = self.trio.all();
        (exchange, u1, u2, &mut self.picker)
    }

    /// The second phone calls with Replaces; the first one stops ringing.
    fn picked(&mut self, offer: &str) -> Dialog {
        let named = self.d2.clone();
        let ringing = self.ringing.clone();
        let (exchange, _, u2, picker) = self.all();
        let dialog = take_over(exchange, picker, &named, offer, "");
        u2.is_cancelled(exchange, &ringing);
        dialog
    }

    /// He has acknowledged that he is in: what he is asked.
    fn asked(&mut self) -> (Dialog, Request) {
        let offer = description(self.picker.address);
        let mut dialog = self.picked(&offer);
        let (exchange, _, _, picker) = self.all();
        picker.answered(exchange, &mut dialog);
        let asked = picker.expect_request(exchange, &Method::Invite);
        (dialog, asked)
    }
}

fn rings(exchange: &mut Exchange, caller: &mut Party, callee: &Party) -> (Dialog, Dialog, Request) {
    let mut d1 = caller.dial(exchange, "2", &description(caller.address));
    let ringing = callee.expect_request(exchange, &Method::Invite);
    let d2 = callee.answer(exchange, &ringing, 180, "");
    to_of(&caller.expect(exchange, 180)).clone_into(&mut d1.remote);
    (d1, d2, ringing)
}

#[test]
fn he_never_acknowledges() {
    for hangs_up in [false, true] {
        let mut scene = Scene::new();
        let offer = description(scene.picker.address);
        let mut dialog = scene.picked(&offer);
        let d1 = scene.d1.clone();
        let (exchange, u1, _, picker) = scene.all();
        if hangs_up {
            let answer = picker.expect(exchange, 200);
            to_of(&answer).clone_into(&mut dialog.remote);
            picker.leave(exchange, &mut dialog);
        } else {
            exchange.pass(PATIENCE);
        }
        u1.refused(exchange, &d1, 480);
        take_all(exchange, picker);
        scene.trio.finish();
    }
}

#[test]
fn he_never_answers_what_he_is_asked() {
    for says in [None, Some(100), Some(183)] {
        let mut scene = Scene::new();
        let (mut dialog, asked) = scene.asked();
        let d1 = scene.d1.clone();
        let (exchange, u1, _, picker) = scene.all();
        if let Some(status) = says {
            picker.answer(exchange, &asked, status, "");
        }
        exchange.pass(Duration::from_secs(20));
        // That he lives does not help him.
        picker.in_dialog(exchange, &mut dialog, "OPTIONS", "", "", true);
        exchange.pass(Duration::from_secs(12));
        u1.refused(exchange, &d1, 480);
        let all = take_all(exchange, picker).into_iter();
        let mut requests = all.filter_map(Message::into_request);
        assert!(requests.any(|request| *request.method() == Method::Bye));
        scene.trio.finish();
    }
}

#[test]
fn he_is_always_busy_with_something_else() {
    let mut scene = Scene::new();
    let (_, mut asked) = scene.asked();
    let d1 = scene.d1.clone();
    let (exchange, u1, _, picker) = scene.all();
    // RFC 3261 §14.1: it is tried again, but not for ever.
    for _ in 0..20 {
        picker.refuse(exchange, &asked, 491);
        while exchange.waiting(picker.address) == 0 {
            exchange.pass(Duration::from_millis(10));
        }
        let message = picker.next(exchange).into_request().expect("a request");
        if *message.method() == Method::Bye {
            picker.answer(exchange, &message, 200, "");
            break;
        }
        asked = message;
    }
    let refusal = u1.expect_one_of(exchange, &[480, 491]);
    u1.acknowledge_failure(exchange, &d1, &refusal);
    scene.trio.finish();
}

#[test]
fn he_answers_nonsense() {
    let garbage = [
        "",
        "nonsense",
        "v=0\r\nm=audio\r\n",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.112\r\ns=-\r\nt=0 0\r\n",
    ];
    for said in garbage {
        for in_ack in [false, true] {
            let mut scene = Scene::new();
            let d1 = scene.d1.clone();
            if in_ack {
                let mut dialog = scene.picked("");
                let (exchange, _, _, picker) = scene.all();
                let answer = picker.expect(exchange, 200);
                picker.acknowledge(exchange, &mut dialog, &answer, said);
            } else {
                let (_, asked) = scene.asked();
                let (exchange, _, _, picker) = scene.all();
                picker.answer(exchange, &asked, 200, said);
            }
            let (exchange, u1, _, picker) = scene.all();
            let answer = u1.expect_one_of(exchange, &[200, 480, 502]);
            if answer.status().get() == 200 {
                // Without voice, as whoever he calls may answer.
                let mut d1 = d1;
                u1.acknowledge(exchange, &mut d1, &answer, "");
                u1.leave(exchange, &mut d1);
            } else {
                u1.acknowledge_failure(exchange, &d1, &answer);
            }
            take_all(exchange, picker);
            scene.trio.finish();
        }
    }
}

#[test]
fn he_wants_more_before_he_has_answered() {
    let mut scene = Scene::new();
    let (mut dialog, asked) = scene.asked();
    let mut d1 = scene.d1.clone();
    let (exchange, u1, _, picker) = scene.all();
    let body = description(picker.address);
    // He is picked up in turn.
    let mut third = Party::new("u2", "secret2", "192.0.2.122:5060");
    let again = take_over(exchange, &mut third, &dialog, &body, "");
    third.refused(exchange, &again, 491);
    let extra = "Refer-To: <sip:3@192.0.2.50>\r\n";
    picker.in_dialog(exchange, &mut dialog, "REFER", extra, "", true);
    picker.expect(exchange, 491);
    picker.in_dialog(exchange, &mut dialog, "INFO", "", "", true);
    picker.expect(exchange, 480);
    picker.in_dialog(exchange, &mut dialog, "INVITE", "", &body, true);
    picker.refused(exchange, &dialog, 491);
    // Nobody else speaks for him.
    u1.in_dialog(exchange, &mut dialog, "BYE", "", "", true);
    u1.expect(exchange, 403);
    picker.pick_up(exchange, &asked);
    u1.answered(exchange, &mut d1);
    they_talk(exchange, u1, &mut d1, picker);
    scene.trio.finish();
}

#[test]
fn the_caller_vanishes_meanwhile() {
    for promised in [false, true] {
        let mut scene = Scene::new();
        let named = scene.d1.clone();
        if promised {
            let (exchange, u1, _, u3) = scene.trio.all();
            let (mut d13, _) = talk(exchange, u1, u3, "3");
            let to = format!("sip:2@192.0.2.50?Replaces={}", replaces(&named));
            refer(exchange, u1, &mut d13, &to);
            take_all(exchange, u1);
            // RFC 5589 §6.1: he need not wait.
            u1.leave(exchange, &mut d13);
            u3.expect_silence(exchange);
        }
        let (_, asked) = scene.asked();
        let (exchange, u1, _, picker) = scene.all();
        if promised {
            let mut bare = named.clone();
            let tag = bare.remote.find(";tag=").expect("a tag");
            bare.remote.truncate(tag);
            u1.cancel(exchange, &bare);
            u1.expect(exchange, 200);
            u1.refused(exchange, &bare, 487);
            picker.expect_silence(exchange);
            picker.pick_up(exchange, &asked);
            let body = description(picker.address);
            reinvited(exchange, picker, 200, &body);
            let (exchange, _, _, u3) = scene.trio.all();
            reinvited(exchange, u3, 200, &description(u3.address));
            assert_eq!(voice_of(exchange, Side::A), "192.0.2.112:40000");
            let all = take_all(exchange, u3);
            assert!(all.is_empty(), "{all:?}");
        } else {
            exchange.unreachable(u1.address);
            picker.pick_up(exchange, &asked);
            u1.expect(exchange, 200);
            exchange.unreachable(u1.address);
            exchange.pass(PATIENCE);
            take_all(exchange, u1);
            take_all(exchange, picker);
        }
        let (exchange, ..) = scene.trio.all();
        exchange.server.shut_down(exchange.now);
        exchange.pass(Duration::from_secs(1));
        for party in [&scene.picker, &scene.trio.u1, &scene.trio.u3] {
            take_all(&mut scene.trio.exchange, party);
        }
        scene.trio.finish();
    }
}

#[test]
fn the_server_is_stopped_meanwhile() {
    for step in ["waits for ports", "to acknowledge", "asked"] {
        let place = if step == "waits for ports" {
            "[2001:db8::112]:5060"
        } else {
            "192.0.2.112:5060"
        };
        let mut scene = Scene::at(place);
        let offer = description(scene.picker.address);
        match step {
            "waits for ports" => {
                let named = scene.d2.clone();
                let (exchange, _, _, picker) = scene.all();
                exchange.opens_late = Some(Vec::new());
                take_over(exchange, picker, &named, &offer, "");
            }
            "asked" => drop(scene.asked()),
            _ => drop(scene.picked(&offer)),
        }
        let d1 = scene.d1.clone();
        let ringing = scene.ringing.clone();
        let (exchange, u1, u2, _) = scene.all();
        exchange.server.shut_down(exchange.now);
        exchange.pass(Duration::ZERO);
        u1.refused(exchange, &d1, 503);
        if step == "waits for ports" {
            exchange.let_ports_open();
            u2.is_cancelled(exchange, &ringing);
        }
        let (exchange, _, _, picker) = scene.all();
        take_all(exchange, picker);
        exchange.pass(PATIENCE);
        take_all(exchange, picker);
        scene.trio.finish();
    }
}

/// The relay whose ports he waits for is given up before it has said anything.
#[test]
fn the_exchange_takes_the_call_while_he_waits_for_ports() {
    let mut scene = Scene::at("[2001:db8::112]:5060");
    let (named, ringing) = (scene.d2.clone(), scene.ringing.clone());
    let mut d1 = scene.d1.clone();
    let (exchange, u1, u2, picker) = scene.all();
    exchange.opens_late = Some(Vec::new());
    let offer = description(picker.address);
    let dialog = take_over(exchange, picker, &named, &offer, "");
    u2.redirect(exchange, &ringing, "<sip:7@192.0.2.50>");
    u1.answered(exchange, &mut d1);
    exchange.let_ports_open();
    picker.refused(exchange, &dialog, 481);
    u1.leave(exchange, &mut d1);
    scene.trio.finish();
}

#[test]
fn a_limit_holds_for_who_picks_up() {
    let numbers = format!("{NUMBERS}^7$=conf/seven\n");
    let mut trio = Trio::with(Exchange::of(USERS, &numbers, everywhere));
    let (exchange, u1, u2, u3) = trio.all();
    let (mut d1, named, ringing) = rings(exchange, u1, u2);
    let (mut d3, other, also_ringing) = rings(exchange, u3, u2);
    let mut u4 = Party::new("u4", "secret4", "[2001:db8::104]:5060");
    // Both at once, while there are no ports for him yet.
    exchange.opens_late = Some(Vec::new());
    let offer = description(u4.address);
    let mut first = take_over(exchange, &mut u4, &named, &offer, "");
    let second = take_over(exchange, &mut u4, &other, &offer, "");
    u4.refused(exchange, &second, 486);
    exchange.let_ports_open();
    u2.is_cancelled(exchange, &ringing);
    u4.answered(exchange, &mut first);
    let asked = u4.expect_request(exchange, &Method::Invite);
    let second = take_over(exchange, &mut u4, &other, &offer, "");
    u4.refused(exchange, &second, 486);
    u4.pick_up(exchange, &asked);
    u1.answered(exchange, &mut d1);
    let second = take_over(exchange, &mut u4, &other, &offer, "");
    u4.refused(exchange, &second, 486);
    hang_up(exchange, u1, &mut d1, &u4);
    // Now he may.
    let mut second = take_over(exchange, &mut u4, &other, &offer, "");
    u2.is_cancelled(exchange, &also_ringing);
    // The ports have been asked for before.
    u4.answered(exchange, &mut second);
    let asked = u4.expect_request(exchange, &Method::Invite);
    u4.pick_up(exchange, &asked);
    u3.answered(exchange, &mut d3);
    hang_up(exchange, u3, &mut d3, &u4);
    trio.finish();
}

/// The caller is of the group, too: he talks to himself, and that ends like any call.
#[test]
fn somebody_picks_up_his_own_call() {
    let mut trio = Trio::with(Exchange::of(USERS, NUMBERS, everywhere));
    let (exchange, _, u2, _) = trio.all();
    let mut caller = Party::new("u2", "secret2", "192.0.2.112:5060");
    caller.serial();
    let (mut d1, named, ringing) = rings(exchange, &mut caller, u2);
    let offer = description(caller.address);
    let mut dialog = take_over(exchange, &mut caller, &named, &offer, "");
    u2.is_cancelled(exchange, &ringing);
    caller.answered(exchange, &mut dialog);
    let asked = caller.expect_request(exchange, &Method::Invite);
    caller.pick_up(exchange, &asked);
    caller.answered(exchange, &mut d1);
    caller.in_dialog(exchange, &mut d1, "BYE", "", "", true);
    let all = take_all(exchange, &caller).into_iter();
    let bye = all.filter_map(Message::into_request).last();
    assert_eq!(bye.as_ref().map(Request::method), Some(&Method::Bye));
    trio.finish();
}
