//! What each refusal reads, and who can write that. No refusal rests on what the target's tenant can write, unless the
//! tenant thereby does what the response would have done.

use std::fmt;

use super::RefusalReason;

/// The author of what a refusal reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalAuthor {
    /// Falco and the senders of its alerts.
    Sensor,
    /// The author of playbooks, guard and configuration.
    Operator,
    /// The control plane and the kubelets, and who may write nodes and namespaces.
    Platform,
    /// The controller itself.
    Responder,
    /// The target's tenant. The response has nothing to do then.
    Tenant,
}

impl fmt::Display for RefusalAuthor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sensor => "sensor",
            Self::Operator => "operator",
            Self::Platform => "platform",
            Self::Responder => "responder",
            Self::Tenant => "tenant",
        })
    }
}

/// What a refusal rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalBasis {
    /// What is read.
    pub reads: &'static str,
    /// Its authors.
    pub authors: &'static [RefusalAuthor],
}

impl RefusalReason {
    /// What the refusal rests on.
    pub const fn basis(self) -> RefusalBasis {
        use RefusalAuthor::{Operator, Platform, Responder, Sensor, Tenant};
        let (reads, authors): (&str, &[RefusalAuthor]) = match self {
            Self::ForeignCluster => ("the cluster's name in the alert and in the guard", &[Sensor, Operator]),
            Self::NoTarget => ("the source and the names in the alert", &[Sensor]),
            Self::HostProcess => ("`container.id` of the alert, which the kernel knows", &[Sensor]),
            Self::OutsideSender => ("the sender's credential, against its `confinedTo`", &[Sensor, Operator]),
            Self::NotCarriedOut | Self::OutcomeUnknown => (
                "the API server's answer in the audit event, as the alert carries it",
                &[Platform, Sensor],
            ),
            Self::Excepted => (
                "an exception of the playbook; `check` warns of those that an attacker can fulfil",
                &[Operator, Sensor],
            ),
            Self::Stale | Self::Future => ("the alert's time and the controller's clock", &[Sensor, Responder]),
            Self::Duplicate | Self::LedgerUnavailable => ("the ledger", &[Responder]),
            Self::Protected => (
                "the floor, the guard, the name and labels of the namespace, the labels of the node, webhook configurations and APIServices, a Falco whose rights only the owner of the nodes can give, the controllers that the guard names where each reference up to them is believed",
                &[Operator, Platform],
            ),
            Self::Unreadable => ("answers of the API server", &[Platform]),
            Self::UnknownContainer => (
                "the kubelet's status of the pods on the alert's node",
                &[Platform, Sensor],
            ),
            Self::UnknownHost => (
                "the names, hostname labels and addresses of the nodes, and the pods of Falco",
                &[Platform, Sensor],
            ),
            Self::TargetGone => (
                "the absence of the target: its tenant may have deleted it",
                &[Platform, Tenant],
            ),
            Self::TargetReplaced => (
                "the uid of the object that has the name: the target is gone",
                &[Platform, Tenant],
            ),
            Self::Contradicted | Self::Uncorroborated => {
                ("the kubelet's status of the pod against the alert", &[Platform, Sensor])
            }
            Self::Terminating => (
                "the pod's end, which comes no later than the response's own: at most the guard's `maxGrace` from now",
                &[Platform, Tenant],
            ),
            Self::Completed => ("the kubelet's status of the containers", &[Platform]),
            Self::NotSelected => (
                "the live part of the match; `check` warns of what a pod's author writes",
                &[Operator, Platform],
            ),
            Self::OwnPod => ("the controller's own name", &[Responder]),
            Self::MirrorPod => (
                "an annotation that the API server lets no client add later, and with which a kubelet runs no pod",
                &[Platform],
            ),
            Self::Held => (
                "the ledger's record of a quarantine, as long as the pod wears its label",
                &[Responder],
            ),
            Self::AlreadyDone => (
                "our own untouched policy with the pod's uid; the values that the step would set",
                &[Responder, Tenant],
            ),
            Self::LastSchedulableNode => ("the nodes", &[Platform]),
            Self::Cooldown | Self::LimitExhausted | Self::BudgetExhausted => (
                "the ledger, against the playbook's limits and the guard's budgets; a percentage of an owner is never below `atLeast`, whatever the owner's tenant writes",
                &[Responder, Operator],
            ),
            Self::Contended => (
                "the ledger, and an owner or node that changes at every look",
                &[Responder, Platform],
            ),
            Self::PlanUnsound => ("the plan", &[Responder]),
            Self::Displaced | Self::Joined => ("the queue", &[Responder]),
            Self::ShuttingDown => ("the controller's own end", &[Responder]),
        };
        RefusalBasis { reads, authors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row of the README's table for a reason.
    fn row(reason: RefusalReason) -> String {
        let basis = reason.basis();
        let authors: Vec<String> = basis.authors.iter().map(ToString::to_string).collect();
        format!("| `{reason}` | {} | {} |", basis.reads, authors.join(", "))
    }

    #[test]
    fn the_readme_says_of_every_refusal_who_can_write_what_it_reads() {
        let readme = include_str!("../../../README.md");
        let missing: Vec<String> = RefusalReason::ALL
            .iter()
            .map(|reason| row(*reason))
            .filter(|row| !readme.lines().any(|line| line == row))
            .collect();
        assert!(
            missing.is_empty(),
            "rows for responder/README.md:\n{}",
            missing.join("\n")
        );
    }

    /// Each is an end that the tenant itself brings about, within a bound: the target is gone, goes in time, or is as
    /// the step would make it.
    #[test]
    fn a_tenant_refuses_a_response_only_by_doing_what_it_would_do() {
        let of_tenants: Vec<RefusalReason> = RefusalReason::ALL
            .iter()
            .copied()
            .filter(|reason| reason.basis().authors.contains(&RefusalAuthor::Tenant))
            .collect();
        assert_eq!(
            of_tenants,
            [
                RefusalReason::TargetGone,
                RefusalReason::TargetReplaced,
                RefusalReason::Terminating,
                RefusalReason::AlreadyDone,
            ]
        );
    }
}
