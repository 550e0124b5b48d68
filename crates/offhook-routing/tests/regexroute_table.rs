//! Sections, handlers, options, and what is refused at load.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use offhook_routing::conf::Source;
use offhook_routing::{Conf, ConfError, Decision, Facts, Line, Parameters, Table};
use support::{Server, TIME, load, parameters};

#[test]
fn preroute_chooses_the_section() {
    let mut server = Server::new(
        "[contexts]\n^u1$=inside\n^u2$=\n^u3$=-;error=forbidden\n^u4$=nowhere\n^u5$=return true\n\
         [inside]\n.*=tone/in\n[default]\n.*=tone/out\n[given]\n.*=tone/given\n",
    );
    for (caller, expected) in [
        ("u1", "tone/in;context=inside"),
        ("u2", "tone/out"),
        ("u3", "403"),
        ("u4", "none;context=nowhere"),
        ("u5", "tone/out"),
        ("", "tone/out"),
    ] {
        let found = server.route(&[("called", "1"), ("caller", caller)]);
        assert_eq!(found, expected, "{caller}");
    }
    let given = [("called", "1"), ("caller", "u1"), ("context", "given")];
    assert_eq!(server.route(&given), "tone/given");
    assert_eq!(server.route(&[("caller", "u9"), ("called", "")]), "none");
}

#[test]
fn prerouteall_asks_in_every_case() {
    let mut server = Server::new(
        "[priorities]\nprerouteall=yes\n[contexts]\n.*=inside\n[inside]\n.*=tone/in\n[given]\n.*=tone/given\n",
    );
    assert_eq!(
        server.route(&[("called", "1"), ("caller", "u1"), ("context", "given")]),
        "tone/in;context=inside"
    );
    assert_eq!(server.route(&[("called", "1")]), "tone/in;context=inside");
}

#[test]
fn priority_0_turns_a_handler_off() {
    let rules = "[contexts]\n.*=inside\n[inside]\n.*=tone/in\n[default]\n.*=tone/out\n";
    let given = [("called", "1"), ("caller", "u1")];
    for (options, expected) in [
        ("preroute=0", "tone/out"),
        ("route=0", "none;context=inside"),
        ("preroute=1\nroute=1\nstatus=0", "tone/in;context=inside"),
    ] {
        let mut server = Server::new(&format!("[priorities]\n{options}\n{rules}"));
        assert_eq!(server.route(&given), expected, "{options}");
    }
}

#[test]
fn extra_handlers_run_by_priority_with_their_filters() {
    let mut server = Server::new(
        "[extra]\n\
         call.route=50,caller,early\n\
         call.route=100,called,same,kind,^b\\(.*\\)$\n\
         call.route=150,called,late,kind,c\n\
         call.route=160,called,present,kind\n\
         user.notify=10\n\
         other=10,,missing\n\
         [early]\n^boss$=tone/boss\n[same]\n.*=tone/same\n[late]\n.*=tone/late\n[present]\n.*=tone/present\n\
         [user.notify]\n^user.notify$=anything;seen=yes\n\
         [default]\n^1$=tone/default\n",
    );
    assert_eq!(server.table.warnings().len(), 1);
    assert_eq!(
        server.table.warnings()[0].to_string(),
        "regexroute.conf:7: missing context [missing]"
    );
    for (called, caller, kind, expected) in [
        ("1", "boss", "", "tone/boss"),
        ("1", "u1", "b", "tone/default"),
        ("2", "u1", "bb", "tone/same"),
        ("2", "u1", "c", "tone/late"),
        ("2", "u1", "d", "tone/present"),
        ("2", "u1", "", "none"),
    ] {
        let given = [("called", called), ("caller", caller), ("kind", kind)];
        assert_eq!(server.route(&given), expected, "{given:?}");
    }
    let handled = server
        .table
        .handle(&mut server.state, "user.notify", TIME, parameters(&[]));
    assert!(handled.handled);
    assert_eq!(handled.retval, "anything");
    assert_eq!(handled.parameters.get("seen"), Some("yes"));
    let handled = server
        .table
        .handle(&mut server.state, "nobody", TIME, parameters(&[]));
    assert!(!handled.handled);
}

#[test]
fn the_users_of_regfile_come_between() {
    let mut server = Server::new(
        "[extra]\ncall.route=150,called,late\n[contexts]\n.*=;$n=$(++$n)\n[late]\n.*=tone/late\n[default]\n^1$=tone/early\n",
    );
    let Server { table, state } = &mut server;
    let call = |called| parameters(&[("called", called), ("caller", "u1")]);
    let early = table.route_before(state, TIME, call("1"), 100);
    assert!(matches!(early, Decision::Target { .. }));
    let Decision::NotRouted { parameters } = table.route_before(state, TIME, call("2"), 100) else {
        panic!("routed")
    };
    let late = table.route_after(state, TIME, parameters, 100);
    assert!(matches!(late, Decision::Target { .. }));
    assert_eq!(state.variable("n"), "2", "preroute ran once a call");
}

