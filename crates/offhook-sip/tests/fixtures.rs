//! The crate's own messages: the `ok_` ones are read to the last header and come back, the `bad_`
//! ones are refused where they are wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use offhook_sip::header::{
    self, AcceptEncoding, CSeq, Contact, Date, Reason, RecordRoute, Refresher, Replaces, Require,
    Route, SessionExpires, Subject, Supported, To, Via, Warning, WwwAuthenticate,
};
use offhook_sip::{
    ErrorKind, Headers, Host, Message, Method, ParseError, ParserConfig, Response, Scheme,
    parse_datagram, parse_datagram_with,
};

macro_rules! fixtures {
    ($($name:ident)+) => {
        &[$((
            stringify!($name),
            include_bytes!(concat!("fixtures/", stringify!($name), ".sip")) as &[u8],
        ),)+]
    };
}

const OK: &[(&str, &[u8])] = fixtures! {
    ok_bye_reason ok_challenge ok_invite ok_multipart ok_no_reason ok_notify ok_old ok_prack
    ok_refer ok_register ok_trailing ok_unregister_all ok_unusual_uris ok_white_space
};
const BAD: &[(&str, &[u8])] = fixtures! {
    bad_double_length bad_fold_first bad_latin1 bad_lf bad_long_length bad_method_mismatch
    bad_missing bad_negative_length bad_no_end bad_quote bad_scalar bad_separators bad_status
    bad_uri_space bad_version
};

fn octets(name: &str) -> Bytes {
    let all = OK.iter().chain(BAD);
    let (_, octets) = all.into_iter().find(|(other, _)| *other == name).unwrap();
    Bytes::from_static(octets)
}

