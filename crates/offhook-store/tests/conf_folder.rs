//! Configuration files that include each other, as they lie in a folder.

#![allow(clippy::expect_used, clippy::panic)] // a test stops at the first surprise

use std::fs;

use offhook_routing::conf::Entry;
use offhook_store::ConfFolder;

#[test]
fn included_files_are_found_beside_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    };
    write(
        "regexroute.conf",
        "[default]\n^1$=-\n$include numbers.conf\n$includesilent missing.conf\n^4$=-\n",
    );
    write("numbers.conf", "^2$=-\n$include sub/more.conf\n");
    write("sub/more.conf", "^3$=-\n[other]\n^5$=-\n");
    let conf = ConfFolder::new(folder.path())
        .read("regexroute.conf")
        .expect("readable");
    let keys = |section: &str| {
        let entries = conf.section(section).expect("a section").entries();
        let keys: Vec<&str> = entries.iter().map(Entry::key).collect();
        keys.join(" ")
    };
    assert_eq!(keys("default"), "^1$ ^2$ ^3$ ^4$");
    assert_eq!(keys("other"), "^5$");
    let place = conf.section("other").expect("one").entries()[0].place();
    let told = place.to_string();
    assert!(told.ends_with("more.conf:3"), "{told}");
}

#[test]
fn what_is_not_there_or_wrong_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let conf = ConfFolder::new(folder.path());
    let told = |name: &str| conf.read(name).expect_err("an error").to_string();
    assert!(told("regfile.conf").contains("regfile.conf"));
    fs::write(folder.path().join("a.conf"), "[a]\n\n$include b.conf\n").expect("writable");
    let missing = told("a.conf");
    assert!(missing.contains("a.conf:3: b.conf"), "{missing}");
    fs::write(folder.path().join("b.conf"), "x=1\n[b\n").expect("writable");
    let wrong = told("a.conf");
    assert!(wrong.contains("b.conf:2"), "{wrong}");
    fs::write(folder.path().join("b.conf"), "$include a.conf\n").expect("writable");
    let circle = told("a.conf");
    assert!(circle.contains("deeper than 10"), "{circle}");
}
