//! The values of options: types that hold nothing that makes no sense.
use serde::Deserialize;
use std::{fmt, net::SocketAddr, str::FromStr, thread};

/// Most processors that a node lends.
pub const CORES_MAX: u16 = 1_024;
/// Longest multiaddress, bytes.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// Why a value was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WrongValue {
    #[error("expected a multiaddress such as /ip4/0.0.0.0/tcp/4001")]
    Address,
    #[error(
        "expected a loopback address and port such as 127.0.0.1:4100, since the API is for this machine alone"
    )]
    Loopback,
    #[error("expected 0 to {CORES_MAX} processors")]
    Cores,
    #[error("expected a share from 0 to 1")]
    Share,
    #[error("expected a log filter such as info or dugnad=debug: {0}")]
    LogFilter(String),
}

/// What looks like a multiaddress; the network reads it in full.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(try_from = "String")]
pub struct Address(String);

impl FromStr for Address {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Address, WrongValue> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let looks_right = text.starts_with('/') && text.len() > 1 && is_plain;
        match looks_right && text.len() <= ADDRESS_BYTES_MAX {
            true => Ok(Address(text.to_owned())),
            false => Err(WrongValue::Address),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a multiaddress goes over QUIC.
pub fn is_quic(address: &str) -> bool {
    address.split('/').any(|part| part == "quic" || part == "quic-v1")
}

/// An address that only this machine can reach.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Debug)]
#[serde(try_from = "String")]
pub struct Loopback(SocketAddr);

impl FromStr for Loopback {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Loopback, WrongValue> {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Loopback(address)),
            Ok(_) | Err(_) => Err(WrongValue::Loopback),
        }
    }
}

impl From<Loopback> for SocketAddr {
    fn from(loopback: Loopback) -> SocketAddr {
        loopback.0
    }
}

/// How many processors to lend.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Debug)]
#[serde(try_from = "i64")]
pub struct Cores(u16);

impl Cores {
    /// As many as the system gives this process.
    pub fn all() -> usize {
        thread::available_parallelism().map_or(1, usize::from).min(usize::from(CORES_MAX))
    }
}

impl TryFrom<i64> for Cores {
    type Error = WrongValue;

    fn try_from(number: i64) -> Result<Cores, WrongValue> {
        u16::try_from(number)
            .ok()
            .filter(|cores| *cores <= CORES_MAX)
            .map(Cores)
            .ok_or(WrongValue::Cores)
    }
}

impl FromStr for Cores {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Cores, WrongValue> {
        text.parse::<i64>().map_err(|_| WrongValue::Cores)?.try_into()
    }
}

impl From<Cores> for usize {
    fn from(cores: Cores) -> usize {
        cores.0.into()
    }
}

/// A part of a whole, 0 to 1.
#[derive(Clone, Copy, PartialEq, Deserialize, Debug)]
#[serde(try_from = "f64")]
pub struct Share(f64);

impl TryFrom<f64> for Share {
    type Error = WrongValue;

    fn try_from(number: f64) -> Result<Share, WrongValue> {
        match (0.0..=1.0).contains(&number) {
            true => Ok(Share(number)),
            false => Err(WrongValue::Share),
        }
    }
}

impl FromStr for Share {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Share, WrongValue> {
        text.parse::<f64>().map_err(|_| WrongValue::Share)?.try_into()
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> f64 {
        share.0
    }
}

/// What is logged, in the language of `tracing`'s filters.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(try_from = "String")]
pub struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<LogFilter, WrongValue> {
        match tracing_subscriber::EnvFilter::try_new(text) {
            Ok(_) => Ok(LogFilter(text.to_owned())),
            Err(error) => Err(WrongValue::LogFilter(error.to_string())),
        }
    }
}

impl From<LogFilter> for String {
    fn from(filter: LogFilter) -> String {
        filter.0
    }
}

macro_rules! read_from_text {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = WrongValue;

            fn try_from(text: String) -> Result<Self, WrongValue> {
                text.parse()
            }
        }
    )*};
}
read_from_text!(Address, Loopback, LogFilter);
