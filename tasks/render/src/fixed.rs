//! Numbers with [`FRACTION_BITS`] bits behind the point, and so few before it that a product of two fits.
//!
//! Invariant: never rounded up; what does not fit behind the point is cut off towards 0. So results are
//! exact but for less than the last bit, and the same everywhere.
use core::ops::{Add, Neg, Sub};

/// Words of 32 bits, the last of them before the point.
const WORDS: usize = 12;
/// Bits behind the point; a zoom may go as deep as some 60 bits less.
pub const FRACTION_BITS: u32 = 32 * (WORDS as u32 - 1);

/// A number; −0 and 0 are the same.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    negative: bool,
    /// The lowest first.
    words: [u32; WORDS],
}

impl Fixed {
    /// Nothing.
    pub const ZERO: Fixed = Fixed { negative: false, words: [0; WORDS] };

    /// Reads a decimal number such as `-0.75`, with up to nine digits before the point.
    pub fn parse(text: &str) -> Option<Fixed> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 9 || !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let mut words = [0; WORDS];
        // From the last digit to the first: each time a digit comes before, all moves one place back.
        for digit in part.bytes().rev() {
            words[WORDS - 1] = u32::from(digit - b'0');
            divide(&mut words, 10);
        }
        words[WORDS - 1] = whole.parse().ok()?;
        Some(Fixed { negative, words })
    }

    /// The nearest float below it, in size.
    pub fn to_f64(self) -> f64 {
        let Some(top) = self.words.iter().rposition(|word| *word != 0) else { return 0.0 };
        // Three words hold 65 bits or more; a float takes 53 of them.
        let word = |back: usize| top.checked_sub(back).map_or(0, |at| u128::from(self.words[at]));
        let bits = word(0) << 64 | word(1) << 32 | word(2);
        let cut = 128 - bits.leading_zeros() - 53;
        let size = (bits >> cut << cut) as f64;
        let size = scaled(size, 32 * (top as i32 - 2) - FRACTION_BITS as i32);
        if self.negative { -size } else { size }
    }

    /// Its square.
    pub fn square(self) -> Fixed {
        self.times(self)
    }

    /// The product.
    pub fn times(self, other: Fixed) -> Fixed {
        let mut product = [0_u32; 2 * WORDS];
        for (at, a) in self.words.iter().enumerate() {
            let mut over = 0;
            for (b, place) in other.words.iter().zip(&mut product[at..]) {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(*place) + over;
                *place = sum as u32;
                over = sum >> 32;
            }
            product[at + WORDS] = over as u32;
        }
        let mut words = [0; WORDS];
        words.copy_from_slice(&product[WORDS - 1..2 * WORDS - 1]);
        Fixed { negative: self.negative != other.negative, words }
    }

    /// Twice the number.
    pub fn doubled(self) -> Fixed {
        self + self
    }
}

impl Neg for Fixed {
    type Output = Fixed;

    fn neg(self) -> Fixed {
        Fixed { negative: !self.negative, ..self }
    }
}

impl Add for Fixed {
    type Output = Fixed;

    fn add(self, other: Fixed) -> Fixed {
        if self.negative == other.negative {
            return Fixed { negative: self.negative, words: sum(&self.words, &other.words) };
        }
        let larger = self.words.iter().rev().ge(other.words.iter().rev());
        let (large, small) = if larger { (self, other) } else { (other, self) };
        Fixed { negative: large.negative, words: difference(&large.words, &small.words) }
    }
}

impl Sub for Fixed {
    type Output = Fixed;

    fn sub(self, other: Fixed) -> Fixed {
        self + -other
    }
}

fn sum(one: &[u32; WORDS], other: &[u32; WORDS]) -> [u32; WORDS] {
    let mut over = false;
    core::array::from_fn(|at| {
        let (sum, first) = one[at].overflowing_add(other[at]);
        let (sum, second) = sum.overflowing_add(u32::from(over));
        over = first | second;
        sum
    })
}

fn difference(large: &[u32; WORDS], small: &[u32; WORDS]) -> [u32; WORDS] {
    let mut under = false;
    core::array::from_fn(|at| {
        let (rest, first) = large[at].overflowing_sub(small[at]);
        let (rest, second) = rest.overflowing_sub(u32::from(under));
        under = first | second;
        rest
    })
}

fn divide(words: &mut [u32; WORDS], by: u32) {
    let mut rest = 0;
    for word in words.iter_mut().rev() {
        let whole = rest << 32 | u64::from(*word);
        *word = (whole / u64::from(by)) as u32;
        rest = whole % u64::from(by);
    }
}

/// A float times a power of two.
fn scaled(mut size: f64, exponent: i32) -> f64 {
    let step = if exponent < 0 { 0.5 } else { 2.0 };
    for _ in 0..exponent.unsigned_abs() {
        size *= step;
    }
    size
}
