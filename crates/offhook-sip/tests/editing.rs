//! Messages are built, edited and derived from each other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::IpAddr;

use bytes::Bytes;
use offhook_sip::header::{
    Allow, CSeq, CallId, Contact, ContentLength, From, MaxForwards, RecordRoute, Route, Subject,
    To, Via,
};
use offhook_sip::{
    Headers, Host, Message, Method, NameAddr, Request, Response, StatusCode, Transport, Uri,
    parse_datagram,
};

fn invite() -> Request {
    let octets = include_bytes!("fixtures/ok_invite.sip");
    parse_datagram(Bytes::from_static(octets))
        .unwrap()
        .into_request()
        .unwrap()
}

fn back(message: impl Into<Message>) -> Message {
    let message = message.into();
    let parsed = parse_datagram(message.to_bytes()).unwrap();
    assert_eq!(parsed, message);
    parsed
}

fn values(headers: &Headers, name: &str) -> Vec<String> {
    headers.get_all(name).map(str::to_owned).collect()
}

// checklist: R3261-40, R3261-41
#[test]
fn a_response_takes_what_it_must() {
    let mut request = invite();
    let via = Via::new(Transport::Tcp, Host::Domain("proxy.example.net"), None).unwrap();
    request
        .headers_mut()
        .push_via(&via.with_branch("z9hG4bKp").unwrap());
    request.headers_mut().append("Timestamp", "54").unwrap();
    let response = request.response(StatusCode::RINGING);
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        assert_eq!(
            values(response.headers(), name),
            values(request.headers(), name),
            "{name}"
        );
    }
    assert_eq!(response.headers().typed_all::<Via>().count(), 2);
    assert_eq!(response.headers().len(), 6);
    assert!(response.body().is_empty());
    let trying = request.response(StatusCode::TRYING);
    assert_eq!(trying.headers().get("Timestamp"), Some("54"));
    response.validate().unwrap();
    back(response);
}

#[test]
fn an_ack_of_a_failure_follows_the_invite() {
    let mut invite = invite();
    invite
        .headers_mut()
        .append("Route", "<sip:one.example.net;lr>")
        .unwrap();
    invite
        .headers_mut()
        .append("Route", "<sip:two.example.net;lr>")
        .unwrap();
    let mut busy = invite.response(StatusCode::BUSY_HERE);
    let to: NameAddr = busy
        .headers()
        .required::<To>()
        .unwrap()
        .address()
        .to_owned();
    let to = to.with_tag("e1").unwrap();
    busy.headers_mut().set_typed(&To::from(&to));
    let ack = invite.ack(&busy).unwrap();
    ack.validate().unwrap();
    assert_eq!(ack.method(), &Method::Ack);
    assert_eq!(ack.uri(), invite.uri());
    let headers = ack.headers();
    assert_eq!(headers.required::<CSeq>(), Ok(CSeq::new(1, Method::Ack)));
    assert_eq!(headers.required::<To>().unwrap().tag(), Some("e1"));
    assert_eq!(headers.get("From"), invite.headers().get("From"));
    assert_eq!(headers.required::<CallId>(), invite.headers().required());
    assert_eq!(headers.required::<Via>(), invite.headers().required());
    assert_eq!(headers.typed_all::<Route>().count(), 2);
    back(ack);
}

// checklist: R3261-44
#[test]
fn a_cancel_equals_its_invite() {
    let mut invite = invite();
    let far = Via::new(Transport::Udp, Host::Domain("far.example.net"), None).unwrap();
    invite.headers_mut().append_typed(&far);
    invite.headers_mut().append("Require", "100rel").unwrap();
    let cancel = invite.cancel().unwrap();
    cancel.validate().unwrap();
    assert_eq!(cancel.uri(), invite.uri());
    let headers = cancel.headers();
    for name in ["From", "To", "Call-ID"] {
        assert_eq!(
            values(headers, name),
            values(invite.headers(), name),
            "{name}"
        );
    }
    assert_eq!(headers.required::<CSeq>(), Ok(CSeq::new(1, Method::Cancel)));
    assert_eq!(headers.typed_all::<Via>().count(), 1);
    assert!(!headers.contains("Require"));
    back(cancel);
}

#[test]
fn nothing_follows_from_a_request_without_via_or_cseq() {
    let mut invite = invite();
    invite.headers_mut().remove("Via");
    assert!(invite.cancel().is_err());
    let request = Request::new(Method::Invite, "sip:a@b".parse().unwrap());
    assert!(request.ack(&Response::new(StatusCode::BUSY_HERE)).is_err());
}

#[test]
fn a_proxy_puts_its_via_on_top_and_takes_it_away() {
    let mut headers = invite().headers().clone();
    let before = values(&headers, "Via");
    let via = Via::new(
        Transport::Udp,
        Host::Ip("2001:db8::1".parse().unwrap()),
        Some(5070),
    )
    .unwrap()
    .with_branch("z9hG4bKx")
    .unwrap();
    headers.push_via(&via);
    assert_eq!(
        headers.get("v"),
        Some("SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKx")
    );
    assert!(headers.pop_via());
    assert_eq!(values(&headers, "Via"), before);
    assert!(headers.pop_via());
    assert!(!headers.pop_via());
    headers
        .append("Via", "SIP/2.0/UDP a;x=\"1,2\" , SIP/2.0/UDP b")
        .unwrap();
    assert!(headers.pop_via());
    assert_eq!(values(&headers, "Via"), ["SIP/2.0/UDP b"]);
}