#[test]
fn sections_may_be_continued_and_included() {
    let conf = Conf::parse_with(
        "regexroute.conf",
        "[default]\n^1=tone/a\n$include numbers.conf\n.*=tone/end\n[other]\n[default]\n",
        |name| {
            Ok(vec![Source {
                name: name.to_owned(),
                text: "^2=sip/sip:2@h.example\n[more]\n^3=dumb/\n".to_owned(),
            }])
        },
    )
    .unwrap();
    let error = Table::load(&conf).unwrap_err();
    assert_eq!(
        (error.file(), error.line()),
        ("regexroute.conf", 2),
        "no tones here"
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_its_line() {
    for (rule, what) in [
        ("^1$=enqueue chan.x;a=b", "not supported"),
        ("^1$=dispatch chan.x", "not supported"),
        ("^1$=msleep 100", "not supported"),
        ("^1$=conf/room", "cannot be reached"),
        ("^1$=line/1;line=x", "cannot be reached"),
        ("^1$=fork sip/sip:a@h.example tone/x", "cannot be reached"),
        (
            "^1$=fork sip/sip:a@h.example |exec sip/sip:b@h.example",
            "cannot be reached",
        ),
        (
            "^1$=fork sip/sip:a@h.example |nxt=5 sip/sip:b@h.example",
            "fork",
        ),
        ("^1$=retval tone/x", "cannot be reached"),
        ("^1$=tone/\\1", "cannot be reached"),
        ("^1$=u2", "no target"),
        ("^1$=reutrn;called=u2", "no target"),
        ("^1$=if ^2$={\n^3$=u2\n}", "no target"),
        ("^1$=sip/sip:", "no SIP URI"),
        ("^\\(1$=tone/x", "not closed"),
        ("\\(1\\)\\1=-", "linear"),
        ("^=-", "empty expression"),
        ("^1$=if tone/x", "`if` needs"),
        ("^1$=goto", "name of a section"),
        ("^1$=call ;a=1", "name of a section"),
        ("^1$={ x", "nothing can follow"),
        ("^1$=return;=5", "without a name"),
        ("${x=-", "not closed"),
        ("$(streq,\\1,2)=-", "no value"),
    ] {
        let conf = Conf::parse("regexroute.conf", &format!("[default]\n\n{rule}\n")).unwrap();
        let error = Table::load(&conf).expect_err(rule);
        assert!(error.what().contains(what), "{rule}: {error}");
        assert_eq!(
            error.line(),
            if rule.contains('\n') { 4 } else { 3 },
            "{rule}"
        );
    }
    for options in [
        "maxdepth=x",
        "extended=maybe",
        "colour=red",
        "defaultrule=\\(",
        "route=-1",
    ] {
        let error = load(&format!("[priorities]\n{options}\n")).expect_err(options);
        assert_eq!(error.line(), 2, "{options}");
    }
    for extra in ["call.route=x", "call.route=1,called,default,p,^\\("] {
        let error = load(&format!("[extra]\n{extra}\n[default]\n")).expect_err(extra);
        assert_eq!(error.line(), 2, "{extra}");
    }
}

#[test]
fn what_would_do_nothing_is_refused_with_its_line() {
    for name in [
        "formats",
        "callto",
        "maxchans",
        "antiloop",
        "tonedetect_in",
        "cdrwrite",
        "fork.ringer",
        "callto.1.formats",
        "callto.12.rtp_forward",
        "callto.2.osip",
    ] {
        for rule in [
            "^1$=return;x=1; {} = 1",
            "^1$=-;{}",
            "^1$={\n^2$=;{}=${x}\n}",
        ] {
            let rule = rule.replace("{}", name);
            let error = load(&format!("[default]\n\n{rule}\n")).expect_err(&rule);
            assert!(error.what().contains("has no effect"), "{rule}: {error}");
            assert_eq!(error.line(), if rule.contains('\n') { 4 } else { 3 });
        }
    }
    load("[default]\n^1$=return;callto.1=line/1;callto.1.line=x;callto.1.osip_X=1;callto.x.y=1;forks=1;$formats=1\n")
        .expect("these mean something, or are the table's own");
}

#[test]
fn targets_that_only_the_call_knows_are_checked_when_it_comes() {
    let conf = Conf::parse(
        "f",
        "[contexts]\n.*=default\n[default]\n^1$=${t}\n^2$=sip/${t}\n^3$=fork ${t} sip/sip:a@h.example\n",
    )
    .unwrap();
    let table = Table::load(&conf).unwrap();
    let mut state = table.start([0; 32], Facts::default());
    for (called, target, expected) in [
        ("1", "sip/sip:1@h.example", None),
        ("1", "tone/x", Some(501)),
        ("1", "what", Some(500)),
        ("2", "sip:1@h.example", None),
        ("2", "5", Some(501)),
        ("3", "sip/sip:1@h.example", None),
        ("3", "tone/x", Some(501)),
    ] {
        let call = parameters(&[("called", called), ("t", target)]);
        let status = match table.route(&mut state, Duration::ZERO, call) {
            Decision::Reject { status, .. } => Some(status.get()),
            _ => None,
        };
        assert_eq!(status, expected, "{called} {target}");
        assert_eq!(state.poll_line().is_some(), expected.is_some());
    }
}

#[test]
fn sections_that_return_other_things_than_targets_are_left_alone() {
    for (rules, refused) in [
        ("[contexts]\n^1=call a\n[a]\n.*=default\n[b]\n", false),
        ("[contexts]\n^1=call a\n[a]\n[b]\n.*=default\n", true),
        ("[contexts]\n^1=call ${x}\n[b]\n.*=default\n", false),
        (
            "[contexts]\n^1=call ${x}\n[default]\n.*=call b\n[b]\n.*=default\n",
            true,
        ),
        ("[extra]\nx.y=1,called,b\n[b]\n.*=anything\n", false),
    ] {
        assert_eq!(load(rules).is_err(), refused, "{rules}");
    }
}

#[test]
fn the_deepest_table_fits_a_small_stack() {
    let opened = ".*={\n".repeat(10);
    let closed = "}\n".repeat(10);
    let mut server = Server::new(&format!(
        "[priorities]\nmaxdepth=100\n[default]\n{opened}.*=call default\n{closed}.*=tone/x\n"
    ));
    assert_eq!(server.route(&[("called", "1")]), "tone/x");
}

#[test]
fn odd_but_harmless_braces_are_warnings() {
    let table = load("[default]\n}\n^1$={\n.*=tone/x\n").unwrap();
    let lines: Vec<u32> = table.warnings().iter().map(ConfError::line).collect();
    assert_eq!(lines, [2, 4]);
}

#[test]
fn a_tangle_of_sections_comes_to_an_end() {
    let mut server = Server::new(&format!(
        "[priorities]\nmaxdepth=100\n[default]\n{}",
        ".*=call default\n".repeat(50)
    ));
    assert_eq!(server.route(&[("called", "1")]), "500");
    let last = server.lines().pop();
    assert!(matches!(last, Some(Line::Warning(_))), "{last:?}");
}

#[test]
fn a_value_that_doubles_comes_to_an_end() {
    let rules = ".*=;a=${a$xxxxxxxx}${a}\n".repeat(60);
    let mut server = Server::new(&format!("[default]\n{rules}"));
    assert_eq!(server.route(&[("called", "1")]), "500");
}

#[test]
fn variables_named_by_callers_have_an_end() {
    let mut server = Server::new("[default]\n^\\(.*\\)$=return;$v\\1=1\n");
    for n in 0..10_100 {
        server.route(&[("called", &n.to_string())]);
    }
    assert_eq!(server.lines().len(), 100);
    assert_eq!(server.state.variable("v10050"), "");
}

#[test]
fn no_number_takes_more_than_linear_time() {
    let mut server =
        Server::new("[priorities]\nextended=yes\n[default]\n^(a*)*(a*)*(a|aa)+$=tone/x\n");
    let number = format!("{}b", "a".repeat(100_000));
    assert_eq!(server.route(&[("called", &number)]), "none");
}

#[test]
fn a_hundred_thousand_numbers_route_by_one_look() {
    let mut text = "[default]\n${username}^$=-;error=noauth\n".to_owned();
    for n in 0..100_000 {
        writeln!(text, "^1{n:06}$=return;called=u{n}").unwrap();
    }
    text.push_str("^19=return;called=gateway\n");
    let mut server = Server::new(&text);
    for n in (0..100_000).step_by(997) {
        let number = format!("1{n:06}");
        let found = server.route(&[("called", &number), ("username", "u1")]);
        assert_eq!(found, format!("none;called=u{n}"));
    }
    let found = server.route(&[("called", "1999999"), ("username", "u1")]);
    assert_eq!(found, "none;called=gateway");
    assert_eq!(Parameters::new(None).get("called"), None);
}
