//! Bindings in a store outside: requests wait for its answers, and for nothing longer than that.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_routing::location::{Answer, Question, QuestionId, Revision};
use offhook_server::{Config, Event, SharedLocation};
use offhook_sip::Method;
use support::party::{Dialog, Party, description};
use support::store::Store;
use support::{Exchange, SERVER, address};

fn shared(config: &mut Config) {
    config.shared_location = Some(SharedLocation {
        most_waiting: 3,
        ..SharedLocation::new(address(SERVER))
    });
}

fn id_of(question: &Question) -> QuestionId {
    match question {
        Question::Lookup { id, .. } | Question::Update { id, .. } => *id,
    }
}

/// u1 has dialled 2, and the store is asked where that is.
fn asking() -> (Exchange, Party, Dialog, Question) {
    let mut exchange = Exchange::with(shared);
    let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    let dialog = caller.dial(&mut exchange, "2", &description(caller.address));
    let question = exchange.questions.pop_front().expect("a question");
    (exchange, caller, dialog, question)
}

/// The call is answered and ended.
fn talk_and_hang_up(
    caller: &mut Party,
    callee: &Party,
    exchange: &mut Exchange,
    dialog: &mut Dialog,
    invite: &offhook_sip::Request,
) {
    callee.pick_up(exchange, invite);
    caller.answered(exchange, dialog);
    caller.leave(exchange, dialog);
    callee.is_hung_up(exchange);
}

#[test]
fn a_registration_and_a_call_wait_for_the_store() {
    let (mut exchange, mut store) = (Exchange::with(shared), Store::default());
    let mut callee = Party::new("u2", "secret2", "192.0.2.101:5060");
    let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    callee.ask_to_register(&mut exchange, 600);
    callee.expect_silence(&exchange);
    assert_eq!(store.serve(&mut exchange), 2, "a lookup and an update");
    let response = callee.expect(&mut exchange, 200);
    assert_eq!(
        response.headers().get("Contact"),
        Some("<sip:u2@192.0.2.101:5060>;expires=600")
    );

    let mut dialog = caller.dial(&mut exchange, "2", &description(caller.address));
    callee.expect_silence(&exchange);
    assert_eq!(store.serve(&mut exchange), 1);
    let invite = callee.expect_request(&mut exchange, &Method::Invite);
    talk_and_hang_up(&mut caller, &callee, &mut exchange, &mut dialog, &invite);
    store.log_in(&mut callee, &mut exchange, 0);
    assert!(store.users["u2"].1.is_empty());
    exchange.assert_nothing_left();
}

#[test]
fn whom_another_server_registered_is_called() {
    let (mut exchange, mut store) = (Exchange::with(shared), Store::default());
    let mut elsewhere = Exchange::with(shared);
    let mut callee = Party::new("u2", "secret2", "192.0.2.101:5060");
    store.log_in(&mut callee, &mut elsewhere, 600);
    let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    let mut dialog = caller.dial(&mut exchange, "2", &description(caller.address));
    store.serve(&mut exchange);
    let invite = callee.expect_request(&mut exchange, &Method::Invite);
    talk_and_hang_up(&mut caller, &callee, &mut exchange, &mut dialog, &invite);
    exchange.assert_nothing_left();
}

