//! Fetched jobs are checked offline: whatever was changed in them is found, and named.
use crate::harness::{Done, Node, Place, end_all, field, module, number, run, text};
use std::{
    fs,
    path::{Path, PathBuf},
};

const TCP: [&str; 4] = ["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1"];
const UNITS: u32 = 12;
/// Bytes of the certificate that are changed, one at a time, spread over all of it.
const CHANGES: usize = 97;

fn verify(dir: &Path, more: &[&str]) -> Done {
    run(["verify", text(dir)].into_iter().chain(more.iter().copied()))
}

/// Changes one byte of a file, hands it over, and puts it back as it was.
fn with_byte_changed(path: &Path, at: usize, check: impl FnOnce()) {
    let bytes = fs::read(path).expect("there");
    let mut changed = bytes.clone();
    changed[at] ^= 1 << (at % 8);
    fs::write(path, changed).expect("written");
    check();
    fs::write(path, bytes).expect("written");
}

/// A job that two nodes agreed on, fetched; the nodes are gone.
fn fetched(place: &Place, job: &Path, options: &[&str]) -> PathBuf {
    let key = place.network_key();
    let private = [&TCP[..], &["--network-key", text(&key)]].concat();
    let mut first = Node::start(place, "first", &private);
    let bootstrap = first.address();
    let joining = [&private[..], &["--bootstrap", &bootstrap]].concat();
    let mut second = Node::start(place, "second", &joining);
    first.wait_peers(1);
    let job = first.submit(job);
    assert_eq!(field(&first.wait_ended(&job), "state"), "done");
    let out = place.path("out");
    first.json(&[&["fetch", &job, "--out", text(&out)], options].concat());
    end_all(&mut [&mut first, &mut second]);
    out
}

#[test]
fn one_changed_byte_is_found_wherever_it_is() {
    let place = Place::new();
    let count = format!("[units]\ncount = {UNITS}");
    let out = fetched(&place, &place.job("walk", &module::walk(1_000), &count), &[]);

    let report = verify(&out, &["--json", "--recheck", "3"]).json();
    for (name, expected) in
        [("units", 12), ("verified", 12), ("outputs", 12), ("peers", 2), ("rechecked", 3)]
    {
        assert_eq!(number(&report, name), expected, "{name} in {report}");
    }
    assert_eq!(field(&report, "profile"), "quorum=2");

    for unit in [0, 5, 11] {
        let name = format!("units/{unit:08}.out");
        with_byte_changed(&out.join(&name), 0, || verify(&out, &[]).refused(5, &[&name]));
    }
    let certificate = out.join("certificate.dugnad");
    let bytes = fs::read(&certificate).expect("there");
    for at in (0..bytes.len()).step_by((bytes.len() / CHANGES).max(1)) {
        let what = || verify(&out, &[]).refused(5, &["certificate.dugnad"]);
        with_byte_changed(&certificate, at, what);
    }
    let module = fs::read_dir(out.join("blobs")).expect("there").next().expect("the module");
    let module = module.expect("readable").path();
    let what = || verify(&out, &["--recheck", "1"]).refused(5, &["blobs/"]);
    with_byte_changed(&module, 20, what);
    assert_eq!(verify(&out, &[]).code, Some(0), "all is as it was");
}

#[test]
fn what_is_taken_away_or_put_beside_is_found() {
    let place = Place::new();
    let lines = place.file("job/in.txt", "one\ntwo\nthree\n");
    assert!(lines.exists());
    let job = place.job("job", &module::echo(), "[units]\nlines = \"in.txt\"");
    let out = fetched(&place, &job, &["--inputs"]);
    assert_eq!(number(&verify(&out, &["--json", "--recheck", "9"]).json(), "rechecked"), 3);

    let certificate = out.join("certificate.dugnad");
    let whole = fs::read(&certificate).expect("there");
    let head = 21 + 4 + u32::from_le_bytes(whole[21..25].try_into().expect("four")) as usize;
    fs::write(&certificate, &whole[..head]).expect("written");
    verify(&out, &[]).refused(5, &["00000000.out", "nobody's answer"]);
    fs::write(&certificate, &whole[..whole.len() - 1]).expect("written");
    verify(&out, &[]).refused(5, &["certificate.dugnad", "cut off"]);
    fs::remove_file(&certificate).expect("removed");
    verify(&out, &[]).refused(2, &["certificate.dugnad", "fetch"]);
    fs::write(&certificate, &whole).expect("written");

    let output = out.join("units/00000001.out");
    let bytes = fs::read(&output).expect("there");
    fs::remove_file(&output).expect("removed");
    verify(&out, &[]).refused(5, &["missing"]);
    fs::write(&output, bytes).expect("written");

    let job = out.join("job.json");
    let said = fs::read_to_string(&job).expect("there");
    let id = serde_json::from_str::<serde_json::Value>(&said).expect("JSON")["job"].to_string();
    fs::write(&job, said.replace(&id, &format!("\"{}\"", "0".repeat(64)))).expect("written");
    verify(&out, &[]).refused(5, &["job.json"]);

    fs::remove_dir_all(out.join("blobs")).expect("removed");
    verify(&out, &["--recheck", "1"]).refused(2, &["--inputs"]);
}

#[test]
fn computing_again_finds_what_all_agreed_on_and_is_wrong() {
    let place = Place::new();
    let lies = ["--lie-share", "1", "--lie-seed", "7"];
    let mut liar = Node::private(&place, "liar", &[&TCP[..], &lies].concat());
    let alone = "profile = \"quorum=1\"\n[units]\ncount = 3";
    let job = liar.submit(&place.job("walk", &module::walk(1_000), alone));
    assert_eq!(field(&liar.wait_ended(&job), "state"), "done");
    let out = place.path("out");
    liar.json(&["fetch", &job, "--out", text(&out)]);
    liar.end();
    assert_eq!(verify(&out, &[]).code, Some(0), "who vouched for it is what a certificate proves");
    verify(&out, &["--recheck", "3"]).refused(5, &["unit 0", "unit 1", "unit 2"]);
}
