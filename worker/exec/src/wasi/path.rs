//! The calls that name a file by a path under an open directory.
//!
//! There are no symbolic links, so following them or not is the same.
use super::{
    Answered, Call, Errno, FUEL_PER_ENTRY, Refusal,
    descriptors::{Descriptor, Kind, rights},
    fd::known_flags,
    record::{self, FILESTAT_BYTES},
    tree::{NodeId, PATH_BYTES_MAX, Place, Volume},
};

/// How a path is opened.
mod how {
    pub const CREATE: u32 = 1;
    pub const DIRECTORY: u32 = 2;
    pub const EXCLUSIVE: u32 = 4;
    pub const TRUNCATE: u32 = 8;
    pub const ALL: u32 = 15;
}

/// A name that is taken.
struct Taken {
    parent: NodeId,
    name: String,
    node: NodeId,
}

impl Call<'_> {
    /// A path's text, paid for by its length and its parts.
    fn path(&mut self, at: u32, len: u32) -> Answered<String> {
        if len > PATH_BYTES_MAX {
            return Err(Errno::Nametoolong.into());
        }
        self.charge_bytes(len.into())?;
        let bytes = self.memory.bytes(at, len)?;
        let parts = 1 + bytes.iter().filter(|byte| **byte == b'/').count() as u64;
        self.fuel.charge(parts * FUEL_PER_ENTRY)?;
        let text = str::from_utf8(bytes).map_err(|_| Errno::Ilseq)?;
        match text.contains('\0') {
            true => Err(Errno::Inval.into()),
            false => Ok(text.to_owned()),
        }
    }

    fn place(&mut self, fd: u32, right: u64, at: u32, len: u32) -> Answered<Place> {
        let from = self.system.descriptors.directory(fd, right)?;
        let path = self.path(at, len)?;
        Ok(self.system.tree.place(from, &path)?)
    }

    fn find(&mut self, fd: u32, right: u64, at: u32, len: u32) -> Answered<NodeId> {
        let from = self.system.descriptors.directory(fd, right)?;
        let path = self.path(at, len)?;
        Ok(self.system.tree.find(from, &path)?)
    }

    pub fn path_create_directory(&mut self, fd: u32, path: u32, len: u32) -> Answered {
        match self.place(fd, rights::PATH_CREATE_DIRECTORY, path, len)? {
            Place::Directory(_) | Place::Entry { node: Some(_), .. } => Err(Errno::Exist.into()),
            Place::Entry { parent, name, node: None, .. } => {
                let now = self.now();
                self.system.tree.create_directory(parent, &name, now)?;
                Ok(())
            }
        }
    }

    pub fn path_filestat_get(
        &mut self,
        fd: u32,
        _follow: u32,
        path: u32,
        len: u32,
        out: u32,
    ) -> Answered {
        let node = self.find(fd, rights::PATH_FILESTAT_GET, path, len)?;
        let record = record::filestat(node, self.system.tree.node(node)?);
        self.charge_bytes(FILESTAT_BYTES.into())?;
        Ok(self.memory.write(out, &record)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the interface has that many")]
    pub fn path_filestat_set_times(
        &mut self,
        fd: u32,
        _follow: u32,
        path: u32,
        len: u32,
        accessed: u64,
        modified: u64,
        which: u32,
    ) -> Answered {
        let node = self.find(fd, rights::PATH_FILESTAT_SET_TIMES, path, len)?;
        self.set_times(node, accessed, modified, which)
    }

    #[expect(clippy::too_many_arguments, reason = "the interface has that many")]
    pub fn path_open(
        &mut self,
        fd: u32,
        _follow: u32,
        path: u32,
        len: u32,
        how: u32,
        base: u64,
        inheriting: u64,
        flags: u32,
        out: u32,
    ) -> Answered {
        self.memory.check(out, 4)?;
        let flags = known_flags(flags)?;
        if how & !how::ALL != 0 {
            return Err(Errno::Inval.into());
        }
        let creates = how & how::CREATE != 0;
        let truncates = how & how::TRUNCATE != 0;
        let right = rights::PATH_OPEN
            | if creates { rights::PATH_CREATE_FILE } else { 0 }
            | if truncates { rights::PATH_FILESTAT_SET_SIZE } else { 0 };
        let place = self.place(fd, right, path, len)?;
        self.system.descriptors.check_room()?;
        let allowed = self.system.descriptors.get(fd)?.inheriting;
        let node = self.opened(place, how)?;
        let kind = self.open_kind(node, how, base)?;
        let mask = match kind {
            Kind::Directory { .. } => rights::DIRECTORY,
            Kind::File { .. } | Kind::Stdin | Kind::Stdout | Kind::Stderr => rights::ALL,
        };
        let (rights, inheriting) = (base & allowed & mask, inheriting & allowed);
        self.system.tree.open(node)?;
        let opened = Descriptor { kind, rights, inheriting, flags };
        let number = self.system.descriptors.insert(opened)?;
        Ok(self.memory.write_u32(out, number)?)
    }

    /// The node at a place, made if that is asked for.
    fn opened(&mut self, place: Place, how: u32) -> Answered<NodeId> {
        let creates = how & how::CREATE != 0;
        let (node, slash) = match place {
            Place::Directory(node) => (node, true),
            Place::Entry { node: Some(node), slash, .. } => (node, slash),
            Place::Entry { node: None, .. } if !creates => return Err(Errno::Noent.into()),
            Place::Entry { slash: true, .. } => return Err(Errno::Isdir.into()),
            Place::Entry { .. } if how & how::DIRECTORY != 0 => return Err(Errno::Inval.into()),
            Place::Entry { parent, name, .. } => {
                let now = self.now();
                return Ok(self.system.tree.create_file(parent, &name, now)?);
            }
        };
        if creates && how & how::EXCLUSIVE != 0 {
            return Err(Errno::Exist.into());
        }
        match slash && !self.system.tree.node(node)?.is_directory() {
            true => Err(Errno::Notdir.into()),
            false => Ok(node),
        }
    }

    fn open_kind(&mut self, node: NodeId, how: u32, base: u64) -> Answered<Kind> {
        let found = self.system.tree.node(node)?;
        let wants_directory = how & how::DIRECTORY != 0;
        let truncates = how & how::TRUNCATE != 0;
        let writes = base & (rights::FD_WRITE | rights::FD_ALLOCATE) != 0;
        if found.is_directory() {
            return match truncates || (writes && !wants_directory) {
                true => Err(Errno::Isdir.into()),
                false => Ok(Kind::Directory { node, preopened: None }),
            };
        }
        if wants_directory {
            return Err(Errno::Notdir.into());
        }
        if found.volume == Volume::Input && (truncates || writes) {
            return Err(Errno::Rofs.into());
        }
        if truncates {
            self.set_len(node, 0)?;
        }
        Ok(Kind::File { node, offset: 0 })
    }

    pub fn path_readlink(
        &mut self,
        fd: u32,
        path: u32,
        len: u32,
        buffer: u32,
        buffer_len: u32,
        out: u32,
    ) -> Answered {
        self.memory.check(buffer, buffer_len)?;
        self.memory.check(out, 4)?;
        self.find(fd, rights::PATH_READLINK, path, len)?;
        // It is there, and nothing is a link.
        Err(Errno::Inval.into())
    }

    pub fn path_remove_directory(&mut self, fd: u32, path: u32, len: u32) -> Answered {
        let place = self.place(fd, rights::PATH_REMOVE_DIRECTORY, path, len)?;
        let taken = taken(place, Errno::Inval)?;
        if !self.system.tree.node(taken.node)?.entries()?.is_empty() {
            return Err(Errno::Notempty.into());
        }
        let now = self.now();
        Ok(self.system.tree.unlink(taken.parent, &taken.name, now)?)
    }

    pub fn path_unlink_file(&mut self, fd: u32, path: u32, len: u32) -> Answered {
        let place = self.place(fd, rights::PATH_UNLINK_FILE, path, len)?;
        let slash = matches!(place, Place::Entry { slash: true, .. });
        let taken = taken(place, Errno::Isdir)?;
        if self.system.tree.node(taken.node)?.is_directory() {
            return Err(Errno::Isdir.into());
        }
        if slash {
            return Err(Errno::Notdir.into());
        }
        let now = self.now();
        Ok(self.system.tree.unlink(taken.parent, &taken.name, now)?)
    }

    pub fn path_rename(
        &mut self,
        fd: u32,
        path: u32,
        len: u32,
        to_fd: u32,
        to: u32,
        to_len: u32,
    ) -> Answered {
        let from = self.place(fd, rights::PATH_RENAME_SOURCE, path, len)?;
        let to = self.place(to_fd, rights::PATH_RENAME_TARGET, to, to_len)?;
        let from_slash = matches!(from, Place::Entry { slash: true, .. });
        let from = taken(from, Errno::Inval)?;
        let Place::Entry { parent, name, node: replaced, slash } = to else {
            return Err(Errno::Inval.into());
        };
        self.system.tree.writable(from.parent)?;
        self.system.tree.writable(parent)?;
        if replaced == Some(from.node) {
            return Ok(());
        }
        match self.system.tree.node(from.node)?.is_directory() {
            true => self.check_directory_move(from.node, parent, replaced)?,
            false if slash || from_slash => return Err(Errno::Notdir.into()),
            false => self.check_file_move(replaced)?,
        }
        let now = self.now();
        self.system.tree.check_linked(parent)?;
        if replaced.is_some() {
            self.system.tree.unlink(parent, &name, now)?;
        }
        Ok(self.system.tree.rename((from.parent, &from.name), (parent, &name), now)?)
    }

    fn check_file_move(&self, replaced: Option<NodeId>) -> Answered {
        match replaced {
            Some(node) if self.system.tree.node(node)?.is_directory() => Err(Errno::Isdir.into()),
            Some(_) | None => Ok(()),
        }
    }

    fn check_directory_move(
        &mut self,
        moved: NodeId,
        parent: NodeId,
        replaced: Option<NodeId>,
    ) -> Answered {
        self.fuel.charge(self.system.tree.scratch_nodes() as u64 * FUEL_PER_ENTRY)?;
        if self.system.tree.is_within(moved, parent) {
            return Err(Errno::Inval.into());
        }
        match replaced {
            Some(node) if !self.system.tree.node(node)?.entries()?.is_empty() => {
                Err(Errno::Notempty.into())
            }
            Some(_) | None => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the interface has that many")]
    pub fn path_link(
        &mut self,
        fd: u32,
        _follow: u32,
        path: u32,
        len: u32,
        to_fd: u32,
        to: u32,
        to_len: u32,
    ) -> Answered {
        self.find(fd, 0, path, len)?;
        self.place(to_fd, 0, to, to_len)?;
        Err(Errno::Notsup.into())
    }

    pub fn path_symlink(
        &mut self,
        target: u32,
        target_len: u32,
        fd: u32,
        path: u32,
        len: u32,
    ) -> Answered {
        self.path(target, target_len)?;
        self.place(fd, 0, path, len)?;
        Err(Errno::Notsup.into())
    }
}

/// What a place names; `unnamed` is the answer to `.` and `..`.
fn taken(place: Place, unnamed: Errno) -> Result<Taken, Refusal> {
    match place {
        Place::Directory(_) => Err(unnamed.into()),
        Place::Entry { node: None, .. } => Err(Errno::Noent.into()),
        Place::Entry { parent, name, node: Some(node), .. } => Ok(Taken { parent, name, node }),
    }
}
