//! The second wall, from inside: a process that behaves as a guest would which has broken out of the
//! engine, behind the very walls of those that run guests.
//!
//! The process is this test's own program, started anew to do nothing but [`escape`].
use crate::cell::walls;
use std::{
    fs,
    io::Error,
    net::{TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::Command,
};

const MEMORY_BYTES: u64 = 512 << 20;

/// What it tries, by its name; each is to work without walls.
fn attempts(secret: &Path, listener: &str) -> Vec<(&'static str, Result<(), Error>)> {
    let beside = secret.with_file_name("beside");
    let call = |result: i64| if result < 0 { Err(Error::last_os_error()) } else { Ok(()) };
    let parent = std::os::unix::process::parent_id() as i32;
    let much = Vec::<u8>::new().try_reserve_exact(4 * MEMORY_BYTES as usize);
    // SAFETY: neither call touches this process's memory.
    let signal = || unsafe { libc::kill(parent, 0) };
    let trace = || unsafe { libc::ptrace(libc::PTRACE_ATTACH, i32::MAX, 0, 0) };
    // Nobody has that number; who may trace at all is told so.
    let traced = match trace() {
        -1 if Error::last_os_error().raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => call(other),
    };
    vec![
        ("read the key", fs::read(secret).map(drop)),
        ("write beside it", fs::write(beside, "x")),
        ("remove it", fs::rename(secret, secret).map(drop)),
        ("list a folder", fs::read_dir("/").map(drop)),
        ("read its own command line", fs::read("/proc/self/cmdline").map(drop)),
        ("connect", TcpStream::connect(listener).map(drop)),
        ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        ("open a datagram socket", UdpSocket::bind("127.0.0.1:0").map(drop)),
        (
            "start a program",
            Command::new("/bin/true").spawn().and_then(|mut it| it.wait()).map(drop),
        ),
        ("start a thread", std::thread::Builder::new().spawn(|| ()).map(drop)),
        ("signal the node", call(signal().into())),
        ("have much memory", much.map_err(Error::other)),
        ("trace a process", traced),
    ]
}

/// What the process does.
#[test]
#[ignore = "started by who_breaks_out_of_the_engine_can_do_nothing_more"]
fn escape() {
    let of = |name| std::env::var(format!("DUGNAD_TEST_{name}")).expect("started by the other");
    let (secret, listener, walled) = (of("SECRET"), of("LISTENER"), of("WALLED"));
    if walled == "yes" {
        let folder = Path::new(&secret).with_file_name("compiled");
        println!("limited: {}", walls::limit_memory(MEMORY_BYTES));
        println!("closed: {} {}", walls::close_files(Some(&folder)), walls::close_calls());
        println!("module: {:?}", fs::read_to_string(folder.join("module")).ok());
    }
    for (name, result) in attempts(Path::new(&secret), &listener) {
        match result {
            Ok(()) => println!("could {name}"),
            Err(error) => println!("could not {name}: {error}"),
        }
    }
}

/// What the process says, line by line.
fn tried(walled: &str, folder: &Path, listener: &TcpListener) -> Vec<String> {
    let address = listener.local_addr().expect("it listens").to_string();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "tests::walls::escape", "--ignored", "--nocapture"])
        .env("DUGNAD_TEST_SECRET", folder.join("key"))
        .env("DUGNAD_TEST_LISTENER", address)
        .env("DUGNAD_TEST_WALLED", walled)
        .output()
        .expect("it starts");
    String::from_utf8_lossy(&output.stdout).lines().map(String::from).collect()
}

#[test]
fn who_breaks_out_of_the_engine_can_do_nothing_more() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key"), "secret").expect("written");
    fs::create_dir(folder.path().join("compiled")).expect("made");
    fs::write(folder.path().join("compiled/module"), "code").expect("written");
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let (free, walled) =
        (tried("no", folder.path(), &listener), tried("yes", folder.path(), &listener));
    let count =
        |lines: &[String], said: &str| lines.iter().filter(|line| line.contains(said)).count();
    assert_eq!((count(&free, "could not "), count(&free, "could ")), (0, 13), "{free:#?}");
    assert_eq!((count(&walled, "could not "), count(&walled, "could ")), (13, 13), "{walled:#?}");
    for line in ["limited: true", "closed: true true", "module: Some(\"code\")"] {
        assert_eq!(count(&walled, line), 1, "{line} in {walled:#?}");
    }
}
