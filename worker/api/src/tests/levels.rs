//! Answers below the release: marked as such, and never mistaken for released ones.
use super::{Served, sent};
use crate::UnitOutput;
use dugnad_client::{Level, unit_file};
use futures::StreamExt;
use std::fs;

async fn served() -> (Served, dugnad_client::JobId) {
    let served = Served::start().await;
    let job = served.node.add_job(1, 2);
    for (unit, output) in ["spring", "summer"].into_iter().enumerate() {
        served.node.decide(job, unit, UnitOutput::Verified(output.into()));
    }
    (served, job)
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_with_their_level_and_are_revised() {
    let (served, job) = served().await;
    let grid = served.grid().await;
    for (least, told) in [
        (Level::Reported, vec![(0, "wrong"), (0, "spring"), (1, "wrong"), (1, "summer")]),
        (Level::Checked, vec![(0, "spring"), (1, "summer")]),
        (Level::Released, vec![(0, "spring"), (1, "summer")]),
    ] {
        let results: Vec<_> = grid.results(job, least).await.unwrap().collect().await;
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        for result in &results {
            let wrong = result.output.as_deref() == Some(b"wrong");
            let level = if wrong { Level::Reported } else { Level::Released };
            assert_eq!(result.told.level, Some(level));
            assert_eq!(result.told.revised, least == Level::Reported && !wrong);
        }
        let all = results.iter().map(|one| (one.told.unit, one.output.as_deref().unwrap()));
        assert!(all.eq(told.iter().map(|(unit, output)| (*unit, output.as_bytes()))), "{least}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_lies_under_the_name_of_its_level() {
    let (served, job) = served().await;
    let dir = tempfile::tempdir().unwrap();
    let path = |folder: &str, unit| dir.path().join(folder).join(unit_file(unit));
    // Left over by a fetch that was interrupted.
    fs::create_dir(dir.path().join("checked")).unwrap();
    fs::write(path("checked", 1), "of yesterday").unwrap();
    let grid = served.grid().await;
    let mut all = grid.fetch_early(job, dir.path(), Level::Reported).await.unwrap();
    assert!(!path("checked", 1).exists());
    for (unit, output) in (0..).zip(["spring", "summer"]) {
        let early = all.next().await.unwrap().unwrap();
        assert_eq!((early.told.unit, early.told.level), (unit, Some(Level::Reported)));
        assert_eq!(early.file.map(|file| dir.path().join(file)), Some(path("reported", unit)));
        assert_eq!(fs::read(path("reported", unit)).unwrap(), b"wrong");
        assert!(!path("units", unit).exists());
        all.next().await.unwrap().unwrap();
        assert!(!path("reported", unit).exists());
        assert_eq!(fs::read_to_string(path("units", unit)).unwrap(), output);
    }
    assert!(all.next().await.is_none());

    // A fetch of what is released takes away what was early.
    fs::create_dir_all(dir.path().join("reported")).unwrap();
    fs::write(path("reported", 0), "wrong").unwrap();
    grid.fetch(job, dir.path()).await.unwrap();
    assert!(!dir.path().join("reported").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_carry_levels_for_those_who_ask() {
    let (served, job) = served().await;
    let (_, plain) = sent(&served, &format!("GET /v1/jobs/{job}/events"), b"").await;
    assert!(!plain.contains("event:"), "{plain}");
    let (status, body) =
        sent(&served, &format!("GET /v1/jobs/{job}/events?level=checked"), b"").await;
    assert_eq!((status, body.matches("event: level").count()), (200, 2), "{body}");
    assert!(body.contains("\"level\":\"released\",\"revised\":false"), "{body}");
    for route in ["events", "outputs"] {
        let asked = format!("GET /v1/jobs/{job}/{route}?level=sure");
        let (status, body) = sent(&served, &asked, b"").await;
        let named = Level::ALL.iter().all(|level| body.contains(&level.to_string()));
        assert!(status == 400 && named, "{status} {body}");
    }
}
