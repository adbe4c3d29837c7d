//! `dugnad key`: machines of one donor, by real files and a real node.
use crate::harness::{Place, dugnad, finish, run, text};
use std::{fs, process::Stdio};

#[test]
fn machines_are_linked_with_one_file_and_a_damaged_link_is_named() {
    let place = Place::new();
    let (one, other) = (place.path("one"), place.path("other"));
    let donor = place.path("donor.key");
    let key = |command: &[&str], dir| {
        run(["key"].iter().chain(command).chain(&["--data-dir", text(dir), "--json"])).json()
    };
    let first = key(&["link", text(&donor)], &one);
    let second = key(&["link", text(&donor)], &other);
    assert_ne!(first["peer"], second["peer"]);
    assert_eq!(first["donor"], second["donor"]);
    assert!(first["donor"].is_string(), "{first}");
    assert_eq!(key(&["show"], &one), first);
    assert!(key(&["unlink"], &other)["donor"].is_null());

    // Another node's link is no link of this one, and no node starts on it.
    fs::copy(one.join("link"), other.join("link")).expect("a copy");
    let mut command = dugnad();
    command.args(["run", "--data-dir", text(&other), "--cores", "0", "--api", "127.0.0.1:0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let words = [text(&other), "dugnad key link", "dugnad key unlink"];
    finish(command.spawn().expect("it starts")).refused(1, &words);
}
