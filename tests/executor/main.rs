//! The executor and the processes behind its second wall, as the node meets them: the real program,
//! interrupted, paused, killed and lied to.
mod bombs;
mod steps;

use coordinator_free_scheduler::{Hash, Outcome, PeerKey, RunLimits, Void};
use dugnad_exec::{Executor, Program, Ran, Run, RunTag, Setup};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What never ends by itself, in a test's terms.
const FOREVER: u64 = u64::MAX;
/// What takes a moment.
const A_WHILE: u64 = 2_000_000_000;
/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place for the compiled modules of a test.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(TempDir::new().expect("a folder"))
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("compiled")
    }

    fn executor(&self, cores: usize, key: u8) -> Executor {
        let path = PathBuf::from(env!("CARGO_BIN_EXE_dugnad"));
        let setup = Setup {
            cores,
            memory_mib: 64,
            program: Program { path, arguments: vec!["cell".into()] },
            cache: self.folder(),
            cache_key: [key; 32],
        };
        Executor::new(setup).expect("it starts")
    }

    /// The names and bytes of what is in the folder.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.folder()).expect("a folder");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("read").path()).collect();
        paths.sort();
        paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("read"))).collect()
    }

    /// The processes that run guests from here.
    fn processes(&self) -> Vec<Process> {
        processes_of(&self.folder())
    }

    /// Waits until so many are in the midst of a guest.
    fn until_busy(&self, count: usize) {
        until("they run", || self.processes().iter().filter(|one| one.is_busy()).count() >= count);
    }
}

/// A living process, and what the system says of its threads.
struct Process {
    pid: u32,
    threads: Vec<String>,
}

impl Process {
    fn of(pid: u32) -> Option<Process> {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
        let stat = threads.filter_map(|one| fs::read_to_string(one.path().join("stat")).ok());
        // The first field after the name is the state, the twelfth the time in user mode, in ticks.
        let threads: Vec<String> =
            stat.filter_map(|line| Some(line.rsplit_once(") ")?.1.to_owned())).collect();
        let lives = threads.iter().any(|thread| !thread.starts_with('Z'));
        lives.then_some(Process { pid, threads })
    }

    fn is_stopped(&self) -> bool {
        self.threads.iter().all(|thread| thread.starts_with('T'))
    }

    /// Whether it has computed for longer than starting takes.
    fn is_busy(&self) -> bool {
        let ticks = |thread: &String| thread.split(' ').nth(11)?.parse::<u64>().ok();
        self.threads.iter().any(|thread| thread.starts_with('R') && ticks(thread) >= Some(8))
    }
}

fn processes_of(folder: &Path) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("this test reads /proc").flatten();
    let ours = entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&line).contains(folder.to_str()?).then(|| Process::of(pid))?
    });
    ours.collect()
}

/// Waits for something that happens in other processes.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            panic!("waited in vain: {what}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status();
    assert!(sent.expect("there is a shell").success());
}

fn run_of(text: &str) -> Run {
    let module = wat::parse_str(text).expect("the test's module is right");
    Run::new(module, RunLimits { fuel: u64::MAX, memory_mib: 16, output_bytes: 1_000 })
}

/// A command that exits with a code after so many rounds.
fn spin(code: u32, rounds: u64) -> Run {
    run_of(&format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (local $left i64) (local.set $left (i64.const {rounds}))
                (loop (br_if 0 (i64.ne (i64.const 0)
                    (local.tee $left (i64.sub (local.get $left) (i64.const 1))))))
                (call $exit (i32.const {code}))))"#,
        rounds = rounds as i64,
    ))
}

fn code(ran: &Ran) -> Result<u32, Void> {
    match &ran.end {
        Ok(answer) => match answer.outcome {
            Outcome::Exit { code, .. } => Ok(code),
            _ => panic!("{ran:?}"),
        },
        Err(void) => Err(*void),
    }
}

/// Runs that end somewhere else.
struct Ends(mpsc::Sender<(u64, Ran)>, Receiver<(u64, Ran)>);

impl Ends {
    fn new() -> Ends {
        let (sender, receiver) = mpsc::channel();
        Ends(sender, receiver)
    }

