//! Profile `audited`: one execution of most units, checkers drawn after the fact, and as many more as
//! the lies that are found ask for.
//!
//! An owner trusts a [`Roster`]. Its members execute the units of a *verification lot* once; the owner
//! closes the lot, and only then publishes the seed of the [`Draw`] that says whose answers are checked
//! by whom. Where answers differ the owner computes the unit itself; whoever was wrong is *convicted*,
//! and everything that it vouched for is open again. From how many were caught, and how likely a lie
//! was to be, follows how many are left: either few enough, and the lot is *released*, or all of it is
//! checked one [`Level`] harder.
//!
//! Invariant: what a lot comes to is a pure function of roster, answers, seeds and rulings, so whoever
//! holds these comes to the same. What it is not: a promise about one unit, or against more friends
//! among the roster's weight than its terms allow.
mod decide;
mod ladder;
mod lot;
mod roster;
mod said;
mod settle;
#[cfg(test)]
mod tests;

pub use decide::decide;
pub use ladder::{LADDER, Level, first_level, survival};
pub use lot::Audit;
pub use roster::{Draw, Member, MemberIndex, ROSTER_MAX, Roster};
pub use said::{
    Check, FRIENDS_USUAL, PASSES_MAX, Phase, Proof, Refused, Ruling, Settled, Terms, Vouch,
};
