//! `dugnad peers`: whom the node knows, and what it thinks of them.
use super::Failure;
use super::node::{self, NodeArguments};

/// What `dugnad peers` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let peers = node::block_on(async {
        let grid = arguments.node.connect().await?;
        Ok(grid.peers().await?)
    })?;
    if arguments.node.json {
        return node::say_json(&peers);
    }
    if peers.is_empty() {
        return node::say("no peers yet");
    }
    node::say(&format!(
        "{:52}  {:9}  {:>10}  {:>8}  {:>9}  ADDRESS",
        "PEER", "STATE", "REPUTATION", "AGREED", "DISAGREED"
    ))?;
    peers.iter().try_for_each(|peer| {
        let address = node::printable(peer.addrs.first().map_or("-", String::as_str));
        node::say(&format!(
            "{:52}  {:9}  {:>10.2}  {:>8}  {:>9}  {address}",
            peer.peer, peer.state, peer.reputation, peer.agreed, peer.disagreed
        ))
    })
}
