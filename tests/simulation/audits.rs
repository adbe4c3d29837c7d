//! The rules of audited verification against every kind of attack, in small: the whole matrix is
//! `tests/audited-matrix.toml`.
use tests::audit::{Attacker, Cell, KINDS, Kind, Subject, Trial};

/// A trial that is large enough for draws to matter and small enough for a test.
fn trial(attackers: &[(Kind, f64, u64)]) -> Trial {
    let attacker = attackers.iter().map(|(kind, fraction, budget)| Attacker {
        kind: *kind,
        fraction: *fraction,
        rate: 1.0,
        budget: *budget,
    });
    Trial { peers: 100, units: 10_000, attacker: attacker.collect(), ..Trial::default() }
}

fn of(trial: &Trial, runs: usize) -> Cell {
    Cell::of(&Subject::Rules(Box::new(trial.clone())), &[], runs, || {}).expect("no bug")
}

#[test]
fn an_audited_job_costs_little_where_nobody_lies() {
    let quiet = Trial { peers: 1_000, units: 100_000, ..trial(&[]) };
    let cell = of(&quiet, 2);
    assert_eq!(cell.wrong.mean, 0.0);
    assert!(cell.redundancy <= 1.10, "{}", cell.redundancy);
    let lively = Trial { newcomers: 0.1, churn: 0.1, duplicates: 0.02, ..quiet };
    assert!(of(&lively, 2).redundancy <= 1.18);
}

#[test]
fn no_attack_gets_more_wrong_than_was_asked_for_nor_an_honest_peer_convicted() {
    for kind in KINDS {
        let attacked = Trial { arch_mix: 0.3, ..trial(&[(kind, 0.3, 0)]) };
        let cell = of(&attacked, 60);
        let said = format!("{kind:?}: {cell:?}");
        assert!(cell.wrong.mean <= attacked.max_error, "{said}");
        assert!(cell.redundancy <= 5.5, "{said}");
        assert_eq!((cell.honest_banned, cell.copies_accepted), (0, 0), "{said}");
        let (released, quarantined) = match kind {
            Kind::ArchSplitter => (0, 60),
            _ => (60, 0),
        };
        assert_eq!((cell.released, cell.quarantined), (released, quarantined), "{said}");
    }
}

#[test]
fn who_says_to_have_other_processors_than_the_owner_gains_nothing() {
    for lies in [2, 100, 2_000] {
        let foreign = Trial { owner_archs: 1, ..trial(&[(Kind::ForeignArch, 0.3, lies)]) };
        let cell = of(&foreign, 20);
        assert!(cell.wrong.mean <= 1.5e-4 && cell.redundancy <= 5.5, "{cell:?}");
        assert_eq!(cell.honest_banned, 0);
    }
}

#[test]
fn a_lot_without_checkers_says_that_it_is_not_what_was_asked_for() {
    let alone =
        Trial { churn: 1.0, peers: 30, units: 1_000, ..trial(&[(Kind::Colluder, 0.3, 10_000)]) };
    let cell = of(&alone, 2);
    assert_eq!((cell.released, cell.short), (2, 2), "{cell:?}");
}

#[test]
fn many_lies_are_all_found() {
    for kind in [Kind::Colluder, Kind::LotCapturer, Kind::Decoy] {
        let cell = of(&trial(&[(kind, 0.3, 10_000)]), 10);
        assert!(cell.wrong.mean <= 1e-5 && cell.redundancy <= 5.5, "{kind:?}: {cell:?}");
    }
}

#[test]
fn without_backtracking_or_escalation_the_bound_does_not_hold() {
    let always = trial(&[(Kind::Colluder, 0.3, 20_000)]);
    let always = Trial { peers: 200, units: 20_000, ..always };
    assert!(of(&always, 5).wrong.mean <= 1e-4);
    let cell = of(&Trial { backtracking: false, ..always.clone() }, 5);
    assert!(cell.wrong.mean > 1e-3, "{cell:?}");
    let forty = Trial { attacker: trial(&[(Kind::Sleeper, 0.3, 40)]).attacker, ..always };
    let cell = of(&Trial { escalation: false, ..forty }, 20);
    assert!(cell.wrong.mean > 2e-4, "{cell:?}");
}

#[test]
fn an_owner_that_knows_nobody_learns_whom_to_trust() {
    let cold = Trial { warm: false, ..trial(&[(Kind::Naive, 0.2, 0)]) };
    let cell = of(&cold, 5);
    assert!(cell.wrong.mean == 0.0 && cell.redundancy <= 1.6 && cell.released == 5, "{cell:?}");
}
