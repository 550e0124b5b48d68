//! Every example of the language's reference, by its sections, gives what is written there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use offhook_routing::{Conf, Line, Table};
use support::{Server, called, echo, load};

/// Section 1 and 9: `return;called=` goes on to the users; a refusal is `-;error=`; a failed digest sets nothing.
#[test]
fn where_it_sits() {
    let seed = "[default]\n${username}^$=-;error=noauth\n^2$=return;called=u2\n";
    let mut server = Server::new(seed);
    assert_eq!(server.route(&[("called", "2")]), "401 challenge");
    let user = ("username", "u1");
    assert_eq!(
        server.route(&[("called", "2"), user]),
        "none;called=u2",
        "regfile is next"
    );
    assert_eq!(called(".*=-;error=forbidden", "2"), "403");
    // Section 1: a `-` or `error` of call.preroute turns the call away.
    for result in ["-", "error"] {
        let mut server = Server::new(&format!(
            "[contexts]\n.*={result};error=busy\n[default]\n.*=tone/x\n"
        ));
        let call = [("called", "2"), ("caller", "u1")];
        assert_eq!(server.route(&call), "486", "{result}");
    }
}

/// Section 2: the file.
#[test]
fn the_file() {
    for (text, expected) in [
        ("[default]\n1=tone/a;b=x=y=z\n", "tone/a;b=x=y=z"),
        (
            "[default]\n;1=tone/no\n   ;1=tone/no\n   1=tone/a\n",
            "tone/a",
        ),
        (
            "[default]\n1=;a=1\n[x]\n[default]\n1=tone/a\n",
            "tone/a;a=1",
        ),
        ("[Default]\n1=tone/no\n[default]\n1=tone/a\n", "tone/a"),
        ("[default]\n1=tone/a;\\\n   b=1\n", "tone/a;b=1"),
        ("[default]\n=tone/no\n1\n1=tone/a\n", "tone/a"),
        ("[default]\n1=;a=1\n1=;a=${a}2\n1=tone/a\n", "tone/a;a=12"),
    ] {
        assert_eq!(
            Server::new(text).route(&[("called", "1")]),
            expected,
            "{text}"
        );
    }
    // Where ours differs on purpose: a long line is one line.
    let long = "x".repeat(2000);
    let found = Server::new(&format!("[default]\n1=tone/a;a={long}\n")).route(&[("called", "1")]);
    assert_eq!(found, format!("tone/a;a={long}"));
}

/// Section 3: what the sections may hold, as it stands there.
#[test]
fn the_sections() {
    let text = "[priorities]\npreroute=100\nroute=100\nstatus=110\nextended=no\ninsensitive=no\n\
        defaultrule=^\\(false\\|no\\|off\\|disable\\|f\\|0*\\)$^\nprerouteall=no\nmaxdepth=5\n\
        trackparam=yes\nrex_debug=yes\nadd_once=yes\n\
        [$once]\nvar=1\n[$init]\nother=2\n[extra]\ncall.route=150,called,late,kind,^x\n\
        [contexts]\n^u9$=anyname\n[default]\n^1$=tone/$(var)$(other)\n[anyname]\n^1$=tone/any\n[late]\n.*=tone/late\n";
    let mut server = Server::new(text);
    assert!(server.table.warnings().is_empty());
    assert_eq!(server.route(&[("called", "1")]), "tone/12");
    let call = [("called", "1"), ("caller", "u9")];
    assert_eq!(server.route(&call), "tone/any;context=anyname");
    assert_eq!(
        server.route(&[("called", "2"), ("kind", "xy")]),
        "tone/late"
    );
    for value in ["false", "no", "off", "disable", "f", "0", "00", ""] {
        let mut server = Server::new("[default]\n${x}=tone/yes\n${x}^=tone/no\n");
        assert_eq!(
            server.route(&[("called", "1"), ("x", value)]),
            "tone/no",
            "{value}"
        );
    }
}

