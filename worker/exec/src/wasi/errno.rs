//! Error numbers of WASI preview 1, those that are ever given.
use super::Stop;

/// Why a call did not do what was asked; a guest sees the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Errno {
    /// Not a file descriptor.
    Badf = 8,
    /// It exists already.
    Exist = 20,
    /// A pointer outside the guest's memory.
    Fault = 21,
    /// A file would be larger than any may be.
    Fbig = 22,
    /// A name is not UTF-8.
    Ilseq = 25,
    /// An argument makes no sense.
    Inval = 28,
    /// It is a directory.
    Isdir = 31,
    /// Too many open files.
    Mfile = 33,
    /// A name or path is too long.
    Nametoolong = 37,
    /// No such file or directory.
    Noent = 44,
    /// No space left in `/scratch`.
    Nospc = 51,
    /// Not a directory.
    Notdir = 54,
    /// A directory is not empty.
    Notempty = 55,
    /// Not a socket.
    Notsock = 57,
    /// Not supported here.
    Notsup = 58,
    /// A figure does not fit.
    Overflow = 61,
    /// `/input` is read-only.
    Rofs = 69,
    /// A stream has no position.
    Spipe = 70,
    /// The descriptor lacks the right, or a path leaves its directory.
    Notcapable = 76,
}

/// Why a call did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The guest is told and goes on.
    Errno(Errno),
    /// The guest is at its end.
    Stop(Stop),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Errno(errno)
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Refusal::Stop(stop)
    }
}
