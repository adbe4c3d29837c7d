//! A unit in steps: hot at first, a little colder with each, relaxed at last.
use crate::{
    chain::{BEADS, Vectors},
    motion::{Draws, Motion, radius, relax, start},
    settings::Settings,
};
use alloc::{format, string::String, vec::Vec};
use dugnad_guest::stepped::Next;
use serde::{Deserialize, Serialize};

/// Samples that are written down in each step.
const SAMPLES_OF_STEP: u32 = 10;

/// What is left of a step for the next one.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct State {
    settings: Settings,
    places: Vec<[f64; 3]>,
    speeds: Vec<[f64; 3]>,
    draws: Draws,
    samples: Vec<Sample>,
}

/// The chain at a moment.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
pub struct Sample {
    /// Since the start.
    pub time: f64,
    /// Of the bath.
    pub temperature: f64,
    /// The energy of the places.
    pub potential: f64,
    /// The radius of gyration.
    pub radius: f64,
}

/// What a unit comes to.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Folded {
    /// What was asked for.
    pub settings: Settings,
    /// The way there.
    pub samples: Vec<Sample>,
    /// The energy of the relaxed chain.
    pub energy: f64,
    /// Its beads, in order.
    pub places: Vec<[f64; 3]>,
}

/// The state before the first step.
///
/// # Errors
/// The input is not understood.
pub fn init(input: Vec<u8>) -> Result<State, String> {
    let settings = Settings::parse(&input)?;
    let mut draws = Draws(settings.seed);
    let (places, speeds) = start(&mut draws, settings.hot);
    let (places, speeds) = (places.to_vec(), speeds.to_vec());
    Ok(State { settings, places, speeds, draws, samples: Vec::new() })
}

/// The step `number`, from 1.
///
/// # Errors
/// The chain is torn: the moves are too long for the heat.
pub fn step(state: State, number: u64) -> Result<Next<State, Folded>, String> {
    let State { settings, places, speeds, draws, mut samples } = state;
    let mut motion = Motion::new(beads(&places), beads(&speeds), draws);
    let number = number as u32;
    let share = f64::from(number - 1) / f64::from(settings.steps.saturating_sub(1).max(1));
    let temperature = settings.hot + (settings.cold - settings.hot) * share;
    let every = settings.moves.div_ceil(SAMPLES_OF_STEP);
    for at in 1..=settings.moves {
        motion.go(settings.pace, temperature, settings.friction);
        if at % every == 0 {
            let moves = f64::from(number - 1) * f64::from(settings.moves) + f64::from(at);
            samples.push(Sample {
                time: moves * settings.pace,
                temperature,
                potential: motion.potential(),
                radius: radius(&motion.places),
            });
        }
    }
    if !motion.potential().is_finite() {
        let Settings { hot, pace, .. } = settings;
        return Err(format!("the chain is torn; hot {hot} is too much for a pace of {pace}"));
    }
    if number < settings.steps {
        let (places, speeds) = (motion.places.to_vec(), motion.speeds.to_vec());
        return Ok(Next::State(State { settings, places, speeds, draws: motion.draws, samples }));
    }
    let (energy, places) = relax(&motion.places);
    Ok(Next::Done(Folded { settings, samples, energy, places: places.to_vec() }))
}

/// One for each bead; what is missing lies at the origin.
fn beads(list: &[[f64; 3]]) -> Vectors {
    let mut beads = [[0.0; 3]; BEADS];
    beads.iter_mut().zip(list).for_each(|(bead, known)| *bead = *known);
    beads
}
