//! The names of all checks, in the order in which a decision makes them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::class::ActionClass;
use crate::limit::BudgetScope;

/// The checks of a decision, in the order in which [`decide`](crate::decide::decide) makes them: the first that fails is
/// the refusal, so a trace never shows a check before one of an earlier line here. A check that does not apply is left
/// out of the trace, or skipped.
///
/// Two checks share a name in a trace if they answer one question: is the target protected, by its name or by its
/// labels?
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckName {
    /// `queue`: the alert keeps its place in the queue until its decision. Noted only where repeats were joined to it.
    Queue,
    /// `match.rules`: a condition of the playbook on the alert. It is made before the decision.
    AlertMatch(AlertCondition),

    // --- the screen: no reads
    /// `sender`: noted only, since intake has authenticated it.
    Sender,
    /// `cluster`: the alert names this cluster.
    Cluster,
    /// `subject`: the alert names an object that the playbook can act on.
    Subject,
    /// `sender namespace`: the sender may report on the namespace.
    SenderNamespace,
    /// `audited request`: the API server carried out the request that an audit alert reports.
    AuditedRequest,
    /// `except[0]`: an exception that reads the alert only.
    AlertException(usize),
    /// `age`: the alert is neither too old nor ahead of the controller's clock.
    Age,
    /// `duplicate`: the playbook has not answered the alert with both kinds of claims.
    Answered,
    /// `protection`, by the name of the namespace.
    ProtectedName,

    // --- the live object
    /// `readings`: everything needed could be read.
    Readings,
    /// `container`: the pod of a container of which the alert has the id alone was found.
    Located,
    /// `pod`: the pod is there.
    Pod,
    /// `pod uid`: the live pod has the alert's uid.
    PodUid,
    /// `container start`: the container did not start after the alert.
    ContainerStart,
    /// `container id`: the live pod has, or had, the alert's container.
    ContainerId,
    /// `pod age`: a pod known by name only is older than the alert.
    PodAge,
    /// `node`: the alert comes from the pod's node.
    AlertNode,
    /// `corroboration`: the level reached is the level that the playbook asks for.
    Corroboration,
    /// `ending`: the pod is neither deleted nor completed.
    Ending,
    /// `owner`: the pod has a topmost controller, and it is known.
    Owner,
    /// `host`: the host of the alert is the node of that name, or of the Falco pod of that name.
    Host,
    /// `node`: the node is there.
    Node,
    /// `node age`: the node is older than the alert.
    NodeAge,
    /// `sender node`: the sender may report on the node.
    SenderNode,
    /// `protection`: the target is not the controller, and neither its labels nor its node's role protect it.
    Protection,
    /// `match.pod`: a condition of the playbook on the live object.
    LiveMatch(LiveCondition),
    /// `except[0]`: an exception that reads the live object.
    LiveException(usize),

    /// `held`: no response of another playbook keeps the pod in quarantine.
    Held,

    // --- the response
    /// `mode`: noted only.
    Mode,
    /// `duplicate`: the playbook has not answered the alert with this kind of claim.
    Duplicate,
    /// `step delete`: the step's action has requests for the target.
    Step(String),
    /// `owner`, where a limit counts by owner: the chain of controllers is whole.
    CountedOwner,
    /// `cooldown`: none runs.
    Cooldown,
    /// `limits.targets`: the playbook's own limit has room.
    Targets,
    /// `budget Cluster/Destroy`: a budget of the guard has room.
    Budget(BudgetScope, ActionClass),
    /// `plan`: the lint finds no fault.
    Plan,

    // --- around the decision: made by the engine, each alone in its trace
    /// `ledger`: the ledger can be read, and takes the claim.
    Ledger,
    /// `target`: the target stays the same while the response waits for it.
    Target,
}

/// A condition of a match on the alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertCondition {
    /// `rules`.
    Rules,
    /// `sources`.
    Sources,
    /// `minPriority`.
    MinPriority,
    /// `tags`.
    Tags,
    /// An entry of `fields`.
    Field(usize),
}

/// A condition of a match on the live object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LiveCondition {
    /// `image`.
    Image,
    /// `namespace`.
    Namespace,
    /// `pod`.
    Pod,
    /// `node`.
    Node,
    /// `when`.
    When,
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlertMatch(condition) => return write!(f, "match.{condition}"),
            Self::LiveMatch(condition) => return write!(f, "match.{condition}"),
            Self::AlertException(index) | Self::LiveException(index) => return write!(f, "except[{index}]"),
            Self::Step(name) => return write!(f, "step {name}"),
            Self::Budget(scope, class) => return write!(f, "budget {scope:?}/{class}"),
            Self::Queue => "queue",
            Self::Ledger => "ledger",
            Self::Sender => "sender",
            Self::Cluster => "cluster",
            Self::Subject => "subject",
            Self::SenderNamespace => "sender namespace",
            Self::SenderNode => "sender node",
            Self::AuditedRequest => "audited request",
            Self::Age => "age",
            Self::Answered | Self::Duplicate => "duplicate",
            Self::ProtectedName | Self::Protection => "protection",
            Self::Target => "target",
            Self::Readings => "readings",
            Self::Located => "container",
            Self::Pod => "pod",
            Self::PodUid => "pod uid",
            Self::ContainerStart => "container start",
            Self::ContainerId => "container id",
            Self::PodAge => "pod age",
            Self::AlertNode | Self::Node => "node",
            Self::Corroboration => "corroboration",
            Self::Ending => "ending",
            Self::Owner | Self::CountedOwner => "owner",
            Self::Host => "host",
            Self::NodeAge => "node age",
            Self::Held => "held",
            Self::Mode => "mode",
            Self::Cooldown => "cooldown",
            Self::Targets => "limits.targets",
            Self::Plan => "plan",
        })
    }
}

impl fmt::Display for AlertCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rules => "rules",
            Self::Sources => "sources",
            Self::MinPriority => "minPriority",
            Self::Tags => "tags",
            Self::Field(index) => return write!(f, "fields[{index}]"),
        })
    }
}

impl fmt::Display for LiveCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::Node => "node",
            Self::When => "when",
        })
    }
}

impl Serialize for CheckName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
