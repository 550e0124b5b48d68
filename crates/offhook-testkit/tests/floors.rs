//! The floors of the house: a crate depends on floors below its own only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Each crate's floor. A new crate needs a line here.
const FLOORS: &[(u32, &[&str])] = &[
    (1, &["offhook-sip", "offhook-sdp", "offhook-rtp"]),
    (
        2,
        &[
            "offhook-transaction",
            "offhook-auth",
            "offhook-routing",
            "offhook-media",
            "offhook-trace",
        ],
    ),
    (
        3,
        &[
            "offhook-dialog",
            "offhook-registrar",
            "offhook-net",
            "offhook-store",
        ],
    ),
    (4, &["offhook-ua"]),
    (5, &["offhook-server", "offhook-phone"]),
    (6, &["offhook-examples"]),
];

/// Outside the house: they may look at every floor, and nobody may depend on them.
const OUTSIDE: &[&str] = &["offhook-testkit", "offhook-benches"];

#[test]
fn arrows_run_downwards() {
    let floors = floors();
    let mut wrong = Vec::new();
    for (package, dependencies) in ordinary_dependencies() {
        let is_outside = OUTSIDE.contains(&package.as_str());
        let floor = floors.get(package.as_str());
        if floor.is_none() && !is_outside {
            wrong.push(format!("{package} stands on no floor: add it to FLOORS"));
        }
        for dependency in dependencies {
            if OUTSIDE.contains(&dependency.as_str()) {
                wrong.push(format!(
                    "{package} -> {dependency}: only a dev-dependency may"
                ));
            }
            let Some(below) = floors.get(dependency.as_str()) else {
                continue;
            };
            if floor.is_some_and(|floor| below >= floor) {
                wrong.push(format!("{package} -> {dependency}: not a floor below"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_floor_is_inhabited() {
    let packages = ordinary_dependencies();
    for crates in FLOORS.iter().map(|(_, crates)| crates) {
        for name in *crates {
            assert!(packages.contains_key(*name), "{name} is no member");
        }
    }
}

fn floors() -> BTreeMap<&'static str, u32> {
    let crates = FLOORS
        .iter()
        .flat_map(|(floor, names)| names.iter().map(|name| (*name, *floor)));
    crates.collect()
}

/// The members of the workspace and what each depends on, dev- and build-dependencies left out.
fn ordinary_dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "cargo metadata: {error}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("a list");
            let ordinary = dependencies
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), ordinary.collect())
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
