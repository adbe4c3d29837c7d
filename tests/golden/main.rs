//! The bytes that peers, stores and hashes rest on, frozen. Whoever changes one of them has made
//! another protocol, and says so in its names (`/dugnad/…/1`, `dugnad 1 …`); only while there has been
//! no release may the bytes change under the same names.
use coordinator_free_scheduler::{
    About, Answer, AuditStep, AuditTerms, Call, ClaimedUnits, Commit, Hash, Head, Host,
    InvalidReason, JobId, Link, LotNews, Manifest, Message, Opening, Outcome, PeerKey, Place,
    Profile, Query, Record, Release, Reproducer, RunLimits, SealedAnswer, Signature, SignedBatch,
    SignedManifest, Span, Speed, Stamp, Statement, Step, TableDirectory, TablePage, Trace,
    TrapClass, UnitEntry, Units, Void, Witness, Work, commitment, seed_before,
    statement::Batch,
    trace,
    verify::audited::{Check, Member},
    wire,
};
use std::fmt::Write as _;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash(byte: u8) -> Hash {
    Hash([byte; 32])
}

fn answer(outcome: Outcome) -> Answer {
    Answer::new(outcome, 300)
}

fn exit() -> Answer {
    answer(Outcome::Exit { code: 0, digest: hash(1), bytes: 5 })
}

fn work(units: Units) -> Work {
    Work {
        engine: "dugnad-1".into(),
        module: hash(2),
        units,
        seed: 7,
        args: vec!["--n".into(), "3".into()],
        env: vec![("KEY".into(), "value".into())],
        limits: RunLimits::default(),
    }
}

fn manifest(units: Units) -> Manifest {
    Manifest {
        owner: PeerKey([3; 32]),
        name: "golden".into(),
        about: About {
            description: "what is golden stays".into(),
            tags: vec!["wire".into(), "bytes-1".into()],
            licence: "CC0-1.0".into(),
            contact: "golden.example".into(),
        },
        work: work(units),
        profile: Profile::quorum(2),
        merge: Some(hash(4)),
        lot_units: 16_384,
        salt: 9,
        priority: 4,
        deadline_s: 3_600,
        checkers: Vec::new(),
    }
}

fn batch(statement: Statement) -> Batch {
    let place = Place { incarnation: 11, sequence: 2 };
    let (job, author) = (JobId(hash(5)), PeerKey([6; 32]));
    Batch { job, lot: 1, author, place, previous: hash(7), statements: vec![statement] }
}

fn signed(statement: Statement) -> SignedBatch {
    let signature = Signature([8; 64]);
    SignedBatch::new(wire::encode(&batch(statement)).into(), signature)
}

/// What is said of audited jobs alone.
fn audit_statements() -> Vec<(&'static str, Statement)> {
    let (unit, peer) = (70_000, PeerKey([6; 32]));
    let check = Check { unit, member: 3 };
    let members = vec![Member { key: peer, weight: 100, arch: 0, circle: 0 }];
    let release = |member| vec![Release { unit, member, answer: exit(), nonce: [10; 16] }];
    let steps = vec![
        AuditStep::Roster { first: 0, of: 1, members },
        AuditStep::Refused(vec![(unit, peer)]),
        AuditStep::Own(vec![unit]),
        AuditStep::Counted(vec![check]),
        AuditStep::Closed { pass: 0, seed: hash(23) },
        AuditStep::Drawn(vec![check]),
        AuditStep::Checked(vec![check]),
        AuditStep::Silent(vec![check]),
        AuditStep::Ruled(vec![unit]),
        AuditStep::Lost { peer, convicted: true },
        AuditStep::Settled { pass: 0 },
        AuditStep::Released(release(Some(3))),
        AuditStep::Revealed(release(None)),
        AuditStep::Began { seeds: hash(26) },
        AuditStep::Doubted(vec![unit]),
        AuditStep::Beat,
    ];
    let witness = |arch| Witness { unit, peer, arch, answer: exit(), nonce: [10; 16] };
    let found = Reproducer { own: witness(19), other: witness(32) };
    let machines = vec![
        AuditStep::Asked(vec![(unit, peer)]),
        AuditStep::Witnessed(vec![witness(32)]),
        AuditStep::Quarantined(Box::new(found)),
    ];
    let sealed = vec![SealedAnswer { unit, bytes: vec![24, 25] }];
    let link = Link { donor: peer, signature: vec![27, 28] };
    let sealed_for = Statement::SealedFor { to: peer, answers: sealed.clone() };
    vec![
        ("sealed", Statement::Sealed(sealed)),
        ("audit", Statement::Audit { first: 2, steps }),
        ("machines", Statement::Audit { first: 18, steps: machines }),
        ("sealed for", sealed_for),
        ("host", Statement::Host(Host { arch: 19, link: Some(link) })),
    ]
}