#[test]
fn a_silent_store_ends_in_503_and_a_late_answer_is_nothing() {
    let (mut exchange, mut caller, dialog, question) = asking();
    exchange.pass(Duration::from_secs(4));
    assert_eq!(exchange.server.counts().inquiries, 1);
    exchange.pass(Duration::from_secs(1));
    let refusal = caller.refused(&mut exchange, &dialog, 503);
    assert_eq!(refusal.headers().get("Retry-After"), Some("5"));
    let late = Store::default().answer(question);
    exchange.answer(late);
    caller.expect_silence(&exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_store_that_is_away_ends_in_503() {
    let (mut exchange, mut caller, dialog, question) = asking();
    let id = id_of(&question);
    exchange.answer(Answer::Unavailable { id });
    caller.refused(&mut exchange, &dialog, 503);

    caller.ask_to_register(&mut exchange, 600);
    let id = id_of(&exchange.questions.pop_front().expect("a question"));
    exchange.answer(Answer::Unavailable { id });
    caller.expect(&mut exchange, 503);
    exchange.assert_nothing_left();
}

#[test]
fn a_caller_who_gives_up_leaves_nothing_behind() {
    let (mut exchange, mut caller, dialog, question) = asking();
    caller.cancel(&mut exchange, &dialog);
    caller.expect(&mut exchange, 200);
    caller.refused(&mut exchange, &dialog, 487);
    assert_eq!(exchange.server.counts().inquiries, 0);
    exchange.answer(Store::default().answer(question));
    caller.expect_silence(&exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_registration_that_was_overtaken_is_decided_anew() {
    let (mut exchange, mut store) = (Exchange::with(shared), Store::default());
    let mut phone = Party::new("u2", "secret2", "192.0.2.101:5060");
    phone.ask_to_register(&mut exchange, 600);
    let lookup = exchange.questions.pop_front().expect("a lookup");
    exchange.answer(store.answer(lookup));
    store.users.entry("u2".to_owned()).or_default().0 = Revision(7);
    assert_eq!(
        store.serve(&mut exchange),
        3,
        "a conflict, and both questions again"
    );
    phone.expect(&mut exchange, 200);
    assert_eq!(store.users["u2"].1.len(), 1);

    // Whoever is always overtaken is told to come again.
    phone.ask_to_register(&mut exchange, 600);
    let mut asked = 0;
    while let Some(question) = exchange.questions.pop_front() {
        let answer = match question {
            Question::Update { id, .. } => Answer::Conflict { id },
            lookup @ Question::Lookup { .. } => store.answer(lookup),
        };
        exchange.answer(answer);
        asked += 1;
    }
    assert_eq!(asked, 8, "four times a lookup and an update");
    phone.expect(&mut exchange, 503);
    exchange.assert_nothing_left();
}

#[test]
fn only_so_many_requests_wait() {
    let mut exchange = Exchange::with(shared);
    let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    let dialogs: Vec<Dialog> = (0..4)
        .map(|_| caller.dial(&mut exchange, "2", &description(caller.address)))
        .collect();
    assert_eq!(exchange.server.counts().inquiries, 3);
    caller.refused(&mut exchange, &dialogs[3], 503);
    let mut store = Store::default();
    store.serve(&mut exchange);
    for dialog in &dialogs[..3] {
        caller.refused(&mut exchange, dialog, 480);
    }
    exchange.assert_nothing_left();
}

#[test]
fn there_are_only_so_many_bindings_of_a_user_and_of_all() {
    let mut store = Store::default();
    let mut exchange = Exchange::with(|config| {
        shared(config);
        config.max_bindings = 3;
        config.registrar.contacts_per_user = 2;
    });
    let mut begun = 0;
    let mut log_in = |exchange: &mut Exchange, user: &str, host: u8, status: u16| {
        let password = user.replace('u', "secret");
        let at = format!("192.0.2.{host}:5060");
        let mut party = Party::new(user, &password, &at);
        // Tags and Call-IDs of its own, though it is the same user.
        begun += 10;
        (0..begun).for_each(|_| _ = party.serial());
        party.ask_to_register(exchange, 600);
        store.serve(exchange);
        party.expect(exchange, status)
    };
    log_in(&mut exchange, "u1", 101, 200);
    log_in(&mut exchange, "u1", 102, 200);
    log_in(&mut exchange, "u1", 103, 403);
    log_in(&mut exchange, "u2", 104, 200);
    let refusal = log_in(&mut exchange, "u3", 105, 503);
    assert_eq!(refusal.headers().get("Retry-After"), Some("60"));
    let told = exchange
        .events
        .iter()
        .any(|event| matches!(event, Event::LimitReached { what } if *what == "registrations"));
    assert!(told, "{:?}", exchange.events);
    // Who is there already may stay.
    log_in(&mut exchange, "u2", 104, 200);
    exchange.assert_nothing_left();
}
