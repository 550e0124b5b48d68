//! Every function of `$(...)`, with what it yields.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Server, echo, load};

const GIVEN: [(&str, &str); 4] = [
    ("called", "12"),
    ("caller", "Abc"),
    ("list", "x, y,z"),
    ("username", "u1"),
];

#[test]
fn functions_of_numbers_and_text() {
    for (function, expected) in [
        ("$()", ";"),
        ("$($)", "$"),
        ("$(++5)", "6"),
        ("$(--5)", "4"),
        ("$(++${called})", "13"),
        ("$(++x)", "1"),
        ("$(length,${caller})", "3"),
        ("$(length,a,b)", "3"),
        ("$(upper,${caller}d)", "ABCD"),
        ("$(lower,\\1BC)", "12bc"),
        ("$(chr,65)", "A"),
        ("$(chr,0)", ""),
        ("$(chr,-5)", ""),
        ("$(hex,258,2,:)", "02:01"),
        ("$(hex,258)", "0201"),
        ("$(hex,0)", "00"),
        ("$(hex,1,4,-)", "01-00-00-00"),
        ("$(hex,1,9)", "01000000"),
        ("$(add,007,5)", "012"),
        ("$(add,7,5,4)", "0012"),
        ("$(add,7,5)", "12"),
        ("$(+,1,2)", "3"),
        ("$(sub,007,10)", "-03"),
        ("$(-,5,2)", "3"),
        ("$(mul,6,7)", "42"),
        ("$(*,6,7)", "42"),
        ("$(div,7,2)", "3"),
        ("$(/,7,0)", "0"),
        ("$(mod,7,4)", "3"),
        ("$(%,7,0)", "0"),
        ("$(div,-2147483648,-1)", "-2147483648"),
        ("$(add,2147483647,1)", "-2147483648"),
        ("$(add,99999999999,0)", "02147483647"),
        ("$(add,1,1,-3)", "2"),
        ("$(eq,5,05)", "true"),
        ("$(ne,5,05)", "false"),
        ("$(lt,1,2)", "true"),
        ("$(<,2,1)", "false"),
        ("$(gt,2,1)", "true"),
        ("$(>,1,2)", "false"),
        ("$(le,2,2)", "true"),
        ("$(ge,1,2)", "false"),
        ("$(eq,a,b)", "true"),
        ("$(streq,${caller},Abc)", "true"),
        ("$(streq,a,b)", "false"),
        ("$(strne,a,b)", "true"),
        ("$(strpos,b,${caller})", "1"),
        ("$(strpos,z,abc)", "-1"),
    ] {
        assert_eq!(echo(function, &GIVEN), expected, "{function}");
    }
}

#[test]
fn functions_of_lists_and_facts() {
    for (function, expected) in [
        ("$(index,0,a,b,c)", "a"),
        ("$(index,4,a,b,c)", "b"),
        ("$(index,-1,a,b,c)", "c"),
        ("$(index,1,${list})", "y"),
        ("$(rotate,1,a,b,c)", "b c a"),
        ("$(rotate,2,${list})", "z x y"),
        ("$(runid)", "77"),
        ("$(nodename)", "node1"),
        ("$(engine,nodename)", "node1"),
        ("$(engine,runid)", "77"),
        ("$(engine,version)", "0.1.0"),
        ("$(accepting)", "accept"),
        ("$(dispatching)", "1"),
        ("$(timestamp)", "1754956800.000042"),
        ("$(message,name)", "call.route"),
        ("$(message,time)", "1754956800"),
        ("$(message,broadcast)", "false"),
        ("$(message,retval)", ""),
        ("$(message,count)", "4"),
        ("$(message,parameters)", "username,called,caller,list"),
        ("$(message,parameters, )", "username called caller list"),
        ("$(variables,count)", "0"),
        ("$(variables,list)", ""),
        ("$(variables,v)", ""),
        ("$(v)", ""),
        ("$(upper,$(lower,ABC))", ")"),
        ("$(upper,$v)", ""),
        ("$(upper,$5)x", "x"),
    ] {
        assert_eq!(echo(function, &GIVEN), expected, "{function}");
    }
}

