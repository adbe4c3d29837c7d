//! A job request whose form was checked, in the words of the scheduler.
use super::Refusal;
use coordinator_free_scheduler::{
    About, AuditTerms, Hash, LeastCheckers, Profile, RunLimits, Span, UNITS_MAX, UnitIndex,
};
use dugnad_client::json::INPUTS_INLINE_MAX;
use dugnad_client::{BlobHash, JobRequest, LimitsRequest, UnitsRequest};
use std::num::NonZeroU16;

/// Longest name of a job, bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Most linear memory of a run, MiB; what 32-bit wasm can address.
pub const MEMORY_MIB_MAX: u32 = 4 << 10;
/// Largest output of a unit, bytes.
pub const OUTPUT_BYTES_MAX: u64 = 1 << 30;

/// What a user wants computed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// What people call it; without control characters.
    pub name: String,
    /// What it is for.
    pub about: About,
    /// The wasm module, a blob.
    pub module: Hash,
    /// The units.
    pub units: SubmittedUnits,
    /// Seeds what the guest draws at random.
    pub seed: u64,
    /// Arguments of every unit.
    pub args: Vec<String>,
    /// The environment, sorted by name.
    pub env: Vec<(String, String)>,
    /// What a run may use.
    pub limits: RunLimits,
    /// How much proof is wanted; none if nothing is said.
    pub profile: Option<Profile>,
    /// Peer ids of those who may decide about an audited job in the node's stead; without: whom it knows.
    pub delegates: Option<Vec<String>>,
    /// Silence after which the first of them does, seconds; without: the usual time.
    pub delegate_after_s: Option<NonZeroU16>,
    /// Units of an audited job that have some checkers in any case.
    pub checkers: Vec<LeastCheckers>,
    /// Units of an audited job and the digests of their outputs, which nobody else is told.
    pub ringers: Vec<(UnitIndex, Hash)>,
    /// How much it weighs beside other jobs.
    pub priority: u8,
    /// Seconds after its submission by which it should be done; 0 for whenever.
    pub deadline_s: u32,
    /// The merging module, a blob.
    pub merge: Option<Hash>,
    /// Whether the module is not looked over before.
    pub unchecked: bool,
    /// A new job even if the same work was submitted before.
    pub again: bool,
}

/// The units of a submission. Whether the blobs are there is not known yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubmittedUnits {
    /// That many, 1 to [`UNITS_MAX`], without a table.
    Count(u32),
    /// One for each blob.
    Inputs(Vec<Hash>),
    /// One for each 32 bytes of this blob, which are the hash of its input.
    InputList(Hash),
}

impl TryFrom<JobRequest> for Submission {
    type Error = Refusal;

    fn try_from(request: JobRequest) -> Result<Submission, Refusal> {
        check_texts(&request)?;
        Ok(Submission {
            units: units(request.units)?,
            limits: limits(request.limits)?,
            name: request.name,
            about: about(request.about),
            module: hash(request.module),
            seed: request.seed,
            args: request.args,
            env: request.env.into_iter().collect(),
            profile: request.profile.map(profile),
            delegates: request.delegates,
            delegate_after_s: request.delegate_after_s,
            checkers: request.checkers.into_iter().map(least).collect(),
            ringers: request.ringers.into_iter().map(|one| (one.unit, hash(one.output))).collect(),
            priority: request.priority,
            deadline_s: request.deadline_s,
            merge: request.merge.map(hash),
            unchecked: request.unchecked,
            again: request.again,
        })
    }
}

/// What a job is for, in the scheduler's form; the scheduler has the last word on its limits.
fn about(about: dugnad_client::About) -> About {
    let dugnad_client::About { description, tags, licence, contact } = about;
    About { description, tags, licence, contact }
}

/// The same as clients write it.
pub fn about_of(about: About) -> dugnad_client::About {
    let About { description, tags, licence, contact } = about;
    dugnad_client::About { description, tags, licence, contact }
}

fn least(one: dugnad_client::LeastCheckers) -> LeastCheckers {
    let units = Span { first: one.first, count: one.count };
    LeastCheckers { units, least: one.least }
}

