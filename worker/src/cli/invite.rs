//! `dugnad invite`: a line that lets another machine join the node's grid.
use super::Failure;
use super::node::{self, NodeArguments};
use serde::Serialize;

/// What `dugnad invite` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    node: NodeArguments,
}

/// The JSON of an invite.
#[derive(Serialize)]
struct Told {
    invite: String,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let line = async { Ok(arguments.node.connect().await?.invite().await?) };
    let invite = node::block_on(line)?;
    match arguments.node.json {
        true => node::say_json(&Told { invite }),
        false => node::say(&invite),
    }
}
