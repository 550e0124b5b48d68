//! How a phone is reached: its contact, the address it was seen at, its connection, or a path of proxies.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

mod support;

use offhook_registrar::{Policy, Registrar};
use offhook_routing::location::{AddressOfRecord, Change};
use offhook_sip::HeaderName;
use support::{World, contacts, header, register, summary, tcp, udp, with};

/// A REGISTER over UDP: its sent-by, its contact, where it came from, and whether that is where it is called.
fn seen(sent_by: &str, contact: &str, remote: &str) -> bool {
    let mut world = World::new();
    world.source = udp(remote);
    let request = register("a", 1, &[&format!("Contact: <{contact}>")]);
    world.ok(&with(
        request,
        "Via",
        &format!("SIP/2.0/UDP {sent_by};branch=z9hG4bK1"),
    ));
    let bindings = world.bindings("u1");
    let received = bindings.first().expect("a binding").received;
    assert!(received.is_none_or(|received| received == world.source));
    received.is_some()
}

#[test]
fn a_phone_that_knows_its_address_is_called_at_its_contact() {
    for (sent_by, contact, remote) in [
        (
            "192.168.1.183:5060",
            "sip:u1@192.168.1.183:5060",
            "192.168.1.183:5060",
        ),
        (
            "192.168.1.183",
            "sip:u1@192.168.1.183",
            "192.168.1.183:5060",
        ),
        (
            "192.168.1.183",
            "sip:u1@192.168.1.183:5070",
            "192.168.1.183:5060",
        ),
        ("192.168.1.183", "sip:u1@192.168.1.7", "192.168.1.183:5060"),
        (
            "192.168.1.183",
            "sip:u1@phone.example.com",
            "192.168.1.183:5060",
        ),
        (
            "192.168.1.183",
            "sip:u1@192.168.1.183",
            "192.168.1.183:49152",
        ),
        (
            "[2001:db8::7]:5060;rport",
            "sip:u1@[2001:db8::7]",
            "[2001:db8::7]:5060",
        ),
        (
            "10.0.0.7:5060;rport",
            "sip:u1@203.0.113.9:40000",
            "203.0.113.9:40000",
        ),
        (
            "10.0.0.7:5060;rport",
            "sip:u1@phone.example.com",
            "203.0.113.9:40000",
        ),
    ] {
        assert!(
            !seen(sent_by, contact, remote),
            "{sent_by} {contact} {remote}"
        );
    }
}

#[test]
fn a_phone_behind_nat_is_called_where_it_was_seen() {
    for (sent_by, contact, remote) in [
        ("10.0.0.7:5060", "sip:u1@10.0.0.7:5060", "203.0.113.9:40000"),
        (
            "10.0.0.7:5060;rport",
            "sip:u1@10.0.0.7:5060",
            "203.0.113.9:40000",
        ),
        ("phone.local;rport", "sip:u1@10.0.0.7", "203.0.113.9:5060"),
        (
            "192.168.1.183:5060;rport",
            "sip:u1@192.168.1.183:5060",
            "192.168.1.183:49152",
        ),
        (
            "10.0.0.7:5060",
            "sip:u1@abcdef.invalid",
            "203.0.113.9:40000",
        ),
    ] {
        assert!(
            seen(sent_by, contact, remote),
            "{sent_by} {contact} {remote}"
        );
    }
}

#[test]
fn a_connection_is_where_its_phone_is_called() {
    let mut world = World::new();
    world.source = tcp("192.168.1.183:40000", 7);
    world.ok(&register(
        "a",
        1,
        &["Contact: <sip:x@x8f3k2.invalid;transport=ws>"],
    ));
    let bindings = world.bindings("u1");
    let [binding] = &bindings[..] else {
        panic!("one binding")
    };
    assert_eq!(binding.received, Some(world.source));

    // A new connection of the same phone replaces the old.
    world.source = tcp("192.168.1.183:40001", 8);
    world.ok(&register(
        "a",
        2,
        &["Contact: <sip:x@x8f3k2.invalid;transport=ws>"],
    ));
    let connection = |world: &World| {
        world
            .bindings("u1")
            .iter()
            .filter_map(|it| it.received?.connection)
            .collect::<Vec<_>>()
    };
    assert_eq!(connection(&world), [8]);
}

