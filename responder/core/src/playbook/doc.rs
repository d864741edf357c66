//! `kind: ClusterPlaybook` as written. Step of the flow: match (loading playbooks).
//!
//! These types are the only definition of the language. The JSON schema, the check of files, the canonical form whose
//! hash names a version, and the reference are made from them. Editors show their doc comments.

use jiff::Timestamp;
use schemars::{JsonSchema, Schema};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::action::ActionDocs;
use crate::corroboration::Corroboration;
use crate::limit::CooldownScope;
use crate::manifest::{ApiVersion, MetadataDoc, one};
use crate::mode::Mode;
use crate::notify::NotifyMoment;
use crate::on_failure::OnFailure;
use crate::quarantined::QuarantinedPods;
use crate::selector::LabelSelectorDoc;
use crate::span::Span;
use crate::target::TargetKind;

mod matching;

pub use matching::{ImageDoc, MatchDoc, OneOrMany, PredicateDoc, ScalarDoc, TagsDoc};

/// `kind: ClusterPlaybook`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterPlaybookKind {
    /// A playbook for all namespaces.
    ClusterPlaybook,
}

/// A response to Falco alerts, for all namespaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ClusterPlaybook")]
pub struct ClusterPlaybookDoc {
    /// `responder.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `ClusterPlaybook`.
    pub kind: ClusterPlaybookKind,
    /// The name of the object.
    pub metadata: MetadataDoc,
    /// The alerts that the playbook answers, and its response.
    pub spec: PlaybookSpecDoc,
}

/// The alerts that a playbook answers, and its response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PlaybookSpec")]
pub struct PlaybookSpecDoc {
    /// The situation and the response, for the operator who reads it at night.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The mode of the responses: `Observe` decides and reports, `Rehearse` sends every request with dryRun, `Enforce`
    /// acts. The guard and `--mode` can lower it.
    #[serde(default)]
    pub mode: Mode,
    /// Other modes for some namespaces: that of the first entry that selects the target's namespace; otherwise `mode`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub rollout: Vec<RolloutDoc>,
    /// The alerts that the playbook answers. Every key present must hold, and at least one must read the alert.
    pub r#match: MatchDoc,
    /// Exceptions: matching alerts that the playbook does not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub except: Vec<ExceptDoc>,
    /// The object that the steps act on: the pod of the alert, the topmost controller of that pod, or its node.
    #[serde(default)]
    pub target: TargetKind,
    /// How certainly the live pod must be the alert's pod. `Named`: the name matches, and the live pod is older than
    /// the alert (all that k8s_audit alerts allow). `PodUid`: the uid matches. `Container`: the container id matches;
    /// for syscall alerts, Destroy always needs it.
    #[serde(default)]
    pub corroboration: Corroboration,
    /// Pods that the response of another playbook keeps in quarantine: `Exclude` leaves them alone (`Held`), so that
    /// evidence is kept; `Include` acts on them like on others. `Exclude` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<QuarantinedPods>,
    /// For the same target, playbooks with a higher order come first, then by name.
    #[serde(default)]
    pub order: i32,
    /// Limits in addition to the guard's, never looser.
    #[serde(default)]
    pub limits: LimitsDoc,
    /// The steps of the response, in this order.
    #[schemars(length(min = 1, max = 16))]
    pub steps: Vec<StepDoc>,
    /// Receivers of notifications, with the moments at which they are notified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub notify: Vec<NotifyDoc>,
    /// Fields that your Falco adds to alerts (`append_output`, `customfields`). `check` does not warn about predicates
    /// on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub extra_fields: Vec<String>,
}

/// Another mode for some namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rollout")]
pub struct RolloutDoc {
    /// Selects namespaces by their labels.
    pub namespaces: LabelSelectorDoc,
    /// The mode in these namespaces.
    pub mode: Mode,
}

/// Alerts that a playbook does not answer: the keys of a match, and the reason.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Exception", deny_unknown_fields)]
pub struct ExceptDoc {
    /// Every key present must hold.
    #[serde(flatten)]
    pub r#match: MatchDoc,
    /// The reason, for the operator who finds the exception in a year: a ticket, a name.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// The time from which the exception has no effect, and is a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "timestamp")]
    pub expires_at: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for ExceptDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Own {
            reason: String,
            expires_at: Option<Timestamp>,
        }
        let (own, rest) = split::<D, Own>(deserializer, &["reason", "expiresAt"])?;
        Ok(Self {
            r#match: from(rest)?,
            reason: own.reason,
            expires_at: own.expires_at,
        })
    }
}