fn message(name: &str) -> Message {
    parse_datagram(octets(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The headers of a fixture, for tests that look into them.
fn headers(name: &str) -> Headers {
    message(name).headers().clone()
}

// checklist: R3261-20
#[test]
fn good_ones_are_read_to_the_last_header_and_come_back() {
    for (name, octets) in OK {
        let message = message(name);
        message
            .validate()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for (header, value) in message.headers().iter() {
            header::check(header, value)
                .unwrap_or_else(|error| panic!("{name}: {header}: {value}: {error}"));
        }
        let printed = message.to_bytes();
        assert_eq!(
            parse_datagram(printed.clone()).as_ref(),
            Ok(&message),
            "{name}"
        );
        assert_eq!(
            parse_datagram(printed.clone()).unwrap().to_bytes(),
            printed,
            "{name}"
        );
        assert!(
            octets.starts_with(&message.to_bytes_verbatim().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn bad_ones_are_refused_where_they_are_wrong() {
    for (name, kind, header, status) in [
        (
            "bad_double_length",
            ErrorKind::RepeatedHeader,
            Some("Content-Length"),
            400,
        ),
        ("bad_fold_first", ErrorKind::HeaderName, None, 400),
        ("bad_latin1", ErrorKind::Utf8, None, 400),
        ("bad_lf", ErrorKind::LineEnd, None, 400),
        (
            "bad_long_length",
            ErrorKind::BodyTooShort,
            Some("Content-Length"),
            400,
        ),
        (
            "bad_method_mismatch",
            ErrorKind::MethodMismatch,
            Some("CSeq"),
            400,
        ),
        (
            "bad_missing",
            ErrorKind::MissingHeader,
            Some("Call-ID"),
            400,
        ),
        (
            "bad_negative_length",
            ErrorKind::Number,
            Some("Content-Length"),
            400,
        ),
        ("bad_no_end", ErrorKind::EndOfHeaders, None, 400),
        ("bad_quote", ErrorKind::QuotedString, Some("To"), 400),
        ("bad_scalar", ErrorKind::Number, Some("CSeq"), 400),
        ("bad_separators", ErrorKind::Token, Some("Via"), 400),
        ("bad_uri_space", ErrorKind::Parameter, None, 400),
        ("bad_version", ErrorKind::Version, None, 505),
    ] {
        let (error, answer) = fault_and_answer(octets(name));
        let place = error.header().map(|header| header.as_str());
        assert_eq!((error.kind(), place), (kind, header), "{name}: {error}");
        assert_eq!(error.status().get(), status, "{name}");
        let answer = answer.unwrap();
        assert_eq!(answer.status().get(), status, "{name}");
        let branch = answer.headers().get("Via").unwrap();
        assert!(branch.contains("z9hG4bKbad"), "{name}");
        assert!(parse_datagram(answer.to_bytes()).is_ok(), "{name}");
    }
}

/// What is wrong with a message, and what a server says to it.
fn fault_and_answer(octets: Bytes) -> (ParseError, Option<Response>) {
    match parse_datagram(octets) {
        Ok(message) => {
            let error = message.validate().unwrap_err();
            let request = message.into_request();
            let answer = request.map(|request| request.response(error.status()));
            (error, answer)
        }
        Err(error) => {
            let answer = error.response();
            (error, answer)
        }
    }
}

#[test]
fn a_broken_response_is_not_answered() {
    let error = parse_datagram(octets("bad_status")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status);
    assert_eq!(error.response(), None);
}

#[test]
fn white_space_and_case_change_nothing() {
    let headers = headers("ok_white_space");
    let vias: Vec<Via> = headers.typed_all().map(Result::unwrap).collect();
    let branches: Vec<_> = vias.iter().map(|via| via.branch().unwrap()).collect();
    assert_eq!(branches, ["z9hG4bKws", "z9hG4bKw2", "z9hG4bKw3"]);
    assert_eq!(vias[0].port(), Some(5064));
    assert_eq!(vias[2].received(), "2001:db8::4".parse().ok());
    let to: To = headers.required().unwrap();
    assert_eq!(to.display().as_deref(), Some("Emil \"E\", the \\"));
    assert_eq!(
        headers.required::<CSeq>().unwrap(),
        CSeq::new(42, Method::Options)
    );
    assert!(headers.required::<Supported>().unwrap().is_empty());
    assert_eq!(headers.get("x-empty"), Some(""));
    assert_eq!(headers.get("X-COMMAS"), Some(",,;;\""));
}

// checklist: R3261-06, R3261-07
#[test]
fn lines_and_commas_are_alike_but_for_challenges() {
    let register = headers("ok_register");
    let hosts: Vec<String> = register
        .typed_all::<Contact>()
        .map(|contact| contact.unwrap().uri().unwrap().host().unwrap().to_string())
        .collect();
    assert_eq!(hosts, ["[2001:db8::7]", "198.51.100.9", "198.51.100.10"]);
    let routes = headers("ok_prack");
    let routes: Vec<String> = routes
        .typed_all::<Route>()
        .map(|route| route.unwrap().uri().host().unwrap().to_string())
        .collect();
    assert_eq!(
        routes,
        [
            "edge3.example.net",
            "edge2.example.net",
            "edge1.example.net"
        ]
    );
    assert_eq!(
        headers("ok_no_reason").typed_all::<RecordRoute>().count(),
        3
    );
    let challenge = headers("ok_challenge");
    let algorithms: Vec<String> = challenge
        .typed_all::<WwwAuthenticate>()
        .map(|challenge| challenge.unwrap().param("algorithm").unwrap().to_owned())
        .collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
    let warnings: Vec<u16> = challenge
        .typed_all::<Warning>()
        .map(|warning| warning.unwrap().code())
        .collect();
    assert_eq!(warnings, [399, 301]);
}

// checklist: R3326-01
#[test]
fn a_bye_tells_its_reasons() {
    let headers = headers("ok_bye_reason");
    let reasons: Vec<Reason> = headers.typed_all().map(Result::unwrap).collect();
    let protocols: Vec<_> = reasons.iter().map(Reason::protocol).collect();
    assert_eq!(protocols, ["SIP", "Q.850", "preemption"]);
    assert_eq!(
        reasons[0].text().as_deref(),
        Some("Call completed elsewhere")
    );
    assert_eq!(reasons[1].cause(), Some(16));
}

#[test]
fn what_the_headers_say_is_read() {
    let invite = headers("ok_invite");
    let timer: SessionExpires = invite.required().unwrap();
    assert_eq!(
        (timer.seconds(), timer.refresher()),
        (1800, Some(Refresher::Uac))
    );
    let contact: Contact = invite.required().unwrap();
    assert_eq!(
        contact.param("+SIP.instance"),
        Some(Some("<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"))
    );
    assert_eq!(
        headers("ok_unregister_all").required::<Contact>(),
        Ok(Contact::Star)
    );
    let refer = headers("ok_refer");
    assert!(refer.required::<Replaces>().unwrap().is_early_only());
    let date: Date = headers("ok_register").required().unwrap();
    assert_eq!(date.unix_seconds(), 1_835_440_496);
    assert!(
        headers("ok_no_reason")
            .required::<Require>()
            .unwrap()
            .contains("100rel")
    );
    let odd = headers("ok_unusual_uris");
    assert_eq!(odd.required::<Subject>().unwrap().as_str(), "");
    assert_eq!(odd.typed_all::<AcceptEncoding>().count(), 2);
    let to: To = odd.required().unwrap();
    assert_eq!(
        (to.uri().scheme(), to.uri().opaque()),
        (Scheme::Other, "service:sos")
    );
    let via: Via = odd.required().unwrap();
    assert_eq!(via.params().value("x"), Some("a;b,c"));
    assert_eq!(
        (via.maddr(), via.ttl()),
        (Some(Host::Ip([239, 255, 255, 1].into())), Some(15))
    );
}

// Each switch forgives its own fault and no other.
#[test]
fn each_leniency_forgives_one_fault() {
    let strict = ParserConfig::STRICT;
    let spaces = Bytes::from_static(b"OPTIONS  sip:a@b   SIP/2.0 \r\nVia: x\r\n\r\n");
    let lower = Bytes::from_static(b"options sip:a@b SIP/2.0\r\n\r\n");
    let brackets = Bytes::from_static(b"OPTIONS <sip:a@b> SIP/2.0\r\n\r\n");
    let faults = [
        octets("bad_lf"),
        octets("bad_no_end"),
        spaces,
        brackets,
        octets("bad_latin1"),
        octets("bad_long_length"),
    ];
    let switches = [
        ParserConfig {
            lf_line_ends: true,
            ..strict
        },
        ParserConfig {
            missing_final_crlf: true,
            ..strict
        },
        ParserConfig {
            start_line_spaces: true,
            ..strict
        },
        ParserConfig {
            bracketed_request_uri: true,
            ..strict
        },
        ParserConfig {
            latin1: true,
            ..strict
        },
        ParserConfig {
            short_body: true,
            ..strict
        },
    ];
    for (number, switch) in switches.iter().enumerate() {
        for (other, fault) in faults.iter().enumerate() {
            let taken = parse_datagram_with(switch, fault.clone());
            assert_eq!(taken.is_ok(), number == other, "{switch:?} {fault:?}");
            assert!(parse_datagram_with(&ParserConfig::LENIENT, fault.clone()).is_ok());
        }
    }
    let method = |config| {
        let request = parse_datagram_with(config, lower.clone()).unwrap();
        request.into_request().unwrap().method().clone()
    };
    assert!(matches!(method(&strict), Method::Other(_)));
    let forgiving = ParserConfig {
        lower_case_method: true,
        ..strict
    };
    assert_eq!(method(&forgiving), Method::Options);
    let latin = parse_datagram_with(&switches[4], octets("bad_latin1")).unwrap();
    assert_eq!(latin.headers().get("Subject"), Some("Grüße"));
}
