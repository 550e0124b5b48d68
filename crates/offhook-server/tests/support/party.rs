//! A party that writes its own messages: it can do what a well-behaved phone would not.

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_auth::{ClientAuth, Credentials};
use offhook_sip::{Message, Method, Request, Response, StatusCode, parse_datagram};

use super::{Exchange, SERVER, address};

/// Somebody at an address, perhaps with an account.
pub(crate) struct Party {
    pub address: SocketAddr,
    /// Where a NAT lets him appear.
    pub seen_at: Option<SocketAddr>,
    /// The connection that he speaks on; datagrams otherwise.
    pub connection: Option<u64>,
    pub user: String,
    pub auth: ClientAuth,
    serial: u32,
}

/// One end of a dialog as a party keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub target: String,
    pub cseq: u32,
    /// The branch of the last INVITE, for its ACK or CANCEL.
    pub branch: String,
}

/// A description that names the party's address, so that a leak would show.
pub(crate) fn description(address: SocketAddr) -> String {
    let ip = address.ip();
    let version = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=private 1 1 IN {version} {ip}\r\ns=my phone\r\nc=IN {version} {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8\r\na=rtcp:40001 IN {version} {ip}\r\n"
    )
}

impl Party {
    pub(crate) fn new(user: &str, password: &str, at: &str) -> Self {
        let credentials = Credentials::new(user, password);
        Self {
            address: address(at),
            seen_at: None,
            connection: None,
            user: user.to_owned(),
            auth: ClientAuth::new(credentials, [3; 32]),
            serial: 0,
        }
    }

    /// The address that others see.
    fn outside(&self) -> SocketAddr {
        self.seen_at.unwrap_or(self.address)
    }

    /// The next letter, which must be there.
    pub(crate) fn next(&self, exchange: &mut Exchange) -> Message {
        let letter = exchange
            .letter(self.outside())
            .unwrap_or_else(|| panic!("nothing came to {}", self.user));
        parse_datagram(letter).expect("the server writes good SIP")
    }

    /// The next response, which must have this status; a 100 may come before it.
    #[track_caller]
    pub(crate) fn expect(&self, exchange: &mut Exchange, status: u16) -> Response {
        loop {
            let message = self.next(exchange);
            let Message::Response(response) = message else {
                panic!("{status} is wanted, not:\n{message}")
            };
            if response.status().get() == status {
                return response;
            }
            assert_eq!(
                response.status(),
                StatusCode::TRYING,
                "{status} is wanted, not:\n{response}"
            );
        }
    }

    /// The next response but 100, which must have one of these statuses.
    #[track_caller]
    pub(crate) fn expect_one_of(&self, exchange: &mut Exchange, statuses: &[u16]) -> Response {
        loop {
            let message = self.next(exchange);
            let Message::Response(response) = message else {
                panic!("{statuses:?} are wanted, not:\n{message}")
            };
            if response.status() != StatusCode::TRYING {
                assert!(
                    statuses.contains(&response.status().get()),
                    "{statuses:?} are wanted, not:\n{response}"
                );
                return response;
            }
        }
    }

    /// The next request, which must have this method.
    #[track_caller]
    pub(crate) fn expect_request(&self, exchange: &mut Exchange, method: &Method) -> Request {
        let message = self.next(exchange);
        let Message::Request(request) = message else {
            panic!("{} is wanted, not:\n{message}", method.as_str())
        };
        assert_eq!(request.method(), method, "{request}");
        request
    }

    /// Nothing has come.
    #[track_caller]
    pub(crate) fn expect_silence(&self, exchange: &Exchange) {
        assert_eq!(
            exchange.waiting(self.outside()),
            0,
            "something came to {}",
            self.user
        );
    }

