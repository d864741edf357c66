//! Sets of IP addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use rangemap::RangeInclusiveSet;

/// A set of addresses of both families.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Addresses {
    v4: RangeInclusiveSet<u32>,
    v6: RangeInclusiveSet<u128>,
}

/// IPv6 addresses that are routed on the internet.
/// Source: <https://www.iana.org/assignments/ipv6-address-space/ipv6-address-space.xhtml>
const V6_UNICAST: (u128, u128) = (0x2000 << 112, (0x4000 << 112) - 1);

impl Addresses {
    /// Every address.
    pub(super) fn all() -> Self {
        Self {
            v4: RangeInclusiveSet::from_iter([0..=u32::MAX]),
            v6: RangeInclusiveSet::from_iter([0..=u128::MAX]),
        }
    }

    /// Every address of one family.
    pub(super) fn all_of_family(v6: bool) -> Self {
        let mut all = Self::all();
        if v6 {
            all.v4.clear();
        } else {
            all.v6.clear();
        }
        all
    }

    /// The addresses of a block, such as `10.0.0.0/8` or one address; `None` for a text that is neither.
    pub(super) fn block(text: &str) -> Option<Self> {
        let net = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .ok()?;
        let mut block = Self::default();
        match net {
            IpNet::V4(net) => block.v4.insert(net.network().to_bits()..=net.broadcast().to_bits()),
            IpNet::V6(net) => block.v6.insert(net.network().to_bits()..=net.broadcast().to_bits()),
        }
        Some(block)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.v4.extend(other.v4.iter().cloned());
        self.v6.extend(other.v6.iter().cloned());
    }

    pub(super) fn remove(&mut self, other: &Self) {
        for range in other.v4.iter() {
            self.v4.remove(range.clone());
        }
        for range in other.v6.iter() {
            self.v6.remove(range.clone());
        }
    }

    /// The larger of two shares: of the IPv4 addresses, and of the routed IPv6 addresses.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share of the address space, to three digits"
    )]
    pub(super) fn share(&self) -> f64 {
        let v4: u64 = self
            .v4
            .iter()
            .map(|range| u64::from(range.end() - range.start()) + 1)
            .sum();
        let (first, last) = V6_UNICAST;
        let v6: u128 = self
            .v6
            .iter()
            .map(|range| (*range.start()).max(first)..=(*range.end()).min(last))
            .filter(|range| range.start() <= range.end())
            .map(|range| range.end() - range.start() + 1)
            .sum();
        let share_of_v4 = v4 as f64 / (u64::from(u32::MAX) + 1) as f64;
        let share_of_v6 = v6 as f64 / (last - first + 1) as f64;
        share_of_v4.max(share_of_v6)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::everything(&["0.0.0.0/0"], &[], 1.0)]
    #[case::two_halves(&["0.0.0.0/1", "128.0.0.0/1"], &[], 1.0)]
    #[case::of_ipv6(&["::/0"], &[], 1.0)]
    #[case::what_is_routed_of_ipv6(&["2000::/3"], &[], 1.0)]
    #[case::a_quarter(&["0.0.0.0/1"], &["64.0.0.0/2"], 0.25)]
    #[case::one_address(&["10.0.0.1"], &[], 1.0 / 4_294_967_296.0)]
    #[case::an_address_with_the_bits_of_a_host(&["10.1.2.3/1"], &[], 0.5)]
    #[case::unique_local_addresses_are_not_routed(&["fc00::/7"], &[], 0.0)]
    fn the_share_does_not_depend_on_the_spelling(#[case] blocks: &[&str], #[case] except: &[&str], #[case] share: f64) {
        let mut set = Addresses::default();
        for block in blocks {
            set.add(&Addresses::block(block).unwrap());
        }
        for block in except {
            set.remove(&Addresses::block(block).unwrap());
        }
        assert!((set.share() - share).abs() < 1e-12, "{}", set.share());
    }

    #[rstest]
    #[case("")]
    #[case("everywhere")]
    #[case("10.0.0.0/33")]
    fn another_text_is_no_block(#[case] text: &str) {
        assert_eq!(Addresses::block(text), None);
    }
}
