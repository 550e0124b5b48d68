//! Three users at an exchange, and what they do again and again.

use std::time::Duration;

use offhook_media::relay::{Command, Side};
use offhook_server::Outcome;
use offhook_sip::{Message, Method, Request, Response};

use super::Exchange;
use super::party::{Dialog, Party, description};

/// u1, u2 and u3, all logged in.
pub(crate) struct Trio {
    pub exchange: Exchange,
    pub u1: Party,
    pub u2: Party,
    pub u3: Party,
}

impl Trio {
    pub(crate) fn new() -> Self {
        Self::with(Exchange::new())
    }

    pub(crate) fn with(exchange: Exchange) -> Self {
        let places = ["192.0.2.101:5060", "192.0.2.102:5060", "192.0.2.103:5060"];
        Self::at(exchange, places)
    }

    /// The three at places of the test's own.
    pub(crate) fn at(mut exchange: Exchange, [first, second, third]: [&str; 3]) -> Self {
        let mut log_in = |user: &str, password: &str, at: &str| {
            let mut party = Party::new(user, password, at);
            party.register(&mut exchange, 3600);
            party
        };
        let u1 = log_in("u1", "secret1", first);
        let u2 = log_in("u2", "secret2", second);
        let u3 = log_in("u3", "secret3", third);
        Self {
            exchange,
            u1,
            u2,
            u3,
        }
    }

    /// The exchange and the three, each to be had apart from the others.
    pub(crate) fn all(&mut self) -> (&mut Exchange, &mut Party, &mut Party, &mut Party) {
        let Self {
            exchange,
            u1,
            u2,
            u3,
        } = self;
        (exchange, u1, u2, u3)
    }

    /// Everyone logs out; nothing is left.
    pub(crate) fn finish(&mut self) {
        for party in [&mut self.u1, &mut self.u2, &mut self.u3] {
            party.expect_silence(&self.exchange);
            party.register(&mut self.exchange, 0);
        }
        self.exchange.assert_nothing_left();
    }

    /// The same after one call, which ended so.
    #[track_caller]
    pub(crate) fn finish_after(&mut self, outcome: &Outcome) {
        assert_eq!(self.exchange.outcomes(), [outcome]);
        self.finish();
    }
}

/// u1 dials 2, and the phone of u2 has the INVITE: the caller's dialog, and what has come.
pub(crate) fn dialled() -> (Trio, Dialog, Request) {
    dialled_at(Exchange::new())
}

/// The same at an exchange of the test's own.
#[track_caller]
pub(crate) fn dialled_at(exchange: Exchange) -> (Trio, Dialog, Request) {
    let mut trio = Trio::with(exchange);
    let (exchange, u1, u2, _) = trio.all();
    let dialog = u1.dial(exchange, "2", &description(u1.address));
    let invite = u2.expect_request(exchange, &Method::Invite);
    (trio, dialog, invite)
}

/// u1 calls 2, whose phone names another place.
#[track_caller]
pub(crate) fn redirected(trio: &mut Trio, place: &str) -> Dialog {
    let (exchange, u1, u2, _) = trio.all();
    let dialog = u1.dial(exchange, "2", &description(u1.address));
    let invite = u2.expect_request(exchange, &Method::Invite);
    u2.redirect(exchange, &invite, place);
    dialog
}

/// One dials another, who answers; both ends of the conversation.
#[track_caller]
pub(crate) fn talk(
    exchange: &mut Exchange,
    caller: &mut Party,
    callee: &Party,
    number: &str,
) -> (Dialog, Dialog) {
    let mut dialog = caller.dial(exchange, number, &description(caller.address));
    let invite = callee.expect_request(exchange, &Method::Invite);
    let theirs = callee.pick_up(exchange, &invite);
    caller.answered(exchange, &mut dialog);
    (dialog, theirs)
}

/// One dials another, whose phone rings: the dialog at each of them, and what rings.
#[track_caller]
pub(crate) fn ring(
    exchange: &mut Exchange,
    caller: &mut Party,
    callee: &Party,
    number: &str,
    offer: &str,
) -> (Dialog, Dialog, Request) {
    let mut dialog = caller.dial(exchange, number, offer);
    let ringing = callee.expect_request(exchange, &Method::Invite);
    let theirs = callee.answer(exchange, &ringing, 180, "");
    caller.hears_ringing(exchange, &mut dialog);
    (dialog, theirs, ringing)
}