    fn spawn(&self, executor: &Executor, tag: u64, run: Run) {
        let sender = self.0.clone();
        executor.spawn(RunTag(tag), run, move |ran| drop(sender.send((tag, ran))));
    }

    fn next(&self) -> (u64, Ran) {
        self.1.recv_timeout(PATIENCE).expect("a run ends")
    }

    fn next_code(&self) -> (u64, Result<u32, Void>) {
        let (tag, ran) = self.next();
        (tag, code(&ran))
    }
}

#[test]
fn an_interrupt_ends_the_runs_of_its_tag_and_no_others() {
    let (place, ends) = (Place::new(), Ends::new());
    let executor = place.executor(2, 1);
    // Two run, two wait behind them; by then the two are within the guest.
    (1..=4).for_each(|tag| ends.spawn(&executor, tag, spin(0, FOREVER)));
    place.until_busy(2);
    [3, 1, 99].into_iter().for_each(|tag| executor.interrupt([RunTag(tag)]));
    let mut first = [ends.next_code(), ends.next_code()];
    first.sort();
    assert_eq!(first, [(1, Err(Void::Interrupted)), (3, Err(Void::Interrupted))]);
    ends.spawn(&executor, 1, spin(7, 1));
    executor.interrupt([RunTag(2)]);
    assert_eq!(ends.next_code(), (2, Err(Void::Interrupted)));
    assert_eq!(ends.next_code(), (1, Ok(7)), "a tag may be used again");
    executor.interrupt_all();
    assert_eq!(ends.next_code(), (4, Err(Void::Interrupted)));
    assert_eq!(executor.deaths(), 0, "what the node ends is nobody's fault");
    drop(executor);
    until("nobody is left", || place.processes().is_empty());
}

#[test]
fn a_pause_loses_nothing() {
    let (place, ends) = (Place::new(), Ends::new());
    let executor = place.executor(2, 1);
    (0..6).for_each(|tag| ends.spawn(&executor, tag, spin(5, A_WHILE)));
    place.until_busy(2);
    executor.pause(true);
    let all_stand = || place.processes().iter().all(Process::is_stopped);
    until("all stand still", all_stand);
    thread::sleep(Duration::from_millis(300));
    assert!(all_stand());
    // What is not wanted any more need not wait for the end of the pause.
    executor.interrupt([RunTag(0)]);
    assert_eq!(ends.next_code(), (0, Err(Void::Interrupted)));
    executor.pause(false);
    let mut left: Vec<_> = (0..5).map(|_| ends.next_code()).collect();
    left.sort();
    assert_eq!(left, [1, 2, 3, 4, 5].map(|tag| (tag, Ok(5))));
}

#[test]
fn many_first_runs_of_a_module_compile_it_once_and_all_end() {
    let (place, ends) = (Place::new(), Ends::new());
    let executor = place.executor(2, 1);
    (0..500).for_each(|tag| ends.spawn(&executor, tag, spin(9, 10)));
    assert!((0..500).all(|_| ends.next_code().1 == Ok(9)));
    assert_eq!(place.files().len(), 2, "code and seal");
    let walls = executor.walls();
    assert!(walls.starts_with(&["process", "memory"]), "{walls:?}");
    assert!(cfg!(not(target_os = "linux")) || walls.contains(&"seccomp"), "{walls:?}");
}

#[test]
fn a_process_that_dies_is_replaced_and_its_module_blamed_in_the_end() {
    let (place, ends) = (Place::new(), Ends::new());
    let executor = place.executor(1, 1);
    let kill = |name| {
        place.until_busy(1);
        place.processes().into_iter().for_each(|process| signal(process.pid, name));
    };
    ends.spawn(&executor, 1, spin(3, A_WHILE));
    kill("KILL");
    assert_eq!(ends.next_code(), (1, Ok(3)), "it was run again");
    assert_eq!(executor.deaths(), 1);
    ends.spawn(&executor, 2, spin(4, FOREVER));
    ends.spawn(&executor, 3, spin(6, 1));
    for deaths in 2..5 {
        kill("ABRT");
        until("somebody noticed", || executor.deaths() == deaths);
    }
    let (tag, ran) = ends.next();
    assert_eq!((tag, code(&ran)), (2, Err(Void::Engine)));
    assert!(ran.detail.contains("took 3 processes with it"), "{}", ran.detail);
    assert_eq!(ends.next_code(), (3, Ok(6)), "others go on");
    assert_eq!(code(&executor.run(spin(4, FOREVER))), Err(Void::Engine), "for good");
}

