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
            nodes: listed(&self.nodes, &path.key("nodes"), findings, NODE),
            namespaces: listed(&self.namespaces, &path.key("namespaces"), findings, NAMESPACE),
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
        let nodes = match listed(&self.nodes, &path.key("nodes"), findings, NODE) {
            _ if self.from_certificate => ClientNodes::FromCertificate,
            Some(nodes) => ClientNodes::Listed(nodes),
            None => ClientNodes::All,
        };
        (
            nodes,
            listed(&self.namespaces, &path.key("namespaces"), findings, NAMESPACE),
        )
    }

    fn refuse_nothing(&self, path: &Path, findings: &mut Findings<'_>) {
        if *self == Self::default() {
            findings.error(path, "to what? write `nodes`, `namespaces` or `fromCertificate`");
        }
    }
}

/// The names of a list; `None` for an empty one, which confines nothing.
fn listed<T: Ord>(
    written: &[String],
    path: &Path,
    findings: &mut Findings<'_>,
    (parse, noun): (fn(&str) -> Option<T>, &str),
) -> Option<BTreeSet<T>> {
    let mut names = BTreeSet::new();
    for (index, text) in written.iter().enumerate() {
        match parse(text) {
            Some(name) => _ = names.insert(name),
            None => findings.error(&path.index(index), format!("this can't be the name of a {noun}")),
        }
    }
    (!written.is_empty()).then_some(names)
}

const NODE: (fn(&str) -> Option<Name>, &str) = (Name::new, "node");
const NAMESPACE: (fn(&str) -> Option<Namespace>, &str) = (Namespace::new, "namespace");
