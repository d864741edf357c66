//! Refusals: why nothing was done, as a bounded reason, a sentence, and what to do about it.

use std::fmt;

use serde::Serialize;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $advice:literal,)+) => {
        /// Why a decision was to do nothing. A closed set: it is a metric label and part of the interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum RefusalReason {
            $($(#[$doc])* $name,)+
        }

        impl RefusalReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name, as in metrics and playbook tests.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What a person can do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

reasons! {
    /// The alert names another cluster.
    ForeignCluster => "send alerts of that cluster to its own responder, or correct the guard's cluster name",
    /// The alert names nothing that the playbook could act on.
    NoTarget => "match a rule whose alerts name a pod, or choose another target",
    /// A host process, and the playbook wants a pod or its owner.
    HostProcess => "write `target: Node` to answer alerts about hosts",
    /// An exception of the playbook holds.
    Excepted => "nothing, if the exception is right; else remove it from the playbook",
    /// The alert is older than allowed.
    Stale => "look at the delay between Falco and the responder, or raise maxAlertAge",
    /// The alert comes from the future.
    Future => "synchronise the clocks of the nodes",
    /// This alert was already answered by this playbook.
    Duplicate => "nothing: the first delivery was decided",
    /// The target is protected by the guard or the built-in floor.
    Protected => "nothing, if the protection is right; the built-in floor can't be switched off",
    /// The cluster could not be read.
    Unreadable => "look at the API server's health and the controller's role; the alert is refused rather than guessed",
    /// The target is not there any more.
    TargetGone => "nothing: what the alert was about is gone",
    /// Another object has the target's name now.
    TargetReplaced => "nothing: the object that has the name now is not the one the alert is about",
    /// The alert's claims don't fit the live object.
    Contradicted => "look for a forged or wrongly enriched alert",
    /// The live object can't confirm the alert as far as the playbook asks.
    Uncorroborated => "let Falco add k8s.pod.uid (append_output), or lower the playbook's corroboration where its class allows it",
    /// The target is being deleted already.
    Terminating => "nothing: it is on its way out",
    /// The pod has ended.
    Completed => "nothing: none of its containers run any more",
    /// `image`, `namespace`, `pod`, `node` or `when` does not hold for the live object.
    NotSelected => "nothing, if the playbook's match is right",
    /// The pod is the controller itself.
    OwnPod => "act on the controller's pod by hand",
    /// A static pod: the API server's object is only its mirror.
    MirrorPod => "remove its manifest from the node, or cordon the node",
    /// Deleting a pod of a DaemonSet brings it back on the same node.
    DaemonSetPod => "quarantine the pod or cordon its node instead",
    /// A pod on the host's network is not touched by NetworkPolicies.
    HostNetwork => "delete the pod or cordon its node instead",
    /// Other policies allow so much that a quarantine isolates nothing.
    WouldNotIsolate => "narrow the policies that are named, or delete the pod instead",
    /// The target is already as the step would make it.
    AlreadyDone => "nothing: it is already so",
    /// Too few nodes would stay schedulable.
    LastSchedulableNode => "let another node take pods first, or lower the guard's keepSchedulable",
    /// The pod has no controller.
    NoOwner => "write `target: Pod` for pods without a controller",
    /// The chain of controllers could not be followed to its top.
    OwnerUnknown => "act on the pod, or on the controller by hand",
    /// The playbook's cooldown runs.
    Cooldown => "wait, or shorten the playbook's cooldown",
    /// A limit of the playbook is used up.
    LimitExhausted => "look at the targets so far, then raise the playbook's limits.targets if all was right",
    /// A budget of the guard is used up.
    BudgetExhausted => "look at the targets so far, then raise the guard's budget if all was right",
    /// The state of the limits could not be read or written.
    LedgerUnavailable => "look at the ledger; without it nothing is acted on",
    /// The state of the limits kept changing while this was decided.
    Contended => "nothing: other responses took precedence; the alert can be sent again",
    /// The plan failed its own checks. A defect of responder, never of the alert.
    PlanUnsound => "report it with the output of `responder explain`",
    /// The controller was stopping.
    ShuttingDown => "send the alert again",
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A refusal: the reason and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// The reason.
    pub reason: RefusalReason,
    /// What was seen, in one sentence without a full stop. Alert text in it is escaped.
    pub detail: String,
}

impl Refusal {
    /// A refusal with what was seen.
    pub fn new(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}