#[test]
fn connections_do_not_outlive_a_restart_but_addresses_do() {
    let mut world = World::new();
    world.source = tcp("192.168.1.183:40000", 7);
    world.ok(&register(
        "a",
        1,
        &["Contact: <sip:x@x8f3k2.invalid;transport=ws>"],
    ));
    world.ok(&register(
        "a",
        2,
        &["Contact: <sip:u1@192.168.1.183;transport=tcp>"],
    ));
    let kept = world.bindings("u1");
    let mut restarted = Registrar::new(Policy::default(), 10);
    world.wait(10);
    let dropped = restarted.restore(world.now, world.wall, kept.clone());
    assert_eq!(summary(&dropped), ["-sip:x@x8f3k2.invalid;transport=ws"]);
    assert_eq!(restarted.bindings().len(), 1);

    world.wait(1000);
    let mut late = Registrar::new(Policy::default(), 10);
    assert_eq!(
        late.restore(world.now, world.wall, kept).len(),
        2,
        "what has expired is not taken up"
    );
    assert!(late.bindings().is_empty());
}

/// What is left of a binding after its connection: `gone`, `contact`, or the address of a new connection.
fn left(lines: &[&str]) -> String {
    let mut world = World::new();
    world.source = tcp("192.168.1.183:40000", 7);
    world.ok(&register("a", 1, lines));
    let user = AddressOfRecord::new("u1");
    let World {
        registrar,
        now,
        wall,
        ..
    } = &mut world;
    assert!(
        registrar.disconnect(*now, *wall, &user, 8).is_empty(),
        "another connection"
    );
    let changes = registrar.disconnect(*now, *wall, &user, 7);
    let [change] = &changes[..] else {
        panic!("{changes:?}")
    };
    let found = match change {
        Change::Remove { .. } => "gone".to_owned(),
        Change::Put(binding) => binding
            .received
            .map_or("contact".to_owned(), |received| received.remote.to_string()),
    };
    let bindings = registrar.lookup(*now, *wall, &user);
    assert_eq!(bindings.is_empty(), found == "gone");
    assert!(
        registrar.disconnect(*now, *wall, &user, 7).is_empty(),
        "once"
    );
    found
}

// RFC 5626 section 5.3
#[test]
fn a_binding_ends_with_its_connection_unless_the_phone_takes_another_one() {
    for (contact, expected) in [
        (
            "<sip:u1@192.168.1.183:5070;transport=tcp>",
            "192.168.1.183:5070",
        ),
        ("<sip:u1@192.168.1.183>", "192.168.1.183:5060"),
        ("<sip:u1@192.168.1.183:40000>", "192.168.1.183:40000"),
        ("<sip:u1@192.168.1.183;transport=udp>", "contact"),
        ("<sip:u1@10.0.0.7:5060;transport=tcp>", "gone"),
        ("<sip:u1@phone.example.com;transport=tcp>", "gone"),
        ("<sip:x@x8f3k2.invalid;transport=ws>", "gone"),
    ] {
        let line = format!("Contact: {contact}");
        assert_eq!(left(&[&line]), expected, "{contact}");
    }
    let flow = format!("{FLOW}1");
    assert_eq!(left(&[&flow, "Supported: outbound"]), "gone", "by reg-id");
}

