//! What a node and the processes in which its guests run say to each other, over pipes.
//!
//! A message is its length (4 bytes, little-endian) and its postcard bytes. The node takes what comes
//! from such a process for hostile: a guest may have taken it over.
use super::{
    Ran, Run,
    cell::Walls,
    loaded::{Recipe, Unfit},
};
use coordinator_free_scheduler::Step;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{Read, Write};

/// Some runs of one module, as they are sent.
#[derive(Serialize, Debug)]
pub struct Batch<'a> {
    /// The file of its machine code.
    pub code: &'a str,
    /// What goes with it.
    pub recipe: &'a Recipe,
    /// In the order in which they are run.
    pub runs: Vec<&'a Run>,
}

/// The same, as it is received.
#[derive(Deserialize, Debug)]
pub struct Work {
    /// See [`Batch`].
    pub code: String,
    /// See [`Batch`].
    pub recipe: Recipe,
    /// See [`Batch`].
    pub runs: Vec<Run>,
}

/// What a process that runs guests answers.
#[derive(Serialize, Deserialize, Debug)]
pub enum Reply {
    /// It has begun, behind these walls.
    Begun(Walls),
    /// How the next run ended.
    Ended(Ran),
    /// A step of the next run; from time to time with its state, to go on from.
    Stepped(Step, Option<Vec<u8>>),
    /// The machine code is none; the runs of the batch are not begun.
    Unloadable(String),
}

/// What a process that compiles a module answers: its machine code.
pub type Compiled = Result<(Recipe, Vec<u8>), Unfit>;

/// Why nothing was received.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The other side is gone.
    #[error("it ended")]
    Ended(#[from] std::io::Error),
    /// It says more than it may.
    #[error("it sent a message of {0} bytes")]
    TooLong(usize),
    /// It tells of a step that can be none.
    #[error("it sent a step that cannot be one of the unit it runs")]
    NoStep,
    /// It says nothing that is understood.
    #[error("it sent what is no message: {0}")]
    Garbled(#[from] postcard::Error),
}

/// A message as it is sent.
///
/// # Errors
/// It has more than 4 GiB.
pub fn framed(message: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut bytes = postcard::to_extend(message, vec![0; 4])?;
    let body = bytes.len() - 4;
    let length = u32::try_from(body).map_err(|_| WireError::TooLong(body))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Sends a message.
///
/// # Errors
/// Nobody listens, or it is too long.
pub fn send(to: &mut impl Write, message: &impl Serialize) -> Result<(), WireError> {
    Ok(to.write_all(&framed(message)?)?)
}

/// Waits for a message of at most `bytes_max`.
///
/// # Errors
/// What came is none.
pub fn receive<T: DeserializeOwned>(
    from: &mut impl Read,
    bytes_max: usize,
) -> Result<T, WireError> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > bytes_max {
        return Err(WireError::TooLong(length));
    }
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    Ok(postcard::from_bytes(&bytes)?)
}
