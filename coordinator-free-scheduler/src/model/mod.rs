//! The values that peers exchange. Their postcard bytes are frozen by golden tests.
pub mod about;
pub mod audit;
pub mod host;
pub mod ids;
pub mod manifest;
pub mod outcome;
pub mod statement;
pub mod trace;
pub mod unit;
