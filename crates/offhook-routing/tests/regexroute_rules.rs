//! Every form of a rule, with what comes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use offhook_routing::Line;
use support::{Server, called, echo};

/// The file of the small office system, unchanged.
const OFFICE: &str = "[default]\n${username}^$=-;error=noauth\n^15900941215$=return;called=sunny\n";

#[test]
fn the_office_file_works_unchanged() {
    let mut server = Server::new(OFFICE);
    let number = ("called", "15900941215");
    assert_eq!(server.route(&[number]), "401 challenge");
    assert_eq!(
        server.route(&[number, ("username", "u1")]),
        "none;called=sunny"
    );
    assert_eq!(server.route(&[("called", "1"), ("username", "u1")]), "none");
    assert_eq!(server.route(&[number, ("username", "  ")]), "401 challenge");
    assert_eq!(server.lines(), []);
}

#[test]
fn the_match_side_has_all_its_forms() {
    let given = [
        ("called", "123"),
        ("caller", " u7 "),
        ("empty", ""),
        ("off", "oFf"),
        ("zero", "000"),
    ];
    for (rule, fires) in [
        ("^123$", true),
        ("^12$", false),
        ("2", true),
        ("^12$^", true),
        ("^123$^", false),
        ("${caller}^u\\([0-9]\\)$", true),
        ("${caller}^u8$", false),
        ("${caller}^u8$^", true),
        ("${absent}^$", true),
        ("${absent$x}^x$", true),
        ("${caller$x}^x$", false),
        ("${caller}", true),
        ("${caller}^", false),
        ("${empty}", false),
        ("${empty}^", true),
        ("${absent}", false),
        ("${zero}", false),
        ("${off}", true),
        ("$(upper,${caller})^U7$", true),
        ("$(eq,${called},123)", true),
        ("$(eq,${called},124)", false),
        ("$(eq,${called},124)^", true),
        ("$(streq,${caller},x)^false$", true),
    ] {
        let mut server = Server::new(&format!("[default]\n{rule}=tone/dial\n"));
        let expected = if fires { "tone/dial" } else { "none" };
        assert_eq!(server.route(&given), expected, "{rule}");
    }
}

#[test]
fn the_default_rule_can_be_changed() {
    let rules = "[default]\n${x}=tone/dial\n";
    for (options, value, fires) in [
        ("", "no", false),
        ("", "n", true),
        ("insensitive=yes", "NO", true),
        ("defaultrule=^yes$", "yes", true),
        ("defaultrule=^yes$", "true", false),
        ("extended=yes\ndefaultrule=^(no|n)$^", "n", false),
        ("extended=yes", "off", false),
    ] {
        let mut server = Server::new(&format!("[priorities]\n{options}\n{rules}"));
        let expected = if fires { "tone/dial" } else { "none" };
        let given = [("called", "1"), ("x", value)];
        assert_eq!(server.route(&given), expected, "{options} {value}");
    }
}

#[test]
fn captures_parameters_and_defaults_are_replaced() {
    for (rules, number, expected) in [
        ("^100$=tone/x;a=\\0 \\1", "100", "tone/x;a=100 100"),
        (
            "^\\(1\\)\\(.\\)=tone/\\2\\1;a=\\0;b=\\3.",
            "1234",
            "tone/21;a=12;b=.",
        ),
        ("^1\\(..\\)=tone/\\1;a=\\0", "1234", "tone/23;a=123"),
        ("^9$^=tone/x;a=<\\0\\1>", "1", "tone/x;a=<>"),
        (
            "^\\(.\\)\\(.\\)\\(.\\)\\(.\\)\\(.\\)\\(.\\)\\(.\\)\\(.\\)\\(.\\)\\(.\\)$=tone/\\9\\8\\7\\10",
            "abcdefghij",
            "tone/ihga0",
        ),
        (
            "^1=tone/x;a=${called}${absent}${absent$de}",
            "1",
            "tone/x;a=1de",
        ),
        ("^\\(.\\)=tone/x;a=${absent$\\1}", "7", "tone/x;a=7"),
        ("^\\(.*\\)=tone/x;b\\1=2;a=${b\\1}", "1", "tone/x;b1=2;a=2"),
        ("^1=tone/x;a=$()$($)\\\\;b=2", "1", "tone/x;a=;$\\;b=2"),
        ("^1=tone/x;a=\\d", "1", "tone/x;a=\\d"),
        ("^1=tone/x;;a = 1 ;", "1", "tone/x;a=1"),
        ("^1=tone/x;a=;called", "1", "tone/x;a=;called"),
    ] {
        assert_eq!(called(rules, number), expected, "{rules}");
    }
}