#[test]
fn a_path_counts_from_a_proxy_of_ours_only() {
    let lines = [
        "Contact: <sip:u1@10.0.0.7>",
        "Path: <sip:edge1.example.com;lr>, <sip:edge2.example.com;lr>",
    ];
    let mut world = World::with_policy(Policy {
        path_from: vec!["192.168.1.2".parse().expect("an address")],
        ..Policy::default()
    });
    let response = world.send(&register("a", 1, &lines)).response;
    assert_eq!(header(&response, "Path"), None);
    assert!(world.bindings("u1")[0].path.is_empty());

    world.source = udp("192.168.1.2:5060");
    let response = world.send(&register("a", 2, &lines)).response;
    let path: Vec<_> = response.headers().get_all(HeaderName::PATH).collect();
    assert_eq!(
        path,
        ["<sip:edge1.example.com;lr>", "<sip:edge2.example.com;lr>"]
    );
    let bindings = world.bindings("u1");
    assert_eq!(
        bindings[0]
            .path
            .iter()
            .map(offhook_sip::Uri::as_str)
            .collect::<Vec<_>>(),
        ["sip:edge1.example.com;lr", "sip:edge2.example.com;lr"]
    );
    assert_eq!(bindings[0].received, None, "the proxy is not the phone");
}

const FLOW: &str =
    "Contact: <sip:u1@192.168.1.183;transport=tcp>;+sip.instance=\"<urn:uuid:1>\";reg-id=";

// checklist: R5626-03
#[test]
fn the_same_flow_replaces_and_another_one_is_added() {
    let mut world = World::new();
    let mut send = |connection: u64, reg_id: u32, call_id: &str| {
        world.source = tcp("192.168.1.183:40000", connection);
        world
            .ok(&register(
                call_id,
                1,
                &[&format!("{FLOW}{reg_id}"), "Supported: path, outbound"],
            ))
            .len()
    };
    assert_eq!(send(1, 1, "a"), 1);
    assert_eq!(send(2, 2, "b"), 2, "the same contact over another flow");
    assert_eq!(send(3, 1, "c"), 2, "the first flow again, after a reboot");
    let mut connections: Vec<_> = world
        .bindings("u1")
        .iter()
        .filter_map(|it| it.received?.connection)
        .collect();
    connections.sort_unstable();
    assert_eq!(connections, [2, 3]);
    let gone = world.send(&register(
        "d",
        1,
        &[&format!("{FLOW}2;expires=0"), "Supported: outbound"],
    ));
    assert_eq!(contacts(&gone.response).len(), 1);
    assert_eq!(world.bindings("u1")[0].reg_id, Some(1));
}

// checklist: R5626-04
#[test]
fn outbound_is_said_to_be_used_only_when_it_is() {
    let mut world = World::new();
    world.source = tcp("192.168.1.183:40000", 1);
    let response = world
        .send(&register(
            "a",
            1,
            &[&format!("{FLOW}1"), "Supported: outbound"],
        ))
        .response;
    assert_eq!(header(&response, "Require").as_deref(), Some("outbound"));
    assert_eq!(
        contacts(&response),
        [
            "<sip:u1@192.168.1.183;transport=tcp>;expires=600;+sip.instance=\"<urn:uuid:1>\";reg-id=1"
        ]
    );
    // Over UDP, without support, or without an instance the phone is a plain one.
    let mut plain = World::new();
    for (source, lines) in [
        (
            udp("192.168.1.183:5060"),
            vec![format!("{FLOW}1"), "Supported: outbound".to_owned()],
        ),
        (tcp("192.168.1.183:40000", 1), vec![format!("{FLOW}1")]),
        (
            tcp("192.168.1.183:40000", 1),
            vec![
                "Contact: <sip:u1@h>;reg-id=1".to_owned(),
                "Supported: outbound".to_owned(),
            ],
        ),
        (
            tcp("192.168.1.183:40000", 1),
            vec![format!("{FLOW}0"), "Supported: outbound".to_owned()],
        ),
    ] {
        plain.wait(1);
        plain.source = source;
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let cseq = u32::try_from(plain.wall.as_secs() % 1000).expect("small");
        let response = plain.send(&register("a", cseq, &lines)).response;
        assert_eq!(header(&response, "Require"), None, "{lines:?}");
        assert!(
            plain
                .bindings("u1")
                .iter()
                .all(|binding| binding.reg_id.is_none())
        );
    }
}
