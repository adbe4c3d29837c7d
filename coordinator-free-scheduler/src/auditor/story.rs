//! What the auditor knows of one unit and no board tells.
use super::Auditor;
use crate::{
    Answer, UnitIndex,
    verify::audited::{Audit, Phase},
};

/// What the owner of an audited job knows of a unit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inside {
    /// Whether it computed the unit itself.
    pub own: bool,
    /// Whether it is about to.
    pub computing: bool,
    /// Whether answers differ, and it has not ruled.
    pub disputed: bool,
    /// Whether all checks are over, for all units.
    pub checked: bool,
}

impl Auditor {
    /// What is known of a unit.
    pub(crate) fn story(&self, unit: UnitIndex) -> Inside {
        let disputed = |audit: &Audit<Answer>| audit.disputed().contains(&unit);
        let checked = |audit: &Audit<Answer>| match audit.phase() {
            Phase::Released(_) | Phase::Quarantined => true,
            Phase::Executing | Phase::Checking => false,
        };
        Inside {
            own: self.own.contains_key(&unit),
            computing: self.to_run.contains(&unit) || self.running.contains(&unit),
            disputed: self.audit.as_ref().is_some_and(disputed),
            checked: self.audit.as_ref().is_some_and(checked),
        }
    }
}