#[test]
fn random_replaces_question_marks_only() {
    let text = echo("$(random,a?b??)", &GIVEN);
    assert_eq!(text.len(), 5);
    for (character, mark) in text.chars().zip("a?b??".chars()) {
        assert!(if mark == '?' {
            character.is_ascii_digit()
        } else {
            character == mark
        });
    }
    assert_eq!(text, echo("$(random,a?b??)", &GIVEN), "the seed decides");
}

#[test]
fn variables_live_from_call_to_call() {
    let mut server = Server::new(
        "[$once]\nn=5\nlist=a,b\n[$init]\nturn=1\n[default]\n\
         ^1=tone/x;a=$(++$n);b=$(n)\n\
         ^2=tone/$(index,$turn,a,b,c)\n\
         ^3=fork $(rotate,$turn,tone/a,tone/b)\n\
         ^4=tone/$(index,$i,$list);$v\\0=7;v=$(variables,v4);l=$(variables,list,-)\n\
         ^5=tone/$(variables,count);$v4;$n=;v=<$(v4)$(n)>\n\
         ^6=tone/x;a=$(add,$n,1);$n=$(mul,$n,2);b=$(sub,100,$n)\n",
    );
    for (number, expected) in [
        ("1", "tone/x;a=6;b=6"),
        ("1", "tone/x;a=7;b=7"),
        ("6", "tone/x;a=8;b=086"),
        ("2", "tone/b"),
        ("2", "tone/c"),
        ("2", "tone/a"),
        ("3", "fork tone/b tone/a"),
        ("3", "fork tone/a tone/b"),
        ("4", "tone/a;v=7;l=i-list-n-turn-v4"),
        ("4", "tone/b;v=7;l=i-list-n-turn-v4"),
        ("5", "tone/5;v=<>"),
    ] {
        assert_eq!(server.route(&[("called", number)]), expected, "{number}");
    }
    assert_eq!(server.state.variable("turn"), "1");
    assert_eq!(server.state.variable("none"), "");
}

#[test]
fn a_new_table_keeps_the_variables_and_sets_init_again() {
    let mut server = Server::new("[$once]\na=1\n[$init]\nb=1\n[default]\n.*=;$a=7;$b=7\n");
    server.route(&[("called", "1")]);
    let next = "[$once]\na=2\nc=2\n[$init]\nb=2\n[default]\n";
    load(next).unwrap().resume(&mut server.state);
    let values =
        |server: &Server| ["a", "b", "c"].map(|name| server.state.variable(name).to_owned());
    assert_eq!(values(&server), ["7", "2", "2"]);
    let mut server = Server::new("[$once]\na=1\n[default]\n");
    let strict = format!("[priorities]\nadd_once=no\n{next}");
    load(&strict).unwrap().resume(&mut server.state);
    assert_eq!(values(&server), ["1", "2", ""]);
}

#[test]
fn functions_of_the_match_side_see_parameters() {
    let mut server = Server::new(
        "[default]\n$(index,$n,a,b)^a$=tone/a\n$(strpos,${x},abc)^1$=tone/b\n$(upper,${x})^\\(B\\)\\(.*\\)$=tone/\\1\\2\n",
    );
    assert_eq!(server.route(&[("called", "1")]), "tone/a");
    assert_eq!(server.route(&[("called", "1"), ("x", "b")]), "tone/b");
    assert_eq!(server.route(&[("called", "1"), ("x", "b")]), "tone/a");
    assert_eq!(server.route(&[("called", "1"), ("x", "bx")]), "tone/BX");
}

#[test]
fn functions_that_are_not_here_are_errors_at_load() {
    for function in [
        "$(config,a,b)",
        "$(loaded,x)",
        "$(transcode,e,alaw)",
        "$(threadname)",
        "$(engine,runpath)",
        "$(nothing,1)",
        "$(message,what)",
        "$(streq,a)",
        "$(add,1)",
        "$(index,1)",
        "$(upper",
        "${x",
        "${}",
        "${a${b}}",
        "${a$$(v)}",
        "$(streq,a,x$(lower,b))",
    ] {
        let error = load(&format!("[default]\n\n1=tone/x;a={function}\n")).expect_err(function);
        assert_eq!(error.line(), 3, "{function}: {error}");
    }
}
