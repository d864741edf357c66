//! `confinedTo`: the part of the cluster that a sender may report on.

use std::collections::BTreeSet;

use responder_core::alert::Confinement;
use responder_core::document::{Findings, Path};
use responder_core::object::{Name, Namespace};
use responder_intake::auth::ClientNodes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part of the cluster that a sender may report on. An alert about anything else is refused as `OutsideSender`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ConfinedTo")]
pub(crate) struct ConfinedToDoc {
    /// The nodes of the pods and hosts. Default: all nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<String>,
    /// Confines a client certificate to the nodes that are further DNS names in it. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    from_certificate: bool,
    /// The namespaces of the pods; alerts about hosts are outside of them. Default: all namespaces, and hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    namespaces: Vec<String>,
}

impl ConfinedToDoc {
    /// The meaning for a sender with a password or a token.
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> Confinement {
        if self.from_certificate {
            findings.error(
                &path.key("fromCertificate"),
                "a password or a token has no certificate: write `nodes`",
            );
        } else {
            self.refuse_nothing(path, findings);
        }
        Confinement {
            nodes: self.listed_nodes(path, findings),
            namespaces: self.listed_namespaces(path, findings),
        }
    }

    /// The meaning for a client certificate.
    pub(super) fn compile_for_certificate(
        &self,
        path: &Path,
        findings: &mut Findings<'_>,
    ) -> (ClientNodes, Option<BTreeSet<Namespace>>) {
        if self.from_certificate && !self.nodes.is_empty() {
            findings.error(
                &path.key("nodes"),
                "the certificate names the nodes: leave out `nodes` or `fromCertificate`",
            );
        }
        self.refuse_nothing(path, findings);
        let nodes = match self.listed_nodes(path, findings) {
            _ if self.from_certificate => ClientNodes::FromCertificate,
            Some(nodes) => ClientNodes::Listed(nodes),
            None => ClientNodes::All,
        };
        (nodes, self.listed_namespaces(path, findings))
    }

    fn refuse_nothing(&self, path: &Path, findings: &mut Findings<'_>) {
        if *self == Self::default() {
            findings.error(path, "to what? write `nodes`, `namespaces` or `fromCertificate`");
        }
    }

    fn listed_nodes(&self, path: &Path, findings: &mut Findings<'_>) -> Option<BTreeSet<Name>> {
        let path = path.key("nodes");
        let nodes = self.nodes.iter().enumerate().filter_map(|(index, written)| {
            let name = Name::new(written);
            if name.is_none() {
                findings.error(&path.index(index), "this can't be the name of a node");
            }
            name
        });
        let nodes: BTreeSet<_> = nodes.collect();
        (!self.nodes.is_empty()).then_some(nodes)
    }

    fn listed_namespaces(&self, path: &Path, findings: &mut Findings<'_>) -> Option<BTreeSet<Namespace>> {
        let path = path.key("namespaces");
        let namespaces = self.namespaces.iter().enumerate().filter_map(|(index, written)| {
            let name = Namespace::new(written);
            if name.is_none() {
                findings.error(&path.index(index), "this can't be the name of a namespace");
            }
            name
        });
        let namespaces: BTreeSet<_> = namespaces.collect();
        (!self.namespaces.is_empty()).then_some(namespaces)
    }
}
