//! SIGPROC filterbank files (`.fil`): power per spectrum, per polarisation product, per channel.
//!
//! Nothing but the header is kept in memory; samples are read where they are asked for, so a file
//! may be larger than memory. With several IFs the first two are added: they are the powers of the
//! two polarisations (total intensity); a third and fourth are cross products, not power.
use crate::header::{self, HEADER_BYTES_MAX, Header, KEYWORD_BYTES_MAX};
use narrowband::chunk::{ChunkError, Encoding, Observation, Span};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Most IFs in a file.
pub const IFS_MAX: u32 = 4;

/// IFs that hold power.
const POWER_IFS_MAX: u32 = 2;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The header is wrong.
    #[error("{path}: {fault}")]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// It cannot be searched as asked.
    #[error("{path}: {fault}")]
    Search {
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: ChunkError,
    },
}

/// What is wrong with a header.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum HeaderFault {
    /// No `HEADER_START`.
    #[error("not a SIGPROC filterbank file: it does not begin with HEADER_START (little-endian)")]
    NotAFilterbank,
    /// The file ends within its header.
    #[error("the file ends before HEADER_END")]
    CutShort,
    /// No end in sight.
    #[error("no HEADER_END in the first {HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// Something else where a keyword has to be.
    #[error("byte {at} of the header: no keyword of 1 to {KEYWORD_BYTES_MAX} letters here")]
    NotAKeyword {
        /// Where.
        at: usize,
    },
    /// A string of negative length.
    #[error("byte {at} of the header: a string of {length} bytes")]
    StringLength {
        /// Where.
        at: usize,
        /// By the header.
        length: i32,
    },
    /// A keyword not of the format, whose value has no size that leads to the next keyword.
    #[error("byte {at} of the header: keyword {keyword:?} is unknown and cannot be stepped over")]
    UnknownKeyword {
        /// It.
        keyword: String,
        /// Where.
        at: usize,
    },
    /// Channels that are not evenly spaced.
    #[error(
        "byte {at} of the header: a table of frequencies (FREQUENCY_START); only evenly spaced channels (fch1, foff) can be searched"
    )]
    FrequencyTable {
        /// Where.
        at: usize,
    },
    /// A needed keyword is not there.
    #[error("the header has no {0}")]
    Missing(&'static str),
    /// A number outside its bounds.
    #[error("{keyword} is {value}; it has to be {allowed}")]
    Value {
        /// Which.
        keyword: &'static str,
        /// By the header.
        value: i64,
        /// What would do.
        allowed: &'static str,
    },
    /// Signed samples.
    #[error("the samples are signed; power has to be unsigned 8 or 16 bits or 32-bit float")]
    Signed,
}

/// An open filterbank file.
#[derive(Debug)]
pub struct Filterbank {
    path: PathBuf,
    file: File,
    header: Header,
    observation: Observation,
    stored: Encoding,
    ifs: u32,
    notes: Vec<String>,
}

impl Filterbank {
    /// Opens a file and checks that it can be searched.
    ///
    /// # Errors
    /// It cannot be read, its header is wrong, or there is too little in it.
    pub fn open(path: &Path) -> Result<Filterbank, FilError> {
        let io = |source| FilError::Io { path: path.to_path_buf(), source };
        let fault = |fault| FilError::Header { path: path.to_path_buf(), fault };
        let file = File::open(path).map_err(io)?;
        let mut start = Vec::new();
        (&file).take(HEADER_BYTES_MAX as u64).read_to_end(&mut start).map_err(io)?;
        let header = header::parse(&start).map_err(fault)?;
        let stored = encoding(&header).map_err(fault)?;
        let ifs = bounded("nifs", header.nifs.unwrap_or(1), IFS_MAX, "1 to 4").map_err(fault)?;
        let observation = figures(&header).map_err(fault)?;
        let mut fil = Filterbank {
            path: path.to_path_buf(),
            observation,
            stored,
            ifs,
            notes: Vec::new(),
            header,
            file,
        };
        fil.count_spectra().map_err(io)?;
        fil.note_oddities();
        fil.observation.check().map_err(|fault| fil.search_fault(fault))?;
        Ok(fil)
    }

    /// What was observed.
    pub fn observation(&self) -> Observation {
        self.observation
    }

    /// What the header calls the source; may be empty.
    pub fn source_name(&self) -> &str {
        &self.header.source_name
    }

    /// When the observation began, MJD; 0 where the header does not say.
    pub fn tstart_mjd(&self) -> f64 {
        self.header.tstart_mjd
    }

    /// What a person should know about how the file was read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How samples come out of [`read`](Self::read).
    pub fn encoding(&self) -> Encoding {
        match self.ifs {
            1 => self.stored,
            _ => Encoding::F32,
        }
    }

