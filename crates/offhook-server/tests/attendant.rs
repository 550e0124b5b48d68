//! Calls that the exchange answers itself: tones, announcements, recordings, an echo, rooms.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{self, Command, Event as MediaEvent, RelayId, Remote, Service};
use offhook_server::{End, Event, Outcome, SoundRequest};
use offhook_sip::{Method, Response, StatusCode};
use support::party::{Dialog, Party, description};
use support::{Exchange, USERS};

const NUMBERS: &str = "[default]\n\
    ^9$=tone/dial;lang=us\n\
    ^8$=tone/nonsense\n\
    ^7$=echo/\n\
    ^6\\(.*\\)$=wave/play/\\1\n\
    ^5\\(.*\\)$=wave/record/\\1;maxlen=32000\n\
    ^4\\(.*\\)$=conf/\\1;maxusers=2\n\
    ^3$=moh/harp\n\
    ^20$=fork sip/sip:gone@192.0.2.99:5060 | tone/busy\n\
    ^21$=fork sip/sip:slow@192.0.2.99:5060 echo/ | tone/busy\n\
    ^22$=fork sip/sip:slow@192.0.2.99:5060 |next=1000 echo/\n\
    ^2$=return;called=u2\n";

struct Stage {
    exchange: Exchange,
    caller: Party,
}

impl Stage {
    fn new() -> Self {
        Self {
            exchange: Exchange::of(USERS, NUMBERS, |config| {
                config.attendant.most_rooms = 2;
                config.attendant.most_recordings = 1;
            }),
            caller: Party::new("u1", "secret1", "192.0.2.183:5060"),
        }
    }

    fn dial(&mut self, number: &str) -> Dialog {
        let body = description(self.caller.address);
        self.caller.dial(&mut self.exchange, number, &body)
    }

    /// Dials, is answered, acknowledges.
    fn talk(&mut self, number: &str) -> (Dialog, Response) {
        let mut dialog = self.dial(number);
        let answer = self.answered(&mut dialog);
        (dialog, answer)
    }

    fn answered(&mut self, dialog: &mut Dialog) -> Response {
        self.caller.answered(&mut self.exchange, dialog)
    }

    fn refused(&mut self, number: &str, status: u16) {
        let dialog = self.dial(number);
        self.expect_refusal(&dialog, status);
    }

    fn expect_refusal(&mut self, dialog: &Dialog, status: u16) {
        self.caller.refused(&mut self.exchange, dialog, status);
        let outcome = self.exchange.records.pop().expect("a record").outcome;
        let status = StatusCode::new(status).expect("a status");
        assert_eq!(outcome, Outcome::Failed(status));
    }

    fn hang_up(&mut self, dialog: &mut Dialog) {
        let Self { exchange, caller } = self;
        caller.leave(exchange, dialog);
        let outcome = exchange.records.pop().expect("a record").outcome;
        assert_eq!(outcome, Outcome::Answered(End::Caller));
    }

    /// What the relay was last told to serve.
    fn served(&self) -> (RelayId, Service) {
        let served = self.exchange.commands.iter().rev();
        let mut served = served.filter_map(|command| match command {
            Command::Serve { id, service, .. } => Some((*id, service.clone())),
            _ => None,
        });
        served.next().expect("something is served")
    }

    /// Where the relay was last told that the caller is.
    fn remote(&self) -> Remote {
        let told = self.exchange.commands.iter().rev();
        let mut told = told.filter_map(|command| match command {
            Command::SetRemote { id, remote, .. } if id.is_served() => Some(remote.clone()),
            _ => None,
        });
        told.next().expect("the relay knows the caller")
    }

    /// The exchange hangs up; its BYE is answered.
    fn is_hung_up(&mut self) {
        let Self { exchange, caller } = self;
        caller.is_hung_up(exchange);
        let outcome = exchange.records.pop().expect("a record").outcome;
        assert_eq!(outcome, Outcome::Answered(End::Exchange));
    }