    pub(crate) fn serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    /// A request as this party writes it; `extra` are whole header lines.
    pub(crate) fn text(
        &self,
        method: &str,
        uri: &str,
        dialog: &Dialog,
        extra: &str,
        body: &str,
    ) -> String {
        let content = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let Dialog {
            call_id,
            local,
            remote,
            cseq,
            branch,
            ..
        } = dialog;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {at};rport;branch={branch}\r\nMax-Forwards: 20\r\n\
             From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{user}@{at}>\r\nUser-Agent: private-phone\r\n{extra}{content}Content-Length: {length}\r\n\r\n{body}",
            transport = self.connection.map_or("UDP", |_| "TCP"),
            at = self.address,
            user = self.user,
            length = body.len(),
        )
    }

    /// A dialog that is about to begin with a request to `uri`.
    pub(crate) fn new_dialog(&mut self, to: &str) -> Dialog {
        let serial = self.serial();
        let host = address(SERVER).ip();
        Dialog {
            call_id: format!("{}-{serial}@private", self.user),
            local: format!("<sip:{}@{host}>;tag={}{serial}", self.user, self.user),
            remote: format!("<{to}>"),
            target: to.to_owned(),
            cseq: 1,
            branch: self.branch(),
        }
    }

    pub(crate) fn branch(&mut self) -> String {
        let serial = self.serial();
        format!("z9hG4bK-{}-{serial}", self.user)
    }

    pub(crate) fn send(&self, exchange: &mut Exchange, text: &str) {
        let flow = exchange.flow(self.outside(), self.connection);
        exchange.packet_on(flow, Bytes::copy_from_slice(text.as_bytes()));
    }

    /// Adds the answer to a challenge.
    pub(crate) fn authorize(&mut self, text: &str, challenge: &Response) -> String {
        let message =
            parse_datagram(Bytes::copy_from_slice(text.as_bytes())).expect("a good request");
        let mut request = message.into_request().expect("a request");
        self.auth
            .handle_challenge(challenge, &mut request)
            .expect("a challenge that can be answered");
        request.to_string()
    }

    /// Asks again, with the answer to a challenge.
    pub(crate) fn ask_again(
        &mut self,
        exchange: &mut Exchange,
        dialog: &mut Dialog,
        challenge: &Response,
        method: &str,
        extra: &str,
        body: &str,
    ) {
        dialog.cseq += 1;
        dialog.branch = self.branch();
        let text = self.text(method, &dialog.target, dialog, extra, body);
        let text = self.authorize(&text, challenge);
        self.send(exchange, &text);
    }

    /// Logs in.
    #[track_caller]
    pub(crate) fn register(&mut self, exchange: &mut Exchange, expires: u32) -> Response {
        self.ask_to_register(exchange, expires);
        self.expect(exchange, 200)
    }

    /// Asks to be registered and answers the challenge. What comes next is in the letter box.
    #[track_caller]
    pub(crate) fn ask_to_register(&mut self, exchange: &mut Exchange, expires: u32) {
        let uri = format!("sip:{}", address(SERVER).ip());
        let mut dialog = self.new_dialog(&uri);
        dialog.remote = dialog
            .local
            .split(';')
            .next()
            .expect("an address")
            .to_owned();
        let extra = format!("Expires: {expires}\r\n");
        self.send(exchange, &self.text("REGISTER", &uri, &dialog, &extra, ""));
        let challenge = self.expect(exchange, 401);
        self.ask_again(exchange, &mut dialog, &challenge, "REGISTER", &extra, "");
    }

    /// Dials, is challenged, and dials with credentials. What comes next is in the letter box.
    #[track_caller]
    pub(crate) fn dial(&mut self, exchange: &mut Exchange, number: &str, body: &str) -> Dialog {
        self.dial_with(exchange, number, "", body)
    }

    /// The same, with more headers.
    #[track_caller]
    pub(crate) fn dial_with(
        &mut self,
        exchange: &mut Exchange,
        number: &str,
        extra: &str,
        body: &str,
    ) -> Dialog {
        let uri = format!("sip:{number}@{}", address(SERVER).ip());
        let mut dialog = self.new_dialog(&uri);
        self.send(exchange, &self.text("INVITE", &uri, &dialog, extra, body));
        let challenge = self.expect(exchange, 401);
        self.acknowledge_failure(exchange, &dialog, &challenge);
        self.ask_again(exchange, &mut dialog, &challenge, "INVITE", extra, body);
        dialog
    }

    /// The ACK of a failure, which belongs to the INVITE's own transaction.
    pub(crate) fn acknowledge_failure(
        &mut self,
        exchange: &mut Exchange,
        dialog: &Dialog,
        failure: &Response,
    ) {
        let mut dialog = dialog.clone();
        dialog.remote = failure.headers().get("To").expect("a To").to_owned();
        self.send(exchange, &self.text("ACK", &dialog.target, &dialog, "", ""));
    }

    /// The ACK of a 2xx; the dialog takes the peer's tag and target.
    pub(crate) fn acknowledge(
        &mut self,
        exchange: &mut Exchange,
        dialog: &mut Dialog,
        answer: &Response,
        body: &str,
    ) {
        dialog.remote = answer.headers().get("To").expect("a To").to_owned();
        let contact = answer.headers().get("Contact").expect("a Contact");
        dialog.target = contact
            .trim_start_matches('<')
            .split('>')
            .next()
            .expect("a URI")
            .to_owned();
        dialog.branch = self.branch();
        self.send(
            exchange,
            &self.text("ACK", &dialog.target, dialog, "", body),
        );
    }

    /// A request within the dialog, with whatever credentials are known when `proven`.
    pub(crate) fn in_dialog(
        &mut self,
        exchange: &mut Exchange,
        dialog: &mut Dialog,
        method: &str,
        extra: &str,
        body: &str,
        proven: bool,
    ) {
        dialog.cseq += 1;
        dialog.branch = self.branch();
        let text = self.text(method, &dialog.target, dialog, extra, body);
        let text = if proven {
            self.authorize_known(&text)
        } else {
            text
        };
        self.send(exchange, &text);
    }

    /// Adds credentials for the nonce that is known.
    pub(crate) fn authorize_known(&mut self, text: &str) -> String {
        let message =
            parse_datagram(Bytes::copy_from_slice(text.as_bytes())).expect("a good request");
        let mut request = message.into_request().expect("a request");
        self.auth.authorize(&mut request).expect("a nonce is known");
        request.to_string()
    }

    /// Answers a request; the dialog is this party's end of it.
    pub(crate) fn answer(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        status: u16,
        body: &str,
    ) -> Dialog {
        self.answer_with(exchange, request, status, &[], body)
    }

    /// The same, with more headers.
    pub(crate) fn answer_with(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        status: u16,
        extra: &[(&str, &str)],
        body: &str,
    ) -> Dialog {
        let mut response = request.response(StatusCode::new(status).expect("a status"));
        for (name, value) in extra {
            response
                .headers_mut()
                .append(*name, value)
                .expect("a header");
        }
        let to = request.headers().get("To").expect("a To").to_owned();
        let local = if to.contains(";tag=") || status == 100 {
            to
        } else {
            format!("{to};tag={}", self.user)
        };
        response.headers_mut().set("To", &local).expect("a good To");
        // RFC 3261 §12.1.1
        for route in request.headers().get_all("Record-Route") {
            response
                .headers_mut()
                .append("Record-Route", route)
                .expect("a good Record-Route");
        }
        let contact = format!("<sip:{}@{}>", self.user, self.address);
        response
            .headers_mut()
            .set("Contact", &contact)
            .expect("a good Contact");
        if !body.is_empty() {
            response
                .set_body("application/sdp", Bytes::copy_from_slice(body.as_bytes()))
                .expect("a good body");
        }
        let flow = exchange.flow(self.outside(), self.connection);
        exchange.packet_on(flow, response.to_bytes());
        let contact = request
            .headers()
            .get("Contact")
            .unwrap_or("<sip:nobody@invalid>");
        Dialog {
            call_id: request
                .headers()
                .get("Call-ID")
                .expect("a Call-ID")
                .to_owned(),
            local,
            remote: request.headers().get("From").expect("a From").to_owned(),
            target: contact
                .trim_start_matches('<')
                .split('>')
                .next()
                .expect("a URI")
                .to_owned(),
            cseq: 100,
            branch: String::new(),
        }
    }

    /// Names another place instead (RFC 3261 §21.3); the ACK of that has come too.
    #[track_caller]
    pub(crate) fn redirect(&self, exchange: &mut Exchange, request: &Request, place: &str) {
        self.redirect_with(exchange, request, place, &[]);
    }

    /// The same, with more headers.
    #[track_caller]
    pub(crate) fn redirect_with(
        &self,
        exchange: &mut Exchange,
        request: &Request,
        place: &str,
        extra: &[(&str, &str)],
    ) {
        let mut response = request.response(StatusCode::new(302).expect("a status"));
        let to = format!("{};tag=moved", request.headers().get("To").expect("a To"));
        response.headers_mut().set("To", &to).expect("a good To");
        response
            .headers_mut()
            .set("Contact", place)
            .expect("a good Contact");
        for (name, value) in extra {
            let headers = response.headers_mut();
            headers.append(*name, value).expect("a header");
        }
        exchange.packet(self.address, response.to_bytes());
        self.expect_request(exchange, &Method::Ack);
    }
}