#[test]
fn what_is_dialled_is_never_read_as_a_rule() {
    let whole = "^\\(.*\\)$=";
    for (rules, number, expected) in [
        ("tone/x;a=\\1", "${username}", "tone/x;a=${username}"),
        ("tone/x;a=\\1", "$(++$n);b=2", "tone/x;a=$(++$n);b=2"),
        (
            "tone/x;a=${called}",
            "${caller};b=1",
            "tone/x;a=${caller};b=1",
        ),
        ("tone/x;a=$(streq,\\1,b)", "b,b", "tone/x;a=false"),
        ("tone/x;a=$(length,\\1)", "$n", "tone/x;a=2"),
        ("\\1", "return true", "500"),
        ("tone/x;\\1=1", "username", "tone/x"),
        ("tone/x;\\1", "a=1", "tone/x"),
        (
            "fork tone/\\1 tone/b",
            "a tone/c",
            "fork tone/a%20tone/c tone/b",
        ),
        ("sip/sip:\\1@h.example", "1 | x", "sip:1%20|%20x@h.example"),
    ] {
        let found = called(&format!("{whole}{rules}"), number);
        // A `|` may not stand in a URI: such a call is refused, not sent somewhere else.
        let refused = found == "500" && number.contains('|');
        assert!(
            found == expected || refused,
            "{rules} with {number}: {found}"
        );
    }
}

#[test]
fn only_a_verified_digest_sets_the_username() {
    let mut server = Server::new(
        "[default]\n^1$=;\\0x=1;${n}=forged\n${username}^$=-;error=noauth\n.*=tone/x\n",
    );
    assert_eq!(
        server.route(&[("called", "1"), ("n", "username")]),
        "401 challenge"
    );
    assert!(matches!(server.lines().as_slice(), [Line::Warning(_)]));
    for rule in [
        "^1$=;username=u1",
        "^1$=tone/x;username",
        "^1$=return; username = x",
    ] {
        let error = support::load(&format!("[default]\n{rule}\n")).unwrap_err();
        assert_eq!(error.line(), 2, "{rule}");
        assert!(error.what().contains("username"), "{error}");
    }
}

#[test]
fn the_target_side_has_all_its_words() {
    for (rules, number, expected) in [
        ("1=\n1=tone/b", "1", "tone/b"),
        ("1=noop\n1=tone/b", "1", "tone/b"),
        ("1=noop;a=1\n1=tone/b", "1", "tone/b;a=1"),
        ("1=;a=1;b=${a}\n", "1", "none;a=1;b=1"),
        ("1=tone/a\n1=tone/b", "1", "tone/a"),
        ("1=${absent}\n1=tone/b", "1", "tone/b"),
        ("1=-", "1", "500"),
        ("1=-;error=forbidden;reason=Go away", "1", "403 Go away"),
        ("1=error;error=busy", "1", "486"),
        ("1=-;error=noauth", "1", "401 challenge"),
        ("1=-;error=noautoauth", "1", "401"),
        ("1=-;error=604", "1", "604"),
        ("1=return\n1=tone/b", "1", "none"),
        ("1=return;called=u2\n1=tone/b", "1", "none;called=u2"),
        ("1=return false\n1=tone/b", "1", "none"),
        ("1=return true\n1=tone/b", "1", "404"),
        ("1=retval tone/a\n1=return true", "1", "tone/a"),
        ("1=retval tone/a\n2=tone/b", "1", "none"),
        ("1=return ${x$yes}", "1", "404"),
        ("1=goto a\n1=tone/b\n[a]\n2=tone/a", "1", "none"),
        ("1=jump a\n1=tone/b\n[a]\n1=tone/a", "1", "tone/a"),
        ("1=@goto a;x=1\n1=tone/b", "1", "none;x=1"),
        ("1=call a\n1=tone/b\n[a]\n2=tone/a", "1", "tone/b"),
        ("1=include a\n1=tone/b\n[a]\n1=tone/a", "1", "tone/a"),
        ("1=@call ${x$a}\n1=tone/b\n[a]\n1=return", "1", "tone/b"),
        ("1=@include nope\n1=tone/b", "1", "tone/b"),
        (
            "1=call a;called=2\n1=tone/b\n[a]\n2=tone/a\n${called}2=tone/c",
            "1",
            "tone/c;called=2",
        ),
        ("1=match 5\n1=tone/a\n5=tone/b", "1", "tone/b"),
        ("1=newmatch ${called}7\n^17$=tone/b", "1", "tone/b"),
        ("1=call a\n5=tone/b\n[a]\n1=match 5", "1", "tone/b"),
        ("1=;called=2\n1=tone/a", "1", "tone/a;called=2"),
        (
            "1=rename x.y\n1=tone/a;n=$(message,name)",
            "1",
            "tone/a;n=x.y",
        ),
    ] {
        assert_eq!(called(rules, number), expected, "{rules}");
    }
}

