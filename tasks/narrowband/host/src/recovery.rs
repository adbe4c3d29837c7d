//! Compares hits with the tones that were put in.
use crate::synthetic::Tone;
use narrowband::merge::Hit;

/// How well the tones were found.
#[derive(Clone, PartialEq, Debug)]
pub struct Recovery {
    /// Each tone with the hit that is it, if any: within one channel and one step of drift.
    pub tones: Vec<(Tone, Option<Hit>)>,
    /// Hits that are no tone.
    pub false_hits: Vec<Hit>,
}

impl Recovery {
    /// Matches tones and hits.
    pub fn of(tones: &[Tone], hits: &[Hit]) -> Recovery {
        let found = |tone: &Tone| hits.iter().find(|hit| is_it(tone, hit)).copied();
        Recovery {
            tones: tones.iter().map(|tone| (*tone, found(tone))).collect(),
            false_hits: (hits.iter().copied())
                .filter(|hit| !tones.iter().any(|tone| is_it(tone, hit)))
                .collect(),
        }
    }

    /// How many tones were found.
    pub fn found(&self) -> usize {
        self.tones.iter().filter(|(_, hit)| hit.is_some()).count()
    }

    /// All tones, and at most `false_hits_max` others.
    pub fn is_good(&self, false_hits_max: usize) -> bool {
        self.found() == self.tones.len() && self.false_hits.len() <= false_hits_max
    }
}

fn is_it(tone: &Tone, hit: &Hit) -> bool {
    tone.channel.abs_diff(hit.peak.channel) <= 1
        && tone.drift_steps.abs_diff(hit.peak.drift_steps) <= 1
}
