//! Where a node's API is: what a running node leaves in its data directory.
//!
//! `api.json` says where and who, `api.token` (for the owner's eyes only) is the key to it. Both are
//! there exactly while a node runs, or after one was killed; so finding them proves nothing yet.
use crate::Error;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file in the data directory that says where the API is.
pub const API_FILE: &str = "api.json";
/// The file in the data directory that holds the API's token.
pub const TOKEN_FILE: &str = "api.token";

/// Where a node's API is, and the key to it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiAddress {
    /// Where the API listens, as `http://127.0.0.1:PORT`.
    pub url: String,
    /// The node's process.
    pub pid: u32,
    /// The node's peer id.
    pub peer: String,
    /// The bearer token that every request under `/v1` carries.
    pub token: String,
}

/// What `api.json` says. Unknown fields are ignored, so that a newer node can say more.
#[derive(Serialize, Deserialize)]
struct ApiJson {
    url: String,
    pid: u32,
    peer: String,
}

impl std::fmt::Debug for ApiAddress {
    /// Leaves the token out, since this text ends up in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiAddress({} of {}, process {})", self.url, self.peer, self.pid)
    }
}

impl ApiAddress {
    /// Reads the address of the node that runs on the data directory `dir`.
    ///
    /// # Errors
    /// [`Error::NoNode`] if no node runs on it, [`Error::Address`] if its files make no sense.
    pub fn read(dir: impl AsRef<Path>) -> Result<ApiAddress, Error> {
        let dir = dir.as_ref();
        let text = read_or_no_node(dir, API_FILE)?;
        let token = read_or_no_node(dir, TOKEN_FILE)?.trim().to_owned();
        let ApiJson { url, pid, peer } = serde_json::from_str(&text).map_err(|error| {
            Error::Address { path: dir.join(API_FILE), problem: error.to_string() }
        })?;
        match token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            true => Err(Error::Address {
                path: dir.join(TOKEN_FILE),
                problem: "it holds no token".into(),
            }),
            false => Ok(ApiAddress { url, pid, peer, token }),
        }
    }

    /// Writes both files into `dir`, each whole or not at all; the token for the owner's eyes only.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(&self, dir: impl AsRef<Path>) -> io::Result<()> {
        let api = ApiJson { url: self.url.clone(), pid: self.pid, peer: self.peer.clone() };
        let dir = dir.as_ref();
        // The token first: whoever finds api.json finds a token that fits it.
        replace(&dir.join(TOKEN_FILE), format!("{}\n", self.token).as_bytes())?;
        replace(&dir.join(API_FILE), format!("{}\n", serde_json::to_string(&api)?).as_bytes())
    }
}

/// `$DUGNAD_DATA_DIR`, else `~/.local/share/dugnad`.
///
/// # Errors
/// Neither that variable nor `HOME` is set.
pub fn data_dir_default() -> Result<PathBuf, Error> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DUGNAD_DATA_DIR")
        .or_else(|| set("HOME").map(|home| home.join(".local/share/dugnad")))
        .ok_or(Error::NoDataDir)
}

fn read_or_no_node(dir: &Path, name: &str) -> Result<String, Error> {
    let path = dir.join(name);
    fs::read_to_string(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoNode { place: dir.display().to_string() },
        _ => Error::Address { path, problem: error.to_string() },
    })
}

/// Writes beside and renames over, so that a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
