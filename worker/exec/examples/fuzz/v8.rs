//! Runs passed modules in V8, by way of Node.js: all at once, since a process takes its time to start.
use super::{Result, Seen};
use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    thread,
};

/// Reads modules from its standard input, each after its length; answers of each in order whether it
/// trapped, the fuel that it has left, and its memory after its length.
const SCRIPT: &str = r#"
const fs = require('fs');
const input = fs.readFileSync(0);
const answers = [];
for (let at = 8; at < input.length;) {
  const length = input.readUInt32LE(at);
  const module = new WebAssembly.Module(input.subarray(at + 4, at + 4 + length));
  at += 4 + length;
  const { exports } = new WebAssembly.Instance(module);
  exports['dugnad-1 fuel'].value = input.readBigInt64LE(0);
  let trapped = 0;
  try { exports.run(); } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    trapped = 1;
  }
  const head = Buffer.alloc(13);
  head.writeUInt8(trapped, 0);
  head.writeBigInt64LE(exports['dugnad-1 fuel'].value, 1);
  head.writeUInt32LE(exports.memory.buffer.byteLength, 9);
  answers.push(head, Buffer.from(exports.memory.buffer));
}
fs.writeFileSync(1, Buffer.concat(answers));
"#;

/// What is seen of each; nothing where there is no `node`.
pub fn run(modules: &[&[u8]], fuel: i64, optimised: bool) -> Result<Vec<Seen>> {
    let tier = if optimised { "--no-liftoff" } else { "--liftoff-only" };
    let node = Command::new("node")
        .args([tier, "-e", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut node) = node else { return Ok(Vec::new()) };
    let mut input = fuel.to_le_bytes().to_vec();
    for module in modules {
        input.extend(u32::try_from(module.len())?.to_le_bytes());
        input.extend(*module);
    }
    let mut stdin = node.stdin.take().ok_or("no way in")?;
    let writing = thread::spawn(move || stdin.write_all(&input));
    let mut output = Vec::new();
    node.stdout.take().ok_or("no way out")?.read_to_end(&mut output)?;
    writing.join().map_err(|_| "the writer panicked")??;
    if !node.wait()?.success() {
        return Err("V8 failed".into());
    }
    read(&output)
}

fn read(mut output: &[u8]) -> Result<Vec<Seen>> {
    let mut seen = Vec::new();
    while !output.is_empty() {
        let (head, rest) = output.split_at_checked(13).ok_or("V8 broke off")?;
        let length = u32::from_le_bytes(head[9..13].try_into()?) as usize;
        let (memory, rest) = rest.split_at_checked(length).ok_or("V8 broke off")?;
        let fuel = i64::from_le_bytes(head[1..9].try_into()?);
        seen.push(Seen { trapped: head[0] == 1, fuel, memory: memory.to_vec() });
        output = rest;
    }
    Ok(seen)
}
