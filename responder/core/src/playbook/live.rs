//! The part of a match that reads the live object. Step of the flow: decide.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use super::alert_match::shown;
use super::expression::{Expression, Variable};
use super::pattern::Pattern;
use crate::alert::Alert;
use crate::image::{self, Image};
use crate::object::ContainerId;
use crate::pod;
use crate::selector::Selector;
use crate::snapshot::{Needs, Part, Snapshot};
use crate::trace::{CheckName, LiveCondition, Trace};

/// The conditions on the live object. Every part present must hold; an empty match takes every object.
#[derive(Debug, Default)]
pub struct LiveMatch {
    pub(super) image: Option<ImageMatch>,
    pub(super) namespace: Option<Selector>,
    pub(super) pod: Option<Selector>,
    pub(super) node: Option<Selector>,
    pub(super) when: Option<Expression>,
}

/// The conditions on the live container's image, in any spelling of its name in the pod's spec and status.
#[derive(Debug, Default)]
pub(super) struct ImageMatch {
    /// One of these must match; empty for no condition.
    pub(super) glob: Vec<Pattern>,
    /// None of these may match.
    pub(super) not_glob: Vec<Pattern>,
}

impl ImageMatch {
    fn matches(&self, image: &Image) -> bool {
        let is_spelled = |pattern: &Pattern| image.spellings.iter().any(|name| pattern.is_match(name));
        let fits = |patterns: &[Pattern]| patterns.iter().any(is_spelled);
        (self.glob.is_empty() || fits(&self.glob)) && !fits(&self.not_glob)
    }

    fn asked(&self) -> String {
        let listed = |word: &str, patterns: &[Pattern]| {
            let globs: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
            (!globs.is_empty()).then(|| format!("{word} [{}]", globs.join(", ")))
        };
        let parts: Vec<String> = [listed("glob", &self.glob), listed("notGlob", &self.not_glob)]
            .into_iter()
            .flatten()
            .collect();
        parts.join(" and ")
    }
}

impl LiveMatch {
    /// Whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.image.is_none()
            && self.namespace.is_none()
            && self.pod.is_none()
            && self.node.is_none()
            && self.when.is_none()
    }

    /// Whether there is an expression.
    pub const fn has_expression(&self) -> bool {
        self.when.is_some()
    }

    /// Whether the expression reads the alert.
    pub fn reads_alert(&self) -> bool {
        self.when.as_ref().is_some_and(|when| when.reads(Variable::Alert))
    }

    /// The parts of the snapshot that the conditions read. The pod is always read.
    pub fn needs(&self) -> Needs {
        let reads = |variable| self.when.as_ref().is_some_and(|when| when.reads(variable));
        Needs {
            owners: reads(Variable::Owner),
            node: self.node.is_some() || reads(Variable::Node),
            namespace: self.namespace.is_some() || reads(Variable::Namespace),
            ..Needs::default()
        }
    }

    /// Checks every condition and notes it under `match.…`. The error is the first condition that does not hold, as the
    /// sentence of a refusal. A part that could not be read and an expression that fails do not hold, and the sentence
    /// says that it was an error.
    ///
    /// `container` is the container that the alert names. Without one, or if the pod has no container with that id, the
    /// images of all containers of the pod must match.
    pub fn holds(
        &self,
        alert: &Alert,
        snapshot: &Snapshot,
        container: Option<&ContainerId>,
        trace: &mut Trace,
    ) -> Result<(), String> {
        let mut note = |condition, holds: Result<String, String>| {
            let name = CheckName::LiveMatch(condition);
            match holds {
                Ok(detail) => {
                    trace.passed(name, detail);
                    Ok(())
                }
                Err(detail) => {
                    trace.failed(name.clone(), detail.clone());
                    Err(format!("{name} does not hold: {detail}"))
                }
            }
        };
        if let Some(image) = &self.image {
            note(
                LiveCondition::Image,
                found(&snapshot.pod, "the pod").and_then(|pod| images(image, pod, container)),
            )?;
        }
        if let Some(selector) = &self.namespace {
            let labels = found(&snapshot.namespace, "the namespace").map(|object| object.metadata.labels.as_ref());
            note(
                LiveCondition::Namespace,
                labels.and_then(|labels| selected(selector, labels)),
            )?;
        }
        if let Some(selector) = &self.pod {
            let labels = found(&snapshot.pod, "the pod").map(|object| object.metadata.labels.as_ref());
            note(LiveCondition::Pod, labels.and_then(|labels| selected(selector, labels)))?;
        }
        if let Some(selector) = &self.node {
            let labels = found(&snapshot.node, "the node").map(|object| object.metadata.labels.as_ref());
            note(
                LiveCondition::Node,
                labels.and_then(|labels| selected(selector, labels)),
            )?;
        }
        if let Some(when) = &self.when {
            let holds = match when.evaluate(alert, snapshot) {
                Ok(true) => Ok(format!("`{}` is true", when.as_str())),
                Ok(false) => Err(format!("`{}` is false", when.as_str())),
                Err(error) => Err(format!("error in `{}`: {error}", when.as_str())),
            };
            note(LiveCondition::When, holds)?;
        }
        Ok(())
    }
}

