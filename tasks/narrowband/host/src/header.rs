//! The header of a SIGPROC filterbank file: keywords with values, from `HEADER_START` to
//! `HEADER_END`, everything little-endian, strings preceded by their length (i32).
//!
//! A keyword does not say how long its value is. Those of the format are known; one that is not is
//! stepped over by trying the sizes a value can have and taking the first after which a keyword
//! stands again.
use crate::filterbank::HeaderFault;

/// Largest header, bytes.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// Longest keyword, bytes.
pub const KEYWORD_BYTES_MAX: usize = 80;

const START: &str = "HEADER_START";
const END: &str = "HEADER_END";
const INTEGERS: [&str; 13] = [
    "machine_id",
    "telescope_id",
    "data_type",
    "barycentric",
    "pulsarcentric",
    "nbits",
    "nsamples",
    "nchans",
    "nifs",
    "nbeams",
    "ibeam",
    "nbins",
    "npuls",
];
const DOUBLES: [&str; 9] =
    ["az_start", "za_start", "src_raj", "src_dej", "tstart", "tsamp", "fch1", "foff", "refdm"];
const DOUBLES_OF_FOLDED_DATA: [&str; 1] = ["period"];
const STRINGS: [&str; 2] = ["rawdatafile", "source_name"];
const FREQUENCY_TABLE: &str = "FREQUENCY_START";
const SIGN: &str = "signed";

/// What a header says, as far as the search asks.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Header {
    pub bytes: usize,
    pub source_name: String,
    pub tstart_mjd: f64,
    pub fch1_mhz: Option<f64>,
    pub foff_mhz: Option<f64>,
    pub tsamp_s: Option<f64>,
    pub nchans: Option<i32>,
    pub nbits: Option<i32>,
    pub nifs: Option<i32>,
    pub nsamples: Option<i32>,
    pub signed: bool,
    pub unknown: Vec<String>,
}

/// Reads a header from the first bytes of a file.
pub fn parse(bytes: &[u8]) -> Result<Header, HeaderFault> {
    let mut cursor = Cursor { bytes, at: 0 };
    if cursor.keyword().ok().as_deref() != Some(START) {
        return Err(HeaderFault::NotAFilterbank);
    }
    let mut header = Header::default();
    loop {
        let at = cursor.at;
        let keyword = cursor.keyword()?;
        match keyword.as_str() {
            END => break,
            FREQUENCY_TABLE => return Err(HeaderFault::FrequencyTable { at }),
            SIGN => header.signed = cursor.take(1)?[0] != 0,
            name if INTEGERS.contains(&name) => header.set_integer(name, cursor.integer()?),
            name if DOUBLES.contains(&name) || DOUBLES_OF_FOLDED_DATA.contains(&name) => {
                header.set_double(name, cursor.double()?);
            }
            name if STRINGS.contains(&name) => header.set_string(name, cursor.string()?),
            _ => {
                cursor.step_over_value(&keyword, at)?;
                header.unknown.push(keyword);
            }
        }
    }
    header.bytes = cursor.at;
    Ok(header)
}

impl Header {
    fn set_integer(&mut self, name: &str, value: i32) {
        match name {
            "nchans" => self.nchans = Some(value),
            "nbits" => self.nbits = Some(value),
            "nifs" => self.nifs = Some(value),
            "nsamples" => self.nsamples = Some(value),
            _ => {}
        }
    }

    fn set_double(&mut self, name: &str, value: f64) {
        match name {
            "fch1" => self.fch1_mhz = Some(value),
            "foff" => self.foff_mhz = Some(value),
            "tsamp" => self.tsamp_s = Some(value),
            "tstart" => self.tstart_mjd = value,
            _ => {}
        }
    }

    fn set_string(&mut self, name: &str, value: String) {
        if name == "source_name" {
            self.source_name = value;
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], HeaderFault> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..count));
        let taken = taken.ok_or(match self.bytes.len() < HEADER_BYTES_MAX {
            true => HeaderFault::CutShort,
            false => HeaderFault::TooLong,
        })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HeaderFault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn integer(&mut self) -> Result<i32, HeaderFault> {
        self.array().map(i32::from_le_bytes)
    }

    fn double(&mut self) -> Result<f64, HeaderFault> {
        self.array().map(f64::from_le_bytes)
    }

    fn string(&mut self) -> Result<String, HeaderFault> {
        let at = self.at;
        let length = self.integer()?;
        match usize::try_from(length) {
            Ok(length) => Ok(String::from_utf8_lossy(self.take(length)?).into_owned()),
            Err(_) => Err(HeaderFault::StringLength { at, length }),
        }
    }

    fn keyword(&mut self) -> Result<String, HeaderFault> {
        let at = self.at;
        let length = self.integer()?;
        let length = match usize::try_from(length) {
            Ok(length @ 1..=KEYWORD_BYTES_MAX) => length,
            Ok(_) | Err(_) => return Err(HeaderFault::NotAKeyword { at }),
        };
        let word = self.take(length)?;
        match word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)) {
            true => Ok(String::from_utf8_lossy(word).into_owned()),
            false => Err(HeaderFault::NotAKeyword { at }),
        }
    }

    fn step_over_value(&mut self, keyword: &str, keyword_at: usize) -> Result<(), HeaderFault> {
        let start = self.at;
        let string = self.integer().ok().and_then(|length| usize::try_from(length).ok());
        let sizes = [Some(4), Some(8), string.and_then(|length| length.checked_add(4)), Some(1)];
        for size in sizes.into_iter().flatten() {
            self.at = start;
            if self.take(size).is_ok() {
                let after_value = self.at;
                if self.keyword().is_ok() {
                    self.at = after_value;
                    return Ok(());
                }
            }
        }
        Err(HeaderFault::UnknownKeyword { keyword: keyword.to_string(), at: keyword_at })
    }
}
