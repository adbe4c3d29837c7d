//! What a unit of an audited job has come to, on anybody's board: what its owner released.
use crate::board::unit::{AuthorIndex, Decision, Unit, Voucher};
use alloc::vec::Vec;

/// Verified as soon as the owner has released an answer that somebody committed to, by all who gave
/// it. `counts` leaves out authors who keep two logs.
pub fn decide(unit: &Unit, counts: impl Fn(AuthorIndex) -> bool) -> Decision {
    let released = unit.orders.as_ref().and_then(|orders| orders.released.one());
    let Some(answer) = released else { return Decision::Open };
    let gave = |voucher: &&Voucher| voucher.live() == Some(answer) && counts(voucher.author);
    let mut vouchers: Vec<&Voucher> = unit.vouchers.iter().filter(gave).collect();
    vouchers.sort_unstable_by_key(|voucher| voucher.commit.one());
    match vouchers.is_empty() {
        true => Decision::Open,
        false => Decision::Verified(vouchers.into_iter().map(|voucher| voucher.author).collect()),
    }
}
