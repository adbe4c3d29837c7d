//! Files and directories of a guest, in memory: `/input` and `/scratch`.
//!
//! Invariant: nothing below `/input` ever changes; below `/scratch` there are never more than
//! [`SCRATCH_NODES_MAX`] files and directories with [`SCRATCH_BYTES_MAX`] bytes, those that were
//! removed while open included. A path never leads out of the directory it starts at.
use super::{CLOCK_START_NS, Errno};
use std::{collections::BTreeMap, sync::Arc};

/// Most bytes in `/scratch`.
pub const SCRATCH_BYTES_MAX: u64 = 64 << 20;
/// Most files and directories in `/scratch`.
pub const SCRATCH_NODES_MAX: usize = 4_096;
/// Longest path, bytes.
pub const PATH_BYTES_MAX: u32 = 4_096;
/// Longest name of a file, bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Names a file or directory; never used twice in a run, so it serves as inode number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeId(pub u64);

/// The root of `/input`.
pub const INPUT: NodeId = NodeId(1);
/// The root of `/scratch`.
pub const SCRATCH: NodeId = NodeId(2);

/// Which of the two trees a node is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Volume {
    /// Read-only.
    Input,
    /// Writable.
    Scratch,
}

/// A file or directory.
#[derive(Debug)]
pub struct Node {
    pub volume: Volume,
    pub body: Body,
    pub times: Times,
    /// Whether it has a name.
    linked: bool,
    /// Descriptors on it.
    opens: u32,
}

/// What a node holds.
#[derive(Debug)]
pub enum Body {
    Directory(BTreeMap<String, NodeId>),
    /// A file of `/input`, shared with other runs.
    Shared(Arc<[u8]>),
    /// A file of `/scratch`.
    Owned(Vec<u8>),
}

/// When a node was last read, written and changed, nanoseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    pub accessed: u64,
    pub modified: u64,
    pub changed: u64,
}

/// A name of an input file that cannot be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{name:?} cannot be a file under /input: {why}")]
pub struct InputName {
    name: String,
    why: &'static str,
}

/// Whether `name` can be that of a file under `/input`: names joined by single slashes.
pub fn input_name(name: &str) -> Result<(), InputName> {
    let bad = |why| Err(InputName { name: name.to_owned(), why });
    if name.len() > PATH_BYTES_MAX as usize {
        return bad("it is too long");
    }
    for part in name.split('/') {
        match part {
            "" => return bad("a part of it is empty"),
            "." | ".." => return bad("it has a part . or .."),
            part if part.len() > NAME_BYTES_MAX => return bad("a part of it is too long"),
            part if part.contains('\0') => return bad("it has a NUL"),
            _ => (),
        }
    }
    Ok(())
}

/// Where a path leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// To a directory without naming it, as `.` and `..` do.
    Directory(NodeId),
    /// To a name in a directory, taken or not.
    Entry {
        parent: NodeId,
        name: String,
        node: Option<NodeId>,
        /// The path ends in a slash: only a directory will do.
        slash: bool,
    },
}

/// All files and directories of a guest.
#[derive(Debug)]
pub struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: u64,
    scratch_bytes: u64,
    scratch_nodes: usize,
}

impl Times {
    fn at(now: u64) -> Times {
        Times { accessed: now, modified: now, changed: now }
    }
}

impl Node {
    /// A file's length; 0 for a directory.
    pub fn len(&self) -> u64 {
        match &self.body {
            Body::Directory(_) => 0,
            Body::Shared(bytes) => bytes.len() as u64,
            Body::Owned(bytes) => bytes.len() as u64,
        }
    }

    pub fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    /// How many names it has.
    pub fn links(&self) -> u64 {
        u64::from(self.linked)
    }

    /// The entries of a directory.
    pub fn entries(&self) -> Result<&BTreeMap<String, NodeId>, Errno> {
        match &self.body {
            Body::Directory(entries) => Ok(entries),
            Body::Shared(_) | Body::Owned(_) => Err(Errno::Notdir),
        }
    }

    fn entries_mut(&mut self) -> Result<&mut BTreeMap<String, NodeId>, Errno> {
        match &mut self.body {
            Body::Directory(entries) => Ok(entries),
            Body::Shared(_) | Body::Owned(_) => Err(Errno::Notdir),
        }
    }

    /// The bytes of a file.
    pub fn bytes(&self) -> Result<&[u8], Errno> {
        match &self.body {
            Body::Directory(_) => Err(Errno::Isdir),
            Body::Shared(bytes) => Ok(bytes),
            Body::Owned(bytes) => Ok(bytes),
        }
    }
}

