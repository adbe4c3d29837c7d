//! What a scientist does: submit, watch, fetch, cancel.
use super::{Served, sent};
use crate::{SubmittedUnits, UnitOutput};
use coordinator_free_scheduler::Hash;
use dugnad_client::{
    Error, Grid, Input, JobRequest, JobSpec, JobState, UnitSource, UnitsRequest, merge_stdin,
    unit_file,
};
use futures::StreamExt;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Notify;

fn verified(output: &str) -> UnitOutput {
    UnitOutput::Verified(output.to_owned().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_submitted_arrives_in_order() {
    let served = Served::start().await;
    let data_dir = tempfile::tempdir().unwrap();
    served.address(super::TOKEN).write(data_dir.path()).unwrap();
    let grid = Grid::connect_dir(data_dir.path()).await.unwrap();
    let file = data_dir.path().join("large");
    fs::write(&file, vec![7; 300_000]).unwrap();

    let inputs = vec![
        Ok(Input::Bytes(b"small".to_vec())),
        Ok(Input::File(file)),
        Ok(Input::Bytes(b"between".to_vec())),
        Ok(Input::Bytes(vec![8; 100_000])),
        Ok(Input::Bytes(Vec::new())),
    ];
    let units = UnitSource::Inputs(Box::new(inputs.into_iter()));
    let mut spec = JobSpec::new("ordered", Input::Bytes(b"\0asm".to_vec()), units);
    spec.env.insert("DEPTH".into(), "3".into());
    spec.limits.memory_mib = Some(64);
    let submitted = grid.submit(spec).await.unwrap();

    assert_eq!(submitted.units, 5);
    let memory = served.node.memory();
    let submission = &memory.submissions[0];
    let expected = [&b"small"[..], &[7; 300_000], b"between", &[8; 100_000], b""];
    assert_eq!(submission.units, SubmittedUnits::Inputs(expected.map(Hash::of).to_vec()));
    assert!(expected.iter().all(|bytes| memory.blobs[&Hash::of(bytes)] == *bytes));
    assert_eq!(memory.blobs[&submission.module], &b"\0asm"[..]);
    assert_eq!(submission.env, [("DEPTH".to_owned(), "3".to_owned())]);
    assert_eq!(submission.limits.memory_mib, 64);
    assert_eq!((submission.profile, submitted.profile), (None, dugnad_client::Profile::Quorum(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_inputs_become_a_list() {
    let served = Served::start().await;
    let grid = served.grid().await;
    let numbers = || (0..40_000u32).map(|n| format!("{n}\n").into_bytes());
    let spec = JobSpec::new("many", Input::Bytes(vec![]), UnitSource::bytes(numbers()));
    assert_eq!(grid.submit(spec).await.unwrap().units, 40_000);

    let memory = served.node.memory();
    let SubmittedUnits::InputList(list) = memory.submissions[0].units else {
        panic!("{:?}", memory.submissions[0].units);
    };
    let expected: Vec<u8> = numbers().flat_map(|bytes| Hash::of(&bytes).0).collect();
    assert_eq!(memory.blobs[&list], expected);
    assert_eq!(memory.blobs[&Hash::of(b"39999\n")], &b"39999\n"[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_hears_every_end_and_nothing_after_it() {
    let served = Served::start().await;
    let grid = served.grid().await;
    let job = served.node.add_job(1, 2);
    let mut statuses = grid.watch(job).await.unwrap();
    assert_eq!(statuses.next().await.unwrap().unwrap().queued, 2);
    served.node.decide(job, 0, verified("a"));
    assert_eq!(statuses.next().await.unwrap().unwrap().verified, 1);
    served.node.decide(job, 1, UnitOutput::Failed("out of fuel".into()));
    let last = statuses.next().await.unwrap().unwrap();
    assert_eq!((last.state, last.failed), (JobState::Failed, 1));
    assert!(statuses.next().await.is_none());

    // The node itself ends the stream, whoever listens.
    let (status, body) = sent(&served, &format!("GET /v1/jobs/{job}/events"), b"").await;
    assert_eq!((status, body.matches("data:").count()), (200, 1), "{body}");

    let other = served.node.add_job(2, 1);
    let mut statuses = grid.watch(other).await.unwrap();
    statuses.next().await.unwrap().unwrap();
    assert_eq!(grid.cancel(other).await.unwrap().state, JobState::Cancelled);
    assert_eq!(statuses.next().await.unwrap().unwrap().state, JobState::Cancelled);
    assert!(statuses.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_resumes_where_it_broke_and_checks_the_whole() {
    let served = Served::start().await;
    let grid = served.grid().await;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let job = served.node.add_job(1, 5);
    for unit in 0..3 {
        served.node.decide(job, unit, verified(&format!("output {unit}\n")));
    }
    // Larger than what travels together.
    served.node.decide(job, 0, UnitOutput::Verified(vec![b'x'; 200_000].into()));

    let told = Arc::new(Notify::new());
    served.node.memory().breaks = Some((2, told.clone()));
    let interrupted = tokio::spawn({
        let (grid, out) = (grid.clone(), out.clone());
        async move { grid.fetch(job, out).await }
    });
    while !unit_path(&out, 1).exists() {
        tokio::task::yield_now().await;
    }
    told.notify_one();
    let broken = interrupted.await.unwrap().unwrap_err();
    assert!(matches!(broken, Error::Answer { .. }), "{broken}");
    served.node.memory().breaks = None;
    let so_far = grid.fetch(job, &out).await.unwrap();
    assert_eq!(so_far.status.state, JobState::Running);
    assert_eq!((so_far.written, so_far.present), (1, 2));

    served.node.decide(job, 3, verified(""));
    served.node.decide(job, 4, verified("last"));
    fs::remove_file(unit_path(&out, 1)).unwrap();
    let fetched = grid.fetch(job, &out).await.unwrap();
    assert_eq!((fetched.written, fetched.present), (3, 2));
    assert_eq!(fs::read(unit_path(&out, 1)).unwrap(), b"output 1\n");
    assert_eq!(fs::read(unit_path(&out, 3)).unwrap(), b"");
    let told: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("job.json")).unwrap()).unwrap();
    assert_eq!(told["state"], "done");
    assert_eq!(told["output_digest"], fetched.status.output_digest.unwrap().to_string());

    let mut stdin = Vec::new();
    merge_stdin(&out, 5).read_to_end(&mut stdin).unwrap();
    assert_eq!(stdin[..8], 200_000u64.to_le_bytes());
    assert!(stdin.ends_with(b"\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0last"));

    fs::write(unit_path(&out, 4), "lost").unwrap();
    let tampered = grid.fetch(job, &out).await.unwrap_err();
    assert!(matches!(tampered, Error::OutputDigest { .. }), "{tampered}");
    let other = served.node.add_job(2, 1);
    let mixed = grid.fetch(other, &out).await.unwrap_err();
    assert!(matches!(mixed, Error::OtherWork { .. }), "{mixed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_without_output_says_why() {
    let served = Served::start().await;
    let grid = served.grid().await;
    let dir = tempfile::tempdir().unwrap();
    let job = served.node.add_job(1, 3);
    let reason = |error: Error| match error {
        Error::Refused { status: 404, reason, .. } => reason,
        other => panic!("{other}"),
    };
    served.node.decide(job, 0, UnitOutput::Failed("out of fuel".into()));
    assert_eq!(reason(grid.output(job, 0).await.unwrap_err()), "unit 0 failed: out of fuel");
    assert_eq!(reason(grid.output(job, 1).await.unwrap_err()), "unit 1 is not verified yet");
    assert_eq!(reason(grid.output(job, 3).await.unwrap_err()), "the job has no unit 3");

    served.node.decide(job, 1, verified("one"));
    served.node.decide(job, 2, verified("two"));
    let fetched = grid.fetch(job, dir.path()).await.unwrap();
    assert_eq!((fetched.status.state, fetched.written), (JobState::Failed, 2));
    assert_eq!(fetched.failed_units.len(), 1);
    assert_eq!(fetched.failed_units[0].reason, "unit 0 failed: out of fuel");
    assert_eq!(&grid.output(job, 2).await.unwrap()[..], b"two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_named_by_digits_that_fit_no_other() {
    let served = Served::start().await;
    let grid = served.grid().await;
    let job = served.node.add_job(0xab, 1);
    assert_eq!(grid.find_job("ABab").await.unwrap(), job);
    assert_eq!(grid.find_job(&job.to_string()).await.unwrap(), job);
    for wrong in ["aba", "abac", "abax", ""] {
        let error = grid.find_job(wrong).await.unwrap_err();
        assert!(matches!(error, Error::JobPrefix { .. }), "{wrong}: {error}");
    }
}

#[test]
fn a_job_request_is_written_as_documented() {
    let written = r#"{"name":"n","module":"M","units":{"count":7},"profile":"quorum=3",
        "limits":{"fuel":9},"env":{"A":"b"},"args":["x"],"seed":5,"merge":"M","again":true}"#;
    let written = written.replace('M', &"0a".repeat(32));
    let request: JobRequest = serde_json::from_str(&written).unwrap();
    assert_eq!(request.units, UnitsRequest::Count(7));
    assert_eq!(request.limits.fuel, Some(9));
    assert_eq!(request.profile, Some(dugnad_client::Profile::Quorum(3)));
    let least = written.replace(r#","profile""#, r#"}"#);
    let least = &least[..least.find("}}").unwrap() + 2];
    let request: JobRequest = serde_json::from_str(least).unwrap();
    assert_eq!(request.profile, None);
    assert!(!request.again && request.merge.is_none());
}

fn unit_path(out: &Path, unit: u32) -> std::path::PathBuf {
    out.join("units").join(unit_file(unit))
}
