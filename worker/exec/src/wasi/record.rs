//! The records that WASI calls write into a guest's memory, byte by byte.
use super::{
    descriptors::{Descriptor, Kind},
    tree::{Node, NodeId, Volume},
};

/// What a descriptor or directory entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FileType {
    /// The standard streams: not a terminal, so that libraries buffer what they write.
    Unknown = 0,
    Directory = 3,
    RegularFile = 4,
}

/// Bytes of the fixed part of a directory entry.
pub const DIRENT_BYTES: usize = 24;
/// Bytes of a descriptor's state.
pub const FDSTAT_BYTES: u32 = 24;
/// Bytes of a file's attributes.
pub const FILESTAT_BYTES: u32 = 64;
/// Bytes of a preopened directory's description.
pub const PRESTAT_BYTES: u32 = 8;
/// Bytes of something to wait for.
pub const SUBSCRIPTION_BYTES: u32 = 48;
/// Bytes of something that happened.
pub const EVENT_BYTES: u32 = 32;

impl FileType {
    pub fn of(node: &Node) -> FileType {
        match node.is_directory() {
            true => FileType::Directory,
            false => FileType::RegularFile,
        }
    }

    fn of_descriptor(kind: &Kind) -> FileType {
        match kind {
            Kind::Stdin | Kind::Stdout | Kind::Stderr => FileType::Unknown,
            Kind::File { .. } => FileType::RegularFile,
            Kind::Directory { .. } => FileType::Directory,
        }
    }
}

/// `fdstat`: type, flags, rights.
pub fn fdstat(descriptor: &Descriptor) -> [u8; FDSTAT_BYTES as usize] {
    let mut record = [0; FDSTAT_BYTES as usize];
    record[0] = FileType::of_descriptor(&descriptor.kind) as u8;
    record[2..4].copy_from_slice(&descriptor.flags.to_le_bytes());
    record[8..16].copy_from_slice(&descriptor.rights.to_le_bytes());
    record[16..24].copy_from_slice(&descriptor.inheriting.to_le_bytes());
    record
}

/// `filestat`: device, inode, type, links, size, times.
pub fn filestat(id: NodeId, node: &Node) -> [u8; FILESTAT_BYTES as usize] {
    let device: u64 = match node.volume {
        Volume::Input => 1,
        Volume::Scratch => 2,
    };
    let times = node.times;
    let mut record = stream_filestat();
    record[0..8].copy_from_slice(&device.to_le_bytes());
    record[8..16].copy_from_slice(&id.0.to_le_bytes());
    record[16] = FileType::of(node) as u8;
    record[24..32].copy_from_slice(&node.links().to_le_bytes());
    record[32..40].copy_from_slice(&node.len().to_le_bytes());
    for (at, time) in [(40, times.accessed), (48, times.modified), (56, times.changed)] {
        record[at..at + 8].copy_from_slice(&time.to_le_bytes());
    }
    record
}

/// `filestat` of a standard stream, of which nothing is known.
pub fn stream_filestat() -> [u8; FILESTAT_BYTES as usize] {
    [0; FILESTAT_BYTES as usize]
}

/// `prestat` of a directory with a name of that length.
pub fn prestat(name_len: u32) -> [u8; PRESTAT_BYTES as usize] {
    let mut record = [0; PRESTAT_BYTES as usize];
    record[4..8].copy_from_slice(&name_len.to_le_bytes());
    record
}

/// `dirent` without the name that follows it; `next` is where reading goes on after it.
pub fn dirent(next: u64, id: NodeId, name_len: usize, kind: FileType) -> [u8; DIRENT_BYTES] {
    let mut record = [0; DIRENT_BYTES];
    record[0..8].copy_from_slice(&next.to_le_bytes());
    record[8..16].copy_from_slice(&id.0.to_le_bytes());
    record[16..20].copy_from_slice(&(name_len as u32).to_le_bytes());
    record[20] = kind as u8;
    record
}

/// `event`: what was waited for, how it went, bytes ready.
pub fn event(userdata: u64, errno: u16, kind: u8, ready: u64) -> [u8; EVENT_BYTES as usize] {
    let mut record = [0; EVENT_BYTES as usize];
    record[0..8].copy_from_slice(&userdata.to_le_bytes());
    record[8..10].copy_from_slice(&errno.to_le_bytes());
    record[10] = kind;
    record[16..24].copy_from_slice(&ready.to_le_bytes());
    record
}
