//! What a node says of a unit at each of its steps is what holds it up.
use crate::audited::{attackers, audited};
use coordinator_free_scheduler::{
    ARCHIVE_MS, Answer, AuditStep, AuditTerms, Call, ClaimedUnits, Commit, Config, Hash, Input,
    JobId, JobWait, Mark, Millis, Node, Opening, PeerKey, Profile, Release, SignedManifest, Span,
    Statement, Uncounted, UnitIndex, UnitStory, Verdict, Vouched, VoucherStory, Wait, commitment,
    verify::audited::{Check, Member},
};
use std::{collections::BTreeSet, time::Duration};
use tests::{World, scenario::Kind, truth, voice::Voice};

pub const NOW: Millis = Millis(1_000);
const FUEL: u64 = 123;

/// A node that lends nothing and hears of a job of another's.
pub fn listener(signed: SignedManifest) -> (Node, JobId) {
    let me = truth::key(9);
    let mut node = Node::new(Config::new(me, 1, 1));
    node.resume(Millis(0));
    let (manifest, job) = (Box::new(signed.open().expect("a manifest")), signed.id());
    node.handle(NOW, Input::Manifest { from: truth::key(0), signed, manifest });
    node.follow(job);
    (node, job)
}

pub fn story(node: &Node, job: JobId, unit: UnitIndex) -> UnitStory {
    node.explain_unit(job, unit).expect("a unit of the job")
}

fn wait(node: &Node, job: JobId, unit: UnitIndex) -> Wait {
    story(node, job, unit).wait
}

fn hash(peer: PeerKey, job: JobId, unit: UnitIndex, answer: &Answer) -> Hash {
    commitment(job, unit, peer, answer, &truth::nonce(peer, job, unit))
}

fn claim(unit: UnitIndex) -> Vec<Statement> {
    let spans = vec![Span { first: unit, count: 1 }];
    vec![Statement::Claim(ClaimedUnits { spans, ..ClaimedUnits::default() })]
}

pub fn commit(voice: &Voice, job: JobId, unit: UnitIndex, answer: &Answer) -> Vec<Statement> {
    vec![Statement::Commits(vec![Commit { unit, hash: hash(voice.key, job, unit, answer) }])]
}

pub fn open(
    voice: &Voice,
    job: JobId,
    unit: UnitIndex,
    answer: &Answer,
    cites: Vec<Hash>,
) -> Vec<Statement> {
    let nonce = truth::nonce(voice.key, job, unit);
    vec![Statement::Openings(vec![Opening { unit, answer: answer.clone(), nonce, cites }])]
}

pub fn voucher(story: &UnitStory, peer: PeerKey) -> &VoucherStory {
    story.vouchers.iter().find(|voucher| voucher.peer == peer).expect("it committed")
}

/// Two peers answer a unit as the rules want it; `look` sees each step.
pub fn agree(
    node: &mut Node,
    job: JobId,
    unit: UnitIndex,
    pair: &mut [Voice; 2],
    mut look: impl FnMut(&Node, [PeerKey; 2], usize),
) {
    let answer = truth::right(job, unit, FUEL);
    pair.sort_by_key(|voice| hash(voice.key, job, unit, &answer));
    let [caller, called] = pair;
    let keys = [caller.key, called.key];
    let [mine, theirs] = keys.map(|key| hash(key, job, unit, &answer));
    let said = [
        (true, claim(unit)),
        (true, commit(caller, job, unit, &answer)),
        (false, commit(called, job, unit, &answer)),
        (true, vec![Statement::Calls(vec![Call { unit, cites: vec![theirs], declines: vec![] }])]),
        (false, open(called, job, unit, &answer, vec![mine])),
        (true, open(caller, job, unit, &answer, vec![])),
    ];
    for (step, (by_caller, statements)) in said.into_iter().enumerate() {
        let voice = if by_caller { &mut *caller } else { &mut *called };
        voice.says(node, NOW, statements);
        look(node, keys, step);
    }
}

#[test]
fn a_quorum_is_told_step_by_step() {
    let (mut node, job) = listener(truth::manifest(truth::key(0), 10, 10, 2, 0));
    assert_eq!(node.explain_unit(job, 10), None);
    assert_eq!(node.explain_unit(JobId::default(), 0), None);
    assert_eq!(wait(&node, job, 0), Wait::FirstAnswer);
    let mut pair = [Voice::new(5, job), Voice::new(6, job)];
    let mut waits = Vec::new();
    agree(&mut node, job, 0, &mut pair, |node, [caller, called], step| {
        let told = story(node, job, 0);
        let expected = match step {
            0 => Wait::InHand(vec![caller]),
            1 => Wait::MoreAnswers { have: 1, want: 2 },
            2 | 4 => Wait::Openings(vec![caller]),
            3 => Wait::Openings(vec![called]),
            _ => Wait::Nothing,
        };
        assert_eq!(told.wait, expected, "step {step}");
        assert_eq!(told.claims, if step == 0 { vec![caller] } else { Vec::new() });
        waits.push(told);
    });
    let sealed = &waits[2];
    assert!(sealed.vouchers.iter().all(|v| v.said == Vouched::Sealed && v.uncounted.is_none()));
    let verified = &waits[5];
    for voucher in &verified.vouchers {
        assert_eq!((voucher.cites, voucher.mark), (1, Some(Mark::Right(FUEL))), "{voucher:?}");
        assert_eq!(voucher.said, Vouched::Opened(truth::right(job, 0, FUEL)));
    }

    // What is put away is told in the same words.
    let later = NOW.plus(2 * ARCHIVE_MS);
    node.handle(later, Input::Tick);
    let lot = &node.job(job).expect("known").lots[&0];
    assert_eq!(lot.board.archived_units(), 1);
    assert_eq!(story(&node, job, 0), *verified);
}