    /// The name of the sound that was asked for, answered with this many samples.
    fn read(&mut self, length: Option<usize>) -> String {
        let request = self.exchange.sounds.pop().expect("a sound is asked for");
        let SoundRequest::Read { id, name } = request else {
            panic!("a question is wanted, not {request:?}")
        };
        self.exchange
            .sound(id, length.map(|length| vec![7; length].into()));
        name.as_str().to_owned()
    }

    fn finish(mut self) {
        assert!(self.exchange.sounds.is_empty());
        self.exchange.assert_nothing_left();
    }
}

fn body_of(response: &Response) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

#[test]
fn a_tone_answers_and_plays_until_the_caller_hangs_up() {
    let mut stage = Stage::new();
    let (mut dialog, answer) = stage.talk("9");
    let body = body_of(&answer);
    assert!(body.contains("c=IN IP4 192.0.2.50"), "{body}");
    assert!(body.contains("RTP/AVP 0 8"), "{body}");
    let Service::Tone(cadence) = stage.served().1 else {
        panic!("a tone is served")
    };
    assert_eq!(cadence[0].frequencies, [350, 440, 0, 0], "that of the USA");
    let remote = stage.remote();
    assert_eq!(remote.rtp.to_string(), "192.0.2.183:40000");
    assert_eq!(remote.rtcp.to_string(), "192.0.2.183:40001");
    assert!(remote.sends);
    stage.hang_up(&mut dialog);
    stage.refused("8", 404);
    stage.finish();
}

