//! What it costs to answer a challenge and to check the answer: MD5 with qop=auth, beside the bare hashing.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench, not an interface"
)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use offhook_auth::digest::{self, Covered, Protection, Qop};
use offhook_auth::{
    Algorithm, Authenticator, ClientAuth, Config, Credentials, HashFunction, HexDigest, Role,
    Secret, UnixTime, Verdict,
};
use offhook_sip::{Request, parse_datagram};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn register() -> Request {
    let text = include_bytes!("../messages/c_register.sip");
    let mut request = parse_datagram(Bytes::from_static(text))
        .unwrap()
        .into_request()
        .unwrap();
    request.headers_mut().remove("Authorization");
    request
}

/// The three hashes that an answer is made of.
fn bare() -> HexDigest {
    let ha1 = digest::ha1(
        HashFunction::Md5,
        black_box("alice"),
        black_box("atlanta.example.com"),
        black_box("secret"),
    );
    let protection = Protection {
        qop: Qop::Auth,
        nonce_count: "00000001",
        cnonce: "0a4f113b0a4f113b",
    };
    let covered = Covered {
        method: "REGISTER",
        uri: "sip:atlanta.example.com",
        body: b"",
    };
    let nonce = black_box("00006b49d200000000000001a7c4a6d1bb6a0e9c4c0f2a1d");
    digest::response(Algorithm::Md5, &ha1, nonce, Some(protection), covered)
}

/// A request as it comes from the wire.
fn received(request: &Request) -> Request {
    let message = parse_datagram(request.to_bytes()).unwrap();
    message.into_request().unwrap()
}

fn phone() -> ClientAuth {
    ClientAuth::new(Credentials::new("alice", "secret"), [9; 32])
}

fn both_sides(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest MD5 qop=auth");
    group.bench_function("bare: HA1, HA2, response", |b| b.iter(bare));

    let secret = Secret::Password("secret".into());
    let mut server = Authenticator::new(Config::new("atlanta.example.com", [7; 32]));
    let mut client = phone();
    let mut request = register();
    let Verdict::Challenge(challenge) =
        server.verify(NOW, Role::UserAgent, &request, |_| Some(&secret))
    else {
        unreachable!()
    };
    let mut unauthorized = request.response(challenge.status());
    challenge.apply_to(&mut unauthorized).unwrap();

    group.bench_function(
        "client: answers a challenge, header read and written",
        |b| {
            b.iter_batched(
                || {
                    (
                        ClientAuth::new(Credentials::new("alice", "secret"), [9; 32]),
                        register(),
                    )
                },
                |(mut client, mut request)| {
                    client
                        .handle_challenge(&unauthorized, &mut request)
                        .unwrap();
                    (client, request)
                },
                BatchSize::SmallInput,
            );
        },
    );
    client
        .handle_challenge(&unauthorized, &mut request)
        .unwrap();
    group.bench_function("client: the next request, header written", |b| {
        b.iter(|| client.authorize(&mut request).unwrap());
    });
    group.bench_function("server: header read, nonce and answer checked", |b| {
        b.iter_batched(
            || {
                client.authorize(&mut request).unwrap();
                received(&request)
            },
            |request| {
                let verdict = server.verify(NOW, Role::UserAgent, &request, |_| Some(&secret));
                assert!(matches!(verdict, Verdict::Verified(_)));
                request
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("server: a challenge", |b| {
        b.iter(|| server.challenge(NOW, Role::UserAgent));
    });
    group.finish();
}

criterion_group!(benches, both_sides);
criterion_main!(benches);
