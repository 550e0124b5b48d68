//! Writes `crates/RFC-COVERAGE.md` from the tests, and fails when the page on disk is another.
//!
//! A test names the rows of the checklist that it proves in a line above it:
//! `// checklist: R3261-87, R3261-88`. `UPDATE=1` rewrites the page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

const PAGE: &str = "RFC-COVERAGE.md";
const REASONS: &str = "rfc-coverage-reasons.txt";
const MARK: &str = "// checklist:";

/// One requirement of the checklist.
struct Row {
    id: String,
    /// The RFC's number, or the name of another source.
    source: String,
    section: String,
    level: String,
}

#[test]
fn the_page_agrees_with_the_tests() {
    let Some(rows) = checklist() else {
        return;
    };
    let tests = marked_tests();
    let reasons = reasons();
    let known: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    for id in tests.keys().chain(reasons.keys()) {
        assert!(
            known.contains(id.as_str()),
            "{id} is no row of the checklist"
        );
    }
    for id in reasons.keys() {
        assert!(
            !tests.contains_key(id),
            "{id} has a test and a reason for none in {REASONS}"
        );
    }
    let open: Vec<&str> = known
        .iter()
        .filter(|id| !tests.contains_key(**id) && !reasons.contains_key(**id))
        .copied()
        .collect();
    assert!(
        open.is_empty(),
        "neither a test nor a line in {REASONS}: {open:?}"
    );
    let page = page(&rows, &tests, &reasons);
    let path = crates().join(PAGE);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, page).expect("the page can be written");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "crates/{PAGE} is out of date: UPDATE=1 cargo test -p offhook-testkit --test rfc_coverage"
    );
}

fn crates() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("a folder above").to_owned()
}

/// The rows, or `None` where the checklist is not at hand.
fn checklist() -> Option<Vec<Row>> {
    let path = offhook_testkit::vectors("checklist")?.join("checklist.json");
    let text = fs::read_to_string(&path).expect("the checklist can be read");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("the checklist is a JSON list");
    Some(rows.iter().map(row).collect())
}

fn row(value: &Value) -> Row {
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let source = match &value["rfc"] {
        Value::Number(number) => format!("RFC {number}"),
        Value::String(number) if !number.is_empty() => format!("RFC {number}"),
        _ => text("source"),
    };
    Row {
        id: text("id"),
        source,
        section: text("section"),
        level: text("level"),
    }
}

/// The tests of each row, as `crate::file::name`.
fn marked_tests() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for root in [crates(), crates().join("../examples")] {
        scan(&root, &root, &mut found);
    }
    found
}

fn scan(root: &Path, folder: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                scan(root, &path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file can be read");
            let place = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            scan_file(&place, &text, found);
        }
    }
}

/// The ids of marks stand for the test right below.
fn scan_file(place: &str, text: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let mut ids: Vec<String> = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(list) = line.strip_prefix(MARK) {
            let listed = list.split(',').map(|id| id.trim().to_owned());
            ids.extend(listed.filter(|id| !id.is_empty() && !id.contains("ID")));
        } else if line.starts_with("#[") {
            is_test |= line.contains("test");
        } else if !line.is_empty() && !line.starts_with("//") {
            let name = function(line).filter(|_| is_test);
            is_test = false;
            let Some(name) = name else {
                assert!(ids.is_empty(), "{place}: {ids:?} stand above no test");
                continue;
            };
            for id in ids.drain(..) {
                let proof = format!("{place} {name}");
                found.entry(id).or_default().insert(proof);
            }
        }
    }
}

fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    rest.split(|char: char| !char.is_alphanumeric() && char != '_')
        .next()
}

/// `ID reason` a line; `#` begins a comment.
fn reasons() -> BTreeMap<String, String> {
    let text = fs::read_to_string(crates().join(REASONS)).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (id, reason) = line.split_once(' ').expect("an id and a reason");
            (id.to_owned(), reason.trim().to_owned())
        })
        .collect()
}

fn page(
    rows: &[Row],
    tests: &BTreeMap<String, BTreeSet<String>>,
    reasons: &BTreeMap<String, String>,
) -> String {
    let covered = rows
        .iter()
        .filter(|row| tests.contains_key(&row.id))
        .count();
    let mut page = String::from(
        "# What the RFCs ask for, and the test that proves it\n\n\
         Generated by `crates/offhook-testkit/tests/rfc_coverage.rs` from the marks above the \
         tests; do not edit.\n",
    );
    let _ = writeln!(
        page,
        "Rows without a test have a reason, from `crates/{REASONS}`.\n\n\
         {covered} of {} rows have a test.\n\n\
         | row | where | level | proved by |\n| --- | --- | --- | --- |",
        rows.len()
    );
    for row in rows {
        let proof = match (tests.get(&row.id), reasons.get(&row.id)) {
            (Some(tests), _) => {
                let names: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
                names.join("<br>")
            }
            (None, Some(reason)) => format!("no test: {reason}"),
            (None, None) => String::new(),
        };
        let Row {
            id,
            source,
            section,
            level,
        } = row;
        let place = if section.is_empty() {
            source.clone()
        } else {
            format!("{source} §{section}")
        };
        let _ = writeln!(page, "| {id} | {place} | {level} | {proof} |");
    }
    page
}
