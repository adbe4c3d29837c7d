//! What a unit of an audited job has come to, on anybody's board: what a signer released.
use crate::{
    Answer,
    board::unit::{AuthorIndex, Decision, Unit, Voucher},
};
use alloc::vec::Vec;

/// Verified as soon as a signer has released an answer that somebody committed to, by all who gave
/// it. `vouches` leaves out authors who keep two logs or are not on the signer's roster.
pub fn decide(
    unit: &Unit,
    released: &Answer,
    vouches: impl Fn(AuthorIndex) -> bool,
) -> Option<Decision> {
    let gave = |voucher: &&Voucher| voucher.live() == Some(released) && vouches(voucher.author);
    let mut vouchers: Vec<&Voucher> = unit.vouchers.iter().filter(gave).collect();
    vouchers.sort_unstable_by_key(|voucher| voucher.commit.one());
    let authors: Vec<AuthorIndex> = vouchers.into_iter().map(|voucher| voucher.author).collect();
    (!authors.is_empty()).then_some(Decision::Verified(authors))
}
