//! What the commands that speak to a running node have in common: which node, in what form the
//! answer is wanted, and what a failure of the exchange means for the exit code.
use super::Failure;
use clap::builder::FalseyValueParser;
use dugnad_client::{Error, Grid, data_dir_default};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::runtime::Builder;

/// Which node is meant, and how it answers.
#[derive(clap::Args, Debug)]
pub struct NodeArguments {
    /// The node's data directory [default: ~/.local/share/dugnad].
    #[arg(long, env = "DUGNAD_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, env = "DUGNAD_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

impl NodeArguments {
    /// Its data directory.
    pub fn dir(&self) -> Result<PathBuf, Error> {
        self.data_dir.clone().map_or_else(data_dir_default, Ok)
    }

    /// The node that runs on the data directory.
    pub async fn connect(&self) -> Result<Grid, Failure> {
        Ok(Grid::connect_dir(self.dir()?).await?)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let text = error.to_string();
        match error {
            Error::NoNode { .. } | Error::NoDataDir | Error::Address { .. } => {
                Failure::NoNode(text)
            }
            Error::JobFile(_) | Error::Units { .. } | Error::Bundle { .. } => Failure::Usage(text),
            Error::OutputDigest { .. } => Failure::Verification(text),
            // The client may learn new words before this does; all but the above are plain failures.
            _ => Failure::Failed(text),
        }
    }
}

/// Runs a command to its end, or until Ctrl-C.
pub fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("no runtime: {error}")))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = command => ended,
            Ok(()) = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        }
    });
    // A thread that still writes a file is not waited for; whatever it has begun has no name yet.
    runtime.shutdown_background();
    ended
}

/// Prints a line to standard output at once, so that the next program in a pipe sees it.
pub fn say(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::Failed(format!("standard output: {error}")))
}

/// Prints a value as one line of JSON.
pub fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?;
    say(&line)
}

/// A file that the command line names.
pub fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}

/// Foreign text without what could steer a terminal.
pub fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control(), "?")
}
