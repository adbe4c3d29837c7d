//! The grid as one node shows it: every call is a request to that node.
use crate::route::{self, Answer};
use crate::{
    ApiAddress, BlobHash, Error, Fetched, Job, JobId, JobSpec, JobStatus, Level, NodeStatus,
    PeerStatus, Submitted, UnitLog, UnitResult, Written, early, events,
    explain::{JobStory, UnitStory},
    fetch, json, results, submit,
};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder};
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncRead;

/// How long a connection to a node on this machine may take, ms.
const CONNECT_MS_MAX: u64 = 5_000;
/// Fewest digits of a job's id that stand for it.
pub const JOB_PREFIX_DIGITS_MIN: usize = 4;

/// The API of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Grid {
    client: Client,
    url: String,
}

impl Grid {
    /// Connects to this user's node: the one that runs on [`data_dir_default`](crate::data_dir_default).
    ///
    /// # Errors
    /// As [`connect_dir`](Self::connect_dir).
    pub async fn connect() -> Result<Grid, Error> {
        Grid::connect_dir(crate::data_dir_default()?).await
    }

    /// Connects to the node at `address` and makes sure that it answers.
    ///
    /// # Errors
    /// [`Error::NoNode`] if nobody answers there; [`Error::Refused`] if the token is wrong.
    pub async fn connect_to(address: &ApiAddress) -> Result<Grid, Error> {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", address.token));
        let mut bearer = bearer.map_err(|_| Error::Address {
            path: crate::TOKEN_FILE.into(),
            problem: "the token holds characters that no token has".into(),
        })?;
        bearer.set_sensitive(true);
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            // The node is on this machine; a proxy would see the token and not find the node.
            .no_proxy()
            .build()
            .map_err(|source| Error::Transport { route: address.url.clone(), source })?;
        let grid = Grid { client, url: address.url.trim_end_matches('/').to_owned() };
        grid.node_status().await?;
        Ok(grid)
    }

    /// Connects to the node that runs on a data directory.
    ///
    /// # Errors
    /// As [`ApiAddress::read`] and [`connect_to`](Self::connect_to).
    pub async fn connect_dir(dir: impl AsRef<Path>) -> Result<Grid, Error> {
        let address = ApiAddress::read(&dir)?;
        match Grid::connect_to(&address).await {
            // A killed node leaves its files behind; the user knows the directory, not the port.
            Err(Error::NoNode { .. }) => {
                Err(Error::NoNode { place: dir.as_ref().display().to_string() })
            }
            connected => connected,
        }
    }

    /// How the node is.
    ///
    /// # Errors
    /// The exchange failed.
    pub async fn node_status(&self) -> Result<NodeStatus, Error> {
        self.read("/v1/status").await?.json().await
    }

    /// The peers that the node knows.
    ///
    /// # Errors
    /// The exchange failed.
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, Error> {
        self.read("/v1/peers").await?.json().await
    }

    /// A line that lets another machine join the node's grid.
    ///
    /// # Errors
    /// The exchange failed.
    pub async fn invite(&self) -> Result<String, Error> {
        let json::Invite { invite } = self.read("/v1/invite").await?.json().await?;
        Ok(invite)
    }

