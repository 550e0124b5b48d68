//! One call through the real server between two real phones, seen from outside: the table of the
//! manual row by row on both legs, and the voice on both sides.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use support::capture::{Capture, Datagram, Seen, messages};
use support::rows::{Row, rows_of};
use support::{Program, Server, in_folder, text, wav};

/// The addresses of the call that is captured.
const SERVER: &str = "127.0.2.50";
const CALLER: &str = "127.0.2.183";
const CALLEE: &str = "127.0.2.101";

/// What the two phones and the server left behind.
struct Call {
    caller_heard: Vec<i16>,
    callee_heard: Vec<i16>,
    caller_said: String,
}

/// u1 dials 2, both speak for four seconds, u1 hangs up.
fn run_call(server: &str, [caller_at, callee_at]: [&str; 2], folder: &tempfile::TempDir) -> Call {
    let file = |name: &str| text(&in_folder(folder, name)).to_owned();
    wav::write(
        &in_folder(folder, "caller.wav"),
        &wav::sweep(6.0, 300.0, 1400.0),
    );
    wav::write(
        &in_folder(folder, "callee.wav"),
        &wav::sweep(6.0, 1600.0, 3000.0),
    );

    let more = format!(
        "--answer --calls 1 --play {} --record {}",
        file("callee.wav"),
        file("callee-heard.wav"),
    );
    let callee = Program::waiting(server, "u2", &format!("{callee_at}:5060"), &more);
    let caller = Program::phone(&format!(
        "call 2 --server {server} --user u1 --password secret1 --listen {caller_at}:5060 \
         --play {} --record {} --duration 4 --ladder",
        file("caller.wav"),
        file("caller-heard.wav"),
    ));
    let caller_said = caller.ends_well();
    callee.ends_well();

    Call {
        caller_heard: wav::read(&in_folder(folder, "caller-heard.wav")),
        callee_heard: wav::read(&in_folder(folder, "callee-heard.wav")),
        caller_said,
    }
}

fn assert_voices_came_through(call: &Call) {
    let caller = wav::sweep(6.0, 300.0, 1400.0);
    let callee = wav::sweep(6.0, 1600.0, 3000.0);
    let towards_callee = wav::resemblance(&call.callee_heard, &caller);
    let towards_caller = wav::resemblance(&call.caller_heard, &callee);
    assert!(
        towards_callee > 0.9,
        "the callee heard the caller at {towards_callee}"
    );
    assert!(
        towards_caller > 0.9,
        "the caller heard the callee at {towards_caller}"
    );
    let crossed = wav::resemblance(&call.callee_heard, &callee);
    assert!(crossed < 0.5, "the callee hears himself at {crossed}");
}

#[test]
fn both_phones_hear_each_other() {
    let server = Server::start("127.0.7.50:5060", &[]);
    let call = run_call(
        &server.address,
        ["127.0.7.183", "127.0.7.101"],
        &tempfile::tempdir().expect("a folder"),
    );
    assert_voices_came_through(&call);
    server.program.stops_well();
}

#[test]
fn the_wire_shows_the_table_row_by_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let _server = Server::start(&format!("{SERVER}:5060"), &["--ladder"]);
    let Some(capture) = Capture::start(&folder, "127.0.2.0/24") else {
        return;
    };
    let call = run_call(SERVER, [CALLER, CALLEE], &folder);
    let (file, datagrams) = capture.stop();
    assert_voices_came_through(&call);

    let seen = messages(&datagrams);
    let caller_leg = Leg::of(&seen, CALLER);
    let callee_leg = Leg::of(&seen, CALLEE);
    caller_leg.assert_rows(&[
        "> INVITE",
        "< 401 INVITE",
        "> ACK",
        "> INVITE",
        "< 180 INVITE",
        "< 200 INVITE",
        "> ACK",
        "> BYE",
        "< 401 BYE",
        "> BYE",
        "< 200 BYE",
    ]);
    callee_leg.assert_rows(&[
        "< INVITE",
        "> 180 INVITE",
        "> 200 INVITE",
        "< ACK",
        "< BYE",
        "> 200 BYE",
    ]);
    assert_caller_leg(&caller_leg);
    assert_callee_leg(&caller_leg, &callee_leg);
    assert_nothing_leaks(&seen);
    assert_voice_goes_through_the_server(&datagrams);
    assert_ladders_agree(&call, &file);
}

