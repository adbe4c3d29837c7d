//! `dugnad`: one binary for the donor, the scientist and the operator.
//!
//! The body around `coordinator-free-scheduler`: everything impure, as dull as possible. The rooms
//! `net`, `exec`, `store` and `api` are crates that do not know each other; `driver` stands in the
//! middle.
mod audit;
mod certificate;
mod cli;
mod config;
mod demo;
mod driver;
mod host;
mod invite;
mod keys;
mod project;
mod signed;
mod telemetry;
mod trial;
mod unit;

use {dugnad_api as api, dugnad_exec as exec, dugnad_net as net, dugnad_store as store};

fn main() -> std::process::ExitCode {
    cli::main()
}
