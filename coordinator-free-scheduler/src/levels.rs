//! How far each unit of a job of this node's own is proved: the best answer known so far, and its level.
//!
//! Answers are looked at again where something was said of them or counted, never all in turn. Derived
//! state: after a restart the fold of the journal makes it anew. What it is not: a verdict; only
//! [`Level::Released`] is one, and that is the boards' to say.
use crate::{
    Answer, Decision, Hash, Job, JobId, Node, Notice, Output, PeerKey, UnitIndex, Verdict, wire,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// How far an answer is proved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// One peer's word that counts.
    Reported,
    /// Several who could not have copied agree, or this node computed it itself.
    Checked,
    /// It is the verdict.
    Released,
}

/// The best answer to a unit that is known so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Best {
    /// How far it is proved.
    pub level: Level,
    /// The answer.
    pub answer: Answer,
    /// Those who gave it, and hold its output; none if this node alone does.
    pub by: Vec<PeerKey>,
}

/// Units of a job by the level of their best answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LevelTally {
    /// At [`Level::Reported`].
    pub reported: u32,
    /// At [`Level::Checked`].
    pub checked: u32,
    /// At [`Level::Released`].
    pub released: u32,
}

/// What was told of a job's units, one entry for each that has an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Levels {
    told: BTreeMap<UnitIndex, (Level, Hash)>,
    tally: LevelTally,
}

impl LevelTally {
    fn of(&mut self, level: Level) -> &mut u32 {
        match level {
            Level::Reported => &mut self.reported,
            Level::Checked => &mut self.checked,
            Level::Released => &mut self.released,
        }
    }
}

impl Levels {
    /// Notes the level of a unit's best answer, and which that is. Answers none if nothing is new, else
    /// whether what was told before holds no longer.
    fn note(&mut self, unit: UnitIndex, now: Option<(Level, Hash)>) -> Option<bool> {
        let before = match now {
            Some(best) => self.told.insert(unit, best),
            None => self.told.remove(&unit),
        };
        if before == now {
            return None;
        }
        if let Some((level, _)) = before {
            *self.tally.of(level) -= 1;
        }
        if let Some((level, _)) = now {
            *self.tally.of(level) += 1;
        }
        let holds =
            |(was, answer)| now.is_some_and(|(level, other)| level >= was && other == answer);
        Some(before.is_some_and(|before| !holds(before)))
    }
}

impl Node {
    /// Looks again at units of which something may be new, and tells of those whose level or answer is.
    pub(crate) fn note_levels(&mut self, id: JobId, units: impl IntoIterator<Item = UnitIndex>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(mut levels) = job.levels.take() else { return };
        for unit in units {
            let Some(now) = job.level(unit) else { continue };
            if let Some(revised) = levels.note(unit, now) {
                let notice = Notice::Level { job: id, unit, best: now, revised };
                self.outputs.push_back(Output::Notice(notice));
            }
        }
        job.levels = Some(levels);
    }
}

impl Job {
    /// Its units by the level of their best answers, if it is this node's own.
    pub fn level_tally(&self) -> Option<LevelTally> {
        self.levels.as_ref().map(|levels| levels.tally)
    }

    /// Units that have an answer at some level, in order; none of a job that is not this node's own.
    pub fn leveled(&self) -> impl Iterator<Item = UnitIndex> {
        self.levels.iter().flat_map(|levels| levels.told.keys().copied())
    }

    /// The best answers to units of this node's own job, sorted. To ask for many at once costs little more
    /// than for one.
    pub fn best(&self, units: &[UnitIndex]) -> Vec<Option<Best>> {
        let lot_of = |unit: &UnitIndex| self.manifest.lot_of(*unit);
        let together = units.chunk_by(|one, other| lot_of(one) == lot_of(other));
        let mut best = Vec::with_capacity(units.len());
        for units in together {
            let (Some(first), Some(last)) = (units.first(), units.last()) else { continue };
            let verdicts = self.verdicts(*first..last + 1);
            let verdict = |unit: &UnitIndex| verdicts.get((unit - first) as usize).cloned();
            best.extend(units.iter().map(|unit| self.best_of(*unit, verdict(unit)?)));
        }
        best
    }

    fn best_of(&self, unit: UnitIndex, verdict: Verdict) -> Option<Best> {
        match verdict {
            Verdict::Verified { answer, vouchers } => {
                Some(Best { level: Level::Released, answer, by: vouchers })
            }
            Verdict::Failed(_) => None,
            Verdict::Open => {
                let (level, answer, by) = self.unreleased(unit)?;
                Some(Best { level, answer: answer.clone(), by })
            }
        }
    }

    /// The level of a unit's best answer, and the answer's name, if there is one; nothing at all of a unit
    /// that is put away, since nothing about it has changed.
    fn level(&self, unit: UnitIndex) -> Option<Option<(Level, Hash)>> {
        let known = self.lots.get(&self.manifest.lot_of(unit))?.board.unit(unit)?;
        let decision = &known.standing.decision;
        let best = match (decision, known.agreed(decision)) {
            (Decision::Verified(_), agreed) => agreed.map(|answer| (Level::Released, answer)),
            (Decision::Failed(_), _) => None,
            (Decision::Open, _) => self.unreleased(unit).map(|(level, answer, _)| (level, answer)),
        };
        Some(best.map(|(level, answer)| (level, Hash::of(&wire::encode(answer)))))
    }

    /// The best answer to an undecided unit, its level, and who gave it.
    fn unreleased(&self, unit: UnitIndex) -> Option<(Level, &Answer, Vec<PeerKey>)> {
        match &self.auditor {
            Some(auditor) => auditor.best(unit),
            None => {
                let (answer, by) = self.lots.get(&self.manifest.lot_of(unit))?.reported(unit)?;
                Some((Level::Reported, answer, by))
            }
        }
    }
}