#[test]
fn conditions_go_together_from_left_to_right() {
    for (rule, number, expected) in [
        ("^1=if 2$=tone/a", "12", "tone/a"),
        ("^1=if 2$=tone/a", "13", "none"),
        ("^1=and ${called}2$=tone/a", "12", "tone/a"),
        ("^1=if $(eq,${called},12)=tone/a", "12", "tone/a"),
        ("^1=if 2$^=tone/a", "13", "tone/a"),
        ("^5=or ^1=tone/a", "1", "tone/a"),
        ("^5=or ^1=or ^2=tone/a", "2", "tone/a"),
        ("^5=or ^1=or ^2=tone/a", "3", "none"),
        ("^5=or ^1=and 9$=tone/a", "59", "tone/a"),
        ("^5=or ^1=and 9$=tone/a", "18", "none"),
        ("^5=if 9$=or ^1=tone/a", "58", "none"),
        ("^5=if 9$=or ^1=tone/a", "1", "tone/a"),
        ("^\\(.\\)=if ^.\\(.\\)=tone/\\1", "12", "tone/2"),
        ("^\\(1\\)=or ^.\\(.\\)=tone/\\1", "12", "tone/1"),
        ("^\\(.\\)=if 9^=tone/x;a=<\\1>", "12", "tone/x;a=<>"),
        ("^1=if  ^12 = tone/a ;x=1", "12", "tone/a;x=1"),
    ] {
        assert_eq!(called(rule, number), expected, "{rule} {number}");
    }
}

#[test]
fn a_chain_of_blocks_runs_its_first_branch_that_matches() {
    let rules = "^1={\n  ^11={\n ^111=tone/a\n }\n .*=;one=1\n} ^2={\n  .*=tone/b\n} ={\n .*=;other=1\n} \n.*=tone/end";
    for (number, expected) in [
        ("111", "tone/a"),
        ("112", "tone/end;one=1"),
        ("12", "tone/end;one=1"),
        ("2", "tone/b"),
        ("3", "tone/end;other=1"),
    ] {
        assert_eq!(called(rules, number), expected, "{number}");
    }
    for (rules, number, expected) in [
        ("^1={\n.*=tone/a\n} .*=tone/b", "2", "tone/b"),
        ("^1={\n} .*=tone/b\n.*=tone/c", "1", "tone/c"),
        ("^1={\n.*=return\n}\n.*=tone/b", "1", "none"),
        ("^1=if 2$={\n.*=tone/a\n}", "12", "tone/a"),
        ("^1={\n.*=match 5\n}\n^5=tone/a", "1", "tone/a"),
        ("^1={\n.*=tone/a", "1", "tone/a"),
        ("}\n^1=tone/a", "1", "tone/a"),
        ("} ^1={\n.*=tone/a\n}\n.*=tone/b", "2", "tone/b"),
    ] {
        assert_eq!(called(rules, number), expected, "{rules}");
    }
}

#[test]
fn blocks_nest_ten_deep() {
    let nested = |depth: usize| {
        format!(
            "[default]\n{}.*=tone/a\n{}",
            ".*={\n".repeat(depth),
            "}\n".repeat(depth)
        )
    };
    assert_eq!(Server::new(&nested(10)).route(&[("called", "1")]), "tone/a");
    assert_eq!(support::load(&nested(11)).unwrap_err().line(), 12);
}

#[test]
fn calls_end_at_the_depth_of_recursion() {
    let table = |depth: &str| {
        format!(
            "[priorities]\nmaxdepth={depth}\n[default]\n.*=;n=${{n}}x\n.*=call default\n.*=tone/a\n"
        )
    };
    for (depth, expected) in [("1", 6), ("5", 6), ("7", 8), ("1000", 101)] {
        let mut server = Server::new(&table(depth));
        let n = "x".repeat(expected);
        assert_eq!(server.route(&[("called", "1")]), format!("tone/a;n={n}"));
        assert!(matches!(&server.lines()[..], [Line::Warning(text)] if text.contains("loop")));
    }
}

