//! Which compiler for WebAssembly this machine has, and what to install where it has none.
//!
//! Invariant: a C compiler is taken only after it has compiled a program; so it is there with library and
//! linker.
//!
//! What it is not: an installer.
use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The target of WASI commands, as rustc and Debian's C compilers call it.
pub const RUST_TARGET: &str = "wasm32-wasip1";
const C_TARGET: &str = "wasm32-wasi";
/// Where Debian has the library of that target.
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library";
/// Versions of clang that Debian names so.
const CLANG_VERSIONS: std::ops::RangeInclusive<u32> = 14..=30;

const NO_RUST: &str = "no Rust compiler for wasm32-wasip1 is here. Install one of:
  rustup target add wasm32-wasip1                                       (with rustup)
  apt-get install rustc-web cargo-web rust-web-src wasi-libc lld        (Debian, Ubuntu)";
const NO_C: &str = "no C compiler for WASI is here. Install one of:
  apt-get install clang lld wasi-libc libclang-rt-dev-wasm32            (Debian, Ubuntu)
  pip install ziglang                                                   (any system with Python)
  zig                                                                   (https://ziglang.org)
  wasi-sdk, and set WASI_SDK_PATH to its folder";

/// A way to compile, and what it is called.
pub struct Compiler {
    pub name: String,
    pub command: Command,
}

impl Compiler {
    fn new(program: impl Into<OsString>, arguments: &[&str]) -> Compiler {
        let program = program.into();
        let mut command = Command::new(&program);
        command.args(arguments);
        let name = format!("{} {}", program.to_string_lossy(), arguments.join(" "));
        Compiler { name: name.trim_end().to_owned(), command }
    }
}

/// A compiler for C: to be given options, files and `-o`.
pub fn c(scratch: &Path) -> Result<Compiler, String> {
    let mut ways: Vec<(OsString, Vec<&str>)> = Vec::new();
    if let Some(sdk) = env::var_os("WASI_SDK_PATH") {
        ways.push((PathBuf::from(sdk).join("bin/clang").into(), vec![]));
    }
    let target = format!("--target={C_TARGET}");
    ways.push(("clang".into(), vec![&target]));
    let versions = CLANG_VERSIONS.rev().map(|version| format!("clang-{version}").into());
    ways.extend(versions.map(|clang| (clang, vec![target.as_str()])));
    ways.push(("zig".into(), vec!["cc", "-target", C_TARGET]));
    ways.push(("python3".into(), vec!["-m", "ziglang", "cc", "-target", C_TARGET]));
    ways.into_iter()
        .find(|(program, arguments)| compiles(program, arguments, scratch))
        .map(|(program, arguments)| Compiler::new(program, &arguments))
        .ok_or_else(|| NO_C.into())
}

/// Whether a compiler makes a program of the least there is.
fn compiles(program: &OsString, arguments: &[&str], scratch: &Path) -> bool {
    let (source, module) = (scratch.join("probe.c"), scratch.join("probe.wasm"));
    let written =
        fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n");
    let run = || {
        let mut command = Command::new(program);
        command.args(arguments).arg(&source).arg("-o").arg(&module);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    written.is_ok() && run().is_ok_and(|status| status.success())
}

/// A cargo for Rust, told to build for WASI: to be given a folder for what it makes.
pub fn rust(scratch: &Path) -> Result<Compiler, String> {
    if has_rust_target() {
        return Ok(Compiler::new("cargo", &["build", "--release", "--target", RUST_TARGET]));
    }
    let linker = has_debian().then(wasm_linker).flatten().ok_or(NO_RUST)?;
    let wrapper = write_linker(scratch, &linker)
        .map_err(|error| format!("{}: {error}", scratch.display()))?;
    let mut compiler = Compiler::new(
        "/usr/bin/cargo",
        &["build", "--release", "--target", RUST_TARGET, "-Zbuild-std=std,panic_abort"],
    );
    // The whole path: a `rustc` of rustup must not be mixed with Debian's sources.
    let path = env::var("PATH").unwrap_or_default();
    compiler
        .command
        .env("PATH", format!("/usr/bin:{path}"))
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-C linker-flavor=wasm-ld")
        .env("CARGO_TARGET_WASM32_WASIP1_LINKER", wrapper);
    Ok(compiler)
}

/// Whether the rustc that cargo would call knows the target's library.
fn has_rust_target() -> bool {
    let asked = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", RUST_TARGET])
        .stderr(Stdio::null())
        .output();
    asked.is_ok_and(|asked| {
        asked.status.success() && Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir()
    })
}

fn has_debian() -> bool {
    [DEBIAN_SOURCES, DEBIAN_LIBC, "/usr/bin/cargo"].into_iter().all(|path| Path::new(path).exists())
}

/// Any lld does.
fn wasm_linker() -> Option<String> {
    let versions = CLANG_VERSIONS.rev().map(|version| format!("wasm-ld-{version}"));
    ["wasm-ld".to_owned()].into_iter().chain(versions).find(|linker| {
        let asked = Command::new(linker).arg("--version").stdout(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}

/// Debian's rustc looks for the C library where its own builds have it; this tells where it is.
fn write_linker(scratch: &Path, linker: &str) -> io::Result<PathBuf> {
    let script = format!(
        "#!/bin/sh\n\
         for argument; do\n\
         \x20   shift\n\
         \x20   [ \"$argument\" != crt1-command.o ] || argument={DEBIAN_LIBC}/crt1-command.o\n\
         \x20   set -- \"$@\" \"$argument\"\n\
         done\n\
         exec {linker} -L {DEBIAN_LIBC} \"$@\"\n"
    );
    let path = scratch.join("wasm-linker");
    fs::write(&path, script)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(path)
}
