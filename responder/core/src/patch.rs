//! Patches: a list of typed changes to one object.
//!
//! The request body, the comparison with the live object, the undo and the text for operators all come from this list. A
//! change defines its path, the value that it writes, how it compares and whether the value shows who wrote it
//! ([`FieldChange`]). A new field needs a file beside the others and a row in [`Change`].

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::object::ObjectRef;

mod change;
mod entry;
mod field_change;
mod spec;
mod taint;

pub use change::Change;
pub use entry::{Entry, EntryMap};
pub use field_change::{FieldChange, Occupied, Standing};
pub use spec::{Scalar, SpecChange, SpecField};
pub use taint::{Taint, TaintChange, TaintEffect};

/// Changes to one object, sent as a JSON merge patch. The body gets the target's uid from the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    changes: Vec<Change>,
    /// The precondition `metadata.resourceVersion` (409 if it differs), for a list, which is replaced as a whole, and for
    /// an undo; `None` for a patch that is right for any state.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

/// A patch that can't be computed for an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchProblem {
    /// Another writer's value is in the place of a change.
    #[error(transparent)]
    Occupied(#[from] Occupied),
    /// The object has no resource version, so a list could overwrite later changes.
    #[error(
        "the object was read without a resource version, which a patch of a list needs; read it from the API server"
    )]
    Unversioned,
}

/// The part of a patch that can be undone in one state of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restorable {
    /// The reversed changes.
    pub changes: Vec<Change>,
    /// The paths that other writers have changed since.
    pub others: Vec<String>,
}

impl Patch {
    /// A patch for any state of the object.
    pub fn new(changes: Vec<Change>) -> Self {
        Self {
            changes,
            resource_version: None,
        }
    }

    /// A patch computed for the JSON of a live object. If a change replaces a list, the patch carries the object's
    /// resource version.
    ///
    /// # Errors
    ///
    /// Another writer's value is in the place of a change, or the object has no resource version.
    pub fn against(changes: Vec<Change>, live: &Value) -> Result<Self, PatchProblem> {
        let mut patch = Self::new(changes);
        for change in &mut patch.changes {
            change.compute(live)?;
        }
        if patch.replaces_a_list() {
            patch.resource_version = Some(version(live).ok_or(PatchProblem::Unversioned)?);
        }
        Ok(patch)
    }

    /// The same changes, computed for a later state.
    ///
    /// # Errors
    ///
    /// Those of [`Patch::against`].
    pub fn rebased(&self, live: &Value) -> Result<Self, PatchProblem> {
        Self::against(self.changes.clone(), live)
    }

    /// The patch with the resource version of this state, if it has one.
    #[must_use]
    pub fn at_version_of(self, live: &Value) -> Self {
        Self {
            resource_version: version(live),
            ..self
        }
    }

    /// The changes, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The precondition `metadata.resourceVersion`.
    pub fn resource_version(&self) -> Option<&str> {
        self.resource_version.as_deref()
    }

    /// Whether a change writes a whole list, and so needs a resource version.
    pub fn replaces_a_list(&self) -> bool {
        self.changes.iter().any(|change| change.field().replaces_a_list())
    }

    /// The paths whose live value is not the patched one.
    pub fn differences(&self, live: &Value) -> Vec<String> {
        let fields = self.changes.iter().map(Change::field);
        fields
            .filter(|field| field.standing(live) != Standing::AsLeft)
            .map(FieldChange::path)
            .collect()
    }

    /// The changes that can be undone in this state of the object.
    ///
    /// A change is undone if the live value is still the patched one. A value that is as before needs nothing. A plain
    /// value, such as `spec.unschedulable`, does not show who wrote it, so it is undone only if every attributable change
    /// beside it still stands: a cordon that another writer has taken over stays.
    pub fn restorable(&self, live: &Value) -> Restorable {
        let all_stand = self
            .changes
            .iter()
            .map(Change::field)
            .all(|field| !field.is_attributable() || field.standing(live) == Standing::AsLeft);
        let mut restorable = Restorable {
            changes: Vec::new(),
            others: Vec::new(),
        };
        for change in &self.changes {
            let field = change.field();
            match field.standing(live) {
                Standing::AsLeft if field.is_attributable() || all_stand => restorable.changes.push(change.reversed()),
                Standing::AsBefore => {}
                Standing::AsLeft | Standing::Other => restorable.others.push(field.path()),
            }
        }
        restorable
    }

    /// The undo of every change, to show in a plan.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self::new(self.changes.iter().map(Change::reversed).collect())
    }

    /// The request body for this target: the changes, and the uid as a precondition.
    pub fn body(&self, target: &ObjectRef) -> Value {
        let mut metadata = Map::new();
        metadata.insert("uid".to_owned(), target.uid.as_str().into());
        if let Some(version) = &self.resource_version {
            metadata.insert("resourceVersion".to_owned(), version.as_str().into());
        }
        let mut body = Map::new();
        body.insert("metadata".to_owned(), metadata.into());
        for change in &self.changes {
            change.field().write(&mut body);
        }
        body.into()
    }
}

impl fmt::Display for Patch {
    /// `[label app=web, spec.unschedulable=true]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", changes.join(", "))
    }
}

fn version(live: &Value) -> Option<String> {
    let version = live.pointer("/metadata/resourceVersion")?.as_str()?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests;
