//! The mind in virtual time: what must hold of every grid, whatever befalls it.
use tests::{Report, Scenario, World};

/// Runs a scenario to its end and asserts what holds of every grid; the seed is in every failure.
fn run(scenario: Scenario) -> (World, Report) {
    let seed = scenario.seed;
    let mut world = World::new(scenario);
    let report = world.run().unwrap_or_else(|open| {
        panic!("seed {seed}: {open}\nfirst violation: {:?}", world.violations.first())
    });
    world.verify().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    (world, report)
}

#[test]
fn four_honest_nodes_verify_everything() {
    let (_, report) = run(Scenario { units: 200, ..Scenario::default() });
    assert_eq!(report.verified, 200);
}