/// The limits of one playbook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct LimitsDoc {
    /// The greatest age of an alert at the decision; older ones are refused. By default the guard's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_alert_age: Option<Span>,
    /// The pause after a response, for the same target or for all pods of the same owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<CooldownDoc>,
    /// The number of distinct targets that this playbook may act on in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetLimitDoc>,
    /// The decision on further targets when the limit is exhausted.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
}

/// The decision on further targets when a limit is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnExhausted {
    /// The response is refused.
    #[default]
    Refuse,
}

/// The pause after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cooldown")]
pub struct CooldownDoc {
    /// `Target`: the same object only. `Owner`: all pods of its topmost controller, including replacements.
    #[serde(default)]
    pub per: CooldownScope,
    /// The length of the pause, from the decision.
    pub r#for: Span,
}

/// A limit on distinct targets in a window. The smaller of `max` and `percentOfOwner` applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "TargetLimit")]
pub struct TargetLimitDoc {
    /// At most this many targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: Option<u32>,
    /// The length of the window.
    pub per: Span,
    /// At most this percentage of the owner's replicas, rounded down: of `spec.replicas`, of `desiredNumberScheduled` of a
    /// DaemonSet, of the `scale` of a custom controller. Of an owner without a number (a Job) no more than `atLeast`. Does
    /// not apply to bare pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub percent_of_owner: Option<u32>,
    /// At least this many targets, even where the percentage is less.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub at_least: u32,
}

/// A step: exactly one action, and how it runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Step", deny_unknown_fields, transform = exactly_one_action)]
pub struct StepDoc {
    /// The step's name in reports. By default the action's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,
    /// The time for all requests of the step together, retries included; 30s by default, at most 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How the plan continues when the step fails.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The step that runs instead, if this one can't be done on the target, is blocked or fails: an eviction that a
    /// PodDisruptionBudget blocks, a quarantine that other policies would make useless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Box<StepDoc>>,
    /// The action with its parameters.
    #[serde(flatten)]
    pub action: ActionDocs,
}

/// The keys of a step that are not actions.
pub(super) const STEP_KEYS: &[&str] = &["name", "timeout", "onFailure", "otherwise"];

impl<'de> Deserialize<'de> for StepDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Own {
            name: Option<String>,
            timeout: Option<Span>,
            #[serde(default)]
            on_failure: OnFailure,
            otherwise: Option<Box<StepDoc>>,
        }
        let (own, rest) = split::<D, Own>(deserializer, STEP_KEYS)?;
        Ok(Self {
            name: own.name,
            timeout: own.timeout,
            on_failure: own.on_failure,
            otherwise: own.otherwise,
            action: from(rest)?,
        })
    }
}

/// Receivers of notifications, and when they are notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Notify")]
pub struct NotifyDoc {
    /// The receivers' names, as configured.
    #[schemars(length(min = 1))]
    pub to: Vec<String>,
    /// The moments at which they are notified.
    #[schemars(length(min = 1))]
    pub on: Vec<NotifyMoment>,
}

/// Serde's `flatten` and `deny_unknown_fields` exclude each other: this takes out the keys of the outer struct, and the
/// inner one refuses unknown keys among the rest.
fn split<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
    keys: &[&str],
) -> Result<(T, Value), D::Error> {
    let mut rest = Map::deserialize(deserializer)?;
    let own: Map<String, Value> = keys.iter().filter_map(|&key| rest.remove_entry(key)).collect();
    Ok((from(Value::Object(own))?, Value::Object(rest)))
}

fn from<T: DeserializeOwned, E: Error>(value: Value) -> Result<T, E> {
    serde_json::from_value(value).map_err(E::custom)
}

fn timestamp(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "string", "format": "date-time", "examples": ["2027-01-01T00:00:00Z"]})
}

fn exactly_one_action(schema: &mut Schema) {
    let actions: Vec<Value> = ActionDocs::NAMES
        .iter()
        .map(|name| serde_json::json!({"required": [name]}))
        .collect();
    schema.insert("oneOf".to_owned(), Value::Array(actions));
}
