//! When a unit is decided, and what brings it there: pure functions of what is known of it.
pub mod audited;
pub mod checked;
pub mod company;
pub mod quorum;
pub mod step;

#[cfg(test)]
mod tests;