/// One hangs up, and the other one is told so.
#[track_caller]
pub(crate) fn hang_up(
    exchange: &mut Exchange,
    party: &mut Party,
    dialog: &mut Dialog,
    other: &Party,
) {
    party.in_dialog(exchange, dialog, "BYE", "", "", true);
    party.expect(exchange, 200);
    other.is_hung_up(exchange);
}

/// The exchange offers another session; the party answers.
#[track_caller]
pub(crate) fn reinvited(
    exchange: &mut Exchange,
    party: &Party,
    status: u16,
    body: &str,
) -> Request {
    let invite = party.expect_request(exchange, &Method::Invite);
    party.answer(exchange, &invite, status, body);
    party.expect_request(exchange, &Method::Ack);
    invite
}

/// The party is told how the call goes that it asked for.
#[track_caller]
pub(crate) fn notified(exchange: &mut Exchange, party: &Party, line: &str, last: bool) {
    let notify = party.expect_request(exchange, &Method::Notify);
    assert_eq!(
        notify.body().as_ref(),
        format!("SIP/2.0 {line}\r\n").as_bytes(),
        "{notify}"
    );
    let state = notify.headers().get("Subscription-State");
    let state = state.expect("a Subscription-State");
    assert_eq!(state.starts_with("terminated"), last, "{notify}");
    party.answer(exchange, &notify, 200, "");
}

/// A party asks to be replaced; the REFER is taken.
#[track_caller]
pub(crate) fn refer(exchange: &mut Exchange, party: &mut Party, dialog: &mut Dialog, to: &str) {
    let extra = format!("Refer-To: <{to}>\r\nReferred-By: <sip:ceo@example.com>\r\n");
    party.in_dialog(exchange, dialog, "REFER", &extra, "", true);
    party.expect(exchange, 202);
    notified(exchange, party, "100 Trying", false);
}

/// Where a REFER leads that joins two calls: to a number, in place of the party in this dialog.
pub(crate) fn in_place_of(number: &str, dialog: &Dialog) -> String {
    format!("sip:{number}@192.0.2.50?Replaces={}", replaces(dialog))
}

/// The same while the target still rings, in the dialog `early`: the party is told that it does.
#[track_caller]
pub(crate) fn refer_early(
    exchange: &mut Exchange,
    party: &mut Party,
    dialog: &mut Dialog,
    number: &str,
    early: &Dialog,
) {
    refer(exchange, party, dialog, &in_place_of(number, early));
    notified(exchange, party, "180 Ringing", false);
}

/// A party asks to be replaced by u3: the INVITE that reaches him.
#[track_caller]
pub(crate) fn referred(
    exchange: &mut Exchange,
    party: &mut Party,
    dialog: &mut Dialog,
    u3: &Party,
) -> Request {
    refer(exchange, party, dialog, "sip:3@192.0.2.50");
    u3.expect_request(exchange, &Method::Invite)
}

/// The same, and his phone rings: his dialog, and what rings.
#[track_caller]
pub(crate) fn referred_and_rings(
    exchange: &mut Exchange,
    party: &mut Party,
    dialog: &mut Dialog,
    u3: &Party,
) -> (Dialog, Request) {
    let invite = referred(exchange, party, dialog, u3);
    let theirs = u3.answer(exchange, &invite, 180, "");
    notified(exchange, party, "180 Ringing", false);
    (theirs, invite)
}

/// What Replaces says of a dialog, seen from the exchange, with every special character escaped.
pub(crate) fn replaces(dialog: &Dialog) -> String {
    let tag = |address: &str| address.split("tag=").nth(1).expect("a tag").to_owned();
    format!(
        "{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}",
        dialog.call_id.replace('@', "%40"),
        tag(&dialog.remote),
        tag(&dialog.local)
    )
}

