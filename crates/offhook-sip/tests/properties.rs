//! Properties: what is built comes back, streams may be cut anywhere, and no octets make the
//! crate panic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use offhook_sip::header::{self, CSeq, CallId, Contact, From, MaxForwards, Reason, Route, To, Via};
use offhook_sip::stream::{Frame, StreamDecoder};
use offhook_sip::{
    HeaderName, Headers, Host, Message, Method, NameAddr, NameAddrRef, ParserConfig, Request,
    Response, StatusCode, Transport, Uri, UriRef, parse_datagram, parse_datagram_with,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const FIXTURES: [&[u8]; 14] = [
    include_bytes!("fixtures/ok_bye_reason.sip"),
    include_bytes!("fixtures/ok_challenge.sip"),
    include_bytes!("fixtures/ok_invite.sip"),
    include_bytes!("fixtures/ok_multipart.sip"),
    include_bytes!("fixtures/ok_no_reason.sip"),
    include_bytes!("fixtures/ok_notify.sip"),
    include_bytes!("fixtures/ok_old.sip"),
    include_bytes!("fixtures/ok_prack.sip"),
    include_bytes!("fixtures/ok_refer.sip"),
    include_bytes!("fixtures/ok_register.sip"),
    include_bytes!("fixtures/ok_trailing.sip"),
    include_bytes!("fixtures/ok_unregister_all.sip"),
    include_bytes!("fixtures/ok_unusual_uris.sip"),
    include_bytes!("fixtures/ok_white_space.sip"),
];

fn token() -> impl Strategy<Value = String> {
    "[-A-Za-z0-9.!%*_+`'~]{1,12}"
}

/// Any text without control characters.
fn text() -> impl Strategy<Value = String> {
    "[^\\pC]{0,20}"
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{1,8}(-[a-z]{1,3})?(\\.[a-z]{2,5}){0,2}\\.?",
        any::<[u8; 4]>().prop_map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
        any::<[u8; 16]>().prop_map(|octets| format!("[{}]", std::net::Ipv6Addr::from(octets))),
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let sip = (
        option::of(text().prop_filter("a user", |user| !user.is_empty())),
        host(),
        option::of(any::<u16>()),
        vec((token(), option::of("[^\\pC]{1,8}")), 0..3),
        vec(
            ("[A-Za-z-]{1,8}", "[A-Za-z0-9%]{0}[A-Za-z0-9./:]{0,8}"),
            0..3,
        ),
        any::<bool>(),
    )
        .prop_map(|(user, host, port, params, headers, secure)| {
            let host = Host::parse(&host).unwrap();
            let build = if secure { Uri::sips } else { Uri::sip };
            let mut uri = build(user.as_deref(), host, port).unwrap();
            for (name, value) in params {
                uri = uri.with_param(&name, value.as_deref()).unwrap();
            }
            let mut text = uri.to_string();
            for (number, (name, value)) in headers.iter().enumerate() {
                text.push(if number == 0 { '?' } else { '&' });
                text.extend([&**name, "=", &**value]);
            }
            text.parse().unwrap()
        });
    let other = prop_oneof![
        "tel:\\+[0-9.()-]{0,8}[0-9](;[a-z]{1,4}=[a-z0-9.]{1,6}){0,2}",
        "[a-z][a-z0-9+.-]{0,5}x:[A-Za-z0-9/.?=&%]{0}[A-Za-z0-9/.?=&]{1,12}",
    ]
    .prop_map(|text| text.parse().unwrap());
    prop_oneof![4 => sip, 1 => other]
}

fn address() -> impl Strategy<Value = NameAddr> {
    (text(), uri(), vec((token(), option::of(text())), 0..3)).prop_map(|(display, uri, params)| {
        let mut address = NameAddr::new(uri).with_display(&display).unwrap();
        for (name, value) in params {
            address = address.with_param(&name, value.as_deref()).unwrap();
        }
        address
    })
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Invite),
        Just(Method::Bye),
        Just(Method::Options),
        token().prop_map(|name| name.parse().unwrap()),
    ]
}

