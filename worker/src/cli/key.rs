//! `dugnad key`: who this node is, and whose.
use super::Failure;
use super::node::{self, NodeArguments};
use crate::{
    host::{read_link, remove_link, write_link},
    keys::{DonorKey, Identity},
    net,
    store::disk,
};
use serde::Serialize;
use std::path::PathBuf;

/// What `dugnad key` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Show the key of this node, which need not run, and the donor that it is linked to.
    Show(NodeArguments),
    /// Say that this machine is yours, like others that you link with the same file: audits count all of
    /// them as one voter.
    Link {
        /// Your donor key, made if it is not there; take a copy to each of your machines, and keep it.
        #[arg(value_name = "FILE")]
        donor_key: PathBuf,
        #[command(flatten)]
        at: NodeArguments,
    },
    /// Take the link of this node away.
    Unlink(NodeArguments),
}

/// The JSON of a key.
#[derive(Serialize)]
struct Told {
    peer: String,
    donor: Option<String>,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let (Command::Show(at) | Command::Unlink(at) | Command::Link { at, .. }) = &arguments.command;
    let dir = at.dir().map_err(failed)?;
    disk::make_private_dir(&dir)
        .map_err(|error| Failure::Failed(format!("{}: {error}", dir.display())))?;
    let identity = Identity::load_or_create(&dir).map_err(failed)?;
    match &arguments.command {
        Command::Show(_) => {}
        Command::Link { donor_key, .. } => {
            let donor = DonorKey::load_or_create(donor_key).map_err(failed)?;
            write_link(&dir, &donor.link(identity.peer())).map_err(failed)?;
        }
        Command::Unlink(_) => remove_link(&dir).map_err(failed)?,
    }
    let link = read_link(&dir, identity.peer()).map_err(failed)?;
    let donor = link.map(|link| net::peer_id(link.donor));
    let told = Told { peer: net::peer_id(identity.peer()), donor };
    if at.json {
        return node::say_json(&told);
    }
    node::say(&format!("node   {}", told.peer))?;
    node::say(&format!("donor  {}", told.donor.as_deref().unwrap_or("not linked to any")))?;
    match arguments.command {
        Command::Show(_) => Ok(()),
        Command::Link { .. } | Command::Unlink(_) => {
            node::say("A node that runs learns of it when it starts anew.")
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}