/// One line a value: its name and its bytes.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, bytes: &[u8]) {
        let _ = writeln!(self.0, "{name} = {}", hex(bytes));
    }

    fn answers(&mut self) {
        let outcomes = [
            ("exit", exit().outcome),
            ("exit 3", Outcome::Exit { code: 3, digest: hash(9), bytes: 1 << 20 }),
            ("trap unreachable", Outcome::Trap(TrapClass::Unreachable)),
            ("trap other", Outcome::Trap(TrapClass::Other)),
            ("out of fuel", Outcome::OutOfFuel),
            ("output too large", Outcome::OutputTooLarge),
            ("malformed", Outcome::Invalid(InvalidReason::Malformed)),
            ("forbidden", Outcome::Invalid(InvalidReason::ForbiddenImport("a.b".into()))),
            ("no entry point", Outcome::Invalid(InvalidReason::NoEntryPoint)),
            ("too large", Outcome::Invalid(InvalidReason::TooLarge)),
        ];
        for (name, outcome) in outcomes {
            self.add(&format!("answer, {name}"), &wire::encode(&answer(outcome)));
        }
        let steps = [Step { state: hash(16), fuel: 100 }, Step { state: hash(17), fuel: 200 }];
        let stepped = Answer { trace: Some(Trace::of(&steps)), ..exit() };
        self.add("answer, stepped", &wire::encode(&stepped));
        self.add("trace", &trace::encode(&steps));
        let (job, author) = (JobId(hash(5)), PeerKey([6; 32]));
        self.add("commitment", &commitment(job, 70_000, author, &exit(), &[10; 16]).0);
    }

    fn manifests(&mut self) {
        let table = Units::Table { count: 300, directory: hash(12) };
        for (name, units) in [("range", Units::Range { count: 300 }), ("table", table)] {
            let manifest = manifest(units);
            let bytes = manifest.encode().expect("within the limits");
            self.add(&format!("manifest, {name}"), &bytes);
            self.add(&format!("work id, {name}"), &manifest.work.id().0.0);
            let signed = SignedManifest { bytes, signature: vec![8; 64], stamp: Stamp(300) };
            self.add(&format!("job id, {name}"), &signed.id().0.0);
            let stamp = Stamp::search(signed.id(), 10_000, 0..u64::MAX).expect("one in so many");
            self.add(&format!("stamp, {name}"), &stamp.0.to_le_bytes());
        }
        let mut terms = AuditTerms::new(100_000, hash(22));
        terms.delegates[0] = Some(PeerKey([27; 32]));
        let audited =
            Manifest { profile: Profile::Audited(terms), ..manifest(Units::Range { count: 300 }) };
        self.add("manifest, audited", &audited.encode().expect("within the limits"));
        let checked =
            Manifest { profile: Profile::Checked, ..manifest(Units::Range { count: 300 }) };
        let rechecked = Profile::rechecked(2, 10);
        let rechecked = Manifest { profile: rechecked, ..manifest(Units::Range { count: 300 }) };
        self.add("manifest, rechecked", &rechecked.encode().expect("within the limits"));
        self.add("manifest, checked", &checked.encode().expect("within the limits"));
        self.add("seed before a seed", &seed_before(&hash(23)).0);
        let entry = UnitEntry { args: vec!["x".into()], input: Some(hash(13)), cost_hint: 500 };
        let page = TablePage { units: vec![entry, UnitEntry::default()] };
        self.add("unit table, page", &wire::encode(&page));
        let directory = TableDirectory { pages: vec![hash(14), hash(15)] };
        self.add("unit table, directory", &wire::encode(&directory));
    }

    fn statements(&mut self) {
        let claimed = ClaimedUnits {
            spans: vec![Span { first: 200, count: 64 }],
            rescues: vec![Span { first: 7, count: 1 }],
            speed: Speed { log2_fuel_per_ms: 22, slots: 16 },
        };
        let (unit, nonce, cites) = (70_000, [10; 16], vec![hash(16), hash(17)]);
        let call = Call { unit, cites: cites.clone(), declines: vec![hash(16)] };
        let statements = [
            ("claim", Statement::Claim(claimed)),
            ("commits", Statement::Commits(vec![Commit { unit, hash: hash(18) }])),
            ("openings", Statement::Openings(vec![Opening { unit, answer: exit(), nonce, cites }])),
            ("voids", Statement::Voids(vec![(1, Void::HostMemory), (2, Void::Engine)])),
            ("cancel", Statement::Cancel),
            ("calls", Statement::Calls(vec![call])),
        ];
        for (name, statement) in statements.into_iter().chain(audit_statements()) {
            self.add(&format!("batch, {name}"), &wire::encode(&batch(statement)));
        }
        let last = signed(Statement::Cancel);
        self.add("batch hash", &last.hash().0);
        self.add("signed batch", &wire::encode(&last));
    }

    fn messages(&mut self) {
        let job = JobId(hash(5));
        let head = Head { author: PeerKey([6; 32]), incarnation: 11, next: 3, tip: hash(19) };
        let news = LotNews { lot: 1, open: 300, undone: 400, workers: 5, age_s: 6 };
        let heads = Query::Heads {
            job,
            lot: 1,
            heads: vec![head],
            forked: vec![PeerKey([20; 32])],
            reply: true,
        };
        let signed_manifest =
            SignedManifest { bytes: vec![1, 2], signature: vec![3], stamp: Stamp(300) };
        let messages = [
            ("digest", Message::Query(Query::Digest(vec![(job, 1, hash(21))]))),
            ("want", Message::Query(Query::Want(vec![job]))),
            ("heads", Message::Query(heads)),
            ("news", Message::Query(Query::News(vec![(job, vec![news])]))),
            ("manifests", Message::Manifests(vec![signed_manifest.clone()])),
            ("batches", Message::Batches(vec![signed(Statement::Cancel)])),
        ];
        for (name, message) in messages {
            self.add(&format!("message, {name}"), &wire::encode(&message));
        }
        let records = [
            ("manifest", Record::Manifest(signed_manifest)),
            ("batch", Record::Batch(signed(Statement::Cancel))),
            ("answers", Record::Answers { job, answers: vec![(4, exit(), [10; 16])] }),
            (
                "unsealed",
                Record::Unsealed { job, answers: vec![(PeerKey([6; 32]), 4, exit(), [10; 16])] },
            ),
            ("ringers", Record::Ringers { job, known: vec![(4, hash(29))] }),
            ("forgotten", Record::Forgotten { job, ended: true }),
        ];
        for (name, record) in records {
            self.add(&format!("record, {name}"), &wire::encode(&record));
        }
    }
}

#[test]
fn bytes_are_the_frozen_ones() {
    let mut lines = Lines::default();
    lines.answers();
    lines.manifests();
    lines.statements();
    lines.messages();
    let frozen = include_str!("wire.txt");
    for (line, known) in lines.0.lines().zip(frozen.lines()) {
        assert_eq!(line, known, "\nall as they are now:\n{}", lines.0);
    }
    assert_eq!(lines.0.lines().count(), frozen.lines().count(), "\n{}", lines.0);
}

#[test]
fn contexts_of_signatures_are_the_frozen_ones() {
    use coordinator_free_scheduler::{BATCH_CONTEXT, ENGINE, LINK_CONTEXT, MANIFEST_CONTEXT};
    assert_eq!(BATCH_CONTEXT, b"dugnad 1 batch\0");
    assert_eq!(MANIFEST_CONTEXT, b"dugnad 1 manifest\0");
    assert_eq!(LINK_CONTEXT, b"dugnad 1 link\0");
    assert_eq!(ENGINE, "dugnad-1");
}
