//! When a unit is decided: pure functions of what is known of it.
pub mod quorum;
