//! The options of `dugnad run`, from flag, environment and file to one checked [`RunConfig`].
//!
//! A flag wins over `DUGNAD_<OPTION>`, that over the `--config` file, that over the default; of
//! options that are lists the winner's whole list counts. One grammar for all three: each value is
//! read by the same `FromStr`. What a multiaddress means is for the network to say, not for this.
mod file;
mod memory;
#[cfg(test)]
mod tests;
mod values;

pub use values::{Address, Cores, LogFilter, Loopback, Share};

use crate::{
    invite::Invite,
    keys::{KeyError, NetworkKey},
};
use serde::Deserialize;
use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
};

/// What is logged where nothing else is said: a first node is alone, which is no warning.
const LOG: &str = "info,libp2p_kad=error";

/// What a unit of a job costs on an open grid, hashes. A shared core of an x86-64 machine made 7 million a
/// second: 0.07 s on the average for a job of 1,000 units or fewer, 7 s for one of 100,000.
const OPEN_WORK_FACTOR: u32 = 500;

/// What `dugnad run` takes; also the keys of its `--config` file.
#[derive(clap::Args, Deserialize, Clone, Default, Debug)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// Read options from this TOML file (no_mdns = true …); flags and environment win.
    #[arg(long, env = "DUGNAD_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Keep identity, journal and blobs in this directory [default: ~/.local/share/dugnad].
    #[arg(long, env = "DUGNAD_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Listen for peers on this multiaddress (repeatable) [default: QUIC and TCP on any free port].
    #[arg(long, env = "DUGNAD_LISTEN", value_name = "MULTIADDR", value_delimiter = ',', num_args = 1..)]
    pub listen: Vec<Address>,
    /// Connect to the peer at this multiaddress first (repeatable).
    #[arg(long, env = "DUGNAD_BOOTSTRAP", value_name = "MULTIADDR", value_delimiter = ',', num_args = 1..)]
    pub bootstrap: Vec<Address>,
    /// Join the grid of an invite, a line that `dugnad invite` prints.
    #[arg(long, env = "DUGNAD_JOIN", value_name = "INVITE", hide_env_values = true)]
    #[serde(deserialize_with = "file::invite")]
    pub join: Option<Invite>,
    /// Lend this many processors; 0 only submits and serves [default: all].
    #[arg(long, env = "DUGNAD_CORES", value_name = "N")]
    pub cores: Option<Cores>,
    /// Lend units this much memory together, MiB [default: half of what is available].
    #[arg(long, env = "DUGNAD_MEMORY_MIB", value_name = "MIB")]
    pub memory_mib: Option<NonZeroU32>,
    /// Do not look for peers on the local network.
    #[arg(
        long,
        env = "DUGNAD_NO_MDNS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub no_mdns: Option<bool>,
    /// Run a private grid: only peers with the same key file can connect. TCP only.
    #[arg(long, env = "DUGNAD_NETWORK_KEY", value_name = "FILE")]
    pub network_key: Option<PathBuf>,
    /// Ask this much proof of work for each unit of a stranger's job, hashes; the same on all nodes of a
    /// grid [default: 500, and 0 with a network key].
    #[arg(long, env = "DUGNAD_WORK_FACTOR", value_name = "HASHES")]
    pub work_factor: Option<u32>,
    /// Serve the API for programs on this machine here [default: 127.0.0.1:0, any free port].
    #[arg(long, env = "DUGNAD_API", value_name = "ADDR")]
    pub api: Option<Loopback>,
    /// Serve only /metrics, /healthz and /readyz here [default: nowhere].
    #[arg(long, env = "DUGNAD_METRICS", value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    /// Log what this filter names, such as `info` or `dugnad=debug` [default: info].
    #[arg(long, env = "DUGNAD_LOG", value_name = "FILTER")]
    pub log: Option<LogFilter>,
    /// For demonstrations and tests: lie about this share of the units, 0 to 1.
    #[arg(long, env = "DUGNAD_LIE_SHARE", value_name = "SHARE")]
    pub lie_share: Option<Share>,
    /// For demonstrations and tests: which units are lied about.
    #[arg(long, env = "DUGNAD_LIE_SEED", value_name = "SEED")]
    pub lie_seed: Option<u64>,
    /// End when standard input is closed, so that no node outlives who started it.
    #[arg(
        long,
        hide = true,
        env = "DUGNAD_EXIT_WITH_STDIN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub exit_with_stdin: Option<bool>,
}

/// How a node runs: every option has its value, and they fit together.
#[derive(Clone, Debug)]
pub struct RunConfig {
    pub data_dir: PathBuf,
    /// Multiaddresses to listen on; no QUIC among them where there is a network key.
    pub listen: Vec<String>,
    /// Multiaddresses to connect to first, those of the invite among them.
    pub bootstrap: Vec<String>,
    pub cores: usize,
    pub memory_mib: u32,
    pub mdns: bool,
    pub network_key: Option<NetworkKey>,
    /// Hashes for each unit of a job.
    pub work_factor: u32,
    pub api: SocketAddr,
    pub metrics: Option<SocketAddr>,
    pub log: String,
    /// For demonstrations and tests.
    pub lies: Option<Lies>,
    pub exit_with_stdin: bool,
}

