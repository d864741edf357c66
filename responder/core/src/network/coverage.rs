//! Whether what is let through in a direction is as good as everything.
//!
//! This is a matter of addresses and ports, and not of how policies write them: `0.0.0.0/0` without one address, two halves
//! in two policies, and TCP from 1 to 65535 are all of it.

use std::collections::BTreeSet;

use super::addresses::Addresses;
use super::ports::Protocol;
use super::rule::Certainty;
use super::walk::Opening;

/// The share of all pairs of address and port, of TCP or of UDP, from which a direction counts as open.
const OPEN_FROM: f64 = 0.5;

/// The most ranges of ports that are looked at. A tenant can write as many policies as it likes, and each range costs a
/// look at all of them; of more ranges, as many are looked at as are evenly spread over them.
const MOST_RANGES: usize = 64;

/// Whether the openings of one direction together let everything through.
pub(super) fn is_open(openings: &[Opening<'_>]) -> bool {
    [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .any(|protocol| share(openings, protocol) > OPEN_FROM)
}

/// The share of all pairs of address and port of a protocol.
fn share(openings: &[Opening<'_>], protocol: Protocol) -> f64 {
    let with_ports: Vec<_> = openings
        .iter()
        .filter(|opening| opening.rule.certainty == Certainty::Exactly)
        .map(|opening| (opening.traffic.peers.addresses(), opening.traffic.ports.of(protocol)))
        .filter(|(addresses, ports)| !addresses.is_empty() && !ports.is_empty())
        .collect();
    // Within a range from one bound to the next, all ports are open to the same addresses.
    let mut bounds = BTreeSet::from([0, 1 << 16]);
    for range in with_ports.iter().flat_map(|(_, ports)| ports) {
        bounds.extend([u32::from(*range.start()), u32::from(*range.end()) + 1]);
    }
    let bounds: Vec<u32> = bounds.into_iter().collect();
    let ranges: Vec<(u32, u32)> = bounds.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let step = ranges.len().div_ceil(MOST_RANGES).max(1);
    let (mut open, mut looked_at) = (0.0, 0.0);
    for &(first, end) in ranges.iter().step_by(step) {
        let mut addresses = Addresses::default();
        for (more, _) in with_ports.iter().filter(|(_, ports)| {
            ports
                .iter()
                .any(|range| (u32::from(*range.start())..=u32::from(*range.end())).contains(&first))
        }) {
            addresses.add(more);
        }
        let ports = f64::from(end - first);
        open += addresses.share() * ports;
        looked_at += ports;
    }
    open / looked_at
}
