//! Any octets as a datagram, strictly and leniently: parse, check, answer, follow up.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use offhook_sip::{
    Message, ParserConfig, Request, StatusCode, header, parse_datagram, parse_datagram_with,
};

fuzz_target!(|octets: &[u8]| {
    for config in [ParserConfig::STRICT, ParserConfig::LENIENT] {
        let datagram = Bytes::copy_from_slice(octets);
        match parse_datagram_with(&config, datagram) {
            Ok(message) => use_message(&message),
            Err(error) => {
                let _ = (error.to_string(), error.status());
                if let Some(response) = error.response() {
                    assert!(parse_datagram(response.to_bytes()).is_ok());
                }
            }
        }
    }
});

fn use_message(message: &Message) {
    let checked = message.validate();
    for (name, value) in message.headers().iter() {
        assert!(!value.contains(['\r', '\n']));
        let _ = header::check(name, value);
    }
    if let Some(Ok(parts)) = message.multipart() {
        let _ = parts.count();
    }
    let Message::Request(request) = message else {
        return;
    };
    let _ = Request::from_uri(request.uri());
    let response = request.response(StatusCode::BUSY_HERE);
    assert!(parse_datagram(response.to_bytes()).is_ok());
    if checked.is_ok() {
        response
            .validate()
            .expect("a good request has a good response");
        request
            .ack(&response)
            .expect("an ACK")
            .validate()
            .expect("a good one");
        let cancel = request.cancel().expect("a CANCEL");
        cancel.validate().expect("a good one");
        assert!(parse_datagram(cancel.to_bytes()).is_ok());
    }
}
