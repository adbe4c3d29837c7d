//! What other systems do, with the same crowds: to compare.
//!
//! Generous to them: nobody copies, nobody is late, and who was wrong three times is out. Friends talk
//! with each other: they lie where they are among themselves, and where nobody else is asked.
use super::{Crowd, Trial, crowd::Answer, summary::Counted};
use coordinator_free_scheduler::{
    Hash, UnitIndex,
    verify::audited::{Draw, MemberIndex, Roster},
};
use std::collections::BTreeMap;

/// Wrong answers after which a peer is out.
const WRONG_MAX: u32 = 3;
/// Answers that a unit gets at most, for each one wanted.
const TRIES: usize = 4;
/// Right answers in a row after which one is mostly believed.
const BELIEVED: u32 = 10;

/// What is known of the peers.
struct Known<'a> {
    trial: &'a Trial,
    crowd: Crowd,
    roster: Roster,
    seed: Hash,
    wrong: Vec<u32>,
    in_a_row: Vec<u32>,
    counted: Counted,
}

/// Units are accepted on `n` equal answers.
pub fn quorum(trial: &Trial, crowd: Crowd, n: u8) -> Counted {
    let mut known = Known::new(trial, crowd);
    for unit in 0..trial.units {
        known.decide(unit, n.into());
    }
    known.count()
}

/// One answer is enough, most of the time, of whoever was right ten times in a row.
pub fn adaptive(trial: &Trial, crowd: Crowd) -> Counted {
    let mut known = Known::new(trial, crowd);
    for unit in 0..trial.units {
        let first = known.order(unit).first().copied();
        let row = first.map_or(0, |peer| known.in_a_row[peer as usize]);
        let alone = row >= BELIEVED && !known.crowd.happens(1.0 / f64::from(row));
        known.decide(unit, if alone { 1 } else { 2 });
    }
    known.count()
}

impl<'a> Known<'a> {
    fn new(trial: &'a Trial, crowd: Crowd) -> Known<'a> {
        let members = (0..trial.peers).map(|peer| crowd.member(peer)).collect();
        Known {
            seed: Hash::of(&trial.seed.to_le_bytes()),
            roster: Roster::new(members),
            wrong: vec![0; trial.peers],
            in_a_row: vec![0; trial.peers],
            counted: Counted::default(),
            trial,
            crowd,
        }
    }

    /// Who is asked about a unit, one after the other.
    fn order(&self, unit: UnitIndex) -> Vec<MemberIndex> {
        let draw = Draw::new(&self.roster, &self.seed, unit);
        draw.checkers(8, |peer| self.wrong[peer as usize] < WRONG_MAX)
    }

    fn decide(&mut self, unit: UnitIndex, n: usize) {
        let mut answers: Vec<(usize, Answer)> = Vec::new();
        let mut tally: BTreeMap<Answer, usize> = BTreeMap::new();
        let order = self.order(unit);
        let first = order.iter().take(n);
        let among_friends =
            order.len() >= n && first.clone().all(|peer| self.crowd.is_friend(*peer as usize));
        for peer in order.into_iter().take(n * TRIES) {
            let answer = match self.crowd.is_friend(peer as usize) {
                true => self.crowd.says_among_friends(unit, among_friends),
                false => self.crowd.executes(peer as usize, unit),
            };
            self.counted.executions += 1;
            answers.push((peer as usize, answer));
            let equal = tally.entry(answer).or_default();
            *equal += 1;
            if *equal >= n {
                self.accept(answer, &answers);
                return;
            }
        }
    }

    fn accept(&mut self, accepted: Answer, answers: &[(usize, Answer)]) {
        self.counted.accepted += 1;
        self.counted.wrong += u64::from(Crowd::is_wrong(accepted));
        for (peer, answer) in answers {
            match *answer == accepted {
                // A lone answer proves nothing.
                true if answers.len() > 1 => self.in_a_row[*peer] += 1,
                true => {}
                false => {
                    self.in_a_row[*peer] = 0;
                    self.wrong[*peer] += 1;
                }
            }
        }
    }

    fn count(mut self) -> Counted {
        let out = |peer: &usize| self.wrong[*peer] >= WRONG_MAX;
        let is_honest = |peer: &usize| self.crowd.peers[*peer].harm.is_none();
        let barred: Vec<usize> = (0..self.trial.peers).filter(out).collect();
        self.counted.honest_banned = barred.iter().filter(|peer| is_honest(peer)).count();
        self.counted.liars_convicted = barred.len() - self.counted.honest_banned;
        self.counted.passes = 1;
        self.counted
    }
}
