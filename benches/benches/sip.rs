//! Messages: framed with their header index, read to the headers that every element needs, and
//! printed.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use offhook_sip::header::{CSeq, CallId, Contact, From, MaxForwards, Route, To, Via};
use offhook_sip::{Message, Request, StatusCode, parse_datagram};

const MESSAGES: [(&str, &[u8]); 4] = [
    ("a", include_bytes!("../messages/a_invite.sip")),
    ("b", include_bytes!("../messages/b_401.sip")),
    ("c", include_bytes!("../messages/c_register.sip")),
    ("d", include_bytes!("../messages/d_5via5rr.sip")),
];

/// The messages, and RFC 4475's wsinv where the test vectors are at hand.
fn messages() -> Vec<(&'static str, Bytes)> {
    let mut messages: Vec<(&str, Bytes)> = MESSAGES
        .iter()
        .map(|(name, octets)| (*name, Bytes::copy_from_slice(octets)))
        .collect();
    if let Ok(root) = std::env::var("OFFHOOK_CONFORMANCE") {
        let wsinv = std::fs::read(format!("{root}/rfc4475/wsinv.dat")).unwrap();
        messages.push(("e", wsinv.into()));
    }
    // Sharing them once beforehand is what a network layer does that cuts datagrams from a buffer.
    for (_, octets) in &messages {
        drop(octets.clone());
    }
    messages
}

fn view(message: &Message) {
    let headers = message.headers();
    black_box(headers.typed::<Via>().unwrap());
    black_box(headers.typed::<From>().unwrap());
    black_box(headers.typed::<To>().unwrap());
    black_box(headers.typed::<CallId>().unwrap());
    black_box(headers.typed::<CSeq>().unwrap());
    black_box(headers.typed::<Contact>().unwrap());
    black_box(headers.typed::<MaxForwards>().unwrap());
    black_box(headers.typed::<Route>().unwrap());
}

/// A response with a To tag and a Contact, in octets.
fn answer(request: &Request) -> Bytes {
    let mut response = request.response(StatusCode::OK);
    let headers = response.headers_mut();
    let to: To = headers.required().unwrap();
    let to = to.address().to_owned().with_tag("a6c85cf").unwrap();
    headers.set_typed(&To::from(&to));
    headers
        .append("Contact", "<sip:bob@192.0.2.4:5060>")
        .unwrap();
    response.to_bytes()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sip");
    let a = MESSAGES[0].1;
    let start = a.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
    group.bench_function("httparse/a", |bencher| {
        bencher.iter(|| {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            black_box(httparse::parse_headers(
                black_box(&a[start..]),
                &mut headers,
            ))
            .unwrap();
        });
    });
    for (name, octets) in messages() {
        group.bench_function(format!("index/{name}"), |bencher| {
            bencher.iter(|| parse_datagram(black_box(octets.clone())).unwrap());
        });
        group.bench_function(format!("view/{name}"), |bencher| {
            bencher.iter(|| {
                let message = parse_datagram(black_box(octets.clone())).unwrap();
                view(&message);
                message
            });
        });
        let message = parse_datagram(octets).unwrap();
        if let Message::Request(request) = &message {
            group.bench_function(format!("check/{name}"), |bencher| {
                bencher.iter(|| black_box(request).validate());
            });
            group.bench_function(format!("answer/{name}"), |bencher| {
                bencher.iter(|| answer(black_box(request)));
            });
        }
        group.bench_function(format!("print/{name}"), |bencher| {
            bencher.iter(|| black_box(&message).to_bytes());
        });
        group.bench_function(format!("verbatim/{name}"), |bencher| {
            bencher.iter(|| black_box(&message).to_bytes_verbatim());
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
