//! A function over many inputs, as one call: each input a unit, the outputs in the same order.
//!
//! Values travel as JSON, which is what `#[dugnad_guest::unit]` reads and writes. Who drops the call stops
//! the job that it began; work that the node had submitted before goes on.
use crate::{Error, Grid, Input, Job, Module, UnitOutput, UnitSource};
use bytes::Bytes;
use futures::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime::Handle;

impl Grid {
    /// Runs a module on each input, by JSON both ways; answers the outputs in the order of the inputs.
    ///
    /// ```no_run
    /// # async fn compute() -> Result<(), dugnad_client::Error> {
    /// let grid = dugnad_client::Grid::connect().await?;
    /// let primes: Vec<u64> = grid.map("primes.wasm", 0..100_u64).await?;
    /// println!("{} primes below 10¹⁰", primes.iter().sum::<u64>());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnitFailed`] with the first unit that failed; an input has no JSON form or an output is not
    /// the JSON of `Out`; the exchange failed.
    pub async fn map<In, Out>(
        &self,
        module: impl Module,
        inputs: impl IntoIterator<Item = In, IntoIter: Send + 'static>,
    ) -> Result<Vec<Out>, Error>
    where
        In: Serialize,
        Out: DeserializeOwned,
    {
        let encode = |(unit, input): (u32, In)| {
            let bytes = serde_json::to_vec(&input).map_err(|error| Error::Units {
                problem: format!("input {unit} has no JSON form: {error}"),
            })?;
            Ok(Input::Bytes(bytes))
        };
        let inputs = (0..).zip(inputs).map(encode);
        let mut outputs = Vec::new();
        let decode = |unit: u32, bytes: &Bytes| {
            serde_json::from_slice(bytes)
                .map_err(|error| Error::Output { unit, problem: error.to_string() })
        };
        let units = UnitSource::Inputs(Box::new(inputs));
        self.run(module, units, |unit, bytes| {
            outputs.push(decode(unit, &bytes)?);
            Ok(())
        })
        .await?;
        Ok(outputs)
    }

    /// The same with bytes as they are: standard input and standard output of each unit.
    ///
    /// # Errors
    /// [`Error::UnitFailed`] with the first unit that failed, or the exchange failed.
    pub async fn map_bytes(
        &self,
        module: impl Module,
        inputs: impl IntoIterator<Item = Vec<u8>, IntoIter: Send + 'static>,
    ) -> Result<Vec<Bytes>, Error> {
        let mut outputs = Vec::new();
        let units = UnitSource::bytes(inputs);
        self.run(module, units, |_, bytes| {
            outputs.push(bytes);
            Ok(())
        })
        .await?;
        Ok(outputs)
    }

    async fn run(
        &self,
        module: impl Module,
        units: UnitSource,
        mut take: impl FnMut(u32, Bytes) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let job = Job::builder().name("map").module(module).units(units).submit(self).await?;
        // What was begun elsewhere is not this call's to stop.
        let mut unfinished = Unfinished(Some(job.clone()).filter(|job| !job.known));
        let mut results = job.outputs().await?;
        while let Some(result) = results.next().await {
            let UnitOutput { unit, output } = result?;
            match output {
                Some(bytes) => take(unit, bytes)?,
                None => return Err(job.failure(unit).await),
            }
        }
        unfinished.0 = None;
        Ok(())
    }
}

/// A job whose results nobody will read if this is dropped.
struct Unfinished(Option<Job>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let (Some(job), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        // Best effort: where the node is gone, there is nobody to tell.
        runtime.spawn(async move { job.cancel().await });
    }
}
