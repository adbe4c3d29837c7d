//! Names of things: hashes, keys, jobs, units, times. Newtypes only, no behaviour beyond printing.
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A BLAKE3 hash of some bytes; the name of a blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Hash(pub [u8; 32]);

/// An Ed25519 public key: who a peer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct PeerKey(pub [u8; 32]);

/// Who asks for what: the hash of a signed manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct JobId(pub Hash);

/// What is computed, whoever asks: the hash of a manifest's [`Work`](crate::Work).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct WorkId(pub Hash);

/// The place of a unit in its job, from 0.
pub type UnitIndex = u32;

/// The place of a gossip lot in its job, from 0.
pub type LotIndex = u32;

/// Milliseconds since any fixed moment of this process; the body chooses it, it never goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Millis(pub u64);

impl Millis {
    /// This moment plus `ms` milliseconds.
    pub fn plus(self, ms: u64) -> Millis {
        Millis(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to this moment; 0 if it lies ahead.
    pub fn since(self, earlier: Millis) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    /// The hash of the concatenated `parts`, in a domain of its own named by `context`.
    pub fn derive(context: &str, parts: &[&[u8]]) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        for part in parts {
            hasher.update(part);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// The first eight bytes as a number, for orders and draws.
    pub fn prefix(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(first)
    }
}

/// Why a printed id was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 64 hexadecimal digits")
    }
}

impl core::error::Error for NotAnId {}

fn parse_hex(text: &str) -> Result<[u8; 32], NotAnId> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(NotAnId);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16).ok_or(NotAnId)?;
        let low = char::from(pair[1]).to_digit(16).ok_or(NotAnId)?;
        *byte = (high << 4 | low) as u8;
    }
    Ok(bytes)
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! printed_as_hex {
    ($($name:ident($($inner:ident)?)),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, printed_as_hex!(@bytes self $($inner)?))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &printed_as_hex!(@bytes self $($inner)?)[..4])
            }
        }
        impl core::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let bytes = parse_hex(text)?;
                Ok(printed_as_hex!(@new $name bytes $($inner)?))
            }
        }
        impl $name {
            /// The first 8 hexadecimal digits, for people.
            pub fn short(&self) -> String {
                alloc::format!("{self:?}")
            }
        }
    )*};
    (@bytes $self:ident) => { &$self.0 };
    (@bytes $self:ident $inner:ident) => { &$self.0.0 };
    (@new $name:ident $bytes:ident) => { $name($bytes) };
    (@new $name:ident $bytes:ident $inner:ident) => { $name($inner($bytes)) };
}
printed_as_hex!(Hash(), PeerKey(), JobId(Hash), WorkId(Hash));