    /// Uploads one blob, whatever its size.
    ///
    /// # Errors
    /// The reader failed, or the exchange.
    pub async fn upload(
        &self,
        reader: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<BlobHash, Error> {
        Ok(submit::upload_reader(self, reader).await?.blob)
    }

    /// The bytes of a blob that the node holds.
    ///
    /// # Errors
    /// The node does not hold it, or the exchange failed.
    pub async fn blob(&self, blob: BlobHash) -> Result<Bytes, Error> {
        let answer = route::stream(self.get(&format!("/v1/blobs/{blob}"))).await?;
        let route = answer.route.clone();
        let bytes = answer.bytes().await?;
        match BlobHash::of(&bytes) == blob {
            true => Ok(bytes),
            false => Err(Error::Answer { route, problem: "these are other bytes".into() }),
        }
    }

    /// Uploads what `spec` names and submits it. The same work submitted twice is one job, unless
    /// `again` is set.
    ///
    /// # Errors
    /// An input cannot be read, the node refuses the job, or the exchange failed.
    pub async fn submit(&self, spec: JobSpec) -> Result<Submitted, Error> {
        let request = submit::upload(self, spec).await?;
        route::stream(self.post("/v1/jobs").json(&request)).await?.json().await
    }

    /// The jobs that the node knows.
    ///
    /// # Errors
    /// The exchange failed.
    pub async fn jobs(&self) -> Result<Vec<JobStatus>, Error> {
        self.read("/v1/jobs").await?.json().await
    }

    /// The one job whose id begins with `prefix`, of at least [`JOB_PREFIX_DIGITS_MIN`] digits.
    ///
    /// # Errors
    /// No job, or more than one, or the exchange failed.
    pub async fn find_job(&self, prefix: &str) -> Result<JobId, Error> {
        if let Ok(job) = prefix.parse() {
            return Ok(job);
        }
        let wrong = |problem| Error::JobPrefix { prefix: prefix.to_owned(), problem };
        let digits = prefix.to_ascii_lowercase();
        if digits.len() < JOB_PREFIX_DIGITS_MIN || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong("a job is named by at least 4 hexadecimal digits of its id"));
        }
        let jobs = self.jobs().await?;
        let mut fits = jobs.iter().filter(|status| status.job.to_string().starts_with(&digits));
        match (fits.next(), fits.next()) {
            (Some(status), None) => Ok(status.job),
            (Some(_), Some(_)) => Err(wrong("more than one job begins so")),
            (None, _) => Err(wrong("no job begins so")),
        }
    }

    /// A job that the node knows, to be read from.
    ///
    /// # Errors
    /// The node does not know it, or the exchange failed.
    pub async fn job(&self, job: JobId) -> Result<Job, Error> {
        let units = self.status(job).await?.units;
        Ok(Job::new(self.clone(), job, units, true))
    }

    /// How far a job is.
    ///
    /// # Errors
    /// The node does not know it, or the exchange failed.
    pub async fn status(&self, job: JobId) -> Result<JobStatus, Error> {
        self.read(&format!("/v1/jobs/{job}")).await?.json().await
    }

    /// A job's status now and whenever it has changed, until the job has ended. An error is the
    /// last item.
    ///
    /// # Errors
    /// The node does not know the job, or the exchange failed.
    pub async fn watch(
        &self,
        job: JobId,
    ) -> Result<BoxStream<'static, Result<JobStatus, Error>>, Error> {
        let answer = route::stream(self.get(&format!("/v1/jobs/{job}/events"))).await?;
        Ok(events::statuses(answer).boxed())
    }

    /// Why a job stands where it stands, and what it waits for.
    ///
    /// # Errors
    /// The node does not know it, or the exchange failed.
    pub async fn explain(&self, job: JobId) -> Result<JobStory, Error> {
        self.read(&format!("/v1/jobs/{job}/explain")).await?.json().await
    }

    /// The same of one unit.
    ///
    /// # Errors
    /// The node does not know the job, the job has no such unit, or the exchange failed.
    pub async fn explain_unit(&self, job: JobId, unit: u32) -> Result<UnitStory, Error> {
        self.read(&format!("/v1/jobs/{job}/units/{unit}/explain")).await?.json().await
    }

    /// Runs a unit on the node's machine, whatever it came to on others, for what it says on standard error.
    ///
    /// # Errors
    /// The node does not know the job, has not what the unit needs, or the exchange failed.
    pub async fn log(&self, job: JobId, unit: u32) -> Result<UnitLog, Error> {
        route::stream(self.get(&format!("/v1/jobs/{job}/units/{unit}/log"))).await?.json().await
    }

    /// The output of one unit.
    ///
    /// # Errors
    /// [`Error::Refused`] with status 404 and the reason if there is none (yet).
    pub async fn output(&self, job: JobId, unit: u32) -> Result<Bytes, Error> {
        route::stream(self.get(&format!("/v1/jobs/{job}/units/{unit}/output"))).await?.bytes().await
    }

    /// Writes the outputs that are verified by now to `dir/units/00000000.out`…, the job's status to
    /// `dir/job.json` and what proves it to `dir/certificate.dugnad`. Outputs that are there already
    /// are kept, so an interrupted fetch is resumed by the same call. Once all are there they are
    /// checked against the job's digest.
    ///
    /// # Errors
    /// The directory cannot be written or holds other work, the outputs are not those of the
    /// job's digest, or the exchange failed.
    pub async fn fetch(&self, job: JobId, dir: impl AsRef<Path>) -> Result<Fetched, Error> {
        fetch::fetch(self, job, dir.as_ref()).await
    }

    /// The results of a job of the node's own that have reached `level`, and each again whenever more is known
    /// of it, until the job has ended. Below [`Level::Released`] they may prove wrong: who uses them heeds
    /// `revised`. At that level: the outputs that are verified by now, in unit order, up to the first unit
    /// that is open.
    ///
    /// # Errors
    /// The node does not know the job or did not submit it, or the exchange failed.
    pub async fn results(
        &self,
        job: JobId,
        level: Level,
    ) -> Result<BoxStream<'static, Result<UnitResult, Error>>, Error> {
        let request = self.get(&format!("/v1/jobs/{job}/outputs")).query(&[("level", level)]);
        Ok(results::results(route::stream(request).await?, level).boxed())
    }

    /// The same, written to `dir/reported/00000000.out`…, `dir/checked/…` and `dir/units/…` as they come. When
    /// the stream has ended, [`fetch`](Self::fetch) checks the whole, and proves it.
    ///
    /// # Errors
    /// As [`results`](Self::results), or the directory cannot be written or holds other work.
    pub async fn fetch_early(
        &self,
        job: JobId,
        dir: impl AsRef<Path>,
        level: Level,
    ) -> Result<BoxStream<'static, Result<Written, Error>>, Error> {
        Ok(early::fetch(self, job, dir.as_ref(), level).await?.boxed())
    }

    /// Stops a job.
    ///
    /// # Errors
    /// The node does not know it or does not own it, or the exchange failed.
    pub async fn cancel(&self, job: JobId) -> Result<JobStatus, Error> {
        let path = format!("{}/v1/jobs/{job}", self.url);
        route::exchange(self.client.delete(path)).await?.json().await
    }

    pub(crate) async fn certificate(&self, job: JobId) -> Result<Answer, Error> {
        route::stream(self.get(&format!("/v1/jobs/{job}/certificate"))).await
    }

    pub(crate) async fn outputs(&self, job: JobId, from: u32) -> Result<Answer, Error> {
        route::stream(self.get(&format!("/v1/jobs/{job}/outputs")).query(&[("from", from)])).await
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    async fn read(&self, path: &str) -> Result<Answer, Error> {
        route::exchange(self.get(path)).await
    }
}
