//! Published digest values: RFC 2617, RFC 7616, draft-smith-sipping-auth-examples and what follows from RFC 8760.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

use offhook_auth::digest::{self, Covered, Protection, Qop};
use offhook_auth::{Algorithm, HexDigest};
use serde_json::Value;

/// The vectors, or `None` with a note when the environment does not say where they are.
#[allow(clippy::disallowed_methods)] // a test may read its data
fn vectors() -> Option<Vec<Value>> {
    let Ok(dir) = std::env::var("OFFHOOK_CONFORMANCE") else {
        assert!(
            std::env::var("OFFHOOK_NO_SKIP").is_err(),
            "OFFHOOK_CONFORMANCE is not set"
        );
        println!("skipped: OFFHOOK_CONFORMANCE is not set");
        return None;
    };
    let text =
        std::fs::read_to_string(format!("{dir}/digest/vectors.json")).expect("digest/vectors.json");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    Some(
        file["vectors"]
            .as_array()
            .expect("a list of vectors")
            .clone(),
    )
}

fn text<'a>(vector: &'a Value, key: &str) -> Option<&'a str> {
    vector.get(key).map(|value| value.as_str().expect("text"))
}

fn needed<'a>(vector: &'a Value, key: &str) -> &'a str {
    text(vector, key).unwrap_or_else(|| panic!("{key} in {vector}"))
}

fn algorithm(vector: &Value) -> Algorithm {
    text(vector, "algorithm")
        .unwrap_or("MD5")
        .parse()
        .expect("a known algorithm")
}

fn computed(vector: &Value) -> HexDigest {
    let algorithm = algorithm(vector);
    let (username, realm) = (needed(vector, "username"), needed(vector, "realm"));
    let ha1 = digest::ha1(
        algorithm.hash(),
        username,
        realm,
        needed(vector, "password"),
    );
    let protection = text(vector, "qop").map(|qop| Protection {
        qop: Qop::parse(qop).expect("a known quality"),
        nonce_count: needed(vector, "nc"),
        cnonce: needed(vector, "cnonce"),
    });
    let covered = Covered {
        method: needed(vector, "method"),
        uri: needed(vector, "uri"),
        body: text(vector, "body").unwrap_or_default().as_bytes(),
    };
    if !algorithm.is_session() {
        assert_eq!(
            ha1.as_str(),
            needed(vector, "ha1"),
            "{}",
            needed(vector, "id")
        );
    }
    let ha2 = digest::ha2(
        algorithm.hash(),
        protection.map(|protection| protection.qop),
        covered,
    );
    assert_eq!(
        ha2.as_str(),
        needed(vector, "ha2"),
        "{}",
        needed(vector, "id")
    );
    digest::response(
        algorithm,
        &ha1,
        needed(vector, "nonce"),
        protection,
        covered,
    )
}

// checklist: R7616-01, R7616-02, R8760-02
#[test]
fn every_vector_gives_its_response() {
    let Some(vectors) = vectors() else { return };
    assert!(vectors.len() >= 22, "only {} vectors", vectors.len());
    for vector in &vectors {
        assert_eq!(
            computed(vector).as_str(),
            needed(vector, "response"),
            "{}",
            needed(vector, "id")
        );
    }
}

// checklist: R7616-07
#[test]
fn user_hashes_and_the_value_that_rfc_7616_prints_wrong() {
    let Some(vectors) = vectors() else { return };
    let mut hashed = 0;
    for vector in &vectors {
        let Some(userhash) = text(vector, "userhash") else {
            continue;
        };
        let hash = algorithm(vector).hash();
        let computed_hash =
            digest::userhash(hash, needed(vector, "username"), needed(vector, "realm"));
        assert_eq!(computed_hash.as_str(), userhash);
        let wrong = &vector["rfc_printed_wrong"];
        assert_ne!(computed_hash.as_str(), needed(wrong, "userhash"));
        assert_ne!(computed(vector).as_str(), needed(wrong, "response"));
        hashed += 1;
    }
    assert_eq!(hashed, 1);
}