/// Section 4: matches, captures, words.
#[test]
fn one_rule() {
    let username = [("called", "1"), ("username", "u1")];
    let mut server = Server::new("[default]\n${username}^$=-;error=noauth\n.*=tone/a\n");
    assert_eq!(server.route(&[("called", "1")]), "401 challenge");
    assert_eq!(server.route(&username), "tone/a");
    for (rules, number, expected) in [
        ("^100$=tone/x;a=\\0 \\1", "100", "tone/x;a=100 100"),
        ("1\\(.\\)3=tone/x;a=\\0", "01234", "tone/x;a=123"),
        (
            "^\\(1\\|2\\)\\{2\\}\\(3\\+\\)4\\?$=tone/\\2",
            "1233",
            "tone/33",
        ),
        ("^1=tone/x;a=x$()y$($)z\\\\", "1", "tone/x;a=x;y$z\\"),
        ("^1=;b=1;c\n^1=tone/x;a=${b};b", "1", "tone/x;a=1"),
        ("^\\(.*\\)$=tone/x;a=\\1;b=2", "1;2", "tone/x;a=1;2;b=2"),
        ("^1=noop;a=1\n^1=tone/x", "1", "tone/x;a=1"),
        ("^1=-", "1", "500"),
        ("^1=error", "1", "500"),
        ("^1=return;called=u2", "1", "none;called=u2"),
        ("^1=return true", "1", "404"),
        ("^1=goto none\n^1=tone/x", "1", "none"),
        ("^1=match 2\n^2=tone/x;a=${called}", "1", "tone/x;a=1"),
        (
            "^1=;called=2\n^2=tone/no\n^1=tone/x",
            "1",
            "tone/x;called=2",
        ),
        ("^1=output x;-\n^1=tone/x", "1", "tone/x"),
        (
            "^1=rename a\n^1=retval tone/x\n^1=return yes",
            "1",
            "tone/x",
        ),
        ("^1=if ${called}2=tone/no\n^3=or ^1=tone/x", "1", "tone/x"),
    ] {
        assert_eq!(called(rules, number), expected, "{rules}");
    }
    let mut server = Server::new("[default]\n.*=goto none\n");
    assert_eq!(server.route(&[("called", "1")]), "none");
    let missing = Line::Warning("missing target context [none]".to_owned());
    assert_eq!(server.lines(), [missing]);
}

/// Section 4, blocks.
#[test]
fn blocks() {
    let rules = "^1={\n  .*=tone/a\n} ^2={\n  .*=tone/b\n} ={\n  .*=tone/c\n}";
    for (number, expected) in [("1", "tone/a"), ("2", "tone/b"), ("3", "tone/c")] {
        assert_eq!(called(rules, number), expected, "{number}");
    }
    let table = load("[default]\n}\n^1={\n").unwrap();
    assert_eq!(table.warnings().len(), 2, "unbalanced braces only warn");
}

/// Section 5 and 9: functions.
#[test]
fn functions() {
    let given = [("called", "1")];
    for (function, expected) in [
        ("$()", ";"),
        ("$($)", "$"),
        ("$(hex,258,2,:)", "02:01"),
        ("$(add,007,5)", "012"),
        ("$(div,5,0)", "0"),
        ("$(strpos,x,abc)", "-1"),
        ("$(upper,$(lower,ABC))", ")"),
        ("$(unknown)", ""),
    ] {
        assert_eq!(echo(function, &given), expected, "{function}");
    }
    // Where ours differs on purpose: what would yield nothing is refused.
    load("[default]\n1=tone/x;a=$(unknown,1)\n").expect_err("no function");
}

/// Section 7: targets and forks.
#[test]
fn targets() {
    for (target, expected) in [
        ("sip/sip:user@192.0.2.1:5070", "sip:user@192.0.2.1:5070"),
        ("sip/5;line=account", "line/5@account;line=account"),
        ("line/5;line=account", "line/5@account;line=account"),
        ("tone/dial", "tone/dial"),
        ("wave/play/f", "Play(\"f\")"),
        ("wave/record/f", "Record(\"f\")"),
        ("dumb/", "Dumb"),
        ("conf/room", "Conference(\"room\")"),
        ("moh/x", "Music(\"x\")"),
        ("mux/x", "Other(Mux, \"x\")"),
        ("analyzer/x", "Other(Analyzer, \"x\")"),
        ("external/x", "Other(External, \"x\")"),
        ("pickup/1", "Other(Pickup, \"1\")"),
        ("fork tone/a tone/b | tone/c", "fork tone/a tone/b | tone/c"),
        (
            "fork tone/a |next=100 tone/b |drop=200 tone/c |exec tone/d |exec=5 tone/e",
            "fork tone/a | tone/b | tone/c | tone/d | tone/e",
        ),
        ("-", "500"),
        ("error", "500"),
    ] {
        assert_eq!(called(&format!("5={target}"), "5"), expected, "{target}");
    }
}

/// Section 8: what was seen on the wire.
#[test]
fn answers() {
    for (target, expected) in [
        ("-;error=forbidden;reason=Go away", "403 Go away"),
        ("-;error=busy", "486"),
        ("-;error=congestion", "480"),
        ("-;error=noautoauth", "401"),
        ("-;error=noauth", "401 challenge"),
        ("-;error=433", "433"),
        ("-;error=what", "500"),
    ] {
        assert_eq!(called(&format!("5={target}"), "5"), expected, "{target}");
    }
}

/// Section 9: a number a rule costs what ten cost, and there is no way to write `=` in an expression.
#[test]
fn traps() {
    let conf = Conf::parse("f", "[default]\n^a=b$=tone/x\n").unwrap();
    Table::load(&conf).expect_err("the first `=` divides");
    assert_eq!(
        called("^1=return\n.*=-;error=busy", "1"),
        "none",
        "not routed, not stopped"
    );
}