impl Tree {
    /// The two roots, and `files` under the first.
    pub fn new(files: Vec<(String, Arc<[u8]>)>) -> Result<Tree, InputName> {
        let mut tree = Tree {
            nodes: BTreeMap::new(),
            next: SCRATCH.0 + 1,
            scratch_bytes: 0,
            scratch_nodes: 0,
        };
        for (root, volume) in [(INPUT, Volume::Input), (SCRATCH, Volume::Scratch)] {
            tree.nodes
                .insert(root, Node::new(volume, Body::Directory(BTreeMap::new()), CLOCK_START_NS));
        }
        for (name, bytes) in files {
            input_name(&name)?;
            let clash = |_| InputName { name: name.clone(), why: "the name is taken" };
            tree.place_input(&name, bytes).map_err(clash)?;
        }
        Ok(tree)
    }

    fn place_input(&mut self, name: &str, bytes: Arc<[u8]>) -> Result<(), Errno> {
        let mut directory = INPUT;
        let (parents, file) =
            name.rsplit_once('/').map_or(("", name), |(parents, file)| (parents, file));
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            directory = match self.node(directory)?.entries()?.get(part) {
                Some(next) => *next,
                None => {
                    self.add(directory, part, Body::Directory(BTreeMap::new()), CLOCK_START_NS)?
                }
            };
        }
        if self.node(directory)?.entries()?.contains_key(file) {
            return Err(Errno::Exist);
        }
        self.add(directory, file, Body::Shared(bytes), CLOCK_START_NS).map(|_| ())
    }

    /// The node of that name. A descriptor's node is always there; the error is for the rest.
    pub fn node(&self, node: NodeId) -> Result<&Node, Errno> {
        self.nodes.get(&node).ok_or(Errno::Noent)
    }

    pub fn node_mut(&mut self, node: NodeId) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&node).ok_or(Errno::Noent)
    }

    /// Follows a path from a directory.
    pub fn place(&self, from: NodeId, path: &str) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(Errno::Noent);
        }
        if path.starts_with('/') {
            return Err(Errno::Notcapable);
        }
        let slash = path.ends_with('/');
        let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".").peekable();
        let mut above = Vec::new();
        let mut at = from;
        while let Some(part) = parts.next() {
            if part == ".." {
                at = above.pop().ok_or(Errno::Notcapable)?;
                continue;
            }
            if part.len() > NAME_BYTES_MAX {
                return Err(Errno::Nametoolong);
            }
            let node = self.node(at)?.entries()?.get(part).copied();
            let last = parts.peek().is_none();
            match node {
                // `a/.` means the directory `a`, as `a/` does.
                _ if last => {
                    let slash = slash || path.ends_with("/.");
                    return Ok(Place::Entry { parent: at, name: part.to_owned(), node, slash });
                }
                Some(node) if self.node(node)?.is_directory() => {
                    above.push(at);
                    at = node;
                }
                Some(_) => return Err(Errno::Notdir),
                None => return Err(Errno::Noent),
            }
        }
        Ok(Place::Directory(at))
    }

    /// What is at a path.
    pub fn find(&self, from: NodeId, path: &str) -> Result<NodeId, Errno> {
        match self.place(from, path)? {
            Place::Directory(node) => Ok(node),
            Place::Entry { node: None, .. } => Err(Errno::Noent),
            Place::Entry { node: Some(node), slash, .. } => {
                match slash && !self.node(node)?.is_directory() {
                    true => Err(Errno::Notdir),
                    false => Ok(node),
                }
            }
        }
    }

    /// Makes an empty file.
    pub fn create_file(&mut self, parent: NodeId, name: &str, now: u64) -> Result<NodeId, Errno> {
        self.create(parent, name, Body::Owned(Vec::new()), now)
    }

    /// Makes an empty directory.
    pub fn create_directory(
        &mut self,
        parent: NodeId,
        name: &str,
        now: u64,
    ) -> Result<NodeId, Errno> {
        self.create(parent, name, Body::Directory(BTreeMap::new()), now)
    }

    fn create(
        &mut self,
        parent: NodeId,
        name: &str,
        body: Body,
        now: u64,
    ) -> Result<NodeId, Errno> {
        self.check_linked(parent)?;
        let directory = self.writable(parent)?;
        if directory.entries()?.contains_key(name) {
            return Err(Errno::Exist);
        }
        if self.scratch_nodes >= SCRATCH_NODES_MAX {
            return Err(Errno::Nospc);
        }
        self.scratch_nodes += 1;
        self.add(parent, name, body, now)
    }

    fn add(&mut self, parent: NodeId, name: &str, body: Body, now: u64) -> Result<NodeId, Errno> {
        let volume = self.node(parent)?.volume;
        let node = NodeId(self.next);
        let directory = self.node_mut(parent)?;
        directory.entries_mut()?.insert(name.to_owned(), node);
        directory.times.modified = now;
        self.next += 1;
        self.nodes.insert(node, Node::new(volume, body, now));
        Ok(node)
    }

    /// A node that may be changed.
    pub fn writable(&mut self, node: NodeId) -> Result<&mut Node, Errno> {
        let node = self.node_mut(node)?;
        match node.volume {
            Volume::Scratch => Ok(node),
            Volume::Input => Err(Errno::Rofs),
        }
    }

    /// Takes a name away, and what it named if nothing holds it open.
    pub fn unlink(&mut self, parent: NodeId, name: &str, now: u64) -> Result<(), Errno> {
        let directory = self.writable(parent)?;
        let node = directory.entries_mut()?.remove(name).ok_or(Errno::Noent)?;
        directory.times.modified = now;
        self.node_mut(node)?.linked = false;
        self.drop_if_unused(node);
        Ok(())
    }

    /// Gives what `from` names the name `to`; what that named must have been unlinked.
    pub fn rename(
        &mut self,
        from: (NodeId, &str),
        to: (NodeId, &str),
        now: u64,
    ) -> Result<(), Errno> {
        self.writable(to.0)?;
        let node = self.writable(from.0)?.entries_mut()?.remove(from.1).ok_or(Errno::Noent)?;
        self.writable(to.0)?.entries_mut()?.insert(to.1.to_owned(), node);
        for changed in [from.0, to.0] {
            self.node_mut(changed)?.times.modified = now;
        }
        Ok(())
    }

    /// Whether `node` is `directory` or lies below it.
    pub fn is_within(&self, directory: NodeId, node: NodeId) -> bool {
        let below = |body: &Body| match body {
            Body::Directory(entries) => entries.values().any(|next| self.is_within(*next, node)),
            Body::Shared(_) | Body::Owned(_) => false,
        };
        directory == node || self.nodes.get(&directory).is_some_and(|found| below(&found.body))
    }

    /// Sets a file's length; new bytes are 0.
    pub fn set_len(&mut self, node: NodeId, len: u64, now: u64) -> Result<(), Errno> {
        let scratch_bytes = self.scratch_bytes;
        let file = self.writable(node)?;
        let rest = scratch_bytes - file.len();
        let Body::Owned(bytes) = &mut file.body else { return Err(Errno::Isdir) };
        if len > SCRATCH_BYTES_MAX {
            return Err(Errno::Fbig);
        }
        if rest + len > SCRATCH_BYTES_MAX {
            return Err(Errno::Nospc);
        }
        bytes.resize(len as usize, 0);
        file.times.modified = now;
        self.scratch_bytes = rest + len;
        Ok(())
    }

    /// The bytes of a file at `offset`, made longer if needed.
    pub fn span_mut(
        &mut self,
        node: NodeId,
        offset: u64,
        len: u64,
        now: u64,
    ) -> Result<&mut [u8], Errno> {
        let end = offset.checked_add(len).ok_or(Errno::Fbig)?;
        let file = self.writable(node)?;
        if end > file.len() {
            self.set_len(node, end, now)?;
        }
        let file = self.writable(node)?;
        file.times.modified = now;
        match &mut file.body {
            Body::Owned(bytes) => bytes.get_mut(offset as usize..end as usize).ok_or(Errno::Inval),
            Body::Directory(_) | Body::Shared(_) => Err(Errno::Isdir),
        }
    }

    /// Notes that a file was read; one of `/input` does not change, not even in that.
    pub fn touch(&mut self, node: NodeId, now: u64) {
        if let Ok(node) = self.writable(node) {
            node.times.accessed = now;
        }
    }

    /// How many files and directories were made.
    pub fn scratch_nodes(&self) -> usize {
        self.scratch_nodes
    }

    /// Nothing can be put into a directory that was removed.
    pub fn check_linked(&self, directory: NodeId) -> Result<(), Errno> {
        match self.node(directory)?.linked {
            true => Ok(()),
            false => Err(Errno::Noent),
        }
    }

    /// Counts a descriptor on a node.
    pub fn open(&mut self, node: NodeId) -> Result<(), Errno> {
        self.node_mut(node)?.opens += 1;
        Ok(())
    }

    /// Takes that back.
    pub fn close(&mut self, node: NodeId) {
        if let Some(found) = self.nodes.get_mut(&node) {
            found.opens = found.opens.saturating_sub(1);
            self.drop_if_unused(node);
        }
    }

    fn drop_if_unused(&mut self, node: NodeId) {
        let unused = self.nodes.get(&node).is_some_and(|node| !node.linked && node.opens == 0);
        if unused && let Some(gone) = self.nodes.remove(&node) {
            self.scratch_bytes -= gone.len();
            self.scratch_nodes -= 1;
        }
    }
}

impl Node {
    fn new(volume: Volume, body: Body, now: u64) -> Node {
        Node { volume, body, times: Times::at(now), linked: true, opens: 0 }
    }
}
