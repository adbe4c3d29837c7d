//! The scenario files that people start from.
use std::path::{Path, PathBuf};
use tests::{Scenario, World, audit, audit::Trial};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

#[test]
fn every_scenario_file_runs_when_made_small() {
    let files = std::fs::read_dir(folder()).expect("there");
    let files: Vec<PathBuf> = files.map(|entry| entry.expect("readable").path()).collect();
    assert!(files.len() >= 6, "{files:?}");
    let of_rules = |file: &PathBuf| Trial::is_one(&std::fs::read_to_string(file).expect("read"));
    let (trials, grids): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(of_rules);
    assert!(trials.len() >= 5, "{trials:?}");
    for file in trials {
        let small = ["peers=40", "units=2000"].map(String::from);
        let report = audit::run("small", &Trial::load(&file, &small).expect("a trial"));
        assert_eq!((report.accepted, report.honest_banned), (2_000, 0), "{file:?}: {report:?}");
    }
    for file in grids {
        let small = ["peers=40", "units=200", "lot_units=100", "check_every=499"].map(String::from);
        let mut world = World::new(Scenario::load(&file, &small).expect("a scenario"));
        let report = world.run_to_verdicts(|_| {}).unwrap_or_else(|why| panic!("{file:?}: {why}"));
        let all = 200 * world.jobs.len() as u64;
        assert_eq!((report.accepted, report.wrong_accepted), (all, 0), "{file:?}: {report:?}");
        assert_eq!(world.violations, Vec::<String>::new(), "{file:?}");
        assert!(report.makespan_ratio > 0.9, "{file:?}: {report:?}");
    }
}

#[test]
fn mistakes_in_scenarios_are_named() {
    let file = folder().join("makespan-10.toml");
    let refused = |set: &str| {
        let why = Scenario::load(&file, &[set.to_owned()]).expect_err("a mistake");
        assert!(why.lines().count() > 0);
        why
    };
    assert!(refused("peeers=3").contains("peeers"));
    assert!(refused("cost.mean=0").contains("cost"));
    assert!(refused("profile=trust").contains("quorum=1"));
    assert!(refused("units").contains("KEY=VALUE"));
    assert!(refused("network.loss=1.5").contains("loss"));
    assert!(refused("churn.trace=nowhere.csv").contains("nowhere.csv"));
    let trial = folder().join("audited-mix.toml");
    let refused = |set: &str| Trial::load(&trial, &[set.to_owned()]).expect_err("a mistake");
    assert!(refused("attacker.0.kind=saint").contains("saint"));
    assert!(refused("attacker.9.kind=naive").contains("attacker"));
    assert!(refused("profile=trust").contains("audited"));
    assert!(refused("churn=2").contains("churn"));
    let broken = std::env::temp_dir().join(format!("dugnad-{}.toml", std::process::id()));
    std::fs::write(&broken, "peers = 3\nunits = 5\n[cost]\nmeen = 2.0\n").expect("written");
    let why = Scenario::load(&broken, &[]).expect_err("a mistake");
    std::fs::remove_file(&broken).expect("removed");
    assert!(why.contains("meen") && why.contains('4'), "{why}");
}
