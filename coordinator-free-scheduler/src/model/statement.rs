//! What peers say about units, in numbered batches that their author signs.
//!
//! The batches of one author about one gossip lot form a log: each names the hash of the one
//! before it, so that two different batches in one place are proof of a forked log. A restart
//! begins a log of its own (another incarnation), and never continues one it may have forgotten.
use crate::{
    Answer, AuditStep, Hash, Host, JobId, LotIndex, Nonce, PeerKey, SealedAnswer, UnitIndex, Void,
    wire, wire::WireError,
};
use alloc::{sync::Arc, vec::Vec};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Largest batch, bytes; gossip carries nothing larger.
pub const BATCH_BYTES_MAX: usize = 32 << 10;
/// Most unit entries in a batch.
pub const BATCH_ENTRIES_MAX: usize = 1_024;
/// Most commits that one author may cite of a unit.
pub const CITES_MAX: usize = 8;
/// What is signed before a batch's bytes, so that no other statement can be taken for one.
pub const BATCH_CONTEXT: &[u8] = b"dugnad 1 batch\0";

/// A run of units: the first and how many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
pub struct Span {
    /// The first unit.
    pub first: UnitIndex,
    /// How many, at least 1.
    pub count: u32,
}

impl Span {
    /// Its units.
    pub fn units(self) -> core::ops::Range<UnitIndex> {
        self.first..self.first.saturating_add(self.count)
    }
}

/// How fast a peer is, by its own word: a hint that a false word makes useless, no more.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct Speed {
    /// Fuel that one slot burns in a millisecond, as a power of two; 0 for unknown. Rounded, so
    /// that it tells little about the machine.
    pub log2_fuel_per_ms: u8,
    /// Units that it runs at once.
    pub slots: u8,
}

impl Speed {
    /// That of a peer which burns so much; `None` is not known yet.
    pub fn of(fuel_per_ms: Option<u64>, slots: usize) -> Speed {
        let power = fuel_per_ms.map_or(0, |fuel| (fuel.max(2) + fuel.max(2) / 2).ilog2() as u8);
        Speed { log2_fuel_per_ms: power, slots: slots.min(255) as u8 }
    }

    /// Fuel that one slot burns in a millisecond, at least 1; `None` if it is not known.
    pub fn fuel_per_ms(self) -> Option<u64> {
        (self.log2_fuel_per_ms > 0).then(|| 1 << self.log2_fuel_per_ms.min(40))
    }

    /// Fuel that all slots burn in a millisecond.
    pub fn total(self) -> Option<u64> {
        Some(self.fuel_per_ms()? * self.slots())
    }

    /// Units that it runs at once, at least 1.
    pub fn slots(self) -> u64 {
        u64::from(self.slots.max(1))
    }
}

/// What an author is on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct ClaimedUnits {
    /// Units that were open to it, in the order in which it runs them.
    pub spans: Vec<Span>,
    /// Units that somebody slower is on: copies, to end the job sooner. Whoever has not begun one
    /// of them yields.
    pub rescues: Vec<Span>,
    /// How fast it says it is.
    pub speed: Speed,
}

/// The hash of an answer, published before it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Commit {
    /// The unit.
    pub unit: UnitIndex,
    /// See [`commitment`](crate::commitment).
    pub hash: Hash,
}

/// "I hold these commits, and my own answer is sealed": each is another author's of the same unit.
/// Whoever is cited committed before the answer was there to be copied.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Call {
    /// The unit.
    pub unit: UnitIndex,
    /// The commits, at most [`CITES_MAX`].
    pub cites: Vec<Hash>,
    /// Commits of authors who cite its author's, but whose answers it knows to differ from its own:
    /// nobody need wait for the two to agree. At most [`CITES_MAX`].
    pub declines: Vec<Hash>,
}

/// An answer that was committed to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Opening {
    /// The unit.
    pub unit: UnitIndex,
    /// The answer.
    pub answer: Answer,
    /// What hid it.
    pub nonce: Nonce,
    /// Commits that its author held, beyond those of its [`Call`]s; with them at most [`CITES_MAX`].
    pub cites: Vec<Hash>,
}

