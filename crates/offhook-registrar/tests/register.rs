//! RFC 3261 §10.3, step by step.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

mod support;

use offhook_registrar::{Policy, Registrant, Registrar};
use offhook_sip::StatusCode;
use support::{World, contacts, header, proof, register, summary, with};

const A: &str = "Contact: <sip:u1@192.168.1.183:5060>";
const B: &str = "Contact: <sip:u1@192.168.1.184:5060>";

// checklist: R3261-64
#[test]
fn a_registration_is_answered_with_all_bindings_and_what_is_left_of_them() {
    let mut world = World::new();
    assert_eq!(
        world.ok(&register("a", 1, &[A, "Expires: 600"])),
        ["<sip:u1@192.168.1.183:5060>;expires=600"]
    );
    world.wait(100);
    let mut answered = world.ok(&register(
        "b",
        1,
        &["Contact: <sip:u1@192.168.1.184:5060>;q=0.5", "Expires: 600"],
    ));
    answered.sort();
    assert_eq!(
        answered,
        [
            "<sip:u1@192.168.1.183:5060>;expires=500",
            "<sip:u1@192.168.1.184:5060>;expires=600;q=0.500",
        ]
    );
    let response = world.send(&register("c", 1, &[])).response;
    assert_eq!(
        header(&response, "Date").as_deref(),
        Some("Mon, 23 Nov 2026 05:44:47 GMT")
    );
    assert_eq!(
        header(&response, "To").as_deref(),
        Some("<sip:u1@192.168.1.50>"),
        "the tag is the transaction user's"
    );
}

// checklist: R3261-67
#[test]
fn a_request_without_contact_only_asks() {
    let mut world = World::new();
    assert!(world.ok(&register("q", 1, &[])).is_empty());
    world.ok(&register("a", 1, &[A]));
    let asked = world.send(&register("q", 2, &["Expires: 0"]));
    assert_eq!(contacts(&asked.response).len(), 1);
    assert!(asked.changes.is_empty());
}

// checklist: R3261-60
#[test]
fn the_interval_is_the_contacts_then_the_headers_then_the_default() {
    for (contact, header, expected) in [
        (";expires=120", Some("300"), 120),
        ("", Some("300"), 300),
        ("", None, 600),
        (";expires=7200", None, 3600),
        ("", Some("4294967296"), 3600),
        (";expires=99999999999999999999", None, 3600),
        ("", Some("soon"), 3600),
        ("", Some("-1"), 3600),
        (";expires=soon", Some("300"), 3600),
    ] {
        let mut world = World::new();
        let mut request = register("a", 1, &[&format!("{A}{contact}")]);
        if let Some(header) = header {
            request = with(request, "Expires", header);
        }
        assert_eq!(
            world.ok(&request),
            [format!("<sip:u1@192.168.1.183:5060>;expires={expected}")],
            "{contact} {header:?}"
        );
    }
}

// checklist: R3261-61
#[test]
fn too_brief_an_interval_is_refused_but_never_an_hour() {
    let mut world = World::new();
    for brief in [&format!("{A};expires=59")[..], "Expires: 1"] {
        let request = if brief.starts_with('C') {
            register("a", 1, &[brief])
        } else {
            register("a", 1, &[A, brief])
        };
        let response = world.refused(&request);
        assert_eq!(response.status(), StatusCode::INTERVAL_TOO_BRIEF);
        assert_eq!(header(&response, "Min-Expires").as_deref(), Some("60"));
    }
    world.ok(&register("a", 2, &[A, "Expires: 60"]));
    let slow = Policy {
        min_expires: 86_400,
        max_expires: 86_400,
        ..Policy::default()
    };
    let mut world = World::with_policy(slow);
    world.ok(&register("a", 1, &[A, "Expires: 3600"]));
    let response = world.refused(&register("a", 2, &[A, "Expires: 3599"]));
    assert_eq!(header(&response, "Min-Expires").as_deref(), Some("3600"));
}