fn found<'a, T>(part: &'a Part<T>, what: &str) -> Result<&'a T, String> {
    match part {
        Part::Found(part) => Ok(part),
        Part::Missing => Err(format!("error: {what} is not there")),
        Part::NotAsked => Err(format!("error: {what} was not read")),
    }
}

fn selected(selector: &Selector, labels: Option<&BTreeMap<String, String>>) -> Result<String, String> {
    let none = BTreeMap::new();
    let holds = selector.matches(labels.unwrap_or(&none));
    let detail = format!(
        "the object has {}; asked {selector}",
        shown_labels(selector, labels.unwrap_or(&none))
    );
    if holds { Ok(detail) } else { Err(detail) }
}

/// The object's values for the labels in the selector.
fn shown_labels(selector: &Selector, labels: &BTreeMap<String, String>) -> String {
    let asked: Vec<String> = selector
        .keys()
        .filter_map(|key| {
            labels
                .get(key)
                .map(|value| format!("{}={}", key.escape_debug(), value.escape_debug()))
        })
        .collect();
    if asked.is_empty() {
        "none of these labels".to_owned()
    } else {
        asked.join(",")
    }
}

fn images(asked: &ImageMatch, pod: &Pod, container: Option<&ContainerId>) -> Result<String, String> {
    let all = containers(pod);
    if all.is_empty() {
        return Err("error: the pod has no containers".to_owned());
    }
    let named = container
        .and_then(|id| pod::container(pod, id))
        .map(|container| container.status.name.as_str());
    let meant: Vec<&(&str, Option<&str>)> = all
        .iter()
        .filter(|(name, _)| named.is_none_or(|named| named == *name))
        .collect();
    if meant.is_empty() {
        return Err("error: the container is not in the pod's spec".to_owned());
    }
    for (name, image) in &meant {
        let Some(image) = image else {
            return Err(format!(
                "error: the container {} has no image in the pod's spec",
                shown(name)
            ));
        };
        if !asked.matches(&Image::of(image, image::status_of(pod, name))) {
            return Err(format!(
                "the image of the container {} is {}; asked {}",
                shown(name),
                shown(image),
                asked.asked()
            ));
        }
    }
    let which = if named.is_some() {
        "of the alert's container"
    } else {
        "of every container of the pod"
    };
    Ok(format!("the image {which} fits; asked {}", asked.asked()))
}

/// Every container of the pod's spec with its image, init and ephemeral containers included.
fn containers(pod: &Pod) -> Vec<(&str, Option<&str>)> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let ephemeral = spec
        .ephemeral_containers
        .iter()
        .flatten()
        .map(|one| (one.name.as_str(), one.image.as_deref()));
    let others = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    others
        .map(|one| (one.name.as_str(), one.image.as_deref()))
        .chain(ephemeral)
        .collect()
}

#[cfg(test)]
mod tests;
