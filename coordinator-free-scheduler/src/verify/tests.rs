//! Units drawn at random, honest and hostile, of which the two sides of the rule must agree.
use super::{company::Company, quorum, step};
use crate::{
    Answer, CITES_MAX, Hash, Outcome, Rng,
    board::unit::{Decision, Once, Opened, Unit, Voucher},
};
use alloc::vec::Vec;

const UNITS: u64 = 300_000;
const AUTHORS: u64 = 7;

fn answer_of(number: u64) -> Answer {
    Answer::new(Outcome::OutOfFuel, number)
}

/// Some of the commits there are, now and then others, or as many as may be.
fn some(rng: &mut Rng, commits: &[Hash]) -> Vec<Hash> {
    let mut chosen: Vec<Hash> = commits.iter().filter(|_| rng.below(2) == 0).copied().collect();
    match rng.below(12) {
        0 => chosen.extend((0..CITES_MAX as u8).map(|made_up| Hash([200 + made_up; 32]))),
        1 => chosen.push(Hash([199; 32])),
        _ => {}
    }
    chosen.sort_unstable();
    chosen.truncate(CITES_MAX);
    chosen
}

fn voucher(rng: &mut Rng, author: usize, commits: &[Hash]) -> Voucher {
    let opened = Opened { answer: answer_of(rng.below(2)), nonce: Default::default() };
    let opened = if rng.below(3) == 0 { Once::One(opened) } else { Once::Nothing };
    let twice = rng.below(16) == 0;
    Voucher {
        voter: if rng.below(4) == 0 { 1 << 16 } else { author as u32 },
        author: author as u16,
        commit: if twice { Once::Many } else { Once::One(commits[author]) },
        fits: (!opened.is_nothing()).then_some(!twice),
        opening: opened,
        cites: if rng.below(3) == 0 { Vec::new() } else { some(rng, commits) },
        declines: if rng.below(3) == 0 { some(rng, commits) } else { Vec::new() },
    }
}

fn unit(rng: &mut Rng, n: u8) -> Unit {
    let mut commits: Vec<Hash> =
        (0..=rng.below(AUTHORS)).map(|author| Hash([10 + author as u8; 32])).collect();
    commits.sort_by_cached_key(|_| rng.draw());
    let vouchers = (0..commits.len()).map(|author| voucher(rng, author, &commits)).collect();
    let mut unit = Unit { vouchers, ..Default::default() };
    unit.standing.decision = quorum::decide(&unit, n, 64, |_| true);
    unit
}

/// Where nobody else is wanted somebody owes a step, and whoever owes one has one to take, whatever
/// its answer is.
#[test]
fn an_open_unit_wants_somebody_or_waits_for_somebody() {
    let (mut waited, mut wanted) = (0, 0);
    for seed in 0..UNITS {
        let mut rng = Rng::new(seed);
        let n = 2 + rng.below(3) as u8;
        let unit = unit(&mut rng, n);
        if unit.standing.decision != Decision::Open {
            continue;
        }
        let company = Company::of(&unit, n, |_| true);
        let due = |author, answer: Option<u64>| {
            step::step(&company, author, n, answer.map(answer_of).as_ref())
        };
        let owing: Vec<u16> = company.sealed.iter().map(|voucher| voucher.author).collect();
        let owing: Vec<u16> = owing.into_iter().filter(|a| due(*a, None).is_some()).collect();
        for author in &owing {
            for number in 0..3 {
                assert!(due(*author, Some(number)).is_some(), "{seed}: {unit:#?}");
            }
        }
        match quorum::needed(&unit, n, |_| true) {
            0 => {
                assert!(!owing.is_empty(), "{seed}: nobody moves, n = {n}: {unit:#?}");
                waited += 1;
            }
            _ => wanted += 1,
        }
    }
    assert!(waited > UNITS / 20 && wanted > UNITS / 20, "{waited} {wanted}");
}