// checklist: R3261-63
#[test]
fn contacts_are_the_same_by_uri_equality_and_zero_removes() {
    let mut world = World::new();
    world.ok(&register(
        "a",
        1,
        &[
            "Contact: <sip:u1@EXAMPLE.com;Transport=udp>",
            "Expires: 600",
        ],
    ));
    let other = world.send(&register(
        "a",
        2,
        &[
            "Contact: <SIP:%751@example.com;transport=UDP>;q=0.2",
            "Expires: 300",
        ],
    ));
    assert_eq!(
        contacts(&other.response),
        ["<SIP:%751@example.com;transport=UDP>;expires=300;q=0.200"]
    );
    assert_eq!(
        summary(&other.changes),
        [
            "-sip:u1@EXAMPLE.com;Transport=udp",
            "+SIP:%751@example.com;transport=UDP"
        ]
    );
    assert_eq!(
        world
            .ok(&register("a", 3, &["Contact: <sip:U1@example.com>"]))
            .len(),
        2,
        "users have case"
    );
    let gone = world.send(&register(
        "a",
        4,
        &[
            "Contact: <sip:u1@example.com;transport=udp>;expires=0",
            "Expires: 600",
        ],
    ));
    assert_eq!(contacts(&gone.response).len(), 1);
    assert_eq!(
        summary(&gone.changes),
        ["-SIP:%751@example.com;transport=UDP"]
    );
    assert_eq!(
        world
            .ok(&register(
                "a",
                5,
                &["Contact: <sip:nobody@nowhere>", "Expires: 0"]
            ))
            .len(),
        1
    );
}

#[test]
fn several_contacts_come_at_once_and_the_last_of_equal_ones_counts() {
    let mut world = World::new();
    let line =
        "Contact: <sip:a@h>;q=0.5, \"B, b\" <sip:b@h>;q=1.0, <sip:a@h>;q=0.7, sip:c@h;expires=0";
    assert_eq!(
        world.ok(&register("a", 1, &[line, "Contact: <sip:d@h>;q=0"])),
        [
            "<sip:b@h>;expires=600",
            "<sip:a@h>;expires=600;q=0.700",
            "<sip:d@h>;expires=600;q=0.000",
        ]
    );
}

// checklist: R3261-59
#[test]
fn the_star_removes_all_and_stands_alone() {
    let mut world = World::new();
    world.ok(&register("a", 1, &[A]));
    world.ok(&register("b", 1, &[B]));
    for lines in [
        &["Contact: *"][..],
        &["Contact: *", "Expires: 600"],
        &["Contact: *", "Expires: soon"],
        &["Contact: *", A, "Expires: 0"],
        &["Contact: *, *", "Expires: 0"],
    ] {
        assert_eq!(
            world.refused(&register("a", 2, lines)).status(),
            StatusCode::BAD_REQUEST,
            "{lines:?}"
        );
    }
    let all = world.send(&register("c", 1, &["Contact: *", "Expires: 0"]));
    assert!(contacts(&all.response).is_empty());
    assert_eq!(all.changes.len(), 2);
    assert!(world.bindings("u1").is_empty());
}

// checklist: R3261-62
#[test]
fn a_registration_out_of_order_fails() {
    let mut world = World::new();
    world.ok(&register("a", 5, &[A]));
    for late in [
        register("a", 5, &[A]),
        register("a", 4, &[&format!("{A};expires=0")]),
        register("a", 5, &["Contact: *", "Expires: 0"]),
    ] {
        assert_eq!(
            world.refused(&late).status(),
            StatusCode::SERVER_INTERNAL_ERROR
        );
    }
    world.ok(&register("a", 4, &[B]));
    world.ok(&register("b", 1, &[A]));
    world.ok(&register("b", 2, &["Contact: *", "Expires: 0"]));
}

