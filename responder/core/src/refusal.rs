//! Refusals: why a decision is not to act, as a bounded reason, a sentence, and advice.

use std::fmt;

use serde::Serialize;

mod basis;

pub use basis::{RefusalAuthor, RefusalBasis};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $advice:literal,)+) => {
        /// Why a decision is not to act. A closed set: a metric label and part of the interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum RefusalReason {
            $($(#[$doc])* $name,)+
        }

        impl RefusalReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in metrics and playbook tests.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// Advice to the operator, as an imperative phrase.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

reasons! {
    /// The alert comes from another cluster.
    ForeignCluster => "send alerts of that cluster to its own responder, or correct the guard's cluster name",
    /// The alert names no object that the playbook can act on.
    NoTarget => "match a rule whose alerts name a pod, or choose another target",
    /// The alert is about a host process, and the playbook acts on pods or owners.
    HostProcess => "write `target: Node` to answer alerts about hosts",
    /// The sender may not report on that part of the cluster.
    OutsideSender => "look for a stolen credential, or widen the sender's confinedTo",
    /// The request that an audit alert reports was denied, failed or was a dry run.
    NotCarriedOut => "nothing: the request changed nothing; match on ka.response.code to leave such alerts out",
    /// The alert does not show that the request of an audit event succeeded, and the response contains or destroys.
    OutcomeUnknown => "let Falco append ka.response.code and ka.uri to alerts of k8s_audit (append_output), or only annotate and label",
    /// An exception of the playbook matches.
    Excepted => "nothing, if the exception is right; else remove it from the playbook",
    /// The alert is older than the guard's `maxAlertAge`.
    Stale => "look at the delay between Falco and the responder, or raise maxAlertAge",
    /// The alert's time lies in the future.
    Future => "synchronise the clocks of the nodes",
    /// The playbook has already answered this alert.
    Duplicate => "nothing: the first delivery was decided",
    /// The guard or the built-in floor protects the target.
    Protected => "nothing, if the protection is right; the built-in floor can't be switched off",
    /// The cluster could not be read.
    Unreadable => "look at the API server's health and the controller's role; the alert is refused rather than guessed",
    /// The alert names a container and no pod, and no pod has that container.
    UnknownContainer => "let Falco add %k8s.ns.name and %k8s.pod.name to the alerts (append_output); a container outside of Kubernetes has no pod",
    /// The hostname of an alert about a host leads to no node.
    UnknownHost => "set FALCO_HOSTNAME to spec.nodeName in Falco's pods, as its chart does",
    /// The target no longer exists.
    TargetGone => "nothing: what the alert was about is gone",
    /// Another object has the target's name.
    TargetReplaced => "nothing: the object that has the name now is not the one the alert is about",
    /// The alert's claims contradict the live object.
    Contradicted => "look for a forged or wrongly enriched alert",
    /// The live object does not confirm the alert to the level that the playbook requires.
    Uncorroborated => "let Falco add %container.id and %k8s.pod.uid to the alerts (append_output)",
    /// The target is being deleted already, and ends no later than this response would end it.
    Terminating => "nothing: it is on its way out",
    /// The pod has ended.
    Completed => "nothing: none of its containers run any more",
    /// `image`, `namespace`, `pod`, `node` or `when` does not hold for the live object.
    NotSelected => "nothing, if the playbook's match is right",
    /// The response of another playbook keeps the pod in quarantine.
    Held => "look at the evidence and end the quarantine, or write `quarantined: Include` in the playbook",
    /// The pod is the controller's own.
    OwnPod => "act on the controller's pod by hand",
    /// The pod is static: the API server's object is only a mirror.
    MirrorPod => "remove its manifest from the node, or cordon the node",
    /// The target is already in the state that the step would set.
    AlreadyDone => "nothing: it is already so",
    /// Too few nodes would stay schedulable.
    LastSchedulableNode => "let another node take pods first, or lower the guard's keepSchedulable",
    /// The playbook's cooldown has not ended.
    Cooldown => "wait, or shorten the playbook's cooldown",
    /// A limit of the playbook is exhausted.
    LimitExhausted => "look at the targets so far, then raise the playbook's limits.targets if all was right",
    /// A budget of the guard is exhausted.
    BudgetExhausted => "look at the targets so far, then raise the guard's budget if all was right",
    /// The ledger could not be read or written.
    LedgerUnavailable => "look at the ledger; without it nothing is acted on",
    /// The ledger, or the object that the alert leads to, kept changing during the decision.
    Contended => "nothing: other responses took precedence; the alert can be sent again",
    /// The plan failed its own checks: a defect of responder, not of the alert.
    PlanUnsound => "report it with the output of `responder explain`",
    /// The queue had no room for it any more.
    Displaced => "look at what floods the queue: the largest line gives way, and the alert can be sent again",
    /// It repeats an alert that waits, and the decision about that one is taken for both.
    Joined => "nothing: look at the decision about the alert that is named",
    /// The controller is shutting down.
    ShuttingDown => "send the alert again",
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A decision not to act, with the observation behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// The reason, for metrics and tests.
    pub reason: RefusalReason,
    /// The observation, in one sentence without a full stop. Alert text in it is escaped.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its observation.
    pub fn new(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}
