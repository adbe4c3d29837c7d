//! `dugnad bundle`: a job in one file, to be looked at, carried elsewhere and submitted there.
use super::{Failure, node, test::job_file};
use dugnad_client::{BlobHash, Bundle, JobFile};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What `dugnad bundle` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The folder of the task, or its job file.
    #[arg(default_value = ".", value_name = "DIR")]
    task: PathBuf,
    /// Where the bundle goes.
    #[arg(short, long, value_name = "FILE.dugnad")]
    out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What a bundle is, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    kind: &'static str,
    bundle: BlobHash,
    units: u64,
    blobs: u64,
    blob_bytes: u64,
    request: &'a dugnad_client::JobRequest,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let file = JobFile::read(job_file(arguments.task))?;
    let bundle = Bundle::write(file.spec()?, &arguments.out)?;
    show(&bundle, &arguments.out, arguments.json)
}

/// Says what is in a bundle.
pub fn show(bundle: &Bundle, path: &Path, json: bool) -> Result<(), Failure> {
    let (request, (blobs, blob_bytes)) = (bundle.request(), bundle.blobs());
    let (id, units) = (bundle.id(), bundle.units());
    if json {
        return node::say_json(&Told {
            kind: "bundle",
            bundle: id,
            units,
            blobs,
            blob_bytes,
            request,
        });
    }
    let profile =
        request.profile.map_or("as the node chooses".into(), |profile| profile.to_string());
    let mut lines = vec![
        format!("bundle   {}", path.display()),
        format!("         {id}"),
        format!("job      {}, {units} units, profile {profile}", node::printable(&request.name)),
        format!("module   {}", request.module),
        format!("holds    {blobs} blobs, {blob_bytes} bytes"),
    ];
    if let Some(delegates) = &request.delegates {
        let delegates = node::printable(&delegates.join(", "));
        lines.push(format!(
            "decides  {delegates}, in the submitter's stead when its node is silent"
        ));
    }
    let about = &request.about;
    let tags = about.tags.join(", ");
    let said = [
        ("for      ", &about.description),
        ("tags     ", &tags),
        ("licence  ", &about.licence),
        ("contact  ", &about.contact),
    ];
    let said = said.into_iter().filter(|(_, text)| !text.is_empty());
    lines.extend(said.map(|(what, text)| format!("{what}{}", node::printable(text))));
    lines.iter().try_for_each(|line| node::say(line))
}
