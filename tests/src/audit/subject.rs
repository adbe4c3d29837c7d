//! What a cell of a matrix tries out: the rules alone, or real nodes that keep to them.
use super::{KINDS, Trial, TrialReport, best_budget, nodes};
use crate::{
    Scenario,
    harm::{self, AUDITED_KINDS, Attacker},
};
use coordinator_free_scheduler::verify::audited::{FRIENDS_USUAL, first_level};
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};
use std::{fs, path::Path};

/// What is tried out.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The rules.
    Rules(Box<Trial>),
    /// Nodes in virtual time.
    Nodes(Box<Scenario>),
}

impl Subject {
    /// Reads a scenario file, with some keys set to other values.
    ///
    /// # Errors
    /// Where it is not one, in a sentence.
    pub fn load(path: &Path, set: &[String]) -> Result<Subject, String> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        if Trial::is_one(&text) {
            return Ok(Subject::Rules(Box::new(Trial::load(path, set)?)));
        }
        let scenario = Scenario::load(path, set)?;
        match scenario.audit {
            Some(_) => Ok(Subject::Nodes(Box::new(scenario))),
            None => Err(format!("{}: neither max_error nor audit.max_error", path.display())),
        }
    }

    /// All kinds of attackers that it may have.
    pub fn kinds(&self) -> Vec<String> {
        match self {
            Subject::Rules(_) => KINDS.iter().map(name_of).collect(),
            Subject::Nodes(_) => AUDITED_KINDS.iter().map(name_of).collect(),
        }
    }

    /// The same with attackers of one kind; `budget` lies in all, or as many as pay best if it is 0.
    ///
    /// # Errors
    /// It knows no such kind.
    pub fn attacked(&self, kind: &str, fraction: f64, budget: u64) -> Result<Subject, String> {
        let mut attacked = self.clone();
        match &mut attacked {
            Subject::Rules(trial) => {
                trial.attacker = vec![Attacker { kind: named(kind)?, fraction, rate: 1.0, budget }];
            }
            Subject::Nodes(scenario) => {
                let kind: harm::Kind = named(kind)?;
                let budget = match budget {
                    _ if !kind.has_friends() => u64::MAX,
                    0 => best_lies(scenario),
                    budget => budget,
                };
                scenario.attacker = vec![Attacker { kind, fraction, rate: 1.0, budget }];
            }
        }
        Ok(attacked)
    }

    /// What harm is done, by which shares.
    pub fn harm(&self) -> Vec<(String, f64)> {
        match self {
            Subject::Rules(trial) => shares(&trial.attacker),
            Subject::Nodes(scenario) => shares(&scenario.attacker),
        }
    }

    /// Peers, units and the first seed.
    pub fn size(&self) -> (usize, u32, u64) {
        match self {
            Subject::Rules(trial) => (trial.peers, trial.units, trial.seed),
            Subject::Nodes(scenario) => (scenario.peers, scenario.units, scenario.seed),
        }
    }

    /// The share of wrong units of a run that is just missed: as the attack that pays best.
    pub fn worst(&self) -> f64 {
        let (lies, units) = match self {
            Subject::Rules(trial) => (trial.budget().min(trial.best_budget()), trial.units),
            Subject::Nodes(scenario) => {
                let placed = scenario.attacker.iter().map(|attacker| attacker.budget).max();
                (placed.unwrap_or(0).min(best_lies(scenario)), scenario.units)
            }
        };
        lies as f64 / f64::from(units)
    }

    /// Runs it with a seed.
    ///
    /// # Errors
    /// A bug came to light.
    pub fn run(&self, seed: u64) -> Result<TrialReport, String> {
        match self {
            Subject::Rules(trial) => Ok(super::run("", &Trial { seed, ..(**trial).clone() })),
            Subject::Nodes(scenario) => {
                nodes::run("nodes", &Scenario { seed, ..(**scenario).clone() })
            }
        }
    }
}

/// The number of lies that pays best against the nodes' owner.
fn best_lies(scenario: &Scenario) -> u64 {
    let max_error = scenario.audit.as_ref().map_or(1.0, |audit| audit.max_error);
    best_budget(first_level(scenario.units, max_error, FRIENDS_USUAL), FRIENDS_USUAL)
}

fn shares<K: Serialize>(attackers: &[Attacker<K>]) -> Vec<(String, f64)> {
    attackers.iter().map(|one| (name_of(&one.kind), one.fraction)).collect()
}

fn name_of<K: Serialize>(kind: &K) -> String {
    let name = serde_json::to_value(kind).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

fn named<K: for<'de> Deserialize<'de>>(kind: &str) -> Result<K, String> {
    K::deserialize(IntoDeserializer::<Error>::into_deserializer(kind))
        .map_err(|error| error.to_string())
}