// checklist: R3261-53, R3261-65
#[test]
fn of_several_contacts_all_are_taken_or_none() {
    let mut world = World::new();
    world.ok(&register("a", 5, &[A]));
    world.refused(&register("a", 5, &[B, A]));
    world.refused(&register("a", 6, &[B, &format!("{A};expires=5")]));
    world.refused(&register("a", 6, &[B, "Contact: <not a uri>"]));
    assert_eq!(world.bindings("u1").len(), 1);
}

// checklist: R3261-54
#[test]
fn other_domains_are_not_served() {
    let policy = Policy {
        domains: vec![
            "192.168.1.50".into(),
            "Example.com".into(),
            "[2001:db8::1]".into(),
        ],
        ..Policy::default()
    };
    let mut world = World::with_policy(policy);
    let to = |host: &str| with(register("a", 1, &[A]), "To", &format!("<sip:u1@{host}>"));
    for host in [
        "192.168.1.50",
        "192.168.1.50:5060",
        "EXAMPLE.com",
        "[2001:DB8::1]:5070",
    ] {
        let mut request = to(host);
        request.set_uri(format!("sip:{host}").parse().expect("a URI"));
        assert_eq!(
            world.send(&request).response.status(),
            StatusCode::OK,
            "{host}"
        );
        world.wait(1);
        world.ok(&register(
            "z",
            u32::try_from(world.wall.as_secs() % 1000).expect("small"),
            &["Contact: *", "Expires: 0"],
        ));
    }
    assert_eq!(
        world.refused(&to("elsewhere.com")).status(),
        StatusCode::NOT_FOUND
    );
    let mut foreign = register("a", 1, &[A]);
    foreign.set_uri("sip:elsewhere.com".parse().expect("a URI"));
    assert_eq!(world.refused(&foreign).status(), StatusCode::NOT_FOUND);
}

// checklist: R3261-55
#[test]
fn what_is_required_must_be_known() {
    let mut world = World::new();
    world.ok(&register("a", 1, &[A, "Require: path"]));
    let response = world.refused(&register(
        "a",
        2,
        &[A, "Require: gruu, PATH", "Require: foo"],
    ));
    assert_eq!(response.status(), StatusCode::BAD_EXTENSION);
    assert_eq!(
        header(&response, "Unsupported").as_deref(),
        Some("gruu, foo")
    );
}

// checklist: R3261-56, R3261-57
#[test]
fn only_the_user_himself_may_change_his_bindings() {
    let mut world = World::new();
    for to in [
        "<sip:u2@192.168.1.50>",
        "<sip:U1@192.168.1.50>",
        "<sip:u1%20@192.168.1.50>",
    ] {
        let response = world.refused(&with(register("a", 1, &[A]), "To", to));
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{to}");
    }
    for to in ["<sip:192.168.1.50>", "<tel:1>"] {
        let response = world.refused(&with(register("a", 1, &[A]), "To", to));
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{to}");
    }
    assert!(world.bindings("u2").is_empty());
    // From may be another's: a third party registers for him, with his credentials.
    world.ok(&with(
        register("a", 1, &[A]),
        "From",
        "<sip:boss@192.168.1.50>;tag=1",
    ));
}

// checklist: R3261-58
#[test]
fn the_address_of_record_is_canonical() {
    let mut world = World::new();
    world.ok(&with(
        register("a", 1, &[A]),
        "To",
        "\"U\" <sip:%751:pw@192.168.1.50:5060;transport=tcp?x=y>",
    ));
    world.ok(&with(
        register("a", 2, &[B]),
        "To",
        "<sips:u1@pbx.example.com>",
    ));
    assert_eq!(world.bindings("u1").len(), 2);
    assert_eq!(world.registrar.bindings().users(), 1);
}

// checklist: R3261-58
#[test]
fn an_escaped_zero_octet_is_a_part_of_the_name() {
    let mut world = World::new();
    let request = with(
        register("a", 1, &[A]),
        "To",
        "<sip:null-%00-null@192.168.1.50>",
    );
    let registration = world.registrar.register(
        world.now,
        world.wall,
        &request,
        Registrant::Unproved,
        world.source,
    );
    assert_eq!(registration.response.status(), StatusCode::OK);
    assert_eq!(world.bindings("null-\0-null").len(), 1);
    assert!(world.bindings("null-").is_empty());
}