#[test]
fn a_server_notes_where_a_request_came_from() {
    let mut request = invite();
    let source: IpAddr = "203.0.113.9".parse().unwrap();
    let top: Via = request.headers().required().unwrap();
    let top = top
        .into_owned()
        .with_received(source)
        .with_rport_value(40_000);
    request.headers_mut().pop_via();
    request.headers_mut().push_via(&top);
    let top: Via = request.headers().required().unwrap();
    assert_eq!(top.received(), Some(source));
    assert_eq!(top.rport(), Some(Some(40_000)));
    assert_eq!(top.branch(), Some("z9hG4bKq7w8"));
}

#[test]
fn lines_keep_their_order_when_they_are_edited() {
    let mut headers = Headers::new();
    for (name, value) in [("XA", "1"), ("XB", "2"), ("xa", "3"), ("XC", "4")] {
        headers.append(name, value).unwrap();
    }
    headers.set("xa", " 5 ").unwrap();
    headers.prepend("XC", "0").unwrap();
    headers.prepend("Top", "t").unwrap();
    let lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(lines, ["Top=t", "xa=5", "XB=2", "XC=0", "XC=4"]);
    assert_eq!(headers.remove("xc"), 2);
    assert_eq!(headers.remove("xc"), 0);
    headers.set("XD", "").unwrap();
    assert_eq!(headers.get("xd"), Some(""));
    assert_eq!(headers.len(), 4);
}

// checklist: R3261-13
#[test]
fn a_body_brings_its_headers_and_takes_them_along() {
    let mut request = invite();
    request.set_body("text/plain", "grüße").unwrap();
    assert_eq!(
        request.headers().required::<ContentLength>(),
        Ok(ContentLength(7))
    );
    assert_eq!(request.headers().get("c"), Some("text/plain"));
    back(request.clone());
    request.clear_body();
    assert_eq!(
        request.headers().required::<ContentLength>(),
        Ok(ContentLength(0))
    );
    assert!(!request.headers().contains("Content-Type"));
    assert!(request.set_body("text", "x").is_err());
    back(request);
}

#[test]
fn the_length_is_always_that_of_the_body() {
    let mut request = invite();
    request.headers_mut().set("l", "9999").unwrap();
    request.headers_mut().append("l", "1").unwrap();
    let printed = String::from_utf8(request.to_bytes().to_vec()).unwrap();
    assert_eq!(printed.matches("Content-Length").count(), 1);
    back(request);
}

#[test]
fn verbatim_is_offered_until_something_changes() {
    let octets = Bytes::from_static(include_bytes!("fixtures/ok_white_space.sip"));
    let Message::Request(mut request) = parse_datagram(octets.clone()).unwrap() else {
        panic!("a request");
    };
    assert_eq!(request.to_bytes_verbatim(), Some(octets));
    assert_ne!(request.to_bytes(), request.to_bytes_verbatim().unwrap());
    request.headers_mut();
    assert_eq!(request.to_bytes_verbatim(), None);
}

#[test]
fn a_request_from_scratch_passes_every_check() {
    let uri: Uri = "sip:emil@example.net".parse().unwrap();
    let me = NameAddr::new(Uri::sip(Some("dora"), Host::Domain("example.net"), None).unwrap());
    let contact =
        NameAddr::new(Uri::sip(Some("dora"), Host::Ip([192, 0, 2, 1].into()), Some(5062)).unwrap())
            .with_param("expires", Some("60"))
            .unwrap();
    let mut request = Request::new(Method::Invite, uri.clone());
    let headers = request.headers_mut();
    headers.push_via(
        &Via::new(Transport::Udp, Host::Ip([192, 0, 2, 1].into()), Some(5062))
            .unwrap()
            .with_branch("z9hG4bK1")
            .unwrap()
            .with_rport(),
    );
    headers.append_typed(&MaxForwards(70));
    headers.append_typed(&From::new(me.with_tag("1").unwrap().as_ref()));
    headers.append_typed(&To::from(&NameAddr::new(uri)));
    headers.append_typed(&CallId::new("c@192.0.2.1").unwrap());
    headers.append_typed(&CSeq::new(1, Method::Invite));
    headers.append_typed(&Contact::from(&contact));
    headers.append_typed(&Allow::of(&[Method::Invite, Method::Ack]));
    headers.append_typed(&Subject::new("hi").unwrap());
    request.validate().unwrap();
    assert_eq!(
        request.to_string(),
        "INVITE sip:emil@example.net SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:dora@example.net>;tag=1\r\n\
         To: <sip:emil@example.net>\r\n\
         Call-ID: c@192.0.2.1\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:dora@192.0.2.1:5062>;expires=60\r\n\
         Allow: INVITE, ACK\r\n\
         Subject: hi\r\n\
         Content-Length: 0\r\n\r\n"
    );
    back(request);
}

