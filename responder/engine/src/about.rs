//! Who acts, on what, for which alert and by which playbook: the head of every record of the audit trail.

use std::sync::Arc;

use responder_core::alert::AlertId;
use responder_core::decide::{Decision, Outcome};
use responder_core::mode::Mode;
use responder_core::object::Uid;
use responder_core::plan::Plan;
use responder_core::playbook::Playbook;
use serde::Serialize;

/// The head of a record: who acts, on what, for which alert, by which playbook as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Who acts: see [`EngineConfig::actor`](crate::EngineConfig::actor).
    pub actor: Arc<str>,
    /// The cluster, where the guard names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The alert; unknown when a quarantine expires, which may be long after the process that began it has ended.
    pub alert: Option<AlertId>,
    /// The playbook.
    pub playbook: String,
    /// The digest of the playbook as written; unknown where it is not loaded any more.
    pub playbook_hash: Option<String>,
    /// The name of the response; absent where nothing is done.
    pub incident: Option<String>,
    /// The target, as in `pod/shop/web-0`; absent where none was resolved.
    pub target: Option<String>,
    /// The uid of the target.
    pub target_uid: Option<Uid>,
    /// The mode; absent where nothing is done.
    pub mode: Option<Mode>,
}

/// The controller, as the audit trail names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Author {
    /// See [`About::actor`].
    pub(crate) actor: Arc<str>,
    /// See [`About::cluster`].
    pub(crate) cluster: Option<String>,
}

impl Author {
    /// The head of what belongs to a playbook that is loaded.
    pub(crate) fn about(&self, playbook: &Playbook) -> About {
        About {
            playbook_hash: Some(playbook.hash.to_string()),
            ..self.about_named(playbook.name.to_string())
        }
    }

    /// The head of what belongs to a playbook that may not be loaded any more.
    pub(crate) fn about_named(&self, playbook: String) -> About {
        About {
            actor: Arc::clone(&self.actor),
            cluster: self.cluster.clone(),
            alert: None,
            playbook,
            playbook_hash: None,
            incident: None,
            target: None,
            target_uid: None,
            mode: None,
        }
    }
}

impl About {
    /// The head of what belongs to a response: the response, its target and its mode besides.
    pub(crate) fn of_plan(self, plan: &Plan) -> Self {
        Self {
            incident: Some(plan.incident.clone()),
            target: Some(plan.target.to_string()),
            target_uid: Some(plan.target.object().uid.clone()),
            mode: Some(plan.mode.mode()),
            ..self
        }
    }

    /// The head of a decision: of its plan, or of a refusal with the target, if one was resolved.
    pub(crate) fn of_decision(self, decision: &Decision) -> Self {
        match &decision.outcome {
            Outcome::Act { plan, .. } => self.of_plan(plan),
            Outcome::Refuse(_) => Self {
                target: decision.target.as_ref().map(ToString::to_string),
                target_uid: decision.target.as_ref().map(|target| target.object().uid.clone()),
                ..self
            },
        }
    }
}
