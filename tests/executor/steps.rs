//! Stepped units in processes that die.
use super::*;
use coordinator_free_scheduler::trace;
use dugnad_exec::{Backend, Checkpoint, Sandbox};

const FOLD: &[u8] = include_bytes!("../../tasks/fold/fold.wasm");
/// Many seconds of work in steps of a tenth or so: more than go by between two checkpoints.
const INPUT: &[u8] = b"seed 9\nsteps 90\nmoves 3000";

fn fold() -> Run {
    let limits = RunLimits { memory_mib: 16, ..RunLimits::default() };
    Run { input: INPUT.to_vec(), ..Run::new(FOLD, limits) }
}

#[test]
fn a_unit_whose_process_dies_goes_on_from_its_last_state() {
    let place = Place::new();
    let executor = place.executor(1, 1);
    let (keep, kept) = mpsc::channel();
    let (done, ended) = mpsc::channel();
    let tell = move |at: &Checkpoint| drop(keep.send(at.clone()));
    executor.spawn_keeping(RunTag(1), fold(), tell, move |ran| drop(done.send(ran)));
    let next = || kept.recv_timeout(PATIENCE).expect("a checkpoint");
    let before = next();
    for process in place.processes() {
        signal(process.pid, "KILL");
    }
    let after = next();
    assert!(after.is_whole());
    assert!(after.steps.len() > before.steps.len(), "no step is done twice");
    assert!(after.steps.starts_with(&before.steps));
    let ran: Ran = ended.recv_timeout(PATIENCE).expect("it ends");
    let straight = Sandbox::new(Backend::default()).expect("it starts").run(fold());
    assert_eq!((&ran.end, &ran.output), (&straight.end, &straight.output), "{}", ran.detail);
    assert_eq!(ran.steps, straight.steps);
    let root = ran.end.expect("an answer").trace.expect("a stepped unit has one").root;
    assert_eq!(root, Hash::of(&trace::encode(&ran.steps)));
    assert_eq!(executor.deaths(), 1);
}
