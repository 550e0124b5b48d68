//! The last response of a server transaction, kept for repeats of the request.

use bytes::Bytes;
use offhook_sip::{HeaderName, Request};

/// The headers that a response takes from its request, in this order (RFC 3261 §8.2.6.2).
const COMMON: [HeaderName<'static>; 5] = [
    HeaderName::VIA,
    HeaderName::FROM,
    HeaderName::TO,
    HeaderName::CALL_ID,
    HeaderName::CSEQ,
];

/// What is kept of a response.
#[derive(Debug, Default)]
pub(crate) enum Kept {
    #[default]
    Nothing,
    /// All of it.
    Whole(Box<Bytes>),
    /// All but what a repeat of the request brings along again: half of a 401 or of the 200 to a
    /// REGISTER, of which a busy registrar keeps those of the last 32 seconds.
    Tail(Tail),
}

/// A response without the headers that it shares with its request: status line, then the rest.
#[derive(Debug)]
pub(crate) struct Tail(Box<[u8]>);

impl Kept {
    /// Keeps a response as it is.
    pub(crate) fn whole(response: Bytes) -> Self {
        Self::Whole(Box::new(response))
    }

    /// Keeps what of a response does not follow from its request and its To tag; all of it, if
    /// it does not begin as [`Request::response`] lets it begin.
    pub(crate) fn beside(request: &Request, tag: &str, response: &Bytes) -> Self {
        match shared(request, tag, response) {
            Some((line, rest)) => Self::Tail(Tail([line, rest].concat().into())),
            None => Self::whole(response.clone()),
        }
    }
}

impl Tail {
    /// The response to this repeat of the request.
    pub(crate) fn answer(&self, request: &Request, tag: &str) -> Bytes {
        let (line, rest) = self.0.split_at(line_end(&self.0).unwrap_or(self.0.len()));
        let mut response = Vec::with_capacity(self.0.len() + 512);
        response.extend_from_slice(line);
        each_line(request, tag, |piece| response.extend_from_slice(piece));
        response.extend_from_slice(rest);
        Bytes::from(response)
    }
}

/// The status line of a response, and what follows the headers that it shares with its request.
fn shared<'a>(request: &Request, tag: &str, response: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (line, mut rest) = response.split_at_checked(line_end(response)?)?;
    let mut same = true;
    each_line(request, tag, |piece| match rest.strip_prefix(piece) {
        Some(after) if same => rest = after,
        _ => same = false,
    });
    same.then_some((line, rest))
}

/// The lines of a response that follow from its request, in pieces.
fn each_line(request: &Request, tag: &str, mut piece: impl FnMut(&[u8])) {
    for name in COMMON {
        for value in request.headers().get_all(name) {
            piece(name.as_str().as_bytes());
            piece(b": ");
            piece(value.as_bytes());
            if name == HeaderName::TO && !tag.is_empty() {
                piece(b";tag=");
                piece(tag.as_bytes());
            }
            piece(b"\r\n");
        }
    }
}

fn line_end(text: &[u8]) -> Option<usize> {
    let end = text.windows(2).position(|pair| pair == b"\r\n")?;
    Some(end + 2)
}

#[cfg(test)]
mod tests {
    use offhook_sip::{Message, StatusCode, parse};

    use super::*;

    fn request() -> Request {
        let text = "REGISTER sip:example.com SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
            v: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK0\r\n\
            From: <sip:carol@example.com>;tag=c1\r\n\
            t: <sip:carol@example.com>\r\n\
            Call-ID: 1\r\n\
            CSeq: 1 REGISTER\r\n\r\n";
        match parse::datagram(Bytes::from_static(text.as_bytes())).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("it is a request"),
        }
    }

    #[test]
    fn what_the_request_brings_again_is_not_kept() {
        let request = request();
        let mut response = request.response(StatusCode::UNAUTHORIZED);
        let headers = response.headers_mut();
        headers.set("To", "<sip:carol@example.com>;tag=t1").unwrap();
        headers
            .append("WWW-Authenticate", "Digest realm=\"r\"")
            .unwrap();
        let payload = response.to_bytes();
        let Kept::Tail(tail) = Kept::beside(&request, "t1", &payload) else {
            panic!("all of it was kept")
        };
        assert!(tail.0.len() < payload.len() / 3, "{}", tail.0.len());
        assert_eq!(tail.answer(&request, "t1"), payload);
    }

    #[test]
    fn a_response_that_begins_otherwise_is_kept_whole() {
        let request = request();
        let payload = request.response(StatusCode::OK).to_bytes();
        assert!(matches!(
            Kept::beside(&request, "t1", &payload),
            Kept::Whole(_)
        ));
        assert!(matches!(
            Kept::beside(&request, "", &payload),
            Kept::Tail(_)
        ));
        let nothing = Bytes::new();
        assert!(matches!(
            Kept::beside(&request, "", &nothing),
            Kept::Whole(_)
        ));
    }
}
