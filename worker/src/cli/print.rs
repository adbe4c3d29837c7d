//! `dugnad fetch --print`: the outputs of a job as one stream to standard output, in unit order, while it
//! runs.
//!
//! Invariant: a line is complete and final when it is printed: one unit, with an output that may be relied
//! on, or failed.
use super::Failure;
use super::node::{self, NodeArguments};
use data_encoding::BASE64;
use dugnad_client::UnitOutput;
use futures::StreamExt;
use serde::Serialize;

/// The forms of a stream.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One object of JSON a line: unit, state, and output, or output_base64 where it is no text.
    Jsonl,
    /// Comma-separated values: unit, state, output; binary outputs in base64 in a fourth column.
    Csv,
}

#[derive(Serialize)]
struct Line<'a> {
    unit: u32,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_base64: Option<String>,
}

/// Prints the outputs of a job until it has ended.
pub async fn print(node: &NodeArguments, job: &str, format: Format) -> Result<(), Failure> {
    let grid = node.connect().await?;
    let job = grid.job(grid.find_job(job).await?).await?;
    let mut outputs = job.outputs().await?;
    if format == Format::Csv {
        node::say("unit,state,output,output_base64")?;
    }
    let mut failed = 0_u32;
    while let Some(unit) = outputs.next().await {
        let unit = unit?;
        failed += u32::from(unit.output.is_none());
        let line = Line::of(&unit);
        match format {
            Format::Jsonl => node::say_json(&line)?,
            Format::Csv => node::say(&line.csv())?,
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::FailedUnits(format!(
            "{failed} of the {} units failed; `dugnad logs {} UNIT` shows what one says",
            job.units(),
            job.id().short()
        ))),
    }
}

impl Line<'_> {
    fn of(unit: &UnitOutput) -> Line<'_> {
        let bytes = unit.output.as_deref();
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        Line {
            unit: unit.unit,
            state: if bytes.is_some() { "verified" } else { "failed" },
            output: text,
            output_base64: bytes.filter(|_| text.is_none()).map(|bytes| BASE64.encode(bytes)),
        }
    }

    fn csv(&self) -> String {
        let quoted = self.output.map(|text| format!("\"{}\"", text.replace('"', "\"\"")));
        let (quoted, base64) = (quoted.unwrap_or_default(), self.output_base64.as_deref());
        format!("{},{},{quoted},{}", self.unit, self.state, base64.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_output_has_its_place() {
        let csv = |output: Option<&'static [u8]>| {
            Line::of(&UnitOutput { unit: 7, output: output.map(Into::into) }).csv()
        };
        assert_eq!(csv(Some(b"a \"b\",\nc")), "7,verified,\"a \"\"b\"\",\nc\",");
        assert_eq!(csv(Some(b"\xff\0")), "7,verified,,/wA=");
        assert_eq!(csv(Some(b"")), "7,verified,\"\",");
        assert_eq!(csv(None), "7,failed,,");
    }
}
