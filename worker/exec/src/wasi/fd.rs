//! The calls on open descriptors.
use super::{
    Answered, Call, Errno, FUEL_PER_ENTRY,
    descriptors::{Kind, flags, rights},
    memory::{Buffer, GuestMemory},
    record::{self, FDSTAT_BYTES, FILESTAT_BYTES, FileType, PRESTAT_BYTES},
    tree::{NodeId, SCRATCH_BYTES_MAX, Times},
};

/// Kinds of advice on how a file will be used; none changes anything.
const ADVICES: u32 = 6;

impl Call<'_> {
    pub fn fd_advise(&mut self, fd: u32, offset: u64, len: u64, advice: u32) -> Answered {
        self.system.descriptors.file(fd, 0)?;
        match advice < ADVICES && offset.checked_add(len).is_some() {
            true => Ok(()),
            false => Err(Errno::Inval.into()),
        }
    }

    pub fn fd_allocate(&mut self, fd: u32, offset: u64, len: u64) -> Answered {
        let (node, _) = self.system.descriptors.file(fd, rights::FD_ALLOCATE)?;
        let end = offset.checked_add(len).ok_or(Errno::Fbig)?;
        if len == 0 {
            return Err(Errno::Inval.into());
        }
        if end <= self.system.tree.writable(node)?.len() {
            return Ok(());
        }
        self.set_len(node, end)
    }

    pub fn fd_close(&mut self, fd: u32) -> Answered {
        let closed = self.system.descriptors.remove(fd)?;
        self.release(&closed.kind);
        Ok(())
    }

    fn release(&mut self, kind: &Kind) {
        if let Some(node) = kind.node() {
            self.system.tree.close(node);
        }
    }

    pub fn fd_sync(&mut self, fd: u32) -> Answered {
        match self.system.descriptors.get(fd)?.kind {
            Kind::File { .. } | Kind::Directory { .. } => Ok(()),
            Kind::Stdin | Kind::Stdout | Kind::Stderr => Err(Errno::Inval.into()),
        }
    }

    pub fn fd_datasync(&mut self, fd: u32) -> Answered {
        self.fd_sync(fd)
    }

    pub fn fd_fdstat_get(&mut self, fd: u32, out: u32) -> Answered {
        let record = record::fdstat(self.system.descriptors.get(fd)?);
        self.charge_bytes(FDSTAT_BYTES.into())?;
        Ok(self.memory.write(out, &record)?)
    }

    pub fn fd_fdstat_set_flags(&mut self, fd: u32, flags: u32) -> Answered {
        let descriptor = self.system.descriptors.get_mut(fd)?;
        descriptor.require(rights::FD_FDSTAT_SET_FLAGS)?;
        descriptor.flags = known_flags(flags)?;
        Ok(())
    }

    pub fn fd_fdstat_set_rights(&mut self, fd: u32, base: u64, inheriting: u64) -> Answered {
        let descriptor = self.system.descriptors.get_mut(fd)?;
        if base & !descriptor.rights != 0 || inheriting & !descriptor.inheriting != 0 {
            return Err(Errno::Notcapable.into());
        }
        descriptor.rights = base;
        descriptor.inheriting = inheriting;
        Ok(())
    }

    pub fn fd_filestat_get(&mut self, fd: u32, out: u32) -> Answered {
        let descriptor = self.system.descriptors.get(fd)?;
        descriptor.require(rights::FD_FILESTAT_GET)?;
        let record = match descriptor.kind.node() {
            Some(node) => record::filestat(node, self.system.tree.node(node)?),
            None => record::stream_filestat(),
        };
        self.charge_bytes(FILESTAT_BYTES.into())?;
        Ok(self.memory.write(out, &record)?)
    }

    pub fn fd_filestat_set_size(&mut self, fd: u32, len: u64) -> Answered {
        let (node, _) = self.system.descriptors.file(fd, rights::FD_FILESTAT_SET_SIZE)?;
        self.set_len(node, len)
    }

    /// Sets a file's length and takes the fuel for the bytes that come or go.
    pub fn set_len(&mut self, node: NodeId, len: u64) -> Answered {
        let before = self.system.tree.writable(node)?.len();
        if len <= SCRATCH_BYTES_MAX {
            self.charge_bytes(len.abs_diff(before))?;
        }
        let now = self.now();
        Ok(self.system.tree.set_len(node, len, now)?)
    }

    pub fn fd_filestat_set_times(
        &mut self,
        fd: u32,
        accessed: u64,
        modified: u64,
        which: u32,
    ) -> Answered {
        let descriptor = self.system.descriptors.get(fd)?;
        descriptor.require(rights::FD_FILESTAT_SET_TIMES)?;
        let node = descriptor.kind.node().ok_or(Errno::Notsup)?;
        self.set_times(node, accessed, modified, which)
    }

    /// Sets a node's times as far as `which` says so.
    pub fn set_times(
        &mut self,
        node: NodeId,
        accessed: u64,
        modified: u64,
        which: u32,
    ) -> Answered {
        let now = self.now();
        let node = self.system.tree.writable(node)?;
        let choose = |given, as_given, as_now, before| match (which & as_given, which & as_now) {
            (0, 0) => Ok(before),
            (_, 0) => Ok(given),
            (0, _) => Ok(now),
            (_, _) => Err(Errno::Inval),
        };
        if which > 15 {
            return Err(Errno::Inval.into());
        }
        node.times = Times {
            accessed: choose(accessed, 1, 2, node.times.accessed)?,
            modified: choose(modified, 4, 8, node.times.modified)?,
            changed: now,
        };
        Ok(())
    }

    pub fn fd_prestat_get(&mut self, fd: u32, out: u32) -> Answered {
        let name = self.preopened(fd)?;
        self.charge_bytes(PRESTAT_BYTES.into())?;
        Ok(self.memory.write(out, &record::prestat(name.len() as u32))?)
    }

    pub fn fd_prestat_dir_name(&mut self, fd: u32, path: u32, len: u32) -> Answered {
        let name = self.preopened(fd)?;
        if (len as usize) < name.len() {
            return Err(Errno::Nametoolong.into());
        }
        self.charge_bytes(name.len() as u64)?;
        Ok(self.memory.write(path, name.as_bytes())?)
    }

    fn preopened(&self, fd: u32) -> Result<&'static str, Errno> {
        match self.system.descriptors.get(fd)?.kind {
            Kind::Directory { preopened, .. } => preopened.ok_or(Errno::Badf),
            Kind::File { .. } | Kind::Stdin | Kind::Stdout | Kind::Stderr => Err(Errno::Badf),
        }
    }

    pub fn fd_read(&mut self, fd: u32, buffers: u32, count: u32, out: u32) -> Answered {
        let descriptor = self.system.descriptors.get(fd)?;
        let kind = descriptor.kind;
        if let Kind::Directory { .. } = kind {
            return Err(Errno::Isdir.into());
        }
        descriptor.require(rights::FD_READ)?;
        match kind {
            Kind::File { node, offset } => {
                let read = self.read_file(node, offset, buffers, count, out)?;
                Ok(self.system.descriptors.seek(fd, offset.saturating_add(read))?)
            }
            Kind::Stdin => self.read_input(buffers, count, out),
            Kind::Stdout | Kind::Stderr | Kind::Directory { .. } => Err(Errno::Badf.into()),
        }
    }

    fn read_input(&mut self, buffers: u32, count: u32, out: u32) -> Answered {
        self.memory.check(out, 4)?;
        let (buffers, total) = self.memory.buffers(buffers, count)?;
        let moved = self.system.input_left().len().min(total as usize);
        self.charge_bytes(moved as u64)?;
        scatter(&mut self.memory, &buffers, self.system.input_left())?;
        self.system.take_input(moved);
        Ok(self.memory.write_u32(out, moved as u32)?)
    }

    pub fn fd_pread(
        &mut self,
        fd: u32,
        buffers: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Answered {
        let (node, _) = self.system.descriptors.file(fd, rights::FD_READ)?;
        self.read_file(node, offset, buffers, count, out).map(|_| ())
    }

    fn read_file(
        &mut self,
        node: NodeId,
        offset: u64,
        buffers: u32,
        count: u32,
        out: u32,
    ) -> Answered<u64> {
        self.memory.check(out, 4)?;
        let (buffers, total) = self.memory.buffers(buffers, count)?;
        let now = self.now();
        let left = self.system.tree.node(node)?.len().saturating_sub(offset);
        let moved = left.min(total.into());
        self.charge_bytes(moved)?;
        if moved > 0 {
            let bytes = self.system.tree.node(node)?.bytes()?;
            let bytes = bytes.get(offset as usize..).unwrap_or_default();
            scatter(&mut self.memory, &buffers, bytes)?;
            self.system.tree.touch(node, now);
        }
        self.memory.write_u32(out, moved as u32)?;
        Ok(moved)
    }

    pub fn fd_write(&mut self, fd: u32, buffers: u32, count: u32, out: u32) -> Answered {
        let descriptor = self.system.descriptors.get(fd)?;
        let (kind, appends) = (descriptor.kind, descriptor.flags & flags::APPEND != 0);
        if let Kind::Directory { .. } = kind {
            return Err(Errno::Isdir.into());
        }
        descriptor.require(rights::FD_WRITE)?;
        match kind {
            Kind::File { node, offset } => {
                let offset = match appends {
                    true => self.system.tree.node(node)?.len(),
                    false => offset,
                };
                let written = self.write_file(node, offset, buffers, count, out)?;
                Ok(self.system.descriptors.seek(fd, offset.saturating_add(written))?)
            }
            Kind::Stdout | Kind::Stderr => self.write_stream(kind, buffers, count, out),
            Kind::Stdin | Kind::Directory { .. } => Err(Errno::Badf.into()),
        }
    }

    fn write_stream(&mut self, kind: Kind, buffers: u32, count: u32, out: u32) -> Answered {
        self.memory.check(out, 4)?;
        let (buffers, total) = self.memory.buffers(buffers, count)?;
        self.charge_bytes(total.into())?;
        if kind == Kind::Stdout {
            self.system.check_output(total as usize)?;
        }
        for buffer in buffers {
            let bytes = self.memory.bytes(buffer.at, buffer.len)?;
            match kind == Kind::Stdout {
                true => self.system.write_output(bytes)?,
                false => self.system.write_errors(bytes),
            }
        }
        Ok(self.memory.write_u32(out, total)?)
    }

    pub fn fd_pwrite(
        &mut self,
        fd: u32,
        buffers: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Answered {
        let (node, _) = self.system.descriptors.file(fd, rights::FD_WRITE)?;
        self.write_file(node, offset, buffers, count, out).map(|_| ())
    }

    fn write_file(
        &mut self,
        node: NodeId,
        offset: u64,
        buffers: u32,
        count: u32,
        out: u32,
    ) -> Answered<u64> {
        self.memory.check(out, 4)?;
        let (buffers, total) = self.memory.buffers(buffers, count)?;
        let total = u64::from(total);
        let end = offset.checked_add(total).ok_or(Errno::Fbig)?;
        let gap = offset.saturating_sub(self.system.tree.writable(node)?.len());
        if total > 0 && end <= SCRATCH_BYTES_MAX {
            self.charge_bytes(total + gap)?;
        }
        if total > 0 {
            let now = self.now();
            let mut span = self.system.tree.span_mut(node, offset, total, now)?;
            for Buffer { at, len } in buffers {
                let (place, rest) = span.split_at_mut(len as usize);
                place.copy_from_slice(self.memory.bytes(at, len)?);
                span = rest;
            }
        }
        self.memory.write_u32(out, total as u32)?;
        Ok(total)
    }

    pub fn fd_readdir(
        &mut self,
        fd: u32,
        buffer: u32,
        len: u32,
        cookie: u64,
        out: u32,
    ) -> Answered {
        let node = self.system.descriptors.directory(fd, rights::FD_READDIR)?;
        self.memory.check(out, 4)?;
        self.memory.check(buffer, len)?;
        let passed = self.system.tree.node(node)?.entries()?.len() as u64;
        self.fuel.charge(passed.saturating_mul(FUEL_PER_ENTRY))?;
        let bytes = self.directory_bytes(node, cookie, len as usize)?;
        self.charge_bytes(bytes.len() as u64)?;
        self.memory.write(buffer, &bytes)?;
        Ok(self.memory.write_u32(out, bytes.len() as u32)?)
    }

    /// Entries from the one numbered `cookie`, the last one cut off at `len`.
    fn directory_bytes(&self, node: NodeId, cookie: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let tree = &self.system.tree;
        let dots = [(".", node), ("..", node)].into_iter();
        let named = tree.node(node)?.entries()?.iter().map(|(name, id)| (name.as_str(), *id));
        let entries = dots.chain(named).zip(1_u64..).filter(|(_, next)| *next > cookie);
        let mut bytes = Vec::new();
        for ((name, id), next) in entries {
            if bytes.len() >= len {
                break;
            }
            let kind = FileType::of(tree.node(id)?);
            bytes.extend_from_slice(&record::dirent(next, id, name.len(), kind));
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    pub fn fd_renumber(&mut self, from: u32, to: u32) -> Answered {
        if let Some(closed) = self.system.descriptors.renumber(from, to)? {
            self.release(&closed.kind);
        }
        Ok(())
    }

    pub fn fd_seek(&mut self, fd: u32, offset: i64, whence: u32, out: u32) -> Answered {
        let right = match (offset, whence) {
            (0, 1) => rights::FD_TELL,
            _ => rights::FD_SEEK,
        };
        let (node, position) = self.system.descriptors.file(fd, right)?;
        self.memory.check(out, 8)?;
        let base = match whence {
            0 => 0,
            1 => position,
            2 => self.system.tree.node(node)?.len(),
            _ => return Err(Errno::Inval.into()),
        };
        let to = base.checked_add_signed(offset).ok_or(Errno::Inval)?;
        self.system.descriptors.seek(fd, to)?;
        Ok(self.memory.write_u64(out, to)?)
    }

    pub fn fd_tell(&mut self, fd: u32, out: u32) -> Answered {
        let (_, position) = self.system.descriptors.file(fd, rights::FD_TELL)?;
        Ok(self.memory.write_u64(out, position)?)
    }
}

/// A descriptor's flags, if all of them exist.
pub fn known_flags(given: u32) -> Result<u16, Errno> {
    match u16::try_from(given) {
        Ok(given) if given & !flags::ALL == 0 => Ok(given),
        Ok(_) | Err(_) => Err(Errno::Inval),
    }
}

/// Copies the start of `bytes` into the buffers, until either ends.
fn scatter(memory: &mut GuestMemory<'_>, buffers: &[Buffer], bytes: &[u8]) -> Result<(), Errno> {
    let mut left = bytes;
    for buffer in buffers {
        let (now, later) = left.split_at(left.len().min(buffer.len as usize));
        memory.write(buffer.at, now)?;
        left = later;
    }
    Ok(())
}
