//! The input of a unit of a plain range: its index in decimal and a newline.
use core::fmt;

/// Why an input was not understood as a unit index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAnIndex;

impl fmt::Display for NotAnIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a unit index in decimal and a newline (a job with `[units] count`)")
    }
}

impl core::error::Error for NotAnIndex {}

/// Reads the input of a unit of a job with `[units] count = N`.
///
/// ```
/// assert_eq!(dugnad_guest::unit_index(b"17\n"), Ok(17));
/// assert!(dugnad_guest::unit_index(b"seventeen").is_err());
/// ```
///
/// # Errors
/// The input is not a number below 2³² with an optional newline.
pub fn unit_index(input: &[u8]) -> Result<u32, NotAnIndex> {
    let digits = input.strip_suffix(b"\n").unwrap_or(input);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotAnIndex);
    }
    let append = |number: u32, digit: &u8| {
        number.checked_mul(10)?.checked_add(u32::from(digit - b'0')) // all are digits: checked above
    };
    digits.iter().try_fold(0, append).ok_or(NotAnIndex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_decimal_digits_below_two_to_the_32() {
        assert_eq!(unit_index(b"0\n"), Ok(0));
        assert_eq!(unit_index(b"4294967295"), Ok(u32::MAX));
        for wrong in [&b""[..], b"\n", b"-1\n", b"+1\n", b"1 \n", b"4294967296\n", b"1\n\n"] {
            assert_eq!(unit_index(wrong), Err(NotAnIndex), "{wrong:?}");
        }
    }
}