#[test]
fn a_stranger_cannot_end_it() {
    let mut stage = Stage::new();
    let (mut dialog, _) = stage.talk("7");
    assert_eq!(stage.served().1, Service::Echo);
    let Stage { exchange, caller } = &mut stage;
    caller.in_dialog(exchange, &mut dialog, "BYE", "", "", false);
    caller.expect(exchange, 401);
    assert_eq!(exchange.server.counts().bridges, 1);
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn an_announcement_is_read_played_and_over() {
    let mut stage = Stage::new();
    let mut dialog = stage.dial("6hello.wav");
    stage.caller.expect_silence(&stage.exchange);
    assert_eq!(stage.read(Some(80)), "hello.wav");
    stage.answered(&mut dialog);
    let (id, service) = stage.served();
    let Service::Play { samples, repeat } = service else {
        panic!("a sound is served")
    };
    assert_eq!((samples.len(), repeat), (80, false));
    stage.exchange.media_event(MediaEvent::PlayedOut { id });
    stage.is_hung_up();

    let mut dialog = stage.dial("3");
    assert_eq!(stage.read(Some(80)), "moh/harp");
    stage.answered(&mut dialog);
    let service = stage.served().1;
    assert!(matches!(service, Service::Play { repeat: true, .. }));
    stage.hang_up(&mut dialog);

    let dialog = stage.dial("6missing.wav");
    assert_eq!(stage.read(None), "missing.wav");
    stage.expect_refusal(&dialog, 404);
    stage.finish();
}

#[test]
fn no_number_leads_out_of_the_folder() {
    let mut stage = Stage::new();
    for number in [
        "6%2e%2e%2fetc%2fpasswd",
        "6%2Fetc%2Fpasswd",
        "6../../etc/passwd",
        "6a/../../b",
        "5%2e%2e%2fx",
        "5.profile",
        "6",
    ] {
        stage.refused(number, 404);
        assert!(stage.exchange.sounds.is_empty(), "{number}");
    }
    stage.finish();
}

#[test]
fn a_caller_who_gives_up_waits_for_no_sound() {
    let mut stage = Stage::new();
    let dialog = stage.dial("6hello.wav");
    let Stage { exchange, caller } = &mut stage;
    caller.cancel(exchange, &dialog);
    caller.expect(exchange, 200);
    caller.refused(exchange, &dialog, 487);
    assert_eq!(stage.read(Some(80)), "hello.wav");
    let outcome = stage.exchange.records.pop().expect("a record").outcome;
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(stage.exchange.commands.is_empty(), "no port was taken");
    stage.finish();
}

#[test]
fn what_a_caller_says_is_recorded_as_long_as_the_rule_allows() {
    let mut stage = Stage::new();
    stage.talk("5memo.wav");
    let (id, service) = stage.served();
    let most = Duration::from_secs(2);
    assert_eq!(service, Service::Record { most }, "32000 bytes");
    let recorded = |samples| MediaEvent::Recorded { id, samples };
    stage.exchange.media_event(recorded(vec![1; 8000]));
    let SoundRequest::Record { name, samples, .. } = &stage.exchange.sounds[0] else {
        panic!("a recording is wanted: {:?}", stage.exchange.sounds)
    };
    assert_eq!((name.as_str(), samples.len()), ("memo.wav", 8000));

    // There is one microphone in this test.
    let Stage { exchange, .. } = &mut stage;
    let mut second = Party::new("u2", "secret2", "192.0.2.101:5060");
    let body = description(second.address);
    let refused = second.dial(exchange, "5memo.wav", &body);
    second.refused(exchange, &refused, 503);
    exchange.records.clear();

    exchange.media_event(recorded(vec![1; 8000]));
    stage.is_hung_up();
    let finished = stage.exchange.sounds.pop();
    assert!(matches!(finished, Some(SoundRequest::Finish { .. })));
    assert_eq!(stage.exchange.sounds.len(), 2);
    stage.exchange.sounds.clear();

    let (mut dialog, _) = stage.talk("5-");
    let (id, _) = stage.served();
    stage.exchange.media_event(MediaEvent::Recorded {
        id,
        samples: vec![1; 8000],
    });
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn rooms_are_shared_and_bounded() {
    let mut stage = Stage::new();
    let (mut first, _) = stage.talk("4blue");
    let room = stage.served().1;
    let (mut second, _) = stage.talk("4blue");
    assert_eq!(stage.served().1, room);
    stage.refused("4blue", 486);
    let (mut third, _) = stage.talk("4red");
    assert_ne!(stage.served().1, room);
    stage.refused("4green", 503);
    stage.refused("4", 404);
    assert_eq!(stage.exchange.server.counts().rooms, 2);
    for dialog in [&mut first, &mut second, &mut third] {
        stage.hang_up(dialog);
    }
    assert_eq!(stage.exchange.server.counts().rooms, 0);
    stage.finish();
}

#[test]
fn who_falls_silent_leaves_his_room() {
    let mut stage = Stage::new();
    stage.talk("4blue");
    let (id, _) = stage.served();
    let side = relay::Side::A;
    stage
        .exchange
        .media_event(MediaEvent::TimedOut { id, side });
    stage.is_hung_up();
    stage.finish();
}

#[test]
fn hold_and_resume_are_answered() {
    let mut stage = Stage::new();
    let (mut dialog, _) = stage.talk("7");
    let offer = description(stage.caller.address);
    let held = format!("{offer}a=sendonly\r\n");
    for (offer, answer, hears) in [
        (held.replace("sendonly", "inactive"), "a=inactive", false),
        (held, "a=recvonly", false),
        (offer, "a=sendrecv", true),
    ] {
        let Stage { exchange, caller } = &mut stage;
        caller.in_dialog(exchange, &mut dialog, "INVITE", "", &offer, true);
        let response = caller.answered(exchange, &mut dialog);
        let body = body_of(&response);
        assert!(body.contains(answer), "{body}");
        let remote = stage.remote();
        assert_eq!(!remote.rtp.ip().is_unspecified(), hears, "{remote:?}");
        assert_eq!(remote.sends, answer != "a=inactive");
    }
    // What cannot be answered changes nothing.
    let Stage { exchange, caller } = &mut stage;
    let gsm = description(caller.address).replace("RTP/AVP 0 8", "RTP/AVP 3");
    caller.in_dialog(exchange, &mut dialog, "INVITE", "", &gsm, true);
    caller.refused(exchange, &dialog, 488);
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn an_invite_without_an_offer_is_answered_with_one() {
    let mut stage = Stage::new();
    let mut dialog = stage.caller.dial(&mut stage.exchange, "7", "");
    let Stage { exchange, caller } = &mut stage;
    let response = caller.expect(exchange, 200);
    let offer = body_of(&response);
    assert!(offer.contains("RTP/AVP 0 8 101"), "{offer}");
    let answer = description(caller.address);
    caller.acknowledge(exchange, &mut dialog, &response, &answer);
    assert_eq!(stage.remote().rtp.to_string(), "192.0.2.183:40000");
    stage.hang_up(&mut dialog);

    // Without an answer in the ACK there is no session.
    let mut dialog = stage.caller.dial(&mut stage.exchange, "7", "");
    stage.answered(&mut dialog);
    stage.is_hung_up();
    stage.finish();
}

#[test]
fn what_cannot_be_heard_is_refused() {
    let mut stage = Stage::new();
    let gsm = description(stage.caller.address).replace("RTP/AVP 0 8", "RTP/AVP 3");
    for (body, status) in [(gsm.as_str(), 488), ("v=0\r\nnonsense", 400)] {
        let dialog = stage.caller.dial(&mut stage.exchange, "7", body);
        stage.expect_refusal(&dialog, status);
    }
    stage.exchange.ports_are_taken = true;
    stage.refused("7", 503);
    stage.exchange.ports_are_taken = false;
    stage.finish();
}

#[test]
fn keys_are_told_and_requests_answered() {
    let mut stage = Stage::new();
    let (mut dialog, _) = stage.talk("7");
    let (id, _) = stage.served();
    let side = relay::Side::A;
    stage.exchange.media_event(MediaEvent::Digit {
        id,
        side,
        digit: '5',
    });
    let told = stage.exchange.events.iter();
    let mut told = told.filter(|event| matches!(event, Event::Digit { digit: '5', .. }));
    assert!(told.next().is_some());
    let Stage { exchange, caller } = &mut stage;
    for (method, status) in [("INFO", 200), ("OPTIONS", 200), ("MESSAGE", 405)] {
        caller.in_dialog(exchange, &mut dialog, method, "", "", true);
        caller.expect(exchange, status);
    }
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn a_fork_may_end_at_the_exchange() {
    let mut stage = Stage::new();
    let gone = Party::new("gone", "", "192.0.2.99:5060");
    let mut dialog = stage.dial("20");
    let invite = gone.expect_request(&mut stage.exchange, &Method::Invite);
    gone.refuse(&mut stage.exchange, &invite, 404);
    stage.answered(&mut dialog);
    assert!(matches!(stage.served().1, Service::Tone(_)));
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn who_rings_beside_the_exchange_is_too_late() {
    let mut stage = Stage::new();
    let slow = Party::new("slow", "", "192.0.2.99:5060");
    let (mut dialog, _) = stage.talk("21");
    assert_eq!(stage.served().1, Service::Echo);
    slow.expect_silence(&stage.exchange);
    stage.hang_up(&mut dialog);

    let mut dialog = stage.dial("22");
    let invite = slow.expect_request(&mut stage.exchange, &Method::Invite);
    slow.answer(&mut stage.exchange, &invite, 180, "");
    stage.caller.expect(&mut stage.exchange, 180);
    stage.exchange.pass(Duration::from_secs(1));
    stage.answered(&mut dialog);
    let cancel = slow.is_cancelled(&mut stage.exchange, &invite);
    let reason = cancel.headers().get("Reason").unwrap_or_default();
    assert!(reason.contains("Call completed elsewhere"), "{cancel}");
    stage.hang_up(&mut dialog);
    stage.finish();
}

#[test]
fn a_server_that_stops_ends_attended_calls() {
    let mut stage = Stage::new();
    stage.talk("4blue");
    let waiting = stage.dial("6hello.wav");
    stage.exchange.server.shut_down(stage.exchange.now);
    stage.exchange.pass(Duration::ZERO);
    stage.is_hung_up();
    stage.expect_refusal(&waiting, 503);
    stage.exchange.sounds.clear();
    stage.finish();
}
