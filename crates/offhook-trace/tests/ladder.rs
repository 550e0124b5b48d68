//! What the picture shows, and what it leaves out.
#![allow(
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a call has a caller and a callee; a test fails loudly"
)]

mod common;

use std::time::Duration;

use common::{at, direct_call, feed, message, ms, recorded, rtp, sdp};
use offhook_trace::ladder::{Event, Host, Limits, Quality, Recorder, Role, StreamSummary, Voice};

const DIRECT: &str = "\
Call direct@x: sip:u1@192.0.2.50 -> sip:2@192.0.2.50
                   caller                    callee
             192.168.1.101:5060        192.168.1.183:5060
                      |                         |
    0.000             |------ INVITE SDP ------>|
    0.019             |<----- 100 Trying -------|
    0.050             |<----- 180 Ringing ------|
    7.833             |<----- 200 OK SDP -------|
    7.841             |---------- ACK --------->|
    7.872             |<== RTP G.711 mu-law ====|  50 packets, 0.980 s, SSRC 00000B0B, 0 lost (27392 <- 27824)
    7.969             |=== RTP G.711 mu-law ===>|  49 packets, 0.980 s, SSRC 000A11CE, 1 lost (27392 -> 27824)
   13.510             |<--------- BYE ----------|
   13.541             |-------- 200 OK -------->|
";

#[test]
fn a_direct_call() {
    let call = direct_call(at("192.168.1.101:5060"), at("192.168.1.183:5060"));
    let ladder = recorded(&call).ladder(&["direct@x"], None).unwrap();
    assert_eq!(ladder.to_string(), DIRECT);
    let roles: Vec<_> = ladder.columns.iter().map(|column| column.role).collect();
    assert_eq!(roles, [Role::Caller, Role::Callee]);
}

/// Two legs with voice through the server.
fn bridged() -> Recorder {
    let (caller, callee) = (at("192.168.1.183:5060"), at("192.168.1.101:5060"));
    let server = at("192.168.1.50:5060");
    let mut recorder = Recorder::default();
    let mut say = |time, from, to, id, start, cseq, body: &str| {
        recorder.message(ms(time), from, to, &message(id, start, cseq, body));
    };
    let first = sdp("192.168.1.183", 4000);
    say(
        0,
        caller,
        server,
        "a",
        "INVITE sip:2@x SIP/2.0",
        "1 INVITE",
        &first,
    );
    let second = sdp("192.168.1.50", 30_000);
    say(
        2,
        server,
        callee,
        "b",
        "INVITE sip:u2@x SIP/2.0",
        "7 INVITE",
        &second,
    );
    say(
        30,
        callee,
        server,
        "b",
        "SIP/2.0 200 OK",
        "7 INVITE",
        &sdp("192.168.1.101", 5000),
    );
    say(31, server, callee, "b", "ACK sip:u2@x SIP/2.0", "7 ACK", "");
    say(
        32,
        server,
        caller,
        "a",
        "SIP/2.0 200 OK",
        "1 INVITE",
        &sdp("192.168.1.50", 30_002),
    );
    say(33, caller, server, "a", "ACK sip:2@x SIP/2.0", "1 ACK", "");
    for packet in 0..5 {
        let time = ms(40 + 20 * u64::from(packet));
        recorder.voice(
            time,
            at("192.168.1.183:4000"),
            at("192.168.1.50:30002"),
            &rtp(8, packet, 1),
        );
        recorder.voice(
            time,
            at("192.168.1.50:30000"),
            at("192.168.1.101:5000"),
            &rtp(8, packet, 1),
        );
    }
    recorder
}

#[test]
fn both_legs_of_a_bridged_call_on_one_axis() {
    let ladder = bridged().ladder(&["a", "b"], None).unwrap();
    let columns: Vec<_> = ladder
        .columns
        .iter()
        .map(|c| (c.role, c.address.to_string()))
        .collect();
    assert_eq!(
        columns,
        [
            (Role::Caller, "192.168.1.183:5060".to_owned()),
            (Role::Server, "192.168.1.50:5060".to_owned()),
            (Role::Callee, "192.168.1.101:5060".to_owned()),
        ]
    );
    let rows: Vec<_> = ladder
        .rows
        .iter()
        .map(|row| (row.from, row.to, row.label()))
        .collect();
    let expected = [
        (0, 1, "INVITE SDP"),
        (1, 2, "INVITE SDP"),
        (2, 1, "200 OK SDP"),
        (1, 2, "ACK"),
        (1, 0, "200 OK SDP"),
        (0, 1, "ACK"),
        (0, 1, "RTP G.711 A-law"),
        (1, 2, "RTP G.711 A-law"),
    ];
    assert_eq!(
        rows,
        expected.map(|(from, to, label)| (from, to, label.to_owned()))
    );
    assert_eq!(ladder.calls.len(), 2);
    assert!(
        ladder
            .to_string()
            .contains("|<----- 200 OK SDP -------|                         |")
    );
}

