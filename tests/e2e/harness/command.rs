//! Commands of the program under test, run to their end; one that does not end is ended.
use super::{PATIENCE, processes::signal};
use serde_json::Value;
use std::{
    ffi::OsStr,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

/// How a command ended.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; nothing if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// What it printed, as one JSON value; it must have ended with 0.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.value()
    }

    /// What it printed, as one JSON value, however it ended.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless it ended with `code` and said all of `words` on standard error.
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(words.iter().all(|word| self.stderr.contains(word)), "no {words:?} in {self:?}");
    }
}

/// The program under test, untouched by the environment of whoever runs the tests.
pub fn dugnad() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dugnad"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DUGNAD_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command of the program to its end.
pub fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Done {
    let mut command = dugnad();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("it starts"))
}

/// Waits for the end of a command, and kills it if that takes too long.
pub fn finish(command: Child) -> Done {
    let (ended, watching) = mpsc::channel::<()>();
    let pid = command.id();
    thread::spawn(move || {
        if let Err(RecvTimeoutError::Timeout) = watching.recv_timeout(PATIENCE) {
            signal(pid, "KILL");
        }
    });
    let output = command.wait_with_output().expect("waited for");
    drop(ended);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A field that must be there.
pub fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or_else(|| panic!("no field {name:?} in {value}"))
}

/// A field that must be there and be a number from 0.
pub fn number(value: &Value, name: &str) -> u64 {
    field(value, name).as_u64().unwrap_or_else(|| panic!("{name:?} is no count in {value}"))
}

/// Fails unless a demo's report says that every unit was verified, and nobody wronged.
pub fn assert_all_right(report: &Value, units: u64) {
    for (name, expected) in
        [("verified", units), ("failed", 0), ("wrong_accepted", 0), ("honest_banned", 0)]
    {
        assert_eq!(number(report, name), expected, "{name} in {report}");
    }
}
