//! How a submission becomes a job: its module is looked over, its unit table written, its manifest signed.
//!
//! Invariant: nothing is announced that this node cannot serve: every blob that it names is here.
use super::{
    assets::AssetError,
    backend::{Handle, failed, refused},
    draw,
    event::Command,
    stamps,
    status::Standing,
};
use crate::{
    api::{Refusal, Submission, SubmittedUnits, profile, profile_of},
    audit,
    exec::Facts,
    net,
    store::StoreError,
};
use coordinator_free_scheduler::{
    CommandError, DELEGATES_MAX, ENGINE, Hash, JobState, LOT_UNITS_DEFAULT, MANIFEST_CONTEXT,
    Manifest, PAGE_UNITS, PeerKey, Profile, SignedManifest, Stamp, TableDirectory, TablePage,
    UnitEntry, Units, Work, stamp_hashes, wire,
};
use dugnad_client::Submitted;
use std::num::NonZeroU16;

/// Delegates of an audited job that names none, where this node knows as many peers well.
const DELEGATES_USUAL: usize = 2;
/// Why a job is not checked.
const NO_VERIFY: &str = "profile = \"checked\" wants a module that exports `verify` (see `verify!` and \
    `plain_verify!` of dugnad-guest); this one does not: take \"quorum=N\" or \"audited\"";
/// Why it is not audited, or computed again in part.
const NO_CORES: &str = "the node of an audited job, and of one by \"quorum=N+P%\", computes units itself, and \
    this one lends no processor (--cores 0); submit it on another, or with profile = \"quorum=N\"";

impl Handle {
    /// Makes it a job, or answers the one that it is already.
    pub(super) async fn accept(&self, submission: Submission) -> Result<Submitted, Refusal> {
        let again = submission.again;
        let named = submission.delegates.is_some() || submission.delegate_after_s.is_some();
        let ringers = submission.ringers.clone();
        let mut manifest = self.manifest_of(submission).await?;
        let same = if again { Vec::new() } else { self.same(&manifest, named).await? };
        let cancelled = |job: &Standing| job.status.state == JobState::Cancelled;
        let known = same.iter().find(|job| !cancelled(job));
        if known.is_none() && !same.is_empty() {
            // The same bytes would be the job that was cancelled.
            manifest = audit::with_seeds(&self.keys, Manifest { salt: salt()?, ..manifest });
        }
        let (job, profile) = match known {
            Some(standing) => (standing.job, standing.profile),
            None => {
                let bytes =
                    manifest.encode().map_err(|error| refused(CommandError::Manifest(error)))?;
                let signature = self.keys.sign(MANIFEST_CONTEXT, &bytes).to_vec();
                let signed = SignedManifest { bytes, signature, stamp: Stamp::default() };
                let hashes = stamp_hashes(self.work_factor, manifest.work.units.count());
                let stamp = stamps::find(signed.id(), hashes).await?;
                let signed = SignedManifest { stamp, ..signed };
                let job = self.ask(|answer| Command::Submit(signed, ringers, answer)).await?;
                (job.map_err(refused)?, manifest.profile)
            }
        };
        let units = manifest.work.units.count().into();
        let work = dugnad_client::WorkId(manifest.work.id().0.0);
        let (job, profile) = (dugnad_client::JobId(job.0.0), profile_of(profile));
        Ok(Submitted { job, work, units, profile, known: known.is_some() })
    }

    async fn manifest_of(&self, submission: Submission) -> Result<Manifest, Refusal> {
        let facts = self.module(submission.module, "module", submission.unchecked).await?;
        if let Some(merge) = submission.merge {
            self.module(merge, "merging module", submission.unchecked).await?;
        }
        let units = self.units(submission.units).await?;
        let count = u64::from(units.count());
        let unsaid = || profile(dugnad_client::Profile::unsaid(self.is_open(), count));
        let profile = submission.profile.unwrap_or_else(unsaid);
        match profile {
            Profile::Checked if facts.is_some_and(|facts| !facts.verifies) => {
                return Err(Refusal::Invalid(NO_VERIFY.into()));
            }
            Profile::Audited(_) | Profile::Quorum { recheck_percent: 1.., .. }
                if self.cores == 0 =>
            {
                return Err(Refusal::Invalid(NO_CORES.into()));
            }
            Profile::Quorum { .. } | Profile::Audited(_) | Profile::Checked => {}
        }
        let (delegates, after_s) = (submission.delegates, submission.delegate_after_s);
        let manifest = Manifest {
            owner: self.keys.peer(),
            name: submission.name,
            about: submission.about,
            work: Work {
                engine: ENGINE.into(),
                module: submission.module,
                units,
                seed: submission.seed,
                args: submission.args,
                env: submission.env,
                limits: submission.limits,
            },
            profile: self.with_delegates(profile, delegates, after_s).await?,
            merge: submission.merge,
            lot_units: LOT_UNITS_DEFAULT,
            salt: match submission.again {
                true => salt()?,
                false => 0,
            },
            priority: submission.priority,
            deadline_s: submission.deadline_s,
            checkers: submission.checkers,
        };
        Ok(audit::with_seeds(&self.keys, manifest))
    }

