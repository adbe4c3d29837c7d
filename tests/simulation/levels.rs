//! How far each unit is proved, as the submitter's node tells while its job runs.
use crate::{
    audited::{attackers, audited},
    checked::checked,
};
use coordinator_free_scheduler::{Best, Hash, JobId, Level, UnitIndex, Verdict, wire};
use std::{collections::BTreeMap, time::Duration};
use tests::{Scenario, World, body::Told, scenario::Kind, truth, world::Mind};

/// What was told of a job, and how often an answer was taken back or changed that a liar had given.
#[derive(Default, Debug)]
struct Course {
    now: BTreeMap<UnitIndex, (Level, Hash)>,
    lies_told: usize,
    lies_revised: usize,
    told: [usize; 3],
}

impl Course {
    /// Takes what was told next. A level only rises and an answer only stays, unless it says otherwise.
    fn take(&mut self, told: &Told, right: &Hash) {
        let Told { unit, best, revised } = told;
        let before = match best {
            Some(best) => self.now.insert(*unit, *best),
            None => self.now.remove(unit),
        };
        assert_ne!(before, *best, "nothing new of unit {unit}");
        let holds = |(level, answer): (Level, Hash)| {
            best.is_some_and(|(now, other)| now > level && other == answer)
        };
        assert_eq!(before.is_some_and(|before| !holds(before)), *revised, "{told:?}, {before:?}");
        self.lies_told += usize::from(best.is_some_and(|(_, answer)| answer != *right));
        let was_wrong = before.is_some_and(|(_, answer)| answer != *right);
        let is_same = before.map(|best| best.1) == best.map(|best| best.1);
        self.lies_revised += usize::from(was_wrong && !is_same);
        if let Some((level, _)) = best {
            self.told[*level as usize] += 1;
        }
    }
}

fn right(world: &World, job: JobId, unit: UnitIndex) -> Hash {
    Hash::of(&wire::encode(&truth::right(job, unit, world.scenario.fuel(0, unit))))
}

fn told(world: &World) -> Vec<Told> {
    match &world.peers[0].mind {
        Mind::Up(body) => body.levels.clone(),
        Mind::Down | Mind::Rogue(_) => panic!("the owner is there"),
    }
}

/// What the owner's node holds to be a unit's level is what it told, and no more is released than the
/// boards say.
fn compare(world: &World, course: &Course) {
    let job = world.node(0).and_then(|node| node.job(world.jobs[0])).expect("the owner's job");
    let units: Vec<UnitIndex> = (0..world.scenario.units).collect();
    let verdicts = job.verdicts(0..world.scenario.units);
    for ((unit, best), verdict) in units.iter().zip(job.best(&units)).zip(verdicts) {
        let now = best.map(|best| (best.level, Hash::of(&wire::encode(&best.answer))));
        assert_eq!(now.as_ref(), course.now.get(unit), "unit {unit}, {verdict:?}");
        let released = now.is_some_and(|(level, _)| level == Level::Released);
        assert_eq!(released, matches!(verdict, Verdict::Verified { .. }), "unit {unit}");
    }
    let tally = job.level_tally().expect("an own job");
    let count = |level| course.now.values().filter(|best| best.0 == level).count() as u32;
    let counted = [Level::Reported, Level::Checked, Level::Released].map(count);
    assert_eq!([tally.reported, tally.checked, tally.released], counted);
}

/// Runs a job to its end and looks now and then; answers what was told.
fn follow(scenario: Scenario) -> Course {
    let mut world = World::new(Scenario { check_every: 97, ..scenario });
    let (mut course, mut heard) = (Course::default(), 0);
    for _ in 0..2_000 {
        world.run_for(Duration::from_millis(500));
        let Some(job) = world.jobs.first().copied() else { continue };
        let all = told(&world);
        for told in &all[heard..] {
            course.take(told, &right(&world, job, told.unit));
        }
        heard = all.len();
        compare(&world, &course);
        let (decided, units) = world.progress();
        if decided == units {
            // As many as the job allows on average, and that only where somebody lies.
            let wrong =
                |(unit, best): &(&UnitIndex, &(Level, Hash))| best.1 != right(&world, job, **unit);
            assert!(course.now.iter().filter(wrong).count() <= 1);
            assert_eq!(course.now.len() as u64, units);
            assert!(course.now.values().all(|best| best.0 == Level::Released));
            return course;
        }
    }
    panic!("the job does not end: {:?}", world.progress());
}

#[test]
fn an_audited_job_tells_early_answers_and_takes_back_what_liars_gave() {
    let (mut lies_told, mut lies_revised) = (0, 0);
    for seed in 1..=20 {
        let kind = if seed % 2 == 1 { Kind::Naive } else { Kind::Colluder };
        let course = follow(Scenario { attacker: attackers(kind, 0.25, 0.03), ..audited(seed) });
        assert!(course.told[0] > 200 && course.told[1] > 200, "seed {seed}: {:?}", course.told);
        lies_told += course.lies_told;
        lies_revised += course.lies_revised;
    }
    assert!(lies_told > 5 && lies_revised > 5, "{lies_told} told, {lies_revised} revised");
}

#[test]
fn other_profiles_report_what_is_open() {
    let attacker = attackers(Kind::Naive, 0.25, 0.1);
    let course = follow(Scenario { attacker: attacker.clone(), ..checked(1) });
    assert!(course.told[0] > 200 && course.lies_revised > 0, "{course:?}");
    let quorum = Scenario { peers: 12, units: 300, attacker, ..Scenario::default() };
    let course = follow(quorum);
    assert!(course.told[0] > 0 && course.told[1] == 0, "{:?}", course.told);
}

/// A restart makes of the journal what was known before it.
#[test]
fn an_owner_that_was_killed_knows_the_levels_again() {
    let mut world = World::new(Scenario { check_every: 97, ..audited(1) });
    let mut most = 0;
    for _ in 0..1_000 {
        world.run_for(Duration::from_secs(5));
        world.kill(0);
        world.start(0);
        let job = world.node(0).and_then(|node| node.job(world.jobs[0])).expect("its job");
        let units: Vec<UnitIndex> = job.leveled().collect();
        let best = units.iter().zip(job.best(&units));
        let named = |best: Best| (best.level, Hash::of(&wire::encode(&best.answer)));
        let now = best.filter_map(|(unit, best)| Some((*unit, named(best?)))).collect();
        compare(&world, &Course { now, ..Course::default() });
        let tally = job.level_tally().expect("an own job");
        most = most.max(tally.reported.min(tally.checked));
        if tally.released == world.scenario.units {
            assert!(most > 50, "never more than {most} at each lower level");
            return;
        }
    }
    panic!("the job does not end: {:?}", world.progress());
}
