//! The client certificates that may send, by their names. Step of the flow: intake.

use std::collections::BTreeSet;

use responder_core::alert::{Confinement, Sender, SenderName};
use responder_core::object::{Name, Namespace};

/// A name in client certificates whose owners may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedClient {
    /// The DNS name or URI among the alternative names, or the common name of a certificate without alternative names.
    pub name: SenderName,
    /// The nodes that the sender may report on.
    pub nodes: ClientNodes,
    /// The namespaces that the sender may report on; `None` for all.
    pub namespaces: Option<BTreeSet<Namespace>>,
}

/// The nodes that the owner of a client certificate may report on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ClientNodes {
    /// All of them.
    #[default]
    All,
    /// These.
    Listed(BTreeSet<Name>),
    /// Those that are further DNS names of the certificate, so that the Falco of each node has one of its own.
    FromCertificate,
}

impl From<SenderName> for AllowedClient {
    /// A sender that may report on everything.
    fn from(name: SenderName) -> Self {
        Self {
            name,
            nodes: ClientNodes::All,
            namespaces: None,
        }
    }
}

impl AllowedClient {
    /// The sender, where the certificate has these DNS names.
    pub(super) fn sender<'n>(&self, dns_names: impl Iterator<Item = &'n str>) -> Sender {
        let sender = Sender::Certificate(self.name.clone());
        let nodes = match &self.nodes {
            ClientNodes::All => None,
            ClientNodes::Listed(nodes) => Some(nodes.clone()),
            ClientNodes::FromCertificate => {
                let others = dns_names.filter(|name| !name.eq_ignore_ascii_case(self.name.as_str()));
                Some(
                    others
                        .filter_map(|name| Name::new(&name.to_ascii_lowercase()))
                        .collect(),
                )
            }
        };
        if nodes.is_none() && self.namespaces.is_none() {
            return sender;
        }
        sender.confined(Confinement {
            nodes,
            namespaces: self.namespaces.clone(),
        })
    }
}
