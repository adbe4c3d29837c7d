//! Entering a data directory: the lock that keeps a second process out, the format that keeps a
//! wrong program out, and the database file, which is there exactly when the format says so.
//!
//! The lock is the operating system's, so it ends with the process, also by `kill -9`. What is
//! *in* the database is the matter of the other files here.
use super::{
    StoreError,
    disk::{self, Access},
    error::io_error,
};
use redb::{Database, DatabaseError, StorageError};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    panic::AssertUnwindSafe,
    path::Path,
};

/// The store format that this program writes.
pub const FORMAT: u32 = 1;
/// What stands before the number in the file `format`.
const FORMAT_WORDS: &str = "dugnad store ";
/// Largest `format` file, bytes.
const FORMAT_BYTES_MAX: u64 = 64;
/// Memory for pages of the database, bytes.
const CACHE_BYTES_MAX: usize = 64 << 20;

/// Holds a data directory for this process until it is dropped.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the directory, or says which process has it.
    pub fn take(dir: &Path) -> Result<DirLock, StoreError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { dir: dir.into(), pid: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", path)(source)),
        }
        write_holder(&mut file).map_err(io_error("write", path))?;
        Ok(DirLock { _file: file })
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process id in a lock file. Only for people: the holder may be about to write it.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let digits = match file.take(32).read_to_string(&mut text) {
        Ok(_) => text.trim(),
        Err(_) => "",
    };
    match digits.parse::<u32>() {
        Ok(pid) => pid.to_string(),
        Err(_) => "(unknown)".into(),
    }
}

/// Opens the database of a directory, or lays a new one out in an unused directory.
///
/// `store.redb` is made under another name, then `format` is written, then the name is given; so
/// a crash in between is told apart from a journal that somebody lost, which must never be taken
/// for an empty one: a node without memory would contradict itself.
pub fn open_database(dir: &Path) -> Result<Database, StoreError> {
    let (format, database) = (dir.join("format"), dir.join("store.redb"));
    let fresh = dir.join("store.redb.new");
    let words = disk::read_bounded(&format, FORMAT_BYTES_MAX)
        .map_err(|error| not_a_format(&format, error))?;
    match (words, database.exists()) {
        (Some(words), true) => check_format(&format, &words)?,
        (Some(words), false) => {
            check_format(&format, &words)?;
            if !fresh.exists() {
                return Err(StoreError::Damaged { path: database, why: "it is missing".into() });
            }
            disk::settle(&fresh, &database).map_err(io_error("rename", &fresh))?;
        }
        (None, true) => {
            let why = "there is no file `format` beside it".into();
            return Err(StoreError::Foreign { path: database, why });
        }
        (None, false) => lay_out(&format, &fresh, &database)?,
    }
    open_file(&database)
}

fn not_a_format(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            StoreError::Foreign { path: path.into(), why: error.to_string() }
        }
        _ => io_error("read", path)(error),
    }
}

fn check_format(path: &Path, words: &[u8]) -> Result<(), StoreError> {
    let number = std::str::from_utf8(words)
        .ok()
        .and_then(|text| text.strip_prefix(FORMAT_WORDS)?.strip_suffix('\n'))
        .and_then(|digits| digits.parse::<u32>().ok());
    match number {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => {
            Err(StoreError::Newer { path: path.into(), found, known: FORMAT })
        }
        Some(_) | None => Err(StoreError::Foreign {
            path: path.into(),
            why: format!("expected the line `{FORMAT_WORDS}{FORMAT}`"),
        }),
    }
}

fn lay_out(format: &Path, fresh: &Path, database: &Path) -> Result<(), StoreError> {
    disk::remove_if_there(fresh).map_err(io_error("remove", fresh))?;
    drop(Database::create(fresh).map_err(|error| database_error(fresh, error))?);
    disk::write_atomic(format, format!("{FORMAT_WORDS}{FORMAT}\n").as_bytes(), Access::Ordinary)
        .map_err(io_error("write", format))?;
    disk::settle(fresh, database).map_err(io_error("rename", fresh))
}

/// Opens the database and checks every page of it, since it trusts its own pages from then on.
fn open_file(path: &Path) -> Result<Database, StoreError> {
    let before = Head::read(path).map_err(io_error("read", path))?;
    // Damage may break an assertion of the database before it is found to be damage.
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut database = redb::Builder::new().set_cache_size(CACHE_BYTES_MAX).open(path)?;
        let is_whole = database.check_integrity()?;
        Ok((database, is_whole))
    }));
    let damaged = |why: &str| StoreError::Damaged { path: path.into(), why: why.into() };
    match opened {
        Ok(Ok((database, true))) => Ok(database),
        Ok(Ok((database, false))) => {
            drop(database);
            // It has just forgotten its last commits to be whole again. A node must not, so the
            // file is kept from ever being opened.
            let kept = path.with_extension("redb.damaged");
            disk::settle(path, &kept).map_err(io_error("rename", path))?;
            Err(damaged("some of its pages are not what was written"))
        }
        Ok(Err(error)) => {
            before.put_back(path);
            Err(database_error(path, error))
        }
        Err(_) => {
            before.put_back(path);
            Err(damaged("it contradicts itself"))
        }
    }
}

/// The first page of a file, and its length. The database writes there before it knows whether it
/// can make sense of the rest; what it could not open is left as it was found.
struct Head {
    bytes: Vec<u8>,
    len: u64,
}

impl Head {
    fn read(path: &Path) -> io::Result<Head> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.take(4 << 10).read_to_end(&mut bytes)?;
        Ok(Head { bytes, len })
    }

    /// As well as it goes: the file was no good before, and the error says so.
    fn put_back(&self, path: &Path) {
        let Ok(mut file) = File::options().write(true).open(path) else { return };
        let _ = file.write_all(&self.bytes).and_then(|()| file.set_len(self.len));
    }
}

fn database_error(path: &Path, error: DatabaseError) -> StoreError {
    let damaged = |why: String| StoreError::Damaged { path: path.into(), why };
    match error {
        DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData => {
                StoreError::Foreign { path: path.into(), why: "it is no such database".into() }
            }
            io::ErrorKind::UnexpectedEof => damaged("it ends too early".into()),
            _ => io_error("open", path)(error),
        },
        DatabaseError::Storage(StorageError::Corrupted(why)) => damaged(why),
        error => StoreError::Database(Box::new(error.into())),
    }
}
