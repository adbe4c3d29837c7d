//! Profile `checked`: one execution of each unit, whose output the module's own `verify` finds right.
//!
//! The owner runs the check and releases the answer; others take its word, which can harm its own job
//! alone. What it is not: proof of the fuel that an answer claims; that nobody has counted again.
use crate::board::{
    orders::Released,
    unit::{AuthorIndex, Decision, Unit, Voucher},
};
use alloc::vec::Vec;

/// Verified by him whose commit the release opens; if he keeps two logs, by all others who gave the
/// same answer. `honest` leaves out authors who do.
pub fn decide(
    unit: &Unit,
    released: &Released,
    honest: impl Fn(AuthorIndex) -> bool,
) -> Option<Decision> {
    let gave =
        |voucher: &&Voucher| voucher.live() == Some(&released.answer) && honest(voucher.author);
    let meant = |voucher: &&Voucher| {
        voucher.opening.one().is_some_and(|opened| opened.nonce == released.nonce)
    };
    let author = |voucher: &Voucher| voucher.author;
    let vouchers = || unit.vouchers.iter().filter(gave);
    let mut authors: Vec<AuthorIndex> = vouchers().filter(meant).map(author).collect();
    if authors.is_empty() {
        authors = vouchers().map(author).collect();
    }
    authors.sort_unstable_by_key(|author| unit.voucher(*author).and_then(|one| one.commit.one()));
    (!authors.is_empty()).then_some(Decision::Verified(authors))
}
