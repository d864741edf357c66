//! The reservations of other responses.
//!
//! A reservation is part of a claim, so later decisions count it before the cluster shows the change, whichever action
//! made it.

use jiff::Timestamp;

use super::claim::{Claim, Stock};
use crate::object::Uid;
use crate::span::Span;

/// How long a reservation counts. A later snapshot shows the change itself.
pub const RESERVED_FOR: Span = Span::minutes::<1>();

/// The reservations of all other targets, as seen from one claim.
#[derive(Debug, Clone, Copy)]
pub struct Reserved<'a> {
    own: &'a Claim,
    claims: &'a [Claim],
    now: Timestamp,
}

impl<'a> Reserved<'a> {
    /// The reservations among these claims, as seen from `own`.
    pub const fn beside(own: &'a Claim, claims: &'a [Claim], now: Timestamp) -> Self {
        Self { own, claims, now }
    }

    /// The targets for which other responses of the same [`ClaimKind`](super::ClaimKind) have reserved this stock.
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