/// The header that names a dialog, as a URI does it but without its escapes.
pub(crate) fn replacing(dialog: &Dialog) -> String {
    let named = replaces(dialog)
        .replace("%3B", ";")
        .replace("%3D", "=")
        .replace("%40", "@");
    format!("Replaces: {named}")
}

/// An INVITE with Replaces, with whatever proof the party has.
pub(crate) fn take_over(
    exchange: &mut Exchange,
    party: &mut Party,
    named: &Dialog,
    body: &str,
    flag: &str,
) -> Dialog {
    let extra = format!("{}{flag}\r\n", replacing(named));
    let uri = "sip:2@192.0.2.50";
    let mut dialog = party.new_dialog(uri);
    // Two phones of one user count alike.
    dialog.call_id = format!("{}-{}", party.address.ip(), dialog.call_id);
    party.send(exchange, &party.text("INVITE", uri, &dialog, &extra, body));
    let challenge = party.expect_one_of(exchange, &[401, 400, 481, 486, 603]);
    party.acknowledge_failure(exchange, &dialog, &challenge);
    if challenge.status().get() != 401 {
        to_of(&challenge).clone_into(&mut dialog.remote);
        return dialog;
    }
    party.ask_again(exchange, &mut dialog, &challenge, "INVITE", &extra, body);
    dialog
}

/// A proven request outside of any call; what comes next is in the letter boxes.
pub(crate) fn ask(
    exchange: &mut Exchange,
    party: &mut Party,
    method: &str,
    extra: &str,
    body: &str,
) -> Dialog {
    let uri = "sip:2@192.0.2.50";
    let mut dialog = party.new_dialog(uri);
    let plain = |text: String| text.replace("application/sdp", "text/plain");
    let text = plain(party.text(method, uri, &dialog, extra, body));
    party.send(exchange, &text);
    let challenge = party.expect(exchange, 401);
    dialog.cseq += 1;
    dialog.branch = party.branch();
    let text = plain(party.text(method, uri, &dialog, extra, body));
    let text = party.authorize(&text, &challenge);
    party.send(exchange, &text);
    dialog
}

/// The exchange is stopped, and nobody says anything until all has run out.
pub(crate) fn stop(exchange: &mut Exchange, parties: [&Party; 3]) {
    exchange.server.shut_down(exchange.now);
    for _ in 0..40 {
        exchange.pass(Duration::from_secs(1));
        for party in parties {
            take_all(exchange, party);
        }
    }
}

/// Everything that waits for a party is answered, whatever it is: requests with 200.
pub(crate) fn take_all(exchange: &mut Exchange, party: &Party) -> Vec<Message> {
    let mut all = Vec::new();
    while exchange.waiting(party.address) > 0 {
        let message = party.next(exchange);
        if let Message::Request(request) = &message
            && *request.method() != Method::Ack
        {
            party.answer(exchange, request, 200, "");
        }
        all.push(message);
    }
    all
}

/// The description that a request carries.
pub(crate) fn body_of(request: &Request) -> String {
    String::from_utf8_lossy(request.body()).into_owned()
}

/// The tag of a response's To.
pub(crate) fn to_of(response: &Response) -> &str {
    response.headers().get("To").expect("a To")
}

/// u1 and u2 talk; u1 called.
pub(crate) fn conversation() -> (Trio, Dialog, Dialog) {
    let mut trio = Trio::new();
    let (d1, d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    (trio, d1, d2)
}

/// What the relay was told last of where a leg wants voice.
pub(crate) fn voice_of(exchange: &Exchange, of: Side) -> String {
    exchange
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            Command::SetRemote { side, remote, .. } if *side == of => Some(remote.rtp.to_string()),
            _ => None,
        })
        .expect("the relay was told")
}

/// After the transfer: a question passes, and a BYE ends both.
pub(crate) fn they_talk(exchange: &mut Exchange, a: &mut Party, of_a: &mut Dialog, b: &Party) {
    a.in_dialog(exchange, of_a, "INFO", "", "", true);
    let info = b.expect_request(exchange, &Method::Info);
    b.answer(exchange, &info, 200, "");
    a.expect(exchange, 200);
    hang_up(exchange, a, of_a, b);
}
