//! What keeps a guest in that has broken out of the engine: limits on memory and time, files out of
//! reach, and hardly any system calls left.
//!
//! On Linux: rlimits, landlock (files, TCP, signals, abstract sockets) and seccomp (an allow list of
//! what running compiled code takes; all else fails with EPERM). Elsewhere on Unix: rlimits alone.
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which walls stand around a process, besides that it is one of its own.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct Walls {
    /// It can have so much memory and no more.
    pub memory: bool,
    /// It can open no file but compiled modules, and signal no other process.
    pub files: bool,
    /// It can call nothing of the system but what running takes: no network, no processes.
    pub calls: bool,
}

impl Walls {
    /// Their names.
    pub fn names(self) -> Vec<&'static str> {
        let all = [(true, "process"), (self.memory, "memory"), (self.files, "landlock")];
        let all = all.into_iter().chain([(self.calls, "seccomp")]);
        all.filter_map(|(stands, name)| stands.then_some(name)).collect()
    }
}

/// Limits this process's memory that it can write to, bytes, and everything it has no use for.
/// Answers whether the limit holds.
#[cfg(unix)]
pub fn limit_memory(bytes: u64) -> bool {
    use rustix::process::Resource;
    for unused in [Resource::Core, Resource::Fsize] {
        limit(unused, 0);
    }
    // Elsewhere mappings are not counted.
    limit(Resource::Data, bytes) && cfg!(target_os = "linux")
}

/// Limits this process's processor time, seconds.
#[cfg(unix)]
pub fn limit_time(seconds: u64) -> bool {
    // The first is SIGXCPU, which tells it from the host's own SIGKILL.
    limit_in_two(rustix::process::Resource::Cpu, seconds, seconds + 1)
}

#[cfg(unix)]
fn limit(resource: rustix::process::Resource, most: u64) -> bool {
    limit_in_two(resource, most, most)
}

#[cfg(unix)]
fn limit_in_two(resource: rustix::process::Resource, soft: u64, hard: u64) -> bool {
    use rustix::process::{Rlimit, getrlimit, setrlimit};
    // A limit that stands already may be lower, and cannot be raised again.
    let hard = getrlimit(resource).maximum.map_or(hard, |maximum| maximum.min(hard));
    setrlimit(resource, Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) }).is_ok()
}

#[cfg(not(unix))]
pub fn limit_memory(_bytes: u64) -> bool {
    false
}

#[cfg(not(unix))]
pub fn limit_time(_seconds: u64) -> bool {
    false
}

/// Has this process end with the thread that started it, whatever it is at then. Where this does not
/// work, it ends once it has run what it was sent.
pub fn end_with_parent() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
}

/// Puts all files out of reach, but those in `readable`, which can be read. It holds for this thread
/// and those that it starts. Answers whether the kernel knows how, at least for files.
#[cfg(target_os = "linux")]
pub fn close_files(readable: Option<&Path>) -> bool {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };
    let restrict = || -> Result<RulesetStatus, RulesetError> {
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?;
        let rules = match readable.map(PathFd::new) {
            Some(Ok(folder)) => rules.add_rule(PathBeneath::new(folder, AccessFs::ReadFile))?,
            Some(Err(_)) | None => rules,
        };
        Ok(rules.restrict_self()?.ruleset)
    };
    !matches!(restrict(), Ok(RulesetStatus::NotEnforced) | Err(_))
}

#[cfg(not(target_os = "linux"))]
pub fn close_files(_readable: Option<&Path>) -> bool {
    false
}

/// Takes from all threads of this process the system calls that running compiled code does not need.
/// Answers whether they are gone.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn close_calls() -> bool {
    let Ok(filter) = calls::filter() else { return false };
    seccompiler::apply_filter_all_threads(&filter).is_ok()
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn close_calls() -> bool {
    false
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls {
    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule, TargetArch,
    };
    use std::collections::BTreeMap;

    /// What a guest's process needs: memory, its streams, its modules, threads that wait, an end.
    const ALLOWED: [i64; 37] = [
        libc::SYS_brk,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_close,
        libc::SYS_dup,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_fstat,
        libc::SYS_futex,
        libc::SYS_getpid,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_lseek,
        libc::SYS_madvise,
        libc::SYS_membarrier,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_nanosleep,
        libc::SYS_newfstatat,
        libc::SYS_pread64,
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_restart_syscall,
        libc::SYS_rseq,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_yield,
        libc::SYS_set_robust_list,
        libc::SYS_sigaltstack,
        libc::SYS_statx,
        libc::SYS_sysinfo,
        libc::SYS_uname,
        libc::SYS_write,
        libc::SYS_writev,
    ];
    /// `PAGEMAP_SCAN`: which pages a guest wrote.
    const PAGEMAP_SCAN: u64 = 0xc060_6610;

    pub fn filter() -> Result<BpfProgram, BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
        let only = |argument, bits: libc::c_int, value| {
            let (length, these) =
                (SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits as u32 as u64));
            let equal = SeccompCondition::new(argument, length, these, value)?;
            Ok::<_, BackendError>(vec![SeccompRule::new(vec![equal])?])
        };
        rules.insert(libc::SYS_ioctl, only(1, -1, PAGEMAP_SCAN)?);
        // To abort, and nobody else.
        rules.insert(libc::SYS_tgkill, only(0, -1, std::process::id().into())?);
        // Shared memory is not counted against the limit.
        rules.insert(libc::SYS_mmap, only(3, libc::MAP_TYPE, libc::MAP_PRIVATE as u64)?);
        let changes = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
        rules.insert(libc::SYS_openat, only(2, changes, libc::O_RDONLY as u64)?);
        let denied = SeccompAction::Errno(libc::EPERM as u32);
        let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, ARCH)?;
        filter.try_into()
    }

    #[cfg(target_arch = "x86_64")]
    const ARCH: TargetArch = TargetArch::x86_64;
    #[cfg(target_arch = "aarch64")]
    const ARCH: TargetArch = TargetArch::aarch64;
}
