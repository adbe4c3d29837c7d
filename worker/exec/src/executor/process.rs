//! Other processes of this program, as the node holds them.
//!
//! Invariant: whatever is started here ends with its [`Process`]; while the executor pauses, all
//! that lives is stopped.
use super::super::cell::Role;
use std::{
    io,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// How this program is started as one that runs guests.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// What it is told before it is told its role, see [`Role::arguments`].
    pub arguments: Vec<String>,
}

/// A process that lives, or has ended and was not looked at yet.
pub struct Process(Mutex<Child>);

/// All that live.
#[derive(Default)]
pub struct Processes(Mutex<Living>);

#[derive(Default)]
struct Living {
    all: Vec<Weak<Process>>,
    paused: bool,
    closed: bool,
}

impl Processes {
    /// Starts one; answers it with its standard streams.
    pub fn start(
        &self,
        program: &Program,
        role: &Role,
    ) -> io::Result<(Arc<Process>, ChildStdin, ChildStdout)> {
        let mut child = Command::new(&program.path)
            .args(&program.arguments)
            .args(role.arguments())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let streams = child.stdin.take().zip(child.stdout.take());
        let process = Arc::new(Process(Mutex::new(child)));
        let (stdin, stdout) = streams.ok_or_else(|| io::Error::other("it has no streams"))?;
        let mut living = lock(&self.0);
        living.all.retain(|process| process.strong_count() > 0);
        if living.closed {
            return Err(io::Error::other("the executor is closed"));
        }
        living.all.push(Arc::downgrade(&process));
        if living.paused {
            process.pause(true);
        }
        Ok((process, stdin, stdout))
    }

    /// Stops all that live, and all to come, or lets them go on.
    pub fn pause(&self, paused: bool) {
        let mut living = lock(&self.0);
        living.paused = paused;
        living.all.iter().filter_map(Weak::upgrade).for_each(|process| process.pause(paused));
    }

    /// Ends all that live; there will be no others.
    pub fn close(&self) {
        let mut living = lock(&self.0);
        living.closed = true;
        living.all.iter().filter_map(Weak::upgrade).for_each(|process| process.kill());
    }
}

impl Process {
    /// Ends it now, whatever it does.
    pub fn kill(&self) {
        // One that has ended already is as good.
        let _ = lock(&self.0).kill();
    }

    /// Waits for its end.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        lock(&self.0).wait()
    }

    #[cfg(unix)]
    fn pause(&self, paused: bool) {
        use rustix::process::{Pid, Signal, kill_process};
        let signal = if paused { Signal::STOP } else { Signal::CONT };
        let mut child = lock(&self.0);
        // One that was waited for has no number any more that is surely its own.
        if let Ok(None) = child.try_wait() {
            let _ = kill_process(Pid::from_child(&child), signal);
        }
    }

    /// There is no way that works everywhere; nothing new is begun while the executor pauses.
    #[cfg(not(unix))]
    fn pause(&self, _paused: bool) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = self.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