#[test]
fn a_liar_is_told_of_and_its_answers_count_no_more() {
    let (mut node, job) = listener(truth::manifest(truth::key(0), 10, 10, 2, 0));
    let (mut pair, mut liar) = ([Voice::new(5, job), Voice::new(6, job)], Voice::new(7, job));
    for unit in 0..3 {
        let lie = truth::wrong(liar.key, job, unit);
        liar.says(&mut node, NOW, commit(&liar, job, unit, &lie));
        liar.says(&mut node, NOW, open(&liar, job, unit, &lie, Vec::new()));
        agree(&mut node, job, unit, &mut pair, |_, _, _| {});
        let told = story(&node, job, unit);
        let lied = voucher(&told, liar.key);
        assert_eq!((lied.mark, lied.uncounted), (Some(Mark::Wrong), Some(Uncounted::Differs)));
        assert_eq!(lied.said, Vouched::Opened(lie));
    }
    liar.says(&mut node, NOW, commit(&liar, job, 3, &truth::wrong(liar.key, job, 3)));
    let told = story(&node, job, 3);
    assert_eq!(voucher(&told, liar.key).uncounted, Some(Uncounted::Barred));
    assert_eq!(told.wait, Wait::MoreAnswers { have: 0, want: 2 });
    liar.says(&mut node, NOW, claim(4));
    assert_eq!(wait(&node, job, 4), Wait::FirstAnswer, "nobody waits for the barred");

    let told = node.explain_job(job).expect("known");
    let part = |peer| told.peers.iter().find(|part| part.peer == peer).expect("it took part");
    let (lied, honest) = (part(liar.key), part(pair[0].key));
    assert_eq!((lied.commits, lied.right, lied.wrong, lied.barred), (4, 0, 3, true));
    assert_eq!((honest.commits, honest.right, honest.wrong, honest.barred), (3, 3, 0, false));
    let lot = told.lots[0];
    assert_eq!((lot.first, lot.units, lot.verified, lot.executions), (0, 10, 3, 10));
    assert!(lot.here && told.lots.len() == 1);
    assert_eq!(told.wait, JobWait::AllBarred);
    for (peer, wait) in
        [(pair[0].key, JobWait::Peers { have: 1, want: 2 }), (pair[1].key, JobWait::Units)]
    {
        node.handle(NOW, Input::Connected(peer));
        assert_eq!(node.explain_job(job).expect("known").wait, wait);
    }
    let (lonely, job) = listener(truth::manifest(truth::key(0), 10, 10, 2, 0));
    assert_eq!(lonely.explain_job(job).expect("known").wait, JobWait::Alone);
}

/// The owner of an audited job speaks, one step after the other.
struct Owner(Voice, u32);

impl Owner {
    fn says(&mut self, node: &mut Node, step: AuditStep) {
        let steps = vec![step];
        self.0.says(node, NOW, vec![Statement::Audit { first: self.1, steps }]);
        self.1 += 1;
    }
}

