//! Sets of ports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use rangemap::RangeInclusiveSet;

/// A protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub(super) const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// The protocol of a name in any case, or of an IP protocol number; `None` for another.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "TCP" | "6" => Some(Self::Tcp),
            "UDP" | "17" => Some(Self::Udp),
            "SCTP" | "132" => Some(Self::Sctp),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of ports of some protocols, with its description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PortSet {
    is_all: bool,
    numbered: BTreeMap<Protocol, RangeInclusiveSet<u16>>,
    /// Names of ports, and protocols without ports.
    others: BTreeSet<String>,
    text: Vec<String>,
}

impl PortSet {
    /// Every port of every protocol.
    pub(super) fn all() -> Self {
        Self {
            is_all: true,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, protocol: Protocol, ports: RangeInclusive<u16>) {
        let text = match (*ports.start(), *ports.end()) {
            (0 | 1, u16::MAX) => format!("all of {protocol}"),
            (first, last) if first == last => format!("{protocol}/{first}"),
            (first, last) => format!("{protocol}/{first}-{last}"),
        };
        if ports.start() <= ports.end() {
            self.numbered.entry(protocol).or_default().insert(ports);
        }
        self.text.push(text);
    }

    pub(super) fn add_all_of(&mut self, protocol: Protocol) {
        self.add(protocol, 0..=u16::MAX);
    }

    /// Adds ports that have no number here, such as the name of a container's port.
    pub(super) fn add_other(&mut self, text: String) {
        self.text.push(text.clone());
        self.others.insert(text);
    }

    /// Whether all ports of another set are certainly in this one.
    pub(super) fn cover(&self, other: &Self) -> bool {
        if self.is_all {
            return true;
        }
        !other.is_all
            && other.others.is_subset(&self.others)
            && other.numbered.iter().all(|(protocol, ranges)| {
                let ours = self.numbered.get(protocol);
                ranges
                    .iter()
                    .all(|range| ours.is_some_and(|ours| ours.gaps(range).next().is_none()))
            })
    }

    /// The ranges of a protocol.
    pub(super) fn of(&self, protocol: Protocol) -> Vec<RangeInclusive<u16>> {
        if self.is_all {
            return vec![0..=u16::MAX];
        }
        self.numbered
            .get(&protocol)
            .map(|ranges| ranges.iter().cloned().collect())
            .unwrap_or_default()
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all {
            f.write_str("all ports")
        } else {
            f.write_str(&self.text.join(", "))
        }
    }
}
