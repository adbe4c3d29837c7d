//! When peers are there: sessions and absences, the same for the simulated grid and for the
//! schedulers it is measured against.
use crate::{draws::Draw, scenario::Scenario};

/// Later than any run goes.
pub const NEVER_US: u64 = u64::MAX / 4;

/// The sessions of one peer in order: when it comes and when it goes, microseconds.
#[derive(Clone)]
pub struct Sessions<'a> {
    scenario: &'a Scenario,
    peer: usize,
    number: u64,
    end_us: u64,
}

impl<'a> Sessions<'a> {
    /// Those of a peer.
    pub fn of(scenario: &'a Scenario, peer: usize) -> Sessions<'a> {
        Sessions { scenario, peer, number: 0, end_us: scenario.starts_at_s(peer) * 1_000_000 }
    }

    fn about(&self, what: &str, mean_s: f64) -> u64 {
        let draw = Draw { seed: self.scenario.seed, what };
        (draw.exponential(mean_s, &[self.peer as u64, self.number]) * 1e6) as u64 + 1_000
    }
}

impl Iterator for Sessions<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let number = self.number;
        self.number += 1;
        // Who submits is always there; who does harm does not rest either.
        let stays = self.peer < self.scenario.jobs || self.peer >= self.scenario.honest();
        let Some(churn) = self.scenario.churn.as_ref().filter(|_| !stays) else {
            return (number == 0).then_some((self.end_us, NEVER_US));
        };
        if churn.trace.is_some() {
            let session = churn.traced.get(&self.peer)?.get(number as usize)?;
            return Some(((session.0 * 1e6) as u64, (session.1 * 1e6) as u64));
        }
        let until_us = churn.until_s.map_or(NEVER_US, |until_s| until_s * 1_000_000);
        if self.end_us >= until_us {
            return None;
        }
        // In the steady state as many are away at first as at any time.
        let here = churn.mean_session_s / (churn.mean_session_s + churn.mean_absence_s);
        let draw = Draw { seed: self.scenario.seed, what: "here at first" };
        let at_once = number == 0 && draw.share(&[self.peer as u64]) < here;
        let away_us = if at_once { 0 } else { self.about("absence", churn.mean_absence_s) };
        let on_us = self.end_us.saturating_add(away_us);
        if on_us >= until_us {
            self.end_us = until_us;
            return Some((until_us, NEVER_US));
        }
        let off_us = on_us.saturating_add(self.about("session", churn.mean_session_s));
        self.end_us = off_us;
        match off_us >= until_us {
            true => Some((on_us, NEVER_US)),
            false => Some((on_us, off_us)),
        }
    }
}
