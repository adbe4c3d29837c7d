//! Why a job or a unit stands where it stands, in the words that were promised.
use super::{Served, sent};
use crate::UnitOutput;
use dugnad_client::Error;
use dugnad_client::explain::{MarkState, UnitState, VoucherState};
use serde_json::Value;

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_its_units_are_explained() {
    let served = Served::start().await;
    let grid = served.grid().await;
    let job = served.node.add_job(1, 3);
    served.node.decide(job, 1, UnitOutput::Verified("one".into()));

    let story = grid.explain(job).await.unwrap();
    assert_eq!((story.job, story.units, story.verified, story.queued), (job, 3, 1, 2));
    assert_eq!(
        (story.profile.as_str(), story.text.as_str()),
        ("quorum=2", "waits for a neighbour")
    );
    assert!(story.lots[0].here && story.peers[0].counts);

    let open = grid.explain_unit(job, 0).await.unwrap();
    assert_eq!((open.unit, open.state, open.vouchers.len()), (0, UnitState::Open, 1));
    let (sealed, drawn) = (&open.vouchers[0], &open.drawn[0]);
    assert_eq!((sealed.state, sealed.mark, sealed.counts), (VoucherState::Sealed, None, false));
    assert_eq!((drawn.peer.as_str(), drawn.silent), ("neighbour", true));
    let verified = grid.explain_unit(job, 1).await.unwrap();
    assert_eq!(verified.state, UnitState::Verified);
    assert_eq!(verified.vouchers[0].mark, Some(MarkState::Right));
}

#[tokio::test(flavor = "multi_thread")]
async fn stories_are_written_as_documented() {
    let served = Served::start().await;
    let job = served.node.add_job(1, 3);
    served.node.decide(job, 1, UnitOutput::Verified("one".into()));
    let get = async |path: &str| {
        let (status, body) = sent(&served, &format!("GET /v1/jobs/{job}/{path}"), b"").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let story = get("explain").await;
    let mut promised = [
        "job", "name", "state", "profile", "units", "verified", "failed", "running", "queued",
        "unit", "reason", "text", "until", "lots", "peers",
    ];
    promised.sort_unstable();
    assert_eq!(fields(&story), promised, "and no audit where there is none");
    let lot = ["claimed", "executions", "failed", "first", "here", "lot", "open", "units"];
    assert_eq!(fields(&story["lots"][0]), [&lot[..], &["verified", "workers"]].concat());
    assert_eq!(fields(&story["peers"][0]), ["commits", "counts", "peer", "right", "wrong"]);

    let mut promised = [
        "job", "unit", "state", "reason", "text", "until", "vouchers", "claims", "voids", "drawn",
        "refused", "own",
    ];
    promised.sort_unstable();
    let (open, verified) = (get("units/0/explain").await, get("units/1/explain").await);
    assert_eq!(fields(&open), promised);
    assert_eq!(fields(&open["vouchers"][0]), ["cites", "counts", "peer", "state", "why_not"]);
    let voucher = ["answer", "cites", "counts", "digest", "mark", "peer", "state"];
    assert_eq!(fields(&verified["vouchers"][0]), voucher);
    assert_eq!((&open["state"], &verified["state"]), (&"open".into(), &"verified".into()));
    assert_eq!(fields(&open["drawn"][0]), ["peer", "silent"]);
    assert_eq!(fields(&open["voids"][0]), ["peer", "reason"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_cannot_be_explained() {
    let served = Served::start().await;
    let grid = served.grid().await;
    let job = served.node.add_job(1, 3);
    let unknown = dugnad_client::JobId([9; 32]);
    for error in [
        grid.explain_unit(job, 3).await.unwrap_err(),
        grid.explain_unit(unknown, 0).await.unwrap_err(),
        grid.explain(unknown).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Refused { status: 404, .. }), "{error}");
    }
    let (status, _) = sent(&served, &format!("GET /v1/jobs/{job}/units/x/explain"), b"").await;
    assert_eq!(status, 400);
}
