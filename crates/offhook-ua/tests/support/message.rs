//! What is said on the virtual wire, and how a test reads it.

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_sip::header::CSeq;
use offhook_sip::{
    HeaderName, Headers, Message, Method, NameAddr, Request, Response, StatusCode, Uri,
};
use offhook_transaction::Flow;
use offhook_ua::{Body, Destination, OutgoingCall};

pub const ALICE: &str = "10.0.0.1";
pub const BOB: &str = "10.0.0.2";
pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n";

pub fn sdp(text: &'static str) -> Option<Body> {
    Some(Body::sdp(Bytes::from_static(text.as_bytes())))
}

pub fn uri(text: &str) -> Uri {
    text.parse().expect("a URI")
}

pub fn address(text: &str) -> NameAddr {
    NameAddr::new(uri(text))
}

/// What Alice asks for when she calls Bob with an offer.
pub fn to_bob() -> OutgoingCall {
    let mut outgoing = OutgoingCall::new(
        uri("sip:bob@10.0.0.2"),
        address("sip:alice@10.0.0.1"),
        address("sip:bob@10.0.0.2"),
    );
    outgoing.body = sdp(OFFER);
    outgoing
}

pub fn short(payload: &Bytes) -> String {
    match offhook_sip::parse_datagram(payload.clone()) {
        Ok(Message::Request(request)) => request.method().as_str().to_owned(),
        Ok(Message::Response(response)) => {
            let cseq = header(response.headers(), HeaderName::CSEQ).to_owned();
            let method = cseq.split(' ').next_back().unwrap_or_default().to_owned();
            format!("{} {method}", response.status())
        }
        Err(_) => "?".to_owned(),
    }
}

pub fn header<'a>(headers: &'a Headers, name: HeaderName<'_>) -> &'a str {
    headers.get(name).unwrap_or_default()
}

/// The number of a request's CSeq.
pub fn cseq(request: &Request) -> u32 {
    let cseq = request.headers().required::<CSeq>();
    cseq.expect("a CSeq").number()
}

pub fn requests(messages: &[Message], method: &Method) -> Vec<Request> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Request(request) if request.method() == method => Some(request.clone()),
            _ => None,
        })
        .collect()
}

/// A response as a peer with this tag and Contact gives it.
pub fn answer(request: &Request, status: u16, tag: &str, body: Option<&'static str>) -> Response {
    let mut response = request.response(StatusCode::new(status).expect("a status"));
    let to = header(request.headers(), HeaderName::TO).to_owned();
    let headers = response.headers_mut();
    if status > 100 {
        let tagged = if to.contains(";tag=") {
            to
        } else {
            format!("{to};tag={tag}")
        };
        headers.set(HeaderName::TO, &tagged).expect("a To");
    }
    headers
        .set(HeaderName::CONTACT, "<sip:bob@10.0.0.2:5060>")
        .expect("a Contact");
    if let Some(body) = body {
        response
            .set_body("application/sdp", Bytes::from_static(body.as_bytes()))
            .expect("a body");
    }
    response
}

/// The same response with one more line.
pub fn with(mut response: Response, name: HeaderName<'_>, value: &str) -> Response {
    let headers = response.headers_mut();
    headers.append(name, value).expect("a header");
    response
}

/// A request of the peer outside of any dialog; `number` keeps it apart from others, and `extra` is
/// whole lines.
pub fn unasked(number: u32, method: &str, extra: &str, body: &str) -> Bytes {
    let length = body.len();
    let text = format!(
        "{method} sip:alice@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKx{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@10.0.0.2>;tag=x{number}\r\nTo: <sip:alice@10.0.0.1>\r\n\
         Call-ID: x{number}\r\nCSeq: 1 {method}\r\nContact: <sip:bob@10.0.0.2:5060>\r\n\
         {extra}Content-Length: {length}\r\n\r\n{body}"
    );
    Bytes::from(text)
}

/// A request of the peer within the dialog that `invite` (of Alice) and the tag made.
pub fn within(invite: &Request, tag: &str, method: &Method, cseq: u32) -> Request {
    let contact = header(invite.headers(), HeaderName::CONTACT);
    let target = contact.trim_matches(['<', '>']);
    let mut request = Request::new(method.clone(), uri(target));
    let to = header(invite.headers(), HeaderName::TO).to_owned();
    let headers = request.headers_mut();
    let mut put = |name: HeaderName<'static>, value: &str| {
        headers.append(name, value).expect("a header");
    };
    let call_id = header(invite.headers(), HeaderName::CALL_ID);
    put(
        HeaderName::VIA,
        &format!("SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{method}{cseq}{call_id};rport"),
    );
    put(HeaderName::MAX_FORWARDS, "70");
    put(HeaderName::FROM, &format!("{to};tag={tag}"));
    put(HeaderName::TO, header(invite.headers(), HeaderName::FROM));
    put(
        HeaderName::CALL_ID,
        header(invite.headers(), HeaderName::CALL_ID),
    );
    put(HeaderName::CSEQ, &format!("{cseq} {method}"));
    put(HeaderName::CONTACT, "<sip:bob@10.0.0.2:5060>");
    put(HeaderName::CONTENT_LENGTH, "0");
    request
}

pub fn flow_to(port: u16) -> Destination {
    let local = SocketAddr::new(ALICE.parse().expect("an address"), 5060);
    let remote = SocketAddr::new(BOB.parse().expect("an address"), port);
    Destination::Flow(Flow::udp(local, remote))
}