    /// Appends some channels of one spectrum to `bytes`, in [`encoding`](Self::encoding).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&mut self, spectrum: u32, span: Span, bytes: &mut Vec<u8>) -> Result<(), FilError> {
        if self.ifs == 1 {
            return self.read_if(spectrum, 0, span, bytes);
        }
        let mut total = vec![0.0; span.channels() as usize];
        for product in 0..self.ifs.min(POWER_IFS_MAX) {
            let (mut stored, mut samples) = (Vec::new(), Vec::with_capacity(total.len()));
            self.read_if(spectrum, product, span, &mut stored)?;
            self.stored.decode(&stored, &mut samples);
            total.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += sample);
        }
        bytes.extend(total.into_iter().flat_map(f32::to_le_bytes));
        Ok(())
    }

    fn read_if(
        &mut self,
        spectrum: u32,
        product: u32,
        span: Span,
        bytes: &mut Vec<u8>,
    ) -> Result<(), FilError> {
        let size = self.stored.bytes() as u64;
        let line = u64::from(spectrum) * u64::from(self.ifs) + u64::from(product);
        let sample = line * u64::from(self.observation.channels) + u64::from(span.first);
        let from = SeekFrom::Start(self.header.bytes as u64 + sample * size);
        let start = bytes.len();
        bytes.resize(start + span.channels() as usize * size as usize, 0);
        let read = self.file.seek(from).and_then(|_| self.file.read_exact(&mut bytes[start..]));
        read.map_err(|source| FilError::Io { path: self.path.clone(), source })
    }

    pub(crate) fn search_fault(&self, fault: ChunkError) -> FilError {
        FilError::Search { path: self.path.clone(), fault }
    }

    /// The file's length decides how many spectra there are, whatever `nsamples` says.
    fn count_spectra(&mut self) -> io::Result<()> {
        let data = self.file.metadata()?.len().saturating_sub(self.header.bytes as u64);
        let spectrum =
            u64::from(self.observation.channels) * u64::from(self.ifs) * self.stored.bytes() as u64;
        let spectra = data / spectrum;
        self.observation.spectra = u32::try_from(spectra).unwrap_or(u32::MAX);
        if data % spectrum > 0 {
            let rest = data % spectrum;
            self.notes.push(format!(
                "the last spectrum is cut short ({rest} of {spectrum} bytes) and left out"
            ));
        }
        let promised = self.header.nsamples.map(i64::from).filter(|count| *count > 0);
        if promised.is_some_and(|count| count != spectra as i64) {
            let promised = promised.unwrap_or_default();
            self.notes.push(format!(
                "the header promises {promised} spectra, the file holds {spectra}; all of them are searched"
            ));
        }
        Ok(())
    }

    fn note_oddities(&mut self) {
        if !self.header.unknown.is_empty() {
            let names = self.header.unknown.join(", ");
            self.notes.push(format!("keywords stepped over: {names}"));
        }
        if self.ifs > 1 {
            let ifs = self.ifs;
            self.notes.push(format!("of {ifs} IFs the first two are added (total intensity)"));
        }
    }
}

fn encoding(header: &Header) -> Result<Encoding, HeaderFault> {
    let encoding = match header.nbits.ok_or(HeaderFault::Missing("nbits"))? {
        8 => Encoding::U8,
        16 => Encoding::U16,
        32 => Encoding::F32,
        other => {
            let value = i64::from(other);
            return Err(HeaderFault::Value { keyword: "nbits", value, allowed: "8, 16 or 32" });
        }
    };
    match header.signed && encoding != Encoding::F32 {
        true => Err(HeaderFault::Signed),
        false => Ok(encoding),
    }
}

fn figures(header: &Header) -> Result<Observation, HeaderFault> {
    let channels = header.nchans.ok_or(HeaderFault::Missing("nchans"))?;
    Ok(Observation {
        fch1_mhz: header.fch1_mhz.ok_or(HeaderFault::Missing("fch1"))?,
        foff_mhz: header.foff_mhz.ok_or(HeaderFault::Missing("foff"))?,
        tsamp_s: header.tsamp_s.ok_or(HeaderFault::Missing("tsamp"))?,
        channels: bounded("nchans", channels, narrowband::chunk::CHANNELS_MAX, "1 to 2^30")?,
        spectra: 0,
    })
}

fn bounded(
    keyword: &'static str,
    value: i32,
    max: u32,
    allowed: &'static str,
) -> Result<u32, HeaderFault> {
    match u32::try_from(value) {
        Ok(number) if number > 0 && number <= max => Ok(number),
        Ok(_) | Err(_) => Err(HeaderFault::Value { keyword, value: i64::from(value), allowed }),
    }
}