/// The messages of one INVITE dialog between the server and one phone.
struct Leg<'a> {
    phone: &'a str,
    messages: Vec<&'a Seen>,
}

impl<'a> Leg<'a> {
    fn of(seen: &'a [Seen], phone: &'a str) -> Self {
        let of_phone = |seen: &&Seen| {
            [seen.from, seen.to]
                .iter()
                .any(|end| end.ip().to_string() == phone)
        };
        let messages: Vec<_> = seen
            .iter()
            .filter(of_phone)
            .filter(|seen| !seen.header("CSeq").ends_with("REGISTER"))
            .collect();
        assert!(!messages.is_empty(), "nothing was captured for {phone}");
        Self { phone, messages }
    }

    /// The rows in order; a 100 is optional wherever it stands.
    fn assert_rows(&self, expected: &[&str]) {
        let rows: Vec<String> = self
            .messages
            .iter()
            .filter(|seen| !seen.name().starts_with("100 "))
            .map(|seen| {
                format!(
                    "{} {}",
                    if seen.from.ip().to_string() == self.phone {
                        '>'
                    } else {
                        '<'
                    },
                    seen.name()
                )
            })
            .collect();
        assert_eq!(rows, expected, "on the leg of {}", self.phone);
    }

    fn nth(&self, name: &str, n: usize) -> &Seen {
        self.messages
            .iter()
            .filter(|seen| seen.name() == name)
            .nth(n)
            .unwrap_or_else(|| panic!("no {n}. {name}"))
    }
}

fn assert_caller_leg(leg: &Leg<'_>) {
    let (first, second) = (leg.nth("INVITE", 0), leg.nth("INVITE", 1));
    assert_eq!(first.request_uri(), format!("sip:2@{SERVER}"));
    assert_eq!(
        first.header("Authorization"),
        "",
        "the first INVITE has no credentials"
    );
    assert_eq!(
        first.header("Call-ID"),
        second.header("Call-ID"),
        "the second INVITE stays in the same call"
    );
    assert_eq!(first.tag("From"), second.tag("From"));
    assert!(
        second.header("Authorization").starts_with("Digest "),
        "{}",
        second.text
    );

    let challenge = leg.nth("401 INVITE", 0).header("WWW-Authenticate");
    for part in [
        "Digest ",
        "realm=",
        "nonce=",
        "qop=\"auth\"",
        "algorithm=MD5",
    ] {
        assert!(challenge.contains(part), "{part} is missing in {challenge}");
    }
    assert_eq!(
        leg.nth("ACK", 0).header("CSeq"),
        "1 ACK".replace('1', &number(first))
    );
    assert!(
        leg.nth("180 INVITE", 0).tag("To").len() >= 8,
        "the server has a To tag of its own"
    );

    let (bye, proven) = (leg.nth("BYE", 0), leg.nth("BYE", 1));
    assert_eq!(bye.header("Authorization"), "");
    assert!(proven.header("Authorization").starts_with("Digest "));
    assert!(
        leg.nth("401 BYE", 0)
            .header("WWW-Authenticate")
            .starts_with("Digest ")
    );
    assert!(
        bye.request_uri().contains(&format!("@{SERVER}")),
        "{}",
        bye.request_uri()
    );
    assert!(
        bye.header("Reason").contains("text=\"User hangup\""),
        "{}",
        bye.text
    );
}

