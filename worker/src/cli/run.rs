//! `dugnad run`: a node, until somebody ends it.
use super::Failure;
use crate::{
    api,
    config::{RunConfig, RunOptions},
    driver::{Driver, Handle, LONELY_SENTENCE, Lies, Parts},
    host,
    keys::{ApiToken, Identity},
    net::{self, NetConfig},
    store::Store,
};
use dugnad_client::{API_FILE, ApiAddress, TOKEN_FILE};
use std::{io::IsTerminal, path::Path, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

/// What `dugnad run` takes.
pub type Arguments = RunOptions;

/// The grid that nodes are in where no network key makes another.
const OPEN_NETWORK: &str = "main";
/// Where the machine code of modules is, in the data directory.
const COMPILED_DIR: &str = "compiled";
/// Without a peer for this long the node says what can be done about it.
const LONELY: Duration = Duration::from_secs(30);
/// What is under way when the node ends may take this long.
const STOP_MAX: Duration = Duration::from_millis(500);

pub fn main(options: Arguments) -> Result<(), Failure> {
    let config = options.resolve().map_err(|error| Failure::Usage(error.to_string()))?;
    log(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("no runtime: {error}")))?;
    let ended = runtime.block_on(run(config));
    runtime.shutdown_timeout(STOP_MAX);
    ended
}

fn log(config: &RunConfig) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .init();
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

async fn run(config: RunConfig) -> Result<(), Failure> {
    let (stop, stopped) = watch::channel(false);
    let stdin = config.exit_with_stdin;
    let ending = tokio::spawn(ending(stdin, stop));
    let store = Store::open(&config.data_dir).map_err(failed)?;
    let identity = Identity::load_or_create(&config.data_dir).map_err(failed)?;
    let api = TcpListener::bind(config.api).await.map_err(|error| {
        Failure::Failed(format!("cannot serve the API on {}: {error}", config.api))
    })?;
    let peer = net::peer_id(identity.peer());
    let parts = Parts {
        net: net_config(&config, identity.secret()),
        cores: config.cores,
        memory_mib: config.memory_mib,
        work_factor: config.work_factor,
        compiled: config.data_dir.join(COMPILED_DIR),
        lies: config.lies.map(|lies| Lies { share: lies.share, seed: lies.seed }),
        host: host::here(&config.data_dir, identity.peer()).map_err(failed)?,
        store,
        identity,
    };
    let (driver, handle) = Driver::start(parts).await.map_err(failed)?;
    let doors = open_doors(&config, api, &handle, &peer, &stopped).await?;
    say_start(&config, &peer);
    tokio::spawn(say_lonely(handle));
    let ended = driver.run(wait(stopped)).await;
    drop(doors);
    close_doors(&config.data_dir);
    ending.abort();
    ended.map_err(failed)
}

fn net_config(config: &RunConfig, secret: [u8; 32]) -> NetConfig {
    let network_key = config.network_key.as_ref().map(|key| key.0);
    NetConfig {
        secret,
        listen: config.listen.clone(),
        bootstrap: config.bootstrap.clone(),
        network_key,
        network: OPEN_NETWORK.into(),
        mdns: config.mdns,
    }
}

/// Ends the node at a signal, or when its standard input closes where that was asked for.
async fn ending(stdin: bool, stop: watch::Sender<bool>) {
    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!("no signals: {error}");
                return;
            }
        };
    let (closed, mut closing) = tokio::sync::mpsc::channel::<()>(1);
    if stdin {
        // A thread, because a blocked read of standard input cannot be ended.
        std::thread::spawn(move || {
            let _closed = closed;
            drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        });
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = closing.recv(), if stdin => {}
    }
    tracing::info!("ending");
    // Nobody to hear it is the end as well.
    stop.send(true).ok();
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error means that nobody can ask for the end any more, which is one as well.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Opens the API, and the metrics where they are wanted; leaves word in the data directory.
async fn open_doors(
    config: &RunConfig,
    listener: TcpListener,
    handle: &Handle,
    peer: &str,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<tokio::task::JoinHandle<std::io::Result<()>>>, Failure> {
    let token = ApiToken::generate().map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let word = ApiAddress {
        url: format!("http://{address}"),
        pid: std::process::id(),
        peer: peer.into(),
        token: token.reveal().into(),
    };
    let router = api::router(handle.clone(), token.reveal());
    let mut doors = vec![tokio::spawn(api::serve(listener, router, wait(stopped.clone())))];
    if let Some(metrics) = config.metrics {
        let listener = TcpListener::bind(metrics).await.map_err(|error| {
            Failure::Failed(format!("cannot serve metrics on {metrics}: {error}"))
        })?;
        let router = api::metrics_router(handle.clone());
        doors.push(tokio::spawn(api::serve(listener, router, wait(stopped.clone()))));
    }
    word.write(&config.data_dir).map_err(failed)?;
    Ok(doors)
}

fn close_doors(data_dir: &Path) {
    for file in [API_FILE, TOKEN_FILE] {
        drop(std::fs::remove_file(data_dir.join(file)));
    }
}

fn say_start(config: &RunConfig, peer: &str) {
    let grid = match config.network_key {
        Some(_) => "a private grid",
        None => "the open grid",
    };
    let lends = match config.cores {
        0 => "submits and serves only".to_owned(),
        1 => format!("lends 1 processor and {} MiB", config.memory_mib),
        cores => format!("lends {cores} processors and {} MiB", config.memory_mib),
    };
    tracing::info!("{peer} is ready: in {grid}, {lends}, data in {}", config.data_dir.display());
    if let Some(lies) = config.lies {
        tracing::warn!("this node lies in {} of its units, as it was told to", lies.share);
    }
}

async fn say_lonely(handle: Handle) {
    tokio::time::sleep(LONELY).await;
    if handle.peer_count() == 0 {
        tracing::warn!("{LONELY_SENTENCE}");
    }
}
