//! `kind: ClusterPlaybook` as written. Step of the flow: match (reading playbooks).
//!
//! These types are the one definition of the language: the JSON schema, the check of a file against it, the canonical
//! form whose hash names a version, and the reference all come from them. Their comments are what an editor shows.

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

/// A response to alerts of Falco, for all namespaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ClusterPlaybook")]
pub struct ClusterPlaybookDoc {
    /// `responder.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `ClusterPlaybook`.
    pub kind: ClusterPlaybookKind,
    /// Its name.
    pub metadata: MetadataDoc,
    /// What it answers, and how.
    pub spec: PlaybookSpecDoc,
}

/// What a playbook answers, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PlaybookSpec")]
pub struct PlaybookSpecDoc {
    /// What situation it answers and what it does, for the person who reads it at night.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How far it may go: `Observe` decides and reports, `Rehearse` sends every request with dryRun, `Enforce` acts. The
    /// guard and `--mode` can lower it.
    #[serde(default)]
    pub mode: Mode,
    /// Other modes for some namespaces: the first entry that selects the target's namespace; otherwise `mode`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub rollout: Vec<RolloutDoc>,
    /// Which alerts it answers. Every part that is written must hold, and one part at least must read the alert.
    pub r#match: MatchDoc,
    /// Alerts that it leaves alone although they match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub except: Vec<ExceptDoc>,
    /// What it acts on: the pod of the alert, the topmost controller of that pod, or its node.
    #[serde(default)]
    pub target: TargetKind,
    /// How sure the target must be. `Named`: by name only, and the live pod is older than the alert (what k8s_audit
    /// alerts allow). `PodUid`: by uid. `Container`: by container id; Destroy never goes below it for syscall alerts.
    #[serde(default)]
    pub corroboration: Corroboration,
    /// On one target, playbooks of a higher order come first; then by name.
    #[serde(default)]
    pub order: i32,
    /// Limits on top of the guard's, never looser.
    #[serde(default)]
    pub limits: LimitsDoc,
    /// What is done, in this order.
    #[schemars(length(min = 1, max = 16))]
    pub steps: Vec<StepDoc>,
    /// Who is told, at which moments, whatever happens to the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub notify: Vec<NotifyDoc>,
    /// Fields that your Falco adds to the alerts (`append_output`, `customfields`): asking for them is no warning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub extra_fields: Vec<String>,
}

/// Another mode for some namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rollout")]
pub struct RolloutDoc {
    /// By the labels of the namespace.
    pub namespaces: LabelSelectorDoc,
    /// The mode there.
    pub mode: Mode,
}

/// Alerts that a playbook leaves alone: the parts of a match, and the reason.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Exception", deny_unknown_fields)]
pub struct ExceptDoc {
    /// Every part that is written must hold.
    #[serde(flatten)]
    pub r#match: MatchDoc,
    /// Why, for the person who finds it in a year: a ticket, a name.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// From then on it no longer excepts, and is a warning.
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

/// Limits of one playbook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct LimitsDoc {
    /// Alerts that are older at the decision are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_alert_age: Option<Span>,
    /// How long the same target, or all pods of the same owner, are left alone after a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<CooldownDoc>,
    /// How many distinct targets this playbook may act on in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetLimitDoc>,
    /// What happens when the limit is used up.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
}

/// What happens when a limit is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnExhausted {
    /// The response is refused.
    #[default]
    Refuse,
}

/// How long something is left alone after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cooldown")]
pub struct CooldownDoc {
    /// `Target`: this very object. `Owner`: everything under its topmost controller, so replacements of a pod as well.
    #[serde(default)]
    pub per: CooldownScope,
    /// How long, from the decision.
    pub r#for: Span,
}

/// How many distinct targets in a window. The smaller of `max` and `percentOfOwner` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "TargetLimit")]
pub struct TargetLimitDoc {
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: Option<u32>,
    /// The window.
    pub per: Span,
    /// At most so many percent of the owner's `spec.replicas`, rounded down. Bare pods skip it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub percent_of_owner: Option<u32>,
    /// But never fewer than so many by the percentage.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    pub at_least: u32,
}

/// One step: exactly one action, and how it is run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Step", deny_unknown_fields, transform = exactly_one_action)]
pub struct StepDoc {
    /// Its name in reports. By default the action's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,
    /// For all its requests together, retries included; 30s by default, at most 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// What happens to the rest when it fails.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// What it does.
    #[serde(flatten)]
    pub action: ActionDocs,
}

/// The keys of a step that are no action.
pub(super) const STEP_KEYS: &[&str] = &["name", "timeout", "onFailure"];

impl<'de> Deserialize<'de> for StepDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Own {
            name: Option<String>,
            timeout: Option<Span>,
            #[serde(default)]
            on_failure: OnFailure,
        }
        let (own, rest) = split::<D, Own>(deserializer, STEP_KEYS)?;
        Ok(Self {
            name: own.name,
            timeout: own.timeout,
            on_failure: own.on_failure,
            action: from(rest)?,
        })
    }
}

/// Who is told, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Notify")]
pub struct NotifyDoc {
    /// The receivers.
    #[schemars(length(min = 1))]
    pub to: Vec<String>,
    /// The moments.
    #[schemars(length(min = 1))]
    pub on: Vec<NotifyMoment>,
}

/// Serde's `flatten` and `deny_unknown_fields` exclude each other: the keys of the outer struct are taken out by hand,
/// and the inner one refuses what is left over.
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