fn number(seen: &Seen) -> String {
    seen.header("CSeq")
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn assert_callee_leg(caller: &Leg<'_>, callee: &Leg<'_>) {
    let (asked, passed) = (caller.nth("INVITE", 1), callee.nth("INVITE", 0));
    assert!(
        passed
            .request_uri()
            .starts_with(&format!("sip:u2@{CALLEE}")),
        "the registered contact: {}",
        passed.text
    );
    assert_ne!(asked.header("Call-ID"), passed.header("Call-ID"));
    assert_ne!(asked.tag("From"), passed.tag("From"));
    assert!(
        passed
            .header("From")
            .contains(&format!("<sip:u1@{SERVER}>")),
        "{}",
        passed.header("From")
    );
    let hops = |seen: &Seen| {
        seen.header("Max-Forwards")
            .parse::<u32>()
            .expect("Max-Forwards is there")
    };
    assert_eq!(hops(passed), hops(asked) - 1);
    for name in ["Authorization", "Proxy-Authorization", "Record-Route"] {
        assert_eq!(
            passed.header(name),
            "",
            "{name} is not the callee's business"
        );
    }
    assert_eq!(
        passed.text.matches("\r\nVia:").count(),
        1,
        "only the server's own Via:\n{}",
        passed.text
    );

    // ACK and BYE go to the remote target.
    for name in ["ACK", "BYE"] {
        assert!(
            callee
                .nth(name, 0)
                .request_uri()
                .starts_with(&format!("sip:u2@{CALLEE}")),
            "{name}"
        );
    }
    assert_eq!(
        callee.nth("BYE", 0).header("Reason"),
        caller.nth("BYE", 1).header("Reason"),
        "the reason passes"
    );
}

/// Neither side sees the other's address, user name or dialog; nobody but the server sees a credential.
fn assert_nothing_leaks(seen: &[Seen]) {
    let in_dialog = |phone: &str| {
        seen.iter()
            .filter(|seen| seen.to.ip().to_string() == phone)
            .map(|seen| &seen.text)
            .collect::<Vec<_>>()
    };
    for text in in_dialog(CALLER) {
        assert!(
            !text.contains(CALLEE),
            "the caller learns the callee's address:\n{text}"
        );
        assert!(
            !text.contains("sip:u2"),
            "the caller learns the callee's user name:\n{text}"
        );
    }
    for text in in_dialog(CALLEE) {
        assert!(
            !text.contains(CALLER),
            "the callee learns the caller's address:\n{text}"
        );
        assert!(
            !text.contains("\r\nAuthorization:"),
            "a credential is passed on:\n{text}"
        );
    }
    for message in seen {
        assert!(
            !message.text.contains("secret"),
            "a password in the clear:\n{}",
            message.text
        );
    }
}

fn assert_voice_goes_through_the_server(datagrams: &[Datagram]) {
    let is_voice =
        |datagram: &&Datagram| datagram.payload.len() == 172 && datagram.payload[0] == 0x80;
    let voice: Vec<_> = datagrams.iter().filter(is_voice).collect();
    for datagram in &voice {
        let ends = [datagram.from.ip().to_string(), datagram.to.ip().to_string()];
        assert!(
            ends.iter().any(|end| end == SERVER),
            "voice bypasses the server: {ends:?}"
        );
    }
    for phone in [CALLER, CALLEE] {
        for (direction, count) in [
            (
                "from",
                voice
                    .iter()
                    .filter(|d| d.from.ip().to_string() == phone)
                    .count(),
            ),
            (
                "to",
                voice
                    .iter()
                    .filter(|d| d.to.ip().to_string() == phone)
                    .count(),
            ),
        ] {
            assert!(
                (150..350).contains(&count),
                "{count} packets {direction} {phone} in four seconds"
            );
        }
    }
}

/// The ladder of the capture, reduced to the caller's address, has the rows that the phone printed.
fn assert_ladders_agree(call: &Call, file: &std::path::Path) {
    let printed = rows_of(&call.caller_said);
    assert!(
        printed.iter().any(|row| row.words.contains("INVITE")),
        "the phone printed no ladder:\n{}",
        call.caller_said
    );
    let drawn = support::output_of(
        std::process::Command::new(env!("CARGO_BIN_EXE_ladder")).args([
            text(file),
            "--host",
            CALLER,
        ]),
    );
    let drawn_rows = rows_of(&drawn);
    let both = format!("\n{drawn}\n{}", call.caller_said);
    let words = |rows: &[Row]| rows.iter().map(|row| row.words.clone()).collect::<Vec<_>>();
    assert_eq!(words(&drawn_rows), words(&printed), "{both}");
    for (drawn, printed) in drawn_rows.iter().zip(&printed) {
        // What is under way when the BYE is sent has passed the witness and not reached the phone.
        assert!(drawn.packets.abs_diff(printed.packets) <= 2, "{both}");
    }
    for part in ["INVITE SDP", "RTP G.711 mu-law", "packets", "SSRC", "lost"] {
        assert!(drawn.contains(part), "{part} is missing in\n{drawn}");
    }
}