// checklist: R3261-66
#[test]
fn record_route_is_ignored() {
    let mut world = World::new();
    let response = world
        .send(&register(
            "a",
            1,
            &[A, "Record-Route: <sip:proxy.example.com;lr>"],
        ))
        .response;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "Record-Route"), None);
    assert!(
        world
            .bindings("u1")
            .iter()
            .all(|binding| binding.path.is_empty())
    );
}

#[test]
fn nobody_fills_the_table() {
    let policy = Policy {
        contacts_per_user: 3,
        ..Policy::default()
    };
    let mut world = World::with_policy(policy.clone());
    for host in 1..=3 {
        world.ok(&register(
            "a",
            host,
            &[&format!("Contact: <sip:u1@192.168.1.{host}>")],
        ));
    }
    assert_eq!(
        world.refused(&register("a", 9, &[A])).status(),
        StatusCode::FORBIDDEN
    );
    world.ok(&register(
        "a",
        9,
        &[&format!("{A}, <sip:u1@192.168.1.1>;expires=0")],
    ));
    world.ok(&register("a", 10, &[A]));

    let mut full = Registrar::new(policy, 1);
    let mut send = |request, user: &str| {
        let proof = proof(user);
        full.register(
            world.now,
            world.wall,
            &request,
            Registrant::Verified(&proof),
            world.source,
        )
        .response
    };
    assert_eq!(send(register("a", 1, &[A]), "u1").status(), StatusCode::OK);
    let response = send(with(register("b", 1, &[A]), "To", "<sip:u2@h>"), "u2");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(header(&response, "Retry-After").is_some());
    assert_eq!(
        send(register("a", 2, &[A]), "u1").status(),
        StatusCode::OK,
        "what is there goes on"
    );
    assert_eq!(
        send(register("b", 1, &[&format!("{A};expires=0"), B]), "u1").status(),
        StatusCode::OK,
        "one for one"
    );
}

#[test]
fn broken_requests_are_refused() {
    let mut world = World::new();
    let long = format!("Contact: <sip:{}@h>", "x".repeat(2000));
    for request in [
        register("a", 1, &["Contact: <sip:u1@h"]),
        register("a", 1, &[&long]),
        register(&"x".repeat(2000), 1, &[A]),
        with(register("a", 1, &[A]), "CSeq", "one REGISTER"),
    ] {
        assert_eq!(world.refused(&request).status(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn unproved_users_register_where_no_proof_is_wanted() {
    let mut world = World::new();
    let request = with(register("a", 1, &[A]), "To", "<sip:guest@192.168.1.50>");
    let registration = world.registrar.register(
        world.now,
        world.wall,
        &request,
        Registrant::Unproved,
        world.source,
    );
    assert_eq!(registration.response.status(), StatusCode::OK);
    assert_eq!(world.bindings("guest").len(), 1);
}

#[test]
fn expiry_is_told_as_changes() {
    let mut world = World::new();
    world.ok(&register("a", 1, &[A, "Expires: 60"]));
    world.ok(&register("b", 1, &[B, "Expires: 120"]));
    assert_eq!(
        world.registrar.poll_timeout(),
        Some(world.now + std::time::Duration::from_secs(60))
    );
    assert!(world.registrar.handle_timeout(world.now).is_empty());
    world.wait(60);
    assert_eq!(world.bindings("u1").len(), 1);
    assert_eq!(
        summary(&world.registrar.handle_timeout(world.now)),
        ["-sip:u1@192.168.1.183:5060"]
    );
    world.wait(60);
    assert_eq!(world.registrar.handle_timeout(world.now).len(), 1);
    assert_eq!(world.registrar.poll_timeout(), None);
    assert!(world.registrar.bindings().is_empty());
}
