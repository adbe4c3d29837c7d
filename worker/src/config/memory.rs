//! How much memory a node lends where nothing is said: half of what programs can have just now.
//!
//! The system is asked on Linux alone; elsewhere nothing is known and nothing is held back.

/// Lent at least, MiB: a machine with less to spare can still run small units.
const LEAST_MIB: u64 = 64;

/// Half of the memory that programs can have without swapping, MiB.
pub fn usual_mib() -> u32 {
    let lent = available_kib().map_or(u64::MAX, |kib| (kib / 1_024 / 2).max(LEAST_MIB));
    u32::try_from(lent).unwrap_or(u32::MAX)
}

#[cfg(target_os = "linux")]
fn available_kib() -> Option<u64> {
    available_in(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn available_kib() -> Option<u64> {
    None
}

/// The field that Linux estimates for just this, from the text of `/proc/meminfo`.
#[cfg(any(target_os = "linux", test))]
fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_linux_is_read_and_nothing_else() {
        let text = "MemTotal:  9 kB\nMemFree:   1 kB\nMemAvailable:   4194304 kB\n";
        assert_eq!(available_in(text), Some(4_194_304));
        for odd in ["", "MemAvailable: many kB\n", "MemAvailable: 5\n", "MemFree: 5 kB\n"] {
            assert_eq!(available_in(odd), None, "{odd:?}");
        }
        assert!(usual_mib() >= LEAST_MIB as u32);
    }
}
