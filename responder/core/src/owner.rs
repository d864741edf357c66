//! The controllers above a pod, as far as they could be read, and how far they are believed.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::custom_kind::{CustomKind, CustomLocator};
use crate::object::{Kind, Name, Namespace, ObjectRef, Uid};

/// The facts about a controller of a known kind. Requests can name it.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    /// The controller's locator and uid.
    pub object: ObjectRef,
    /// `spec.replicas`, of a DaemonSet `status.desiredNumberScheduled`; `None` for kinds without either.
    pub replicas: Option<u32>,
    /// `spec.selector`; `None` for kinds without it.
    pub selector: Option<LabelSelector>,
    /// Of a DaemonSet: whether its pods are to be a Falco that watches its node, by its template.
    pub runs_falco: bool,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// The facts about a controller of a custom kind. Limits count by it, protections cover it, and no request can name it.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomOwner {
    /// The controller's kind.
    pub kind: CustomKind,
    /// The controller's namespace; `None` for a cluster-scoped kind.
    pub namespace: Option<Namespace>,
    /// The controller's name.
    pub name: Name,
    /// The controller's uid.
    pub uid: Uid,
    /// `spec.replicas` of the `scale` subresource.
    pub replicas: Result<u32, Uncounted>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// Why there is no number of which a percentage could be counted, as a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted(pub String);

/// A controller.
#[derive(Debug, Clone, PartialEq)]
pub enum Controller {
    /// Of a known kind.
    Known(Owner),
    /// Of a custom kind.
    Custom(CustomOwner),
}

impl Controller {
    /// The controller's uid.
    pub const fn uid(&self) -> &Uid {
        match self {
            Self::Known(owner) => &owner.object.uid,
            Self::Custom(owner) => &owner.uid,
        }
    }

    /// The controller's name.
    pub const fn name(&self) -> &Name {
        match self {
            Self::Known(owner) => owner.object.at.name(),
            Self::Custom(owner) => &owner.name,
        }
    }

    /// The controller's namespace; `None` for a cluster-scoped kind.
    pub const fn namespace(&self) -> Option<&Namespace> {
        match self {
            Self::Known(owner) => owner.object.at.namespace(),
            Self::Custom(owner) => owner.namespace.as_ref(),
        }
    }

    /// `metadata.labels`.
    pub const fn labels(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Known(owner) => &owner.labels,
            Self::Custom(owner) => &owner.labels,
        }
    }

    /// The controller, if requests can name it.
    pub const fn known(&self) -> Option<&Owner> {
        match self {
            Self::Known(owner) => Some(owner),
            Self::Custom(_) => None,
        }
    }

    /// The API group, empty for the core group, and the kind.
    pub fn group_and_kind(&self) -> (&str, &str) {
        match self {
            Self::Known(owner) => {
                let kind = owner.object.at.kind();
                (kind.group(), kind.as_str())
            }
            Self::Custom(owner) => (owner.kind.group(), owner.kind.kind()),
        }
    }

    /// Whether it is of this known kind.
    pub fn is_a(&self, kind: Kind) -> bool {
        self.known().is_some_and(|owner| owner.object.at.kind() == kind)
    }

    fn replicas(&self) -> Result<u32, Uncounted> {
        match self {
            Self::Known(owner) => owner.replicas.ok_or_else(|| match owner.object.at.kind() {
                Kind::DaemonSet => Uncounted(format!("the status of {self} has no desiredNumberScheduled")),
                kind => Uncounted(format!("a {kind} has no number of replicas")),
            }),
            Self::Custom(owner) => owner.replicas.clone(),
        }
    }
}

impl fmt::Display for Controller {
    /// Such as `the Deployment payments` or `the Rollout.argoproj.io shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(owner) => write!(f, "the {} {}", owner.object.at.kind(), owner.object.at.name()),
            Self::Custom(owner) => write!(f, "the {} {}", owner.kind, owner.name),
        }
    }
}

/// The end of what is believed of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokenLink {
    /// Why the link is not believed: a controller is gone, replaced, not to be read, or does not select what refers to it.
    pub why: String,
    /// The number of controllers below it that are believed.
    pub believed: usize,
    /// The controller of a custom kind that exists for all that is known: its read failed.
    pub unread: Option<CustomLocator>,
}

/// The controllers above a pod, as far as they could be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnerChain {
    /// From the pod's own controller to the top, believed or not.
    pub owners: Vec<Controller>,
    /// The first link that is not believed.
    pub broken: Option<BrokenLink>,
    /// The topmost uid that the references claim, believed or not; `None` for a pod without a controller. Responses are
    /// counted by it, so a broken reference is no way out of the limits of an owner.
    pub claimed: Option<Uid>,
}

impl OwnerChain {
    /// Notes that the next link is not believed, and why, unless an earlier one is not.
    pub fn disbelieve(&mut self, why: String) {
        let believed = self.owners.len();
        self.broken.get_or_insert(BrokenLink {
            why,
            believed,
            unread: None,
        });
    }

    /// Notes that the controller of the next link could not be read, and why, unless an earlier link is not believed.
    pub fn could_not_read(&mut self, at: CustomLocator, why: String) {
        if self.broken.is_none() {
            self.disbelieve(why);
            if let Some(broken) = &mut self.broken {
                broken.unread = Some(at);
            }
        }
    }

    /// Why a link is not believed; `None` if all are.
    pub fn doubt(&self) -> Option<&str> {
        self.broken.as_ref().map(|broken| broken.why.as_str())
    }

    /// The controllers up to the first link that is not believed.
    pub fn believed(&self) -> &[Controller] {
        let believed = self.broken.as_ref().map(|broken| broken.believed);
        believed.map_or(&self.owners, |believed| &self.owners[..believed.min(self.owners.len())])
    }

    /// The uid by which limits count the pod's owner: that of the topmost controller, or else the claimed one.
    pub fn counted(&self) -> Option<&Uid> {
        self.topmost().map(Controller::uid).or(self.claimed.as_ref())
    }

    /// The topmost controller; `None` when there is none or the chain is broken.
    pub fn topmost(&self) -> Option<&Controller> {
        if self.broken.is_some() {
            None
        } else {
            self.owners.last()
        }
    }

    /// The number of which a percentage of the owner is counted: that of the highest believed controller that has one.
    /// A controller below the topmost wants no more pods than that, so the percentage of its number is the safer one.
    ///
    /// # Errors
    ///
    /// No believed controller has a number.
    pub fn replicas(&self) -> Result<u32, Uncounted> {
        let mut why = match &self.broken {
            Some(broken) => Uncounted(broken.why.clone()),
            None => Uncounted("it has no controller".to_owned()),
        };
        for (place, controller) in self.believed().iter().rev().enumerate() {
            match controller.replicas() {
                Ok(replicas) => return Ok(replicas),
                Err(uncounted) if place == 0 && self.broken.is_none() => why = uncounted,
                Err(_) => {}
            }
        }
        Err(why)
    }
}