#[test]
fn a_missing_section_ends_a_goto_and_not_a_call() {
    let mut server = Server::new("[default]\n^1=goto nope\n^2=call nope\n.*=tone/a\n");
    assert_eq!(server.table.warnings().len(), 2);
    assert_eq!(server.table.warnings()[1].line(), 3);
    assert_eq!(server.route(&[("called", "1")]), "none");
    assert_eq!(server.route(&[("called", "2")]), "tone/a");
    let warning = Line::Warning("missing target context [nope]".to_owned());
    assert_eq!(server.lines(), [warning.clone(), warning]);
    let mut server = Server::new("[default]\n^1=@goto nope\n^2=@call nope\n");
    assert!(server.table.warnings().is_empty());
    server.route(&[("called", "2")]);
    assert_eq!(server.lines(), []);
}

#[test]
fn echo_prints_and_does_not_act() {
    let mut server = Server::new(
        "[default]\n.*=output called \\0;-\n.*=echo ${called};a=1\n.*=debug 3 x\n.*=debug y z\n.*=tone/a\n",
    );
    assert_eq!(server.route(&[("called", "12")]), "tone/a");
    let output = |text: &str| Line::Output(text.to_owned());
    assert_eq!(
        server.lines(),
        [
            output("called 12;-"),
            output("12;a=1"),
            Line::Debug(3, "x".to_owned()),
            Line::Debug(10, "y z".to_owned()),
        ]
    );
    assert_eq!(echo("$(upper,$(lower,ABC))", &[("called", "1")]), ")");
}

#[test]
fn rules_of_exact_numbers_keep_their_place_among_others() {
    let rules = "^1$=;a=${a}1\n1=;a=${a}2\n^1$=;a=${a}3\n^2$=;a=${a}4\n^1$=match 2\n^1$=;a=${a}5\n^2$=;a=${a}6\n.*=match 1\n^1$=;a=${a}7\n^1$=if 9=;a=8\n^ 1$=;a=9\n^1$=or 5=tone/x";
    assert_eq!(called(rules, "1"), "tone/x;a=12367");
    assert_eq!(
        called(rules, " 1 "),
        "tone/x;a=12367",
        "blanks around are not matched"
    );
}

#[test]
fn extended_and_insensitive_expressions_are_options() {
    let table = |options: &str, rule: &str| format!("[priorities]\n{options}\n[default]\n{rule}\n");
    for (options, rule, number, expected) in [
        ("extended=yes", "^(1|2)(.+)$=tone/\\2", "234", "tone/34"),
        ("extended=no", "^(1|2)$=tone/a", "(1|2)", "tone/a"),
        ("insensitive=yes", "^aB$=tone/a", "Ab", "tone/a"),
        ("insensitive=yes", "^a\\(b\\)$=tone/\\1", "AB", "tone/B"),
        ("", "^aB$=tone/a", "ab", "none"),
    ] {
        let mut server = Server::new(&table(options, rule));
        assert_eq!(
            server.route(&[("called", number)]),
            expected,
            "{options} {rule}"
        );
    }
}

#[test]
fn targets_of_every_kind_are_handed_on() {
    for (target, expected) in [
        ("sip/sip:u@192.0.2.1:5070", "sip:u@192.0.2.1:5070"),
        ("sip/sip:\\0@h.example", "sip:5@h.example"),
        ("sip/\\0;line=home", "line/5@home;line=home"),
        ("line/\\0;line=home", "line/5@home;line=home"),
        ("conf/r", "Conference(\"r\")"),
        ("wave/play/a.au", "Play(\"a.au\")"),
        ("fork tone/a tone/b | tone/c", "fork tone/a tone/b | tone/c"),
        (
            "fork;callto.1=tone/a;callto.2=|;callto.3=tone/b",
            "fork tone/a | tone/b;callto.1=tone/a;callto.2=|;callto.3=tone/b",
        ),
        ("fork $(rotate,1,tone/a,tone/b)", "fork tone/b tone/a"),
    ] {
        assert_eq!(called(&format!("5={target}"), "5"), expected, "{target}");
    }
}