// Nothing that is built can hold a line end where none belongs.
#[test]
fn no_value_can_smuggle_a_header_in() {
    const EVIL: [&str; 6] = [
        "a\r\nX: y",
        "a\nX: y",
        "a\rX: y",
        "\r\n",
        "\\\r\n",
        "\"\\\n\"",
    ];
    let mut headers = Headers::new();
    for evil in EVIL {
        assert!(headers.append("Subject", evil).is_err(), "{evil:?}");
        assert!(headers.prepend("X-Y", evil).is_err(), "{evil:?}");
        assert!(headers.set("Route", evil).is_err(), "{evil:?}");
        assert!(headers.append(evil, "x").is_err(), "{evil:?}");
        assert!(
            Response::new(StatusCode::OK).with_reason(evil).is_err(),
            "{evil:?}"
        );
        assert!(evil.parse::<Method>().is_err(), "{evil:?}");
        assert!(evil.parse::<Uri>().is_err(), "{evil:?}");
        assert!(format!("sip:{evil}@b").parse::<Uri>().is_err(), "{evil:?}");
        assert!(evil.parse::<NameAddr>().is_err(), "{evil:?}");
        assert!(
            Uri::sip(None, Host::Domain(evil), None).is_err(),
            "{evil:?}"
        );
        let escaped = Uri::sip(Some(evil), Host::Domain("b"), None).unwrap();
        assert!(!escaped.as_str().contains(['\r', '\n']));
        assert_eq!(escaped.user_decoded().as_deref(), Some(evil));
        let escaped = escaped.with_param("x", Some(evil)).unwrap();
        assert!(!escaped.as_str().contains(['\r', '\n']));
        let mut request = invite();
        assert!(request.set_body(evil, "x").is_err(), "{evil:?}");
        assert!(
            CallId::new(evil).is_err() && Subject::new(evil).is_err(),
            "{evil:?}"
        );
    }
    assert!(headers.is_empty());
    for uri in [
        "sip:a@b?Subject=x%0D%0AVia:%20y",
        "sip:a@b?X%0D%0AY=z",
        "sip:a@b?Route=%3Csip:c%3E",
    ] {
        assert!(Request::from_uri(&uri.parse().unwrap()).is_err(), "{uri}");
    }
}

// checklist: R3261-16
#[test]
fn a_uri_does_not_decide_who_sends_and_where_to() {
    let uri: Uri = "sip:a@b;lr;method=SUBSCRIBE?Event=dialog&Expires=0"
        .parse()
        .unwrap();
    let request = Request::from_uri(&uri).unwrap();
    assert_eq!(request.method(), &Method::Subscribe);
    assert_eq!(request.uri().as_str(), "sip:a@b;lr");
    assert_eq!(request.headers().len(), 2);
    for name in [
        "From",
        "Via",
        "v",
        "Call-ID",
        "CSeq",
        "Record-Route",
        "route",
        "m",
        "Accept",
    ] {
        let uri: Uri = format!("sip:a@b?{name}=x").parse().unwrap();
        assert!(Request::from_uri(&uri).is_err(), "{name}");
    }
}

#[test]
fn uris_are_edited_by_the_parameter() {
    let uri: Uri = "sip:a@b;x=1;LR;transport=tcp?c=d".parse().unwrap();
    assert_eq!(
        uri.with_param("X", Some("2;3")).unwrap().as_str(),
        "sip:a@b;LR;transport=tcp;X=2%3B3?c=d"
    );
    assert_eq!(
        uri.without_param("lr").as_str(),
        "sip:a@b;x=1;transport=tcp?c=d"
    );
    assert_eq!(
        uri.without_headers().as_str(),
        "sip:a@b;x=1;LR;transport=tcp"
    );
    assert_eq!(uri.transport_param(), Some(Transport::Tcp));
    assert!(uri.with_param("", None).is_err());
    assert!(uri.with_param("y", Some("")).is_err());
}

#[test]
fn a_route_set_is_copied_between_messages() {
    let response = include_bytes!("fixtures/ok_no_reason.sip");
    let response = parse_datagram(Bytes::from_static(response)).unwrap();
    let mut route: Vec<NameAddr> = response
        .headers()
        .typed_all::<RecordRoute>()
        .map(|hop| hop.unwrap().address().to_owned())
        .collect();
    route.reverse();
    let mut request = Request::new(Method::Bye, "sip:a@b".parse().unwrap());
    for hop in &route {
        request.headers_mut().append_typed(&Route::from(hop));
    }
    assert_eq!(
        request.headers().get("Route"),
        Some("<sip:edge3.example.net;lr>")
    );
    assert!(request.headers_mut().pop("Route"));
    assert_eq!(
        request.headers().get("Route"),
        Some("<sip:edge2.example.net;lr>")
    );
}