fn headers() -> impl Strategy<Value = Headers> {
    let parts = (
        (
            vec((host(), option::of(any::<u16>()), token()), 1..4),
            address(),
            address(),
        ),
        (any::<u32>(), any::<u8>(), method(), token()),
        (
            vec(address(), 0..3),
            vec(address(), 0..3),
            option::of(text()),
        ),
        vec((token(), text()), 0..6),
    );
    parts.prop_map(
        |((vias, from, to), (number, hops, method, call_id), lists, unknown)| {
            let mut headers = Headers::new();
            for (host, port, branch) in &vias {
                let host = Host::parse(host).unwrap();
                let via = Via::new(Transport::Udp, host, *port).unwrap();
                headers.push_via(&via.with_branch(branch).unwrap());
            }
            headers.append_typed(&From::from(&from));
            headers.append_typed(&To::from(&to));
            headers.append_typed(&CallId::new(call_id).unwrap());
            headers.append_typed(&CSeq::new(number, method));
            headers.append_typed(&MaxForwards(hops));
            for contact in &lists.0 {
                headers.append_typed(&Contact::from(contact));
            }
            for route in &lists.1 {
                headers.append_typed(&Route::from(route));
            }
            if let Some(text) = &lists.2 {
                headers.append_typed(&Reason::q850(16).with_text(text).unwrap());
            }
            for (name, value) in unknown {
                let known = HeaderName::from(&*name).known().is_some();
                if !known {
                    headers.append(&*name, &value).unwrap();
                }
            }
            headers
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let body = option::of(vec(any::<u8>(), 0..64));
    let start = prop_oneof![
        (method(), uri()).prop_map(|(method, uri)| Ok((method, uri))),
        (100_u16..700, text()).prop_map(Err),
    ];
    (start, headers(), body).prop_map(|(start, headers, body)| match start {
        Ok((method, uri)) => {
            let mut request = Request::new(method, uri);
            *request.headers_mut() = headers;
            if let Some(body) = body {
                request.set_body("application/octet-stream", body).unwrap();
            }
            request.into()
        }
        Err((status, phrase)) => {
            let status = StatusCode::new(status).unwrap();
            let mut response = Response::new(status).with_reason(&phrase).unwrap();
            *response.headers_mut() = headers;
            if let Some(body) = body {
                response.set_body("application/octet-stream", body).unwrap();
            }
            response.into()
        }
    })
}

/// Does to octets all that this crate can do, for the sake of not panicking.
fn poke(octets: &Bytes) {
    for config in [ParserConfig::STRICT, ParserConfig::LENIENT] {
        match parse_datagram_with(&config, octets.clone()) {
            Ok(message) => {
                let _ = message.validate();
                for (name, value) in message.headers().iter() {
                    let _ = header::check(name, value);
                }
                if let Some(Ok(parts)) = message.multipart() {
                    let _ = parts.count();
                }
                let printed = message.to_bytes();
                assert_eq!(parse_datagram(printed).as_ref(), Ok(&message));
                if let Message::Request(request) = &message {
                    let _ = request.cancel();
                    let _ = Request::from_uri(request.uri());
                    assert!(parse_datagram(request.response(StatusCode::OK).to_bytes()).is_ok());
                }
            }
            Err(error) => {
                assert!(error.offset() <= octets.len() * 2);
                if let Some(response) = error.response() {
                    assert!(parse_datagram(response.to_bytes()).is_ok());
                }
            }
        }
        let mut decoder = StreamDecoder::new(config);
        decoder.push(octets);
        while let Ok(Some(_)) = decoder.next() {}
    }
    let text = String::from_utf8_lossy(octets);
    if let Ok(uri) = UriRef::parse(&text) {
        assert!(uri.equivalent(&uri));
        assert_eq!(uri.to_owned().as_str(), uri.as_str());
        let _ = (
            uri.canonical(),
            uri.user_decoded(),
            uri.params().count(),
            uri.headers().count(),
        );
    }
    if let Ok(address) = NameAddrRef::parse(&text) {
        assert_eq!(
            address.to_owned().to_string().parse(),
            Ok(address.to_owned())
        );
    }
}

fn frames(config: ParserConfig, pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
    let mut decoder = StreamDecoder::new(config);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    // checklist: R3261-20
    #[test]
    fn what_is_built_comes_back(message in message()) {
        let printed = message.to_bytes();
        let back = parse_datagram(printed.clone()).unwrap();
        prop_assert_eq!(&back, &message);
        prop_assert_eq!(back.to_bytes(), printed.clone());
        prop_assert_eq!(back.to_bytes_verbatim(), Some(printed));
        for (name, value) in back.headers().iter() {
            prop_assert!(header::check(name, value).is_ok(), "{}: {}", name, value);
        }
    }

    #[test]
    fn a_folded_value_is_its_unfolded_self(words in vec("[!-~]{1,8}", 1..6)) {
        let folded = words.join("\r\n \t");
        let octets = format!("OPTIONS sip:a@b SIP/2.0\r\nX-Y:\r\n {folded} \r\nZ: 1\r\n\r\n");
        let message = parse_datagram(octets.into()).unwrap();
        let unfolded = words.join(" ");
        prop_assert_eq!(message.headers().get("x-y"), Some(&*unfolded));
        prop_assert_eq!(message.headers().get("z"), Some("1"));
    }

    // checklist: R3261-06
    #[test]
    fn one_line_and_many_are_alike(addresses in vec(address(), 1..5), cut in any::<u8>()) {
        let (mut lines, mut joined) = (Headers::new(), String::new());
        for (number, address) in addresses.iter().enumerate() {
            lines.append_typed(&Contact::from(address));
            if number > 0 {
                joined.push_str(if cut & 1 << number == 0 { " ,\t" } else { "," });
            }
            joined.push_str(&address.to_string());
        }
        let mut line = Headers::new();
        line.append("m", &joined).unwrap();
        let all = |headers: &Headers| -> Vec<NameAddr> {
            headers
                .typed_all::<Contact>()
                .map(|contact| contact.unwrap().address().unwrap().to_owned())
                .collect()
        };
        prop_assert_eq!(all(&lines), addresses.clone());
        prop_assert_eq!(all(&line), addresses);
    }

    // checklist: R3261-15
    #[test]
    fn comparing_uris_is_symmetric_and_agrees_with_the_key(one in uri(), two in uri()) {
        let same = one.equivalent(&two);
        prop_assert_eq!(same, two.equivalent(&one));
        prop_assert!(one.equivalent(&one));
        if same {
            prop_assert_eq!(one.canonical(), two.canonical());
        }
    }

    // checklist: R3261-14
    #[test]
    fn a_user_is_escaped_and_comes_back(user in "[^\\pC]{1,16}|\\PC{1,8}|[\\x00-\\x7f]{1,8}") {
        let uri = Uri::sip(Some(&user), Host::Domain("example.net"), None).unwrap();
        prop_assert_eq!(uri.user_decoded().unwrap(), &*user);
        let again: Uri = uri.as_str().parse().unwrap();
        prop_assert!(again.equivalent(&uri));
    }

    // checklist: R3261-12
    #[test]
    fn a_stream_may_be_cut_anywhere(
        picks in vec(0..FIXTURES.len() + 2, 1..5),
        cuts in vec(any::<prop::sample::Index>(), 0..8),
        lenient in any::<bool>(),
    ) {
        let config = if lenient { ParserConfig::LENIENT } else { ParserConfig::STRICT };
        let mut octets = Vec::new();
        for pick in picks {
            octets.extend_from_slice(FIXTURES.get(pick).copied().unwrap_or(b"\r\n\r\n\r\n"));
        }
        let whole = frames(config, &[&octets]);
        let single: Vec<&[u8]> = octets.chunks(1).collect();
        prop_assert_eq!(&frames(config, &single), &whole);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len())).collect();
        places.sort_unstable();
        let (mut pieces, mut rest, mut gone) = (Vec::new(), &octets[..], 0);
        for place in places {
            let (piece, after) = rest.split_at(place - gone);
            pieces.push(piece);
            (rest, gone) = (after, place);
        }
        pieces.push(rest);
        prop_assert_eq!(&frames(config, &pieces), &whole);
    }

    // checklist: R3261-21
    #[test]
    fn no_octets_make_it_panic(octets in vec(any::<u8>(), 0..300)) {
        poke(&octets.into());
    }

    #[test]
    fn no_text_makes_it_panic(text in "(sips?:|tel:|<|\")?[ -~\r\n\t\u{e9}]{0,60}") {
        poke(&text.into_bytes().into());
    }

    #[test]
    fn no_damage_to_a_message_makes_it_panic(
        pick in 0..FIXTURES.len(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut octets = FIXTURES[pick].to_vec();
        for (place, octet, kind) in damage {
            let at = place.index(octets.len());
            match kind {
                0 => octets[at] = octet,
                1 => octets.insert(at, octet),
                2 => octets.truncate(at + 1),
                _ => octets[at] = b"\r\n,;:<>\"@%=\\ "[usize::from(octet) % 13],
            }
        }
        poke(&octets.into());
    }
}
