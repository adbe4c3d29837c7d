//! Where an audit is, for people. Nothing is decided by it.
use super::Auditor;
use crate::verify::audited::{Audit, Phase};

/// What an audit is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditStage {
    /// The owner finds out whom to trust.
    Proving,
    /// Units wait for their first answers.
    Executing,
    /// Units wait for their checks, or disputes for the owner.
    Checking,
    /// The answers are known.
    Released,
    /// The module is at fault, and the job at its end.
    Quarantined,
}

/// Where an audit is, for people.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AuditView {
    /// What it is at.
    pub stage: AuditStage,
    /// Whether another signer acts in the stead of this node.
    pub stands_by: bool,
    /// Units that the owner computed itself.
    pub own_units: u32,
    /// Units without an answer that counts, once the roster is known.
    pub unexecuted: u32,
    /// Peers on the roster; 0 while nobody is known well enough.
    pub members: u32,
    /// The pass, from 0.
    pub pass: u8,
    /// Checkers that each unit has on average, in hundredths.
    pub level: u32,
    /// Checks that are waited for.
    pub waiting: u32,
    /// Units that wait for the owner's own computation.
    pub disputed: u32,
    /// Peers whose word counts no more.
    pub lost: u32,
    /// Units whose answers the owner knew beforehand, and those of them where the module has another.
    pub ringers: (u32, u32),
    /// Executions by members and by the owner, as far as they count.
    pub executions: u64,
    /// Whether it was released with as few wrong units as was asked for, and every check made.
    pub achieved: bool,
    /// Wrong units that are expected among the released; none before that.
    pub estimate: Option<f64>,
}

impl Auditor {
    /// Where it is; none for a delegate that has not stepped in.
    pub fn view(&self) -> Option<AuditView> {
        if !self.turn.has_begun() {
            return None;
        }
        let audit = self.audit.as_ref();
        let (stage, estimate) = match audit.map(Audit::phase) {
            _ if self.is_quarantined() => (AuditStage::Quarantined, None),
            None => (AuditStage::Proving, None),
            Some(Phase::Executing) => (AuditStage::Executing, None),
            Some(Phase::Checking) => (AuditStage::Checking, None),
            Some(Phase::Released(estimate)) => (AuditStage::Released, Some(estimate)),
            Some(Phase::Quarantined) => (AuditStage::Quarantined, None),
        };
        Some(AuditView {
            stage,
            stands_by: !self.turn.is_mine(),
            unexecuted: audit.map_or(0, |audit| audit.open() as u32),
            achieved: audit.is_some_and(Audit::is_achieved),
            own_units: self.own.len() as u32,
            members: self.places.len() as u32,
            pass: audit.map_or(0, Audit::pass),
            level: audit.map_or(0, |audit| audit.level().0),
            waiting: audit.map_or(0, |audit| audit.waiting() as u32),
            disputed: audit.map_or(0, |audit| audit.disputed().len() as u32),
            ringers: self.ringers.count(),
            lost: self.told_lost.len() as u32,
            executions: audit.map_or(0, Audit::executions),
            estimate,
        })
    }
}