#[test]
fn compiled_modules_outlive_the_node_and_only_its_own_whole_ones_are_used() {
    let place = Place::new();
    let unit = || spin(8, 1);
    let run = |key| code(&place.executor(1, key).run(unit()));
    assert_eq!(run(1), Ok(8));
    let made = place.files();
    assert_eq!(run(1), Ok(8));
    assert_eq!(place.files(), made, "used as they are");
    let changed = |at: usize| {
        let (path, bytes) = &made[at];
        [vec![], bytes[..bytes.len() / 2].to_vec(), bytes.iter().map(|byte| byte ^ 1).collect()]
            .map(|damaged| (path, damaged))
    };
    for (path, damaged) in changed(0).into_iter().chain(changed(1)) {
        fs::write(path, damaged).expect("written");
        assert_eq!(run(1), Ok(8));
        assert_eq!(place.files(), made, "{} was made again", path.display());
    }
    assert_eq!(run(2), Ok(8));
    assert_ne!(place.files(), made, "another node's seal is none");
}

#[test]
fn what_ends_badly_is_told_like_anything_else() {
    let place = Place::new();
    let executor = place.executor(1, 1);
    let mut greedy = spin(0, 1);
    greedy.limits.memory_mib = 0;
    let ran = executor.run(greedy);
    assert!(matches!(ran.end, Ok(answer) if matches!(answer.outcome, Outcome::Invalid(_))));
    let ran = executor.run(run_of("(module)"));
    assert!(ran.detail.contains("_start"), "{}", ran.detail);
    let mut other = spin(0, 1);
    other.module_hash = Hash::of(b"other");
    assert_eq!(code(&executor.run(other)), Err(Void::Unavailable));
    assert_eq!(code(&executor.run(spin(1, 1))), Ok(1));
    // More than this machine lends: within its manifest's limit, so no outcome.
    let mut large = run_of(
        r#"(module (memory (export "memory") 1) (func (export "_start")
            (drop (memory.grow (i32.const 32768))) (memory.fill (i32.const 0) (i32.const 1)
                (i32.const 0x7fffffff))))"#,
    );
    large.limits.memory_mib = 4_096;
    let ran = executor.run(large);
    assert_eq!(code(&ran), Err(Void::HostMemory), "{}", ran.detail);
    assert_eq!(code(&executor.run(spin(2, 1))), Ok(2));
}

#[test]
fn no_guest_outlives_a_node_that_is_killed() {
    let place = Place::new();
    let data = place.0.path().join("data");
    let mut node = Command::new(env!("CARGO_BIN_EXE_dugnad"))
        .args(["run", "--cores", "1", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"])
        .args(["--api", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    until("it has a process for guests", || !processes_of(&data.join("compiled")).is_empty());
    node.kill().expect("it lives");
    node.wait().expect("it ends");
    until("its process is gone", || processes_of(&data.join("compiled")).is_empty());
}

#[test]
fn owners_never_share_a_process() {
    let place = Place::new();
    let executor = place.executor(1, 1);
    let pids = || place.processes().iter().map(|process| process.pid).collect::<BTreeSet<u32>>();
    let run_for = |owner: u8| {
        let ran = executor.run(Run { owner: PeerKey([owner; 32]), ..spin(3, 10) });
        assert_eq!(code(&ran), Ok(3), "{}", ran.detail);
        pids()
    };
    let first = run_for(1);
    assert_eq!(first.len(), 1);
    assert_eq!(run_for(1), first, "the same one again");
    let both = run_for(2);
    assert!(both.len() == 2 && both.is_superset(&first), "{both:?} after {first:?}");
    assert_eq!(run_for(1), both, "the first one has waited");
    run_for(3);
    let last = run_for(4);
    assert!(last.len() == 3 && last.is_superset(&first), "{last:?} after {both:?}");
    assert!(!last.is_superset(&both), "who waited longest is gone: {last:?}");
}
