//! A guest's file descriptors.
//!
//! Invariant: a new descriptor gets the lowest free number; there are never more than
//! [`DESCRIPTORS_MAX`].
use super::{
    Errno,
    tree::{INPUT, NodeId, SCRATCH},
};

/// Most open descriptors.
pub const DESCRIPTORS_MAX: usize = 256;

/// Rights of WASI, one bit each.
pub mod rights {
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    pub const PATH_READLINK: u64 = 1 << 15;
    pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub const POLL_FD_READWRITE: u64 = 1 << 27;
    /// All there are.
    pub const ALL: u64 = (1 << 30) - 1;
    /// Those that mean something on a directory.
    pub const DIRECTORY: u64 = ALL & !(FD_READ | FD_SEEK | FD_TELL | FD_WRITE | FD_ALLOCATE);
    /// Those of a stream without a position.
    pub const STREAM: u64 = FD_FILESTAT_GET | FD_FDSTAT_SET_FLAGS | POLL_FD_READWRITE;
}

/// Flags of a descriptor.
pub mod flags {
    pub const APPEND: u16 = 1;
    /// Those that can be set: append, dsync, nonblock, rsync, sync.
    pub const ALL: u16 = 31;
}

/// An open file, directory or stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Descriptor {
    pub kind: Kind,
    pub rights: u64,
    /// Rights that what is opened through it may have.
    pub inheriting: u64,
    pub flags: u16,
}

/// What a descriptor is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Stdin,
    Stdout,
    Stderr,
    File {
        node: NodeId,
        offset: u64,
    },
    Directory {
        node: NodeId,
        /// What it is called where it was there from the start.
        preopened: Option<&'static str>,
    },
}

impl Kind {
    /// What it holds open in the tree.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Kind::File { node, .. } | Kind::Directory { node, .. } => Some(*node),
            Kind::Stdin | Kind::Stdout | Kind::Stderr => None,
        }
    }
}

/// All descriptors of a guest.
pub struct Descriptors(Vec<Option<Descriptor>>);

impl Descriptors {
    /// The three streams, `/input` as 3 and `/scratch` as 4.
    pub fn new() -> Descriptors {
        let stream = |kind, right| Descriptor {
            kind,
            rights: rights::STREAM | right,
            inheriting: 0,
            flags: 0,
        };
        let preopened = |node, name| Descriptor {
            kind: Kind::Directory { node, preopened: Some(name) },
            rights: rights::DIRECTORY,
            inheriting: rights::ALL,
            flags: 0,
        };
        Descriptors(vec![
            Some(stream(Kind::Stdin, rights::FD_READ)),
            Some(stream(Kind::Stdout, rights::FD_WRITE)),
            Some(stream(Kind::Stderr, rights::FD_WRITE)),
            Some(preopened(INPUT, "/input")),
            Some(preopened(SCRATCH, "/scratch")),
        ])
    }

    pub fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.0.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    pub fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.0.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// The node and position of a file.
    pub fn file(&self, fd: u32, right: u64) -> Result<(NodeId, u64), Errno> {
        let descriptor = self.get(fd)?;
        match descriptor.kind {
            Kind::File { node, offset } => descriptor.require(right).map(|()| (node, offset)),
            Kind::Directory { .. } => Err(Errno::Isdir),
            Kind::Stdin | Kind::Stdout | Kind::Stderr => Err(Errno::Spipe),
        }
    }

    /// The node of a directory.
    pub fn directory(&self, fd: u32, right: u64) -> Result<NodeId, Errno> {
        let descriptor = self.get(fd)?;
        match descriptor.kind {
            Kind::Directory { node, .. } => descriptor.require(right).map(|()| node),
            Kind::File { .. } | Kind::Stdin | Kind::Stdout | Kind::Stderr => Err(Errno::Notdir),
        }
    }

    /// Moves a file's position.
    pub fn seek(&mut self, fd: u32, to: u64) -> Result<(), Errno> {
        match &mut self.get_mut(fd)?.kind {
            Kind::File { offset, .. } => {
                *offset = to;
                Ok(())
            }
            Kind::Directory { .. } | Kind::Stdin | Kind::Stdout | Kind::Stderr => Err(Errno::Spipe),
        }
    }

    /// Checks that one more would fit.
    pub fn check_room(&self) -> Result<(), Errno> {
        match self.0.len() < DESCRIPTORS_MAX || self.0.iter().any(Option::is_none) {
            true => Ok(()),
            false => Err(Errno::Mfile),
        }
    }

    /// Gives a descriptor its number.
    pub fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_room()?;
        let fd = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        match self.0.get_mut(fd) {
            Some(slot) => *slot = Some(descriptor),
            None => self.0.push(Some(descriptor)),
        }
        Ok(fd as u32)
    }

    /// Closes a descriptor and says what it was on.
    pub fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.0.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::Badf)
    }

    /// Makes `to` what `from` is, and says what `to` was.
    pub fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Descriptor>, Errno> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let moved = self.remove(from)?;
        Ok(Some(std::mem::replace(self.get_mut(to)?, moved)))
    }
}

impl Descriptor {
    /// Checks a right.
    pub fn require(&self, right: u64) -> Result<(), Errno> {
        match self.rights & right == right {
            true => Ok(()),
            false => Err(Errno::Notcapable),
        }
    }
}
