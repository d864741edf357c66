//! What other responses have reserved of the stocks that all of them share.
//!
//! A reservation is part of a claim, so the next decision counts it before the cluster shows what came of it, whatever
//! action has made it.

use jiff::Timestamp;

use super::claim::{Claim, Stock};
use crate::object::Uid;
use crate::span::Span;

/// How long a reservation counts. By then a snapshot shows what came of it.
pub const RESERVED_FOR: Span = Span::minutes::<1>();

/// What was reserved beside one claim, in the same realm.
#[derive(Debug, Clone, Copy)]
pub struct Reserved<'a> {
    own: &'a Claim,
    claims: &'a [Claim],
    now: Timestamp,
}

impl<'a> Reserved<'a> {
    /// What these claims reserve beside this one.
    pub const fn beside(own: &'a Claim, claims: &'a [Claim], now: Timestamp) -> Self {
        Self { own, claims, now }
    }

    /// The targets of the others that have reserved of this stock.
    pub fn targets(self, stock: Stock) -> impl Iterator<Item = &'a Uid> {
        let others = self.claims.iter().filter(move |claim| {
            claim.claim_kind == self.own.claim_kind
                && claim.target != self.own.target
                && claim.reserves.contains(&stock)
                && self.now.duration_since(claim.at) < RESERVED_FOR.signed()
        });
        others.map(|claim| &claim.target)
    }
}
