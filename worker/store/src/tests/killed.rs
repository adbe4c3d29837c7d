//! `kill -9`: what was acknowledged is there afterwards. The one who is killed is this very test
//! binary, started again.
use super::*;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

const DIR: &str = "DUGNAD_TEST_STORE_DIR";

/// The record of a number; its blob is put just before it.
fn record(number: u64) -> (Group, Vec<u8>, Vec<u8>) {
    let blob = bytes(number, 200 + (number as usize * 997) % 12_000);
    (group((number % 5) as u8), number.to_le_bytes().to_vec(), blob)
}

#[test]
#[ignore = "runs for ever; started and killed by the test below"]
fn writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = Store::open(dir.as_ref()).unwrap();
    let mut number = replayed(&store).len() as u64;
    println!("\nready");
    loop {
        let (group, bytes, blob) = record(number);
        store.put_blob(&blob).unwrap();
        store.append(&[(group, bytes)]).unwrap();
        println!("{number}");
        std::io::stdout().flush().unwrap();
        number += 1;
    }
}

/// Starts the writer, kills it after some acknowledgements, and returns the last one.
fn killed_after(dir: &std::path::Path, acknowledgements: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::killed::writes_until_it_is_killed"])
        .args(["--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    lines.by_ref().find(|line| line == "ready").unwrap();
    let mut numbers = lines.filter_map(|line| line.parse::<u64>().ok());
    numbers.by_ref().take(acknowledgements).for_each(drop);
    child.kill().unwrap();
    child.wait().unwrap();
    numbers.last().unwrap_or(acknowledgements as u64 - 1)
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut least = 0;
    for round in 1..=4 {
        least = killed_after(dir.path(), 40 * round).max(least);
        let store = Store::open(dir.path()).unwrap();
        let records = replayed(&store);
        assert!(records.len() as u64 > least, "{} records, {least} acknowledged", records.len());
        for (number, (of, found)) in (0..).zip(records) {
            let (group, bytes, blob) = record(number);
            assert!((of, found) == (group, bytes), "record {number} in its place");
            assert!(store.read_blob(Hash::of(&blob)).unwrap() == Some(blob), "blob {number}");
        }
    }
}