#[test]
fn an_audit_is_told_step_by_step() {
    let terms = Profile::Audited(AuditTerms::new(1_000, Hash::default()));
    let (mut node, job) = listener(truth::urgent(truth::key(0), 10, 10, terms, 0, (1, 0)));
    let mut owner = Owner(Voice::new(0, job), 0);
    let [mut first, mut slow, mut quick, mut stranger] =
        [5, 6, 7, 8].map(|peer| Voice::new(peer, job));
    let answer = truth::right(job, 0, FUEL);
    let now = |node: &Node| wait(node, job, 0);

    assert_eq!(now(&node), Wait::FirstAnswer);
    first.says(&mut node, NOW, claim(0));
    assert_eq!(now(&node), Wait::InHand(vec![first.key]));
    first.says(&mut node, NOW, commit(&first, job, 0, &answer));
    stranger.says(&mut node, NOW, commit(&stranger, job, 0, &answer));
    assert_eq!(now(&node), Wait::Roster);
    let member = |voice: &Voice| Member {
        key: voice.key,
        weight: 70,
        arch: 0,
        circle: voice.key.0[0].into(),
    };
    let members = vec![member(&first), member(&slow), member(&quick)];
    owner.says(&mut node, AuditStep::Roster { first: 0, of: 3, members });
    assert_eq!(now(&node), Wait::Close);
    assert_eq!(wait(&node, job, 1), Wait::FirstAnswer);
    owner.says(&mut node, AuditStep::Closed { pass: 0, seed: Hash::default() });
    assert_eq!(now(&node), Wait::Release);
    let drawn = |member| vec![Check { unit: 0, member }];
    owner.says(&mut node, AuditStep::Drawn(drawn(1)));
    assert_eq!(now(&node), Wait::Checks(vec![slow.key]));
    owner.says(&mut node, AuditStep::Silent(drawn(1)));
    owner.says(&mut node, AuditStep::Drawn(drawn(2)));
    assert_eq!(now(&node), Wait::Checks(vec![quick.key]));
    quick.says(&mut node, NOW, commit(&quick, job, 0, &answer));
    assert_eq!(now(&node), Wait::Release);
    slow.says(&mut node, NOW, commit(&slow, job, 0, &answer));
    owner.says(&mut node, AuditStep::Refused(vec![(0, slow.key)]));
    owner.says(&mut node, AuditStep::Settled { pass: 0 });
    assert_eq!(now(&node), Wait::Close, "another pass");

    let told = story(&node, job, 0);
    let why = |voice: &Voice| voucher(&told, voice.key).uncounted;
    assert_eq!((why(&first), why(&quick)), (None, None));
    assert_eq!((why(&slow), why(&stranger)), (Some(Uncounted::Refused), Some(Uncounted::Stranger)));
    assert_eq!(told.drawn, [(slow.key, true), (quick.key, false)]);
    assert_eq!((told.refused, told.own, told.released), (vec![slow.key], false, false));
    assert_eq!(node.explain_job(job).expect("known").peers[0].weight, Some(70));

    // A release that shows nobody's commit waits for its author.
    let release = Release { unit: 0, member: Some(0), answer: answer.clone(), nonce: [0; 16] };
    owner.says(&mut node, AuditStep::Released(vec![release]));
    let Wait::Openings(awaited) = now(&node) else { panic!("{:?}", now(&node)) };
    assert!(awaited.contains(&first.key), "{awaited:?}");
    first.says(&mut node, NOW, open(&first, job, 0, &answer, Vec::new()));
    assert_eq!(now(&node), Wait::Nothing);

    owner.says(&mut node, AuditStep::Lost { peer: quick.key, convicted: true });
    let told = story(&node, job, 0);
    assert_eq!(voucher(&told, quick.key).uncounted, Some(Uncounted::Lost));
    let part = |job: &[coordinator_free_scheduler::PeerStory]| {
        job.iter().find(|part| part.peer == quick.key).and_then(|part| part.lost)
    };
    assert_eq!(part(&node.explain_job(job).expect("known").peers), Some(true));
}

/// What an owner tells of its units while strangers answer them, some with lies.
#[test]
fn an_owner_tells_what_its_audit_waits_for() {
    let attacker = attackers(Kind::Colluder, 0.25, 0.02);
    let mut world = World::new(tests::Scenario { attacker, ..audited(2) });
    let (mut seen, mut disputed) = (BTreeSet::new(), 0);
    loop {
        world.run_for(Duration::from_millis(150));
        let Some(&job) = world.jobs.first() else { continue };
        let node = world.node(0).expect("the owner");
        let units = node.job(job).expect("its job").manifest.work.units.count();
        let stories: Vec<UnitStory> = (0..units).map(|unit| story(node, job, unit)).collect();
        for told in &stories {
            let kind = format!("{:?}", told.wait);
            seen.insert(kind.split(['(', ' ']).next().unwrap_or_default().to_owned());
            assert_eq!(told.wait == Wait::Nothing, told.verdict != Verdict::Open, "{told:?}");
            if let Wait::Checks(peers) = &told.wait {
                assert!(peers.iter().all(|peer| told.drawn.contains(&(*peer, false))), "{told:?}");
            }
            if told.disputed {
                disputed += 1;
                assert!(matches!(told.wait, Wait::Owner | Wait::Checks(_)), "{told:?}");
            }
        }
        let audit = node.explain_job(job).and_then(|told| told.audit).expect("its own");
        let own = stories.iter().filter(|told| told.own).count();
        assert_eq!(own, audit.own_units as usize);
        if stories.iter().all(|told| told.wait == Wait::Nothing) {
            break;
        }
    }
    let all = ["Checks", "Close", "FirstAnswer", "InHand", "Nothing", "Owner", "Release", "Roster"];
    let missing: Vec<_> = all.iter().filter(|kind| !seen.contains(**kind)).collect();
    assert!(missing.is_empty() && disputed > 0, "no {missing:?} in {seen:?}, {disputed} disputes");
}