#[test]
fn one_call_id_is_one_picture_unless_told_otherwise() {
    let recorder = bridged();
    assert_eq!(recorder.calls().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(recorder.ladder(&["a"], None).unwrap().columns.len(), 2);
    assert_eq!(recorder.ladder(&["c"], None), None);
}

#[test]
fn a_host_sees_what_goes_in_and_out_there() {
    let recorder = bridged();
    let callee: Host = "192.168.1.101".parse().unwrap();
    assert_eq!(recorder.ladder(&["a"], Some(callee)), None);
    let whole = recorder.ladder(&["b"], None).unwrap();
    let seen = recorder.ladder(&["a", "b"], Some(callee)).unwrap();
    assert_eq!((&seen.rows, seen.calls.len()), (&whole.rows, 1));
    let by_port: Host = "192.168.1.101:5060".parse().unwrap();
    assert_eq!(recorder.ladder(&["a", "b"], Some(by_port)), Some(seen));
    let other: Host = "192.168.1.101:5061".parse().unwrap();
    assert_eq!(recorder.ladder(&["a", "b"], Some(other)), None);
}

#[test]
fn a_host_is_written_as_people_write_it() {
    for (text, ip, port) in [
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:5060", "192.0.2.1", Some(5060)),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:5060", "2001:db8::1", Some(5060)),
    ] {
        assert_eq!(
            text.parse(),
            Ok(Host {
                ip: ip.parse().unwrap(),
                port
            })
        );
    }
    assert!("example.com".parse::<Host>().is_err());
}

#[test]
fn two_on_one_machine_are_told_apart_by_port() {
    let call = direct_call(at("127.0.0.1:5060"), at("127.0.0.1:5070"));
    let ladder = recorded(&call).ladder(&["direct@x"], None).unwrap();
    assert_eq!(ladder.columns.len(), 2);
    assert_eq!(ladder.columns[1].address, at("127.0.0.1:5070"));
    let ways: Vec<_> = ladder.rows.iter().map(|row| (row.from, row.to)).collect();
    assert_eq!(ways[5..7], [(1, 0), (0, 1)]);
}

