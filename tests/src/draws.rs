//! Numbers drawn at random that are the same on every machine: uniform ones from hashes, others by
//! functions of a library that does not ask the platform's.
use crate::truth;

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_840_8;

/// Something that is drawn: what follows from a seed, a name and numbers.
#[derive(Clone, Copy)]
pub struct Draw<'a> {
    /// The seed of it all.
    pub seed: u64,
    /// What is drawn.
    pub what: &'a str,
}

impl Draw<'_> {
    /// Between 0 and 1, never either.
    pub fn share(self, parts: &[u64]) -> f64 {
        share_of(truth::number(self.seed, self.what, parts))
    }

    /// Log-normal around a mean with a coefficient of variation.
    pub fn lognormal(self, mean: f64, cv: f64, parts: &[u64]) -> f64 {
        let variance = libm::log(1.0 + cv * cv);
        libm::exp(libm::log(mean) - variance / 2.0 + libm::sqrt(variance) * self.normal(parts))
    }

    /// Log-normal with median 1, where the 99th percentile is so many times the first.
    pub fn spread(self, p99_over_p1: f64, parts: &[u64]) -> f64 {
        libm::exp(libm::log(p99_over_p1) / (2.0 * Z99) * self.normal(parts))
    }

    /// Exponential with a mean.
    pub fn exponential(self, mean: f64, parts: &[u64]) -> f64 {
        -mean * libm::log(self.share(parts))
    }

    /// Standard normal, by Box and Muller (1958).
    fn normal(self, parts: &[u64]) -> f64 {
        let other = [parts, &[1]].concat();
        let radius = libm::sqrt(-2.0 * libm::log(self.share(parts)));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.share(&other))
    }
}

/// A number as a share between 0 and 1, never either.
pub fn share_of(number: u64) -> f64 {
    ((number >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_means_and_spread() {
        let draw = Draw { seed: 1, what: "test" };
        let mean = |f: &dyn Fn(u64) -> f64| (0..40_000).map(f).sum::<f64>() / 40_000.0;
        assert!((mean(&|n| draw.share(&[n])) - 0.5).abs() < 0.01);
        assert!((mean(&|n| draw.lognormal(10.0, 1.0, &[n])) / 10.0 - 1.0).abs() < 0.05);
        assert!((mean(&|n| draw.exponential(7.0, &[n])) / 7.0 - 1.0).abs() < 0.05);
        let mut speeds: Vec<f64> = (0..40_000).map(|n| draw.spread(100.0, &[n])).collect();
        speeds.sort_by(f64::total_cmp);
        let ratio = speeds[39_600] / speeds[400];
        assert!((80.0..125.0).contains(&ratio), "{ratio}");
    }
}