    /// An audited profile with those who may decide in this node's stead: who is named, or else whom it
    /// knows well.
    async fn with_delegates(
        &self,
        profile: Profile,
        named: Option<Vec<String>>,
        after_s: Option<NonZeroU16>,
    ) -> Result<Profile, Refusal> {
        let Profile::Audited(mut terms) = profile else {
            return match (named, after_s) {
                (None, None) => Ok(profile),
                _ => Err(Refusal::Invalid("delegates go with audited jobs alone".into())),
            };
        };
        let delegates = match named {
            Some(named) => named.iter().map(|id| delegate(id)).collect::<Result<Vec<_>, _>>()?,
            None => {
                let known = self.ask(Command::KnownWell).await?;
                known.into_iter().take(DELEGATES_USUAL).collect()
            }
        };
        if delegates.len() > DELEGATES_MAX {
            let problem =
                format!("{} delegates; a job has at most {DELEGATES_MAX}", delegates.len());
            return Err(Refusal::Invalid(problem));
        }
        terms.delegate_after_s = after_s.map_or(terms.delegate_after_s, NonZeroU16::get);
        let places = terms.delegates.iter_mut();
        places.zip(delegates).for_each(|(place, delegate)| *place = Some(delegate));
        Ok(Profile::Audited(terms))
    }

    async fn known(&self, blob: Hash, what: &str) -> Result<(), Refusal> {
        match self.assets.missing(vec![blob]).await.map_err(failed)?.is_empty() {
            true => Ok(()),
            false => {
                Err(Refusal::Invalid(format!("the {what} {blob} was not uploaded to this node")))
            }
        }
    }

    /// A module that is here, and that can be run; looked over if anybody asks.
    async fn module(
        &self,
        module: Hash,
        what: &str,
        unchecked: bool,
    ) -> Result<Option<Facts>, Refusal> {
        self.known(module, what).await?;
        if unchecked {
            return Ok(None);
        }
        let bytes = self.assets.read(module, &[]).await.map_err(failed)?;
        let executor = self.executor.clone();
        let looked = tokio::task::spawn_blocking(move || executor.inspect(&bytes)).await;
        let looked = looked.map_err(|error| Refusal::Failed(error.to_string()))?;
        let facts = looked
            .map_err(|why| Refusal::Invalid(format!("the {what} can be run nowhere: {why}")))?;
        Ok(Some(facts))
    }

    async fn units(&self, units: SubmittedUnits) -> Result<Units, Refusal> {
        let inputs = match units {
            SubmittedUnits::Count(count) => return Ok(Units::Range { count }),
            SubmittedUnits::Inputs(inputs) => inputs,
            SubmittedUnits::InputList(list) => {
                self.known(list, "list of inputs").await?;
                let bytes = self.assets.read(list, &[]).await.map_err(failed)?;
                let (hashes, rest) = bytes.as_chunks::<32>();
                if !rest.is_empty() {
                    let problem =
                        format!("the list of inputs has {} bytes, not 32 for each", bytes.len());
                    return Err(Refusal::Invalid(problem));
                }
                hashes.iter().map(|hash| Hash(*hash)).collect()
            }
        };
        if let Some(absent) = self.assets.missing(inputs.clone()).await.map_err(failed)?.first() {
            return Err(Refusal::Invalid(format!(
                "the input {absent} was not uploaded to this node"
            )));
        }
        let count = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let directory = self.table(inputs).await.map_err(failed)?;
        Ok(Units::Table { count, directory })
    }

    /// Writes the unit table, answers its directory. A larger input is taken to be more work: that
    /// orders units and does nothing else.
    async fn table(&self, inputs: Vec<Hash>) -> Result<Hash, AssetError> {
        self.assets
            .blocking(move |store| {
                let mut directory = TableDirectory::default();
                for page in inputs.chunks(PAGE_UNITS as usize) {
                    let entry = |input: &Hash| {
                        let bytes = store.blob_size(*input)?.unwrap_or_default();
                        let cost_hint = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
                        Ok(UnitEntry { input: Some(*input), cost_hint, ..UnitEntry::default() })
                    };
                    let units: Result<Vec<UnitEntry>, StoreError> =
                        page.iter().map(entry).collect();
                    let page = TablePage { units: units? };
                    directory.pages.push(store.put_blob(&wire::encode(&page))?);
                }
                store.put_blob(&wire::encode(&directory))
            })
            .await
    }

    /// Jobs that this node has submitted already with the same work, profile and merging.
    async fn same(
        &self,
        manifest: &Manifest,
        delegates_named: bool,
    ) -> Result<Vec<Standing>, Refusal> {
        let (work, merge) = (manifest.work.id(), manifest.merge);
        // Seeds and delegates follow from the rest, and from when it was submitted.
        let profile = profile_of(manifest.profile);
        let jobs = self.ask(Command::Jobs).await?.into_iter();
        let same = |job: &Standing| {
            let asked = job.work == work && job.merge == merge && job.checkers == manifest.checkers;
            let terms =
                !delegates_named || delegates_of(job.profile) == delegates_of(manifest.profile);
            asked && terms && profile_of(job.profile) == profile
        };
        Ok(jobs.filter(|job| job.own && same(job)).collect())
    }
}

/// What tells a job from others with the same work.
fn salt() -> Result<u64, Refusal> {
    draw().map_err(|error| Refusal::Failed(error.to_string()))
}

/// Who may decide in the stead of a job's owner, and when.
fn delegates_of(profile: Profile) -> Option<(Vec<PeerKey>, u16)> {
    match profile {
        Profile::Audited(terms) => Some((terms.delegates().collect(), terms.delegate_after_s)),
        Profile::Quorum { .. } | Profile::Checked => None,
    }
}

fn delegate(id: &str) -> Result<PeerKey, Refusal> {
    net::peer_key(id).ok_or_else(|| {
        let shown = id.escape_debug();
        Refusal::Invalid(format!(
            "the delegate \"{shown}\" is no peer id; `dugnad peers` shows them"
        ))
    })
}
