//! Whatever stands in the file and whatever is dialled: no panic, an end, and no forged user.

#![allow(clippy::unwrap_used, clippy::format_push_string)]

use std::time::Duration;

use offhook_routing::{Conf, Decision, Facts, Parameters, Table, Target};
use proptest::prelude::*;

/// Pieces of which rules are made, good and bad.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "^",
            "$",
            "\\(",
            "\\)",
            "\\1",
            "\\0",
            ".*",
            "[0-9]",
            "\\{1,3\\}",
            "*",
            "=",
            ";",
            "{",
            "}",
            "${called}",
            "${x$1}",
            "${username}",
            "$(upper,",
            "$(++$n)",
            "$(index,$n,a,b)",
            "$(random,??)",
            ")",
            "$v",
            "return",
            "call ",
            "goto ",
            "match ",
            "if ",
            "or ",
            "and ",
            "retval ",
            "echo ",
            "default",
            "other",
            "sip/sip:\\1@h.example",
            "fork ",
            " | ",
            "-",
            ";called=",
            ";username=",
            ";error=busy",
            "\n",
            "\n.*=",
            "\n^1=",
            "\n[other]\n",
            " ",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,4}",
    ]
}

fn table() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..40)
        .prop_map(|pieces| format!("[default]\n^\\(.\\)={}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_a_table_or_an_error(text in table(), called in "[ -~]{1,12}", caller in "[a-z]{0,3}") {
        let Ok(conf) = Conf::parse("f", &text) else { return Ok(()) };
        let Ok(table) = Table::load(&conf) else { return Ok(()) };
        let mut state = table.start([0; 32], Facts::default());
        let mut parameters = Parameters::new(None);
        parameters.set("called", called);
        parameters.set("caller", caller);
        let decision = table.route(&mut state, Duration::ZERO, parameters);
        let (Decision::Target { parameters, .. } | Decision::NotRouted { parameters }) = decision
        else { return Ok(()) };
        prop_assert_eq!(parameters.get("username"), None);
    }

    #[test]
    fn any_octets_are_a_conf_or_an_error_with_a_line(text in "(\\PC|[\\n\\\\=\\[\\];$ ]){0,80}") {
        let lines = text.lines().count();
        match Conf::parse("f", &text) {
            Ok(conf) => for section in conf.sections() {
                for entry in section.entries() {
                    prop_assert!((1..=lines).contains(&(entry.place().line() as usize)));
                    prop_assert!(!entry.key().contains('='));
                }
            },
            Err(error) => prop_assert!((1..=lines).contains(&(error.line() as usize))),
        }
    }

    #[test]
    fn any_target_text_is_a_target_or_an_error(text in "(fork |sip/|sip:|tone/|\\||next=|[ -~]){0,12}") {
        if let Ok(target) = Target::parse(&text, &Parameters::new(None)) {
            prop_assert!(target.kinds().count() >= 1);
        }
    }

    /// The look-up of numbers and prefixes decides as trying every rule in its order would.
    #[test]
    fn the_index_changes_nothing(
        rules in prop::collection::vec((0..4_u8, "[12]{1,3}", 0..9_u8), 0..60),
        called in "[12]{1,4}",
    ) {
        let table = |plain: bool| {
            // An expression that begins with a group is tried in its turn.
            let begin = |text: &str| if plain { format!("^{text}") } else { format!("^\\({text}\\)") };
            let mut text = "[default]\n".to_owned();
            for (n, (form, number, action)) in rules.iter().enumerate() {
                let condition = match form {
                    0 => format!("{}$", begin(number)),
                    1 => begin(number),
                    2 => format!("{}.$", begin(number)),
                    _ => number.clone(),
                };
                let action = match action {
                    0 => format!("match {}", rules[n / 2].1),
                    1 => format!("sip/sip:{n}@h.example"),
                    2 => "call other".to_owned(),
                    3 => format!("if {number}=;trace=${{trace}},{n}"),
                    4 => format!("{{\n{}=match 21\n{}=;trace=${{trace}}:{n}\n}}", begin("1"), begin("2")),
                    _ => format!(";trace=${{trace}}.{n}"),
                };
                text.push_str(&format!("{condition}={action}\n"));
            }
            text.push_str(&format!("[other]\n{}=match 12\n", begin("2")));
            Table::load(&Conf::parse("f", &text).unwrap()).unwrap()
        };
        let decide = |table: Table| {
            let mut parameters = Parameters::new(None);
            parameters.set("called", called.as_str());
            table.route(&mut table.start([0; 32], Facts::default()), Duration::ZERO, parameters)
        };
        prop_assert_eq!(decide(table(true)), decide(table(false)));
    }
}