/// One thing said.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Statement {
    /// "Of this lot I am on these units, and on no others." A hint that expires, never a safety
    /// condition.
    Claim(ClaimedUnits),
    /// Hashes of answers.
    Commits(Vec<Commit>),
    /// The answers.
    Openings(Vec<Opening>),
    /// Units this host could not run; it will not try them again.
    Voids(Vec<(UnitIndex, Void)>),
    /// The owner ends the job.
    Cancel,
    /// Who is asked to open.
    Calls(Vec<Call>),
    /// Answers behind the commits of an audited job, for its owner alone.
    Sealed(Vec<SealedAnswer>),
    /// What the owner of an audited job came to, in this order.
    Audit {
        /// The place of the first of these among all that it said of the lot, whatever restarts lie
        /// between: two different steps in one place prove that it says two things.
        first: u32,
        /// From there on.
        steps: Vec<AuditStep>,
    },
    /// The same as [`Statement::Sealed`], for a delegate that has stepped in.
    SealedFor {
        /// Who may read them.
        to: PeerKey,
        /// Answers behind commits.
        answers: Vec<SealedAnswer>,
    },
    /// What machine its author is on; at most one in a batch.
    Host(Host),
}

impl Statement {
    /// Unit entries in it, for the limit of a batch.
    pub fn entries(&self) -> usize {
        match self {
            Statement::Claim(claimed) => claimed.spans.len() + claimed.rescues.len(),
            Statement::Commits(commits) => commits.len(),
            Statement::Calls(calls) => calls.len(),
            Statement::Openings(openings) => openings.len(),
            Statement::Voids(voids) => voids.len(),
            Statement::Cancel | Statement::Host(_) => 1,
            Statement::Sealed(answers) | Statement::SealedFor { answers, .. } => answers.len(),
            Statement::Audit { steps, .. } => steps.iter().map(AuditStep::entries).sum(),
        }
    }
}

/// A place in an author's log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
pub struct Place {
    /// Drawn anew at each start of the author's process.
    pub incarnation: u64,
    /// From 0, without gaps.
    pub sequence: u32,
}

/// Statements of one author about one gossip lot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Batch {
    /// The job.
    pub job: JobId,
    /// The gossip lot.
    pub lot: LotIndex,
    /// Who says so.
    pub author: PeerKey,
    /// Where in its log.
    pub place: Place,
    /// Hash of the batch before it in this incarnation, zero for the first.
    pub previous: Hash,
    /// What is said.
    pub statements: Vec<Statement>,
}

/// A 64-byte Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// A batch's bytes with its author's signature over [`BATCH_CONTEXT`] and them. Shared, not
/// copied: a node keeps it for its neighbours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedBatch(Arc<Sealed>);

#[derive(PartialEq, Eq, Debug)]
struct Sealed {
    bytes: Arc<[u8]>,
    signature: Signature,
    hash: Hash,
}

impl SignedBatch {
    /// Bytes with the author's signature, whether or not it holds.
    pub fn new(bytes: Arc<[u8]>, signature: Signature) -> SignedBatch {
        let hash = batch_hash(&bytes);
        SignedBatch(Arc::new(Sealed { bytes, signature, hash }))
    }

    /// Postcard of a [`Batch`].
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The author's signature.
    pub fn signature(&self) -> Signature {
        self.0.signature
    }

    /// The name of the batch.
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// Reads the batch and checks its limits. The signature is the body's to check.
    ///
    /// # Errors
    /// Malformed, or over a limit.
    pub fn open(&self) -> Result<Batch, WireError> {
        let batch: Batch = wire::decode(self.bytes(), BATCH_BYTES_MAX)?;
        let entries: usize = batch.statements.iter().map(Statement::entries).sum();
        let hosts = batch.statements.iter().filter(|one| matches!(one, Statement::Host(_))).count();
        match entries <= BATCH_ENTRIES_MAX && hosts <= 1 {
            true => Ok(batch),
            false => Err(WireError::TooLarge { bytes: entries, limit: BATCH_ENTRIES_MAX }),
        }
    }
}

/// The name of a batch with these bytes.
pub fn batch_hash(bytes: &[u8]) -> Hash {
    Hash::derive("dugnad 1 batch", &[bytes])
}

impl Serialize for SignedBatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Bytes(&self.0.signature.0), Bytes(self.bytes())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignedBatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (signature, bytes) = <(OwnedBytes, OwnedBytes)>::deserialize(deserializer)?;
        let signature = signature.0.as_slice().try_into();
        let signature = signature.map_err(|_| de::Error::custom("a signature has 64 bytes"))?;
        Ok(SignedBatch::new(bytes.0.into(), Signature(signature)))
    }
}

/// Bytes written in one piece; serde would write a slice byte by byte.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct OwnedBytes(Vec<u8>);

impl<'de> Deserialize<'de> for OwnedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = OwnedBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<OwnedBytes, E> {
                Ok(OwnedBytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}
