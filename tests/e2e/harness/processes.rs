//! Processes as the system shows them.
use std::{fs, path::Path, process::Command};

/// Sends a signal (`KILL`, `TERM`, `INT`, `STOP`, `CONT`); the shell knows how, on every Unix.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status();
    assert!(sent.expect("there is a shell").success(), "SIG{name} did not reach {pid}");
}

/// Living processes with `path` in their command line, as `PID COMMAND`.
pub fn processes_naming(path: &Path) -> Vec<String> {
    let wanted = path.to_str().expect("temporary paths are UTF-8");
    let entries = fs::read_dir("/proc").expect("this test reads /proc");
    let named = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(wanted).then(|| format!("{pid} {line}"))
    });
    named.collect()
}
