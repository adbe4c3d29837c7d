//! Bundles: the same job is the same bytes, and no damage goes unnamed.
use dugnad_client::{BlobHash, Bundle, Error, Input, JobFile, Profile, UnitSource};
use std::fs;
use std::path::Path;

const JOB: &str = "name = 'b'\nmodule = 'x.wasm'\nprofile = 'quorum=3'\ndescription = 'carried'\n\
    [env]\nDEPTH = '3'\n[units]\nfiles = 'in/*.dat'\n[merge]\nmodule = 'm.wasm'\n";

/// Writes the same job beneath `dir`, its files in another order each time.
fn bundled(dir: &Path, mut files: Vec<(&str, Vec<u8>)>) -> Bundle {
    files.extend([("x.wasm", b"module".to_vec()), ("m.wasm", b"merge".to_vec())]);
    files.push(("job.toml", JOB.as_bytes().to_vec()));
    fs::create_dir_all(dir.join("in")).unwrap();
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes).unwrap();
    }
    let spec = JobFile::read(dir.join("job.toml")).unwrap().spec().unwrap();
    Bundle::write(spec, dir.join("x.dugnad")).unwrap()
}

fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("in/b.dat", b"second".to_vec()),
        ("in/a.dat", vec![7; 700_000]),
        ("in/c.dat", b"second".to_vec()),
    ]
}

#[test]
fn the_same_job_is_the_same_bytes_and_comes_out_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
    let bundle = bundled(&one, inputs());
    bundled(&other, inputs().into_iter().rev().collect());
    let bytes = fs::read(one.join("x.dugnad")).unwrap();
    assert_eq!(bytes, fs::read(other.join("x.dugnad")).unwrap());
    let (body, id) = bytes.split_at(bytes.len() - 32);
    assert_eq!((BlobHash::of(body), id), (bundle.id(), &bundle.id().0[..]));
    // The files are not needed any more: only the bundle is.
    fs::remove_dir_all(one.join("in")).unwrap();
    assert_eq!((bundle.units(), bundle.blobs()), (3, (4, 700_017)));
    let spec = bundle.spec().unwrap();
    assert_eq!((spec.name.as_str(), spec.profile), ("b", Some(Profile::Quorum(3))));
    assert_eq!((spec.about.description.as_str(), spec.env["DEPTH"].as_str()), ("carried", "3"));
    assert_eq!(spec.module, Input::Bytes(b"module".into()));
    assert_eq!(spec.merge, Some(Input::Bytes(b"merge".into())));
    let UnitSource::Inputs(read) = spec.units else { panic!("{:?}", spec.units) };
    let read: Vec<Input> = read.map(Result::unwrap).collect();
    assert_eq!(read, [vec![7; 700_000], b"second".to_vec(), b"second".to_vec()].map(Input::Bytes));
}

#[test]
fn every_damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = bundled(dir.path(), inputs());
    let path = dir.path().join("x.dugnad");
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match Bundle::open(&path) {
            Err(Error::Bundle { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    for at in (0..whole.len()).step_by(whole.len() / 50).chain((0..900).step_by(7)) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        refused(&flipped);
        refused(&whole[..at]);
    }
    refused(&[&whole[..], b"more"].concat());
    let mut flipped = whole.clone();
    flipped[whole.len() - 1] ^= 1;
    assert!(refused(&flipped).contains("last 32 bytes"));
    assert!(!Bundle::is_one(dir.path().join("job.toml")));
    // What has changed since it was looked through is not handed out.
    fs::write(&path, vec![0; whole.len()]).unwrap();
    assert!(matches!(bundle.spec(), Err(Error::Bundle { .. })));
}