#[test]
fn two_witnesses_of_one_moment_draw_the_same_rows() {
    let (caller, callee) = (at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let call = direct_call(caller, callee);
    let labels = |call: &[common::Sent]| {
        let ladder = recorded(call).ladder(&["direct@x"], None).unwrap();
        ladder
            .rows
            .iter()
            .map(|row| (row.from, row.to, row.label()))
            .collect::<Vec<_>>()
    };
    let mut one = call[..6].to_vec();
    let mut voice = call[6].clone();
    voice.from = call[5].to;
    voice.to = call[5].from;
    one.push(voice);
    // The callee's first packet comes before the ACK, the caller's first packet before both.
    let mut other = one.clone();
    other[4].at = ms(11_830);
    other[5].at = ms(11_829);
    other[6].at = ms(11_828);
    other.sort_by_key(|sent| sent.at);
    one[6].at = one[5].at + ms(3);
    assert_eq!(labels(&one), labels(&other));
    assert_eq!(
        labels(&one)[4..6],
        [
            (0, 1, "ACK".to_owned()),
            (0, 1, "RTP G.711 mu-law".to_owned())
        ]
    );
}

#[test]
fn what_is_of_one_moment_stays_in_the_order_of_events() {
    let mut recorder = Recorder::default();
    let (caller, server, callee) = (at("192.0.2.1:1"), at("192.0.2.2:1"), at("192.0.2.3:1"));
    let mut say = |from, to, id, start| {
        recorder.message(ms(0), from, to, &message(id, start, "1 INVITE", ""));
    };
    say(caller, server, "a", "INVITE sip:2@x SIP/2.0");
    say(server, callee, "b", "INVITE sip:2@x SIP/2.0");
    say(callee, server, "b", "SIP/2.0 180 Ringing");
    say(server, caller, "a", "SIP/2.0 180 Ringing");
    let ladder = recorder.ladder(&["a", "b"], None).unwrap();
    let ways: Vec<_> = ladder.rows.iter().map(|row| (row.from, row.to)).collect();
    assert_eq!(ways, [(0, 1), (1, 2), (2, 1), (1, 0)]);
}

#[test]
fn calls_outlive_registrations() {
    let mut recorder = Recorder::new(Limits {
        calls: 4,
        ..Limits::default()
    });
    let (phone, server) = (at("192.0.2.1:1"), at("192.0.2.2:1"));
    let invite = message("call", "INVITE sip:2@x SIP/2.0", "1 INVITE", "");
    recorder.message(ms(0), phone, server, &invite);
    for id in 0..20 {
        let register = message(
            &format!("r{id}"),
            "REGISTER sip:x SIP/2.0",
            "1 REGISTER",
            "",
        );
        recorder.message(ms(0), phone, server, &register);
    }
    assert_eq!(
        recorder.call_ids().collect::<Vec<_>>(),
        ["call", "r17", "r18", "r19"]
    );
}

#[test]
fn resends_are_marked() {
    let mut call = direct_call(at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let mut again = call[0].clone();
    again.at += ms(500);
    call.insert(1, again);
    let ladder = recorded(&call).ladder(&["direct@x"], None).unwrap();
    let labels: Vec<_> = ladder
        .rows
        .iter()
        .map(offhook_trace::ladder::Row::label)
        .collect();
    assert_eq!(labels[0], "INVITE SDP");
    assert!(labels.contains(&"INVITE SDP (resent)".to_owned()));
}

#[test]
fn a_call_that_is_not_complete_is_drawn() {
    let call = direct_call(at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    // Only the end was seen.
    let ladder = recorded(&call[call.len() - 3..])
        .ladder(&["direct@x"], None)
        .unwrap();
    assert_eq!(ladder.rows.len(), 2);
    assert!(recorded(&call[call.len() - 3..]).calls().eq(["direct@x"]));
    // Only the beginning was seen.
    assert!(
        recorded(&call[..1])
            .ladder(&["direct@x"], None)
            .unwrap()
            .to_string()
            .contains("callee")
    );
}

#[test]
fn registrations_are_no_calls() {
    let mut recorder = Recorder::default();
    let (phone, server) = (at("192.0.2.1:5060"), at("192.0.2.50:5060"));
    for method in ["REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE"] {
        let start = format!("{method} sip:x SIP/2.0");
        let cseq = format!("1 {method}");
        recorder.message(ms(0), phone, server, &message(method, &start, &cseq, ""));
        recorder.message(
            ms(1),
            server,
            phone,
            &message(method, "SIP/2.0 200 OK", &cseq, ""),
        );
    }
    assert_eq!(recorder.calls().count(), 0);
    assert_eq!(recorder.call_ids().count(), 4);
    assert_eq!(recorder.ladder(&["REGISTER"], None).unwrap().rows.len(), 2);
}

fn voices(recorder: &Recorder, call_id: &str) -> Vec<Voice> {
    let ladder = recorder.ladder(&[call_id], None).unwrap();
    let voice = |row: offhook_trace::ladder::Row| match row.event {
        Event::Voice(voice) => Some(voice),
        Event::Message { .. } => None,
    };
    ladder.rows.into_iter().filter_map(voice).collect()
}

#[test]
fn a_refused_bye_does_not_end_the_count() {
    let call = direct_call(at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let (head, tail) = call.split_at(20);
    let mut recorder = recorded(head);
    let (stranger, callee) = (at("198.51.100.9:5060"), at("192.0.2.2:5060"));
    let bye = message("direct@x", "BYE sip:0@x SIP/2.0", "9 BYE", "");
    recorder.message(ms(12_200), stranger, callee, &bye);
    let no = message("direct@x", "SIP/2.0 481 No", "9 BYE", "");
    recorder.message(ms(12_201), callee, stranger, &no);
    feed(&mut recorder, tail);
    let packets: Vec<_> = voices(&recorder, "direct@x")
        .iter()
        .map(|v| v.packets)
        .collect();
    assert_eq!(packets, [50, 49]);
}

#[test]
fn a_challenged_bye_ends_the_count_at_its_first_try() {
    let call = direct_call(at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let mut recorder = recorded(&call[..call.len() - 3]);
    let (caller, callee) = (at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let mut say = |time, from, to, start, cseq| {
        recorder.message(ms(time), from, to, &message("direct@x", start, cseq, ""));
        recorder.voice(
            ms(time),
            at("192.0.2.1:27392"),
            at("192.0.2.2:27824"),
            &rtp(0, 999, 0xa11ce),
        );
    };
    say(17_000, callee, caller, "BYE sip:1@x SIP/2.0", "2 BYE");
    say(17_001, caller, callee, "SIP/2.0 401 Unauthorized", "2 BYE");
    say(17_002, callee, caller, "BYE sip:1@x SIP/2.0", "3 BYE");
    say(17_003, caller, callee, "SIP/2.0 200 OK", "3 BYE");
    let packets: Vec<_> = voices(&recorder, "direct@x")
        .iter()
        .map(|v| v.packets)
        .collect();
    assert_eq!(packets, [50, 49]);
}

#[test]
fn the_count_of_a_relay_draws_the_row_that_packets_would() {
    let call = direct_call(at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let by_packets = recorded(&call).ladder(&["direct@x"], None).unwrap();
    let messages: Vec<_> = call.iter().filter(|sent| !sent.is_voice).cloned().collect();
    let mut recorder = recorded(&messages);
    for (first, from, to, ssrc, packets, lost) in [
        (11_857, "192.0.2.2:27824", "192.0.2.1:27392", 0xb0b, 50, 0),
        (11_954, "192.0.2.1:27392", "192.0.2.2:27824", 0xa11ce, 49, 1),
    ] {
        let (from, to, first) = (at(from), at(to), ms(first));
        let last = first + ms(980);
        let summary = StreamSummary {
            from,
            to,
            first,
            last,
            ssrc,
            payload_type: 0,
            packets,
            lost,
            quality: None,
        };
        recorder.stream(&summary);
    }
    assert_eq!(recorder.ladder(&["direct@x"], None), Some(by_packets));
    let (from, to) = (at("192.0.2.1:27392"), at("192.0.2.2:27824"));
    recorder.stream(&StreamSummary {
        from,
        to,
        first: ms(11_954),
        last: ms(12_934),
        ssrc: 0xa11ce,
        payload_type: 0,
        packets: 49,
        lost: 1,
        quality: Some(Quality {
            jitter: Duration::from_micros(1_250),
            round_trip: Some(ms(40)),
            mos: 407,
        }),
    });
    let picture = recorder.ladder(&["direct@x"], None).unwrap().to_string();
    assert!(
        picture.contains("1 lost, jitter 1.2 ms, round trip 40 ms, MOS 4.07 (27392 -> 27824)"),
        "{picture}"
    );
}

#[test]
fn key_presses_do_not_name_the_stream_and_rtcp_is_no_voice() {
    let call = direct_call(at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let mut recorder = recorded(&call[..5]);
    let (near, far) = (at("192.0.2.1:27392"), at("192.0.2.2:27824"));
    recorder.voice(ms(12_000), near, far, &rtp(101, 1, 5));
    assert_eq!(voices(&recorder, "direct@x")[0].codec, "telephone-event");
    recorder.voice(ms(12_020), near, far, &rtp(8, 2, 5));
    recorder.voice(ms(12_040), near, far, &rtp(101, 3, 5));
    recorder.voice(ms(12_060), near, far, &rtp(200, 4, 5));
    recorder.voice(ms(12_080), near, far, b"no packet");
    recorder.voice(
        ms(12_080),
        at("192.0.2.7:1"),
        at("192.0.2.8:2"),
        &rtp(0, 4, 5),
    );
    let voices = voices(&recorder, "direct@x");
    assert_eq!(
        (voices.len(), voices[0].packets, voices[0].codec.as_str()),
        (1, 3, "G.711 A-law")
    );
}

#[test]
fn a_phone_behind_a_nat_is_found_by_the_address_of_its_messages() {
    let mut recorder = Recorder::default();
    let (outside, server) = (at("203.0.113.9:40000"), at("192.0.2.50:5060"));
    let offer = sdp("10.0.0.5", 4000);
    let invite = message("n", "INVITE sip:2@x SIP/2.0", "1 INVITE", &offer);
    recorder.message(ms(0), outside, server, &invite);
    recorder.voice(
        ms(10),
        at("192.0.2.50:30000"),
        at("203.0.113.9:4000"),
        &rtp(0, 1, 1),
    );
    let answer = message(
        "n",
        "SIP/2.0 200 OK",
        "1 INVITE",
        &sdp("192.0.2.50", 30_000),
    );
    recorder.message(ms(20), server, outside, &answer);
    // Its own packets come through another port of the NAT.
    recorder.voice(
        ms(30),
        at("203.0.113.9:61000"),
        at("192.0.2.50:30000"),
        &rtp(0, 1, 2),
    );
    let ladder = recorder.ladder(&["n"], None).unwrap();
    let ways: Vec<_> = ladder.rows.iter().map(|row| (row.from, row.to)).collect();
    assert_eq!(ways, [(0, 1), (1, 0), (0, 1), (1, 0)]);
}

#[test]
fn what_strangers_send_is_bounded() {
    let limits = Limits {
        calls: 3,
        messages: 4,
        streams: 2,
        endpoints: 2,
    };
    let mut recorder = Recorder::new(limits);
    let (a, b) = (at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    for call in 0..10 {
        let id = format!("call-{call}");
        for port in 0..9_u16 {
            let body = sdp("192.0.2.1", 4000 + 100 * call + port);
            let invite = message(&id, "INVITE sip:2@x SIP/2.0", "1 INVITE", &body);
            recorder.message(ms(0), a, b, &invite);
            for ssrc in 0..9 {
                let to = at(&format!("192.0.2.1:{}", 4000 + 100 * call + port));
                recorder.voice(ms(1), at("192.0.2.2:9000"), to, &rtp(0, 1, ssrc));
            }
        }
    }
    assert_eq!(
        recorder.calls().collect::<Vec<_>>(),
        ["call-7", "call-8", "call-9"]
    );
    let ladder = recorder.ladder(&["call-9"], None).unwrap();
    assert_eq!((ladder.rows.len(), ladder.left_out), (6, 5));
    assert!(ladder.to_string().ends_with("... and 5 more messages\n"));
    recorder.forget("call-9");
    assert_eq!(recorder.ladder(&["call-9"], None), None);
    assert_eq!(recorder.calls().count(), 2);
}

#[test]
fn text_of_strangers_moves_no_cursor_and_breaks_no_picture() {
    let mut recorder = Recorder::default();
    let (a, b) = (at("192.0.2.1:5060"), at("[2001:db8::2]:5060"));
    let reason = format!("SIP/2.0 486 <b>&\u{202e}{}", "x".repeat(500));
    recorder.message(ms(0), b, a, &message("<&>", &reason, "1 INVITE", ""));
    let ladder = recorder.ladder(&["<&>"], None).unwrap();
    let text = ladder.to_string();
    assert!(text.contains("486 <b>&?xxx") && text.lines().all(|line| line.len() < 200));
    let svg = ladder.to_svg();
    assert!(svg.contains("486 &lt;b&gt;&amp;?xxx") && !svg.contains("<b>"));
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
}

#[test]
fn what_is_no_message_is_passed_over() {
    let mut recorder = Recorder::default();
    for octets in [&b""[..], b"\r\n\r\n", b"INVITE", b"\xff\xfe", &[0; 2000]] {
        recorder.message(ms(0), at("192.0.2.1:1"), at("192.0.2.2:2"), octets);
    }
    assert_eq!(recorder.call_ids().count(), 0);
}

#[test]
fn a_broken_description_is_marked_and_names_nothing() {
    let mut recorder = Recorder::default();
    let (a, b) = (at("192.0.2.1:5060"), at("192.0.2.2:5060"));
    let invite = message("x", "INVITE sip:2@x SIP/2.0", "1 INVITE", "v=0\r\nnonsense");
    recorder.message(ms(0), a, b, &invite);
    assert_eq!(
        recorder.ladder(&["x"], None).unwrap().rows[0].label(),
        "INVITE SDP"
    );
}
