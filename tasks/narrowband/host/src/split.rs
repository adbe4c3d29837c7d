//! Cuts a file into the inputs of units, one at a time: what was handed out is not kept.
use crate::{FilError, Filterbank};
use narrowband::chunk::{ChunkHeader, Observation, Settings};

/// Chunks where nothing else is said; of large observations there are more.
pub const CHUNKS_DEFAULT: u32 = 32;
/// Samples that a chunk should own at most where nothing else is said.
pub const CHUNK_SAMPLES_GOAL: u64 = 2 << 20;

/// Into how many chunks an observation is best cut.
pub fn chunks_default(observation: &Observation) -> u32 {
    let samples = u64::from(observation.channels) * u64::from(observation.spectra);
    let by_size = u32::try_from(samples.div_ceil(CHUNK_SAMPLES_GOAL)).unwrap_or(u32::MAX);
    by_size.max(CHUNKS_DEFAULT).min(observation.channels)
}

/// The chunks of a file, in order.
#[derive(Debug)]
pub struct Split<'a> {
    fil: &'a mut Filterbank,
    settings: Settings,
    chunks: u32,
    next: u32,
}

impl<'a> Split<'a> {
    /// Cuts `fil` into `chunks` chunks.
    ///
    /// # Errors
    /// The file cannot be searched with these settings or cut into so many or so few chunks.
    pub fn new(
        fil: &'a mut Filterbank,
        settings: Settings,
        chunks: u32,
    ) -> Result<Split<'a>, FilError> {
        let split = Split { fil, settings, chunks, next: 0 };
        split.header(0)?;
        Ok(split)
    }

    fn header(&self, chunk: u32) -> Result<ChunkHeader, FilError> {
        let (observation, encoding) = (self.fil.observation(), self.fil.encoding());
        ChunkHeader::plan(observation, self.settings, encoding, chunk, self.chunks)
            .map_err(|fault| self.fil.search_fault(fault))
    }

    /// The bytes of one chunk: the input of the unit of that index.
    ///
    /// # Errors
    /// There is no such chunk, or the file cannot be read.
    pub fn chunk(&mut self, chunk: u32) -> Result<Vec<u8>, FilError> {
        let header = self.header(chunk)?;
        let mut bytes = header.encode().map_err(|fault| self.fil.search_fault(fault))?;
        bytes.reserve_exact(header.sample_count() as usize * header.encoding.bytes());
        for spectrum in 0..header.observation.spectra {
            self.fil.read(spectrum, header.samples, &mut bytes)?;
        }
        Ok(bytes)
    }
}

impl Iterator for Split<'_> {
    type Item = Result<Vec<u8>, FilError>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.next;
        (chunk < self.chunks).then(|| {
            self.next += 1;
            self.chunk(chunk)
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.chunks - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Split<'_> {}