/// The scheduler's form of a profile; seeds and delegates of an audited job are its owner's to name.
pub fn profile(profile: dugnad_client::Profile) -> Profile {
    match profile {
        dugnad_client::Profile::Quorum(n) => Profile::quorum(n),
        dugnad_client::Profile::Rechecked(n, percent) => Profile::rechecked(n, percent),
        dugnad_client::Profile::Checked => Profile::Checked,
        dugnad_client::Profile::Audited(ppb) => {
            Profile::Audited(AuditTerms::new(ppb, Hash::default()))
        }
    }
}

/// A profile as clients write it.
pub fn profile_of(profile: Profile) -> dugnad_client::Profile {
    match profile {
        Profile::Quorum { n, recheck_percent: 0, .. } => dugnad_client::Profile::Quorum(n),
        Profile::Quorum { n, recheck_percent, .. } => {
            dugnad_client::Profile::Rechecked(n, recheck_percent)
        }
        Profile::Checked => dugnad_client::Profile::Checked,
        Profile::Audited(terms) => dugnad_client::Profile::Audited(terms.max_error_ppb),
    }
}

/// The scheduler's name of a blob.
pub fn hash(blob: BlobHash) -> Hash {
    Hash(blob.0)
}

fn check_texts(request: &JobRequest) -> Result<(), Refusal> {
    let invalid = |problem: String| Err(Refusal::Invalid(problem));
    let name = &request.name;
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return invalid(format!(
            "a job's name is 1 to {NAME_BYTES_MAX} bytes without control characters"
        ));
    }
    if let Some(arg) = request.args.iter().find(|arg| arg.contains('\0')) {
        return invalid(format!("the argument {arg:?} holds a NUL, which no argument can"));
    }
    let wrong = |(name, value): &(&String, &String)| {
        name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
    };
    match request.env.iter().find(wrong) {
        Some((name, value)) => invalid(format!("{name:?} = {value:?} is no environment variable")),
        None => Ok(()),
    }
}

fn units(units: UnitsRequest) -> Result<SubmittedUnits, Refusal> {
    match units {
        UnitsRequest::Count(count @ 1..=UNITS_MAX) => Ok(SubmittedUnits::Count(count)),
        UnitsRequest::Count(count) => {
            Err(Refusal::Invalid(format!("{count} units; a job has 1 to {UNITS_MAX}")))
        }
        UnitsRequest::Inputs(inputs) if (1..=INPUTS_INLINE_MAX).contains(&inputs.len()) => {
            Ok(SubmittedUnits::Inputs(inputs.into_iter().map(hash).collect()))
        }
        UnitsRequest::Inputs(inputs) => Err(Refusal::Invalid(format!(
            "{} inputs; a request carries 1 to {INPUTS_INLINE_MAX}, more go into an input_list",
            inputs.len()
        ))),
        UnitsRequest::InputList(list) => Ok(SubmittedUnits::InputList(hash(list))),
    }
}

fn limits(asked: LimitsRequest) -> Result<RunLimits, Refusal> {
    let default = RunLimits::default();
    let limits = RunLimits {
        fuel: asked.fuel.unwrap_or(default.fuel),
        memory_mib: asked.memory_mib.unwrap_or(default.memory_mib),
        output_bytes: asked.output_bytes.unwrap_or(default.output_bytes),
    };
    let RunLimits { fuel, memory_mib, output_bytes } = limits;
    if fuel == 0 {
        return Err(Refusal::Invalid("fuel is 0; nothing runs on that".into()));
    }
    if memory_mib == 0 || memory_mib > MEMORY_MIB_MAX {
        let problem = format!("memory_mib is {memory_mib}; 1 to {MEMORY_MIB_MAX} are allowed");
        return Err(Refusal::Invalid(problem));
    }
    match output_bytes <= OUTPUT_BYTES_MAX {
        true => Ok(limits),
        false => Err(Refusal::Invalid(format!(
            "output_bytes is {output_bytes}; at most {OUTPUT_BYTES_MAX} are allowed"
        ))),
    }
}
