//! The machine that this node is on, as it tells the signers of audited jobs: its class of processors, and
//! whose it is.
use crate::keys::{self, KeyError};
use crate::store::disk::{self, Access};
use coordinator_free_scheduler::{Host, LINK_CONTEXT, Link, PeerKey};
use std::path::Path;

/// The file of a data directory that holds a donor's word.
const LINK_FILE: &str = "link";
/// Largest such file, bytes.
const LINK_BYTES_MAX: u64 = 1 << 10;

/// The machine of a node that keeps its data here.
///
/// # Errors
/// The link is damaged, or another node's.
pub fn here(dir: &Path, node: PeerKey) -> Result<Host, KeyError> {
    Ok(Host { arch: arch(), link: read_link(dir, node)? })
}

/// The class of this processor: what may be compiled to other instructions than on another one. Sixteen
/// for the family, and for x86-64 its level (as in the psABI) beside it; 0 for one that is not known.
fn arch() -> u8 {
    match std::env::consts::ARCH {
        "x86_64" => 16 + x86_level(),
        "aarch64" => 32,
        "riscv64" => 48,
        "s390x" => 64,
        _ => 0,
    }
}

/// What people call a class of processors.
pub fn arch_name(arch: u8) -> String {
    match arch {
        17..=20 => format!("x86-64-v{}", arch - 16),
        32 => "aarch64".into(),
        48 => "riscv64".into(),
        64 => "s390x".into(),
        0 => "unknown".into(),
        _ => format!("class {arch}"),
    }
}

/// 1 to 4.
#[cfg(target_arch = "x86_64")]
fn x86_level() -> u8 {
    use std::is_x86_feature_detected as has;
    let second = has!("sse4.2") && has!("popcnt") && has!("ssse3");
    let third = second && has!("avx2") && has!("fma") && has!("bmi2") && has!("lzcnt");
    let fourth =
        third && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    1 + u8::from(second) + u8::from(third) + u8::from(fourth)
}

#[cfg(not(target_arch = "x86_64"))]
fn x86_level() -> u8 {
    0
}

/// Whether a donor has signed that a node is its own.
pub fn holds(node: PeerKey, link: &Link) -> bool {
    keys::verify(link.donor, LINK_CONTEXT, &node.0, &link.signature)
}

/// The link of a data directory, if it has one.
///
/// # Errors
/// It is damaged, or another node's.
pub fn read_link(dir: &Path, node: PeerKey) -> Result<Option<Link>, KeyError> {
    let path = dir.join(LINK_FILE);
    let bytes = disk::read_bounded(&path, LINK_BYTES_MAX).map_err(|source| KeyError::Io {
        doing: "read",
        path: path.clone(),
        source,
    })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let link = parse(&bytes).filter(|link| holds(node, link));
    link.map(Some).ok_or(KeyError::DamagedLink { path })
}

/// Keeps a link, beside the key of its node.
///
/// # Errors
/// The disk failed.
pub fn write_link(dir: &Path, link: &Link) -> Result<(), KeyError> {
    let path = dir.join(LINK_FILE);
    let text = format!("{}\n{}\n", link.donor, hex::encode(&link.signature));
    disk::write_atomic(&path, text.as_bytes(), Access::Private).map_err(|source| KeyError::Io {
        doing: "write",
        path,
        source,
    })
}

/// Takes a link away, if there is one.
///
/// # Errors
/// The disk failed.
pub fn remove_link(dir: &Path) -> Result<(), KeyError> {
    let path = dir.join(LINK_FILE);
    disk::remove_if_there(&path).map_err(|source| KeyError::Io { doing: "remove", path, source })
}

/// Two lines of hexadecimal digits: the donor and its signature.
fn parse(bytes: &[u8]) -> Option<Link> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    let mut donor = PeerKey([0; 32]);
    hex::decode_to_slice(lines.next()?, &mut donor.0).ok()?;
    let signature = hex::decode(lines.next()?).ok()?;
    Some(Link { donor, signature })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{DonorKey, Identity};

    #[test]
    fn a_link_is_of_one_donor_and_one_node() {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [one, other] = [0, 1].map(|at| Identity::load_or_create(dirs[at].path()).unwrap());
        let file = dirs[2].path().join("donor.key");
        let link = DonorKey::load_or_create(&file).unwrap().link(one.peer());
        assert_eq!(DonorKey::load_or_create(&file).unwrap().link(other.peer()).donor, link.donor);
        assert!(holds(one.peer(), &link) && !holds(other.peer(), &link));
        assert!(!holds(one.peer(), &Link { donor: other.peer(), ..link.clone() }));
        let dir = dirs[0].path();
        assert_eq!(read_link(dir, one.peer()).unwrap(), None);
        write_link(dir, &link).unwrap();
        assert_eq!(here(dir, one.peer()).unwrap().link, Some(link));
        let path = dir.join(LINK_FILE);
        let refused = read_link(dir, other.peer()).unwrap_err().to_string();
        assert!(refused.contains(path.to_str().unwrap()), "{refused}");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[70] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(read_link(dir, one.peer()).is_err());
        remove_link(dir).unwrap();
        remove_link(dir).unwrap();
        assert_eq!(read_link(dir, one.peer()).unwrap(), None);
    }
}