/// What a node for demonstrations lies about.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lies {
    /// The share of units, 0 to 1.
    pub share: f64,
    pub seed: u64,
}

/// Why the options cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}:{line}: {problem}", path.display())]
    InFile { path: PathBuf, line: usize, problem: String },
    #[error(
        "the QUIC address {address} and a network key (--network-key, or the key of an invite) exclude each other, since the key protects TCP only; leave one of them out"
    )]
    QuicWithNetworkKey { address: String },
    #[error(
        "--network-key {} and the invite of --join hold different network keys; leave one of them out",
        path.display()
    )]
    TwoNetworkKeys { path: PathBuf },
    #[error(transparent)]
    NetworkKey(#[from] KeyError),
    #[error("there is no home directory to keep data in; give a --data-dir")]
    NoDataDir,
}

impl RunOptions {
    /// Reads the configuration file, if one is named, fills in the defaults, and checks the whole.
    ///
    /// # Errors
    /// A file that cannot be read or understood, or options that exclude each other.
    pub fn resolve(self) -> Result<RunConfig, ConfigError> {
        let options = match &self.config {
            Some(path) => {
                let file = file::read(path)?;
                self.over(file)
            }
            None => self,
        };
        let network_key = options.network_key()?;
        let config = RunConfig {
            listen: options.listen(network_key.is_some()),
            bootstrap: options.bootstrap(),
            cores: options.cores.map_or_else(Cores::all, usize::from),
            memory_mib: options.memory_mib.map_or_else(memory::usual_mib, NonZeroU32::get),
            work_factor: options.work_factor.unwrap_or(match network_key {
                Some(_) => 0,
                None => OPEN_WORK_FACTOR,
            }),
            mdns: !options.no_mdns.unwrap_or(false),
            api: options.api.map_or((Ipv4Addr::LOCALHOST, 0).into(), SocketAddr::from),
            metrics: options.metrics,
            log: options.log.map_or_else(|| LOG.into(), String::from),
            lies: options
                .lie_share
                .map(|share| Lies { share: share.into(), seed: options.lie_seed.unwrap_or(0) }),
            exit_with_stdin: options.exit_with_stdin.unwrap_or(false),
            data_dir: options.data_dir.map_or_else(data_dir_default, Ok)?,
            network_key,
        };
        config.check()
    }

    /// These options, with those of `file` where these say nothing.
    fn over(self, file: RunOptions) -> RunOptions {
        let longer = |mine: Vec<Address>, files| if mine.is_empty() { files } else { mine };
        RunOptions {
            config: self.config,
            data_dir: self.data_dir.or(file.data_dir),
            listen: longer(self.listen, file.listen),
            bootstrap: longer(self.bootstrap, file.bootstrap),
            join: self.join.or(file.join),
            cores: self.cores.or(file.cores),
            memory_mib: self.memory_mib.or(file.memory_mib),
            no_mdns: self.no_mdns.or(file.no_mdns),
            network_key: self.network_key.or(file.network_key),
            work_factor: self.work_factor.or(file.work_factor),
            api: self.api.or(file.api),
            metrics: self.metrics.or(file.metrics),
            log: self.log.or(file.log),
            lie_share: self.lie_share.or(file.lie_share),
            lie_seed: self.lie_seed.or(file.lie_seed),
            exit_with_stdin: self.exit_with_stdin.or(file.exit_with_stdin),
        }
    }

    fn network_key(&self) -> Result<Option<NetworkKey>, ConfigError> {
        let invited = self.join.as_ref().and_then(|invite| invite.network_key).map(NetworkKey);
        let Some(path) = &self.network_key else { return Ok(invited) };
        let key = NetworkKey::read(path)?;
        match invited {
            Some(invited) if invited != key => {
                Err(ConfigError::TwoNetworkKeys { path: path.clone() })
            }
            Some(_) | None => Ok(Some(key)),
        }
    }

    fn listen(&self, is_private: bool) -> Vec<String> {
        if !self.listen.is_empty() {
            return self.listen.iter().map(ToString::to_string).collect();
        }
        let tcp = "/ip4/0.0.0.0/tcp/0".to_owned();
        match is_private {
            true => vec![tcp],
            false => vec!["/ip4/0.0.0.0/udp/0/quic-v1".to_owned(), tcp],
        }
    }

    fn bootstrap(&self) -> Vec<String> {
        let invited = self.join.iter().flat_map(|invite| invite.addresses.iter().cloned());
        self.bootstrap.iter().map(ToString::to_string).chain(invited).collect()
    }
}

impl RunConfig {
    fn check(self) -> Result<RunConfig, ConfigError> {
        let quic =
            self.listen.iter().chain(&self.bootstrap).find(|address| values::is_quic(address));
        match (quic, &self.network_key) {
            (Some(address), Some(_)) => {
                Err(ConfigError::QuicWithNetworkKey { address: address.clone() })
            }
            (None, _) | (_, None) => Ok(self),
        }
    }
}

/// Where data is kept where nobody says otherwise.
fn data_dir_default() -> Result<PathBuf, ConfigError> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home.ok_or(ConfigError::NoDataDir)?.join(".local/share/dugnad"))
}
