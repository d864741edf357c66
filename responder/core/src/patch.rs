//! Patches: a list of typed changes to one object, and all that is done with such a list.
//!
//! The body that is sent, the comparison with the live object, the way back and the text for a person are all worked out
//! of the one list. A change says where it is ([`FieldChange::path`]), what it writes, how it compares and whether it
//! proves by itself that it is ours; a new field is a file beside the others and a row in [`Change`].

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
pub use field_change::{FieldChange, NotOurs, Standing};
pub use spec::{Scalar, SpecChange, SpecField};
pub use taint::{Taint, TaintChange, TaintEffect};

/// The changes to one object, sent as a JSON merge patch. The target's uid is added when it is sent, never by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    changes: Vec<Change>,
    /// `metadata.resourceVersion` that must still hold (409 otherwise): a list is replaced as a whole, and an undo is
    /// right only for the state that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

/// Why a patch can't be worked out for an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchProblem {
    /// Another writer holds the place.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// A list would be replaced without knowing what it replaces.
    #[error(
        "the object was read without its resource version, and a list is only replaced at the version that was read"
    )]
    Unversioned,
}

/// What is given back of a patch, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenBack {
    /// The changes that undo what still is as we left it.
    pub changes: Vec<Change>,
    /// The paths that another writer has changed since.
    pub others: Vec<String>,
}

impl Patch {
    /// The changes for whatever state the object is in.
    pub fn new(changes: Vec<Change>) -> Self {
        Self {
            changes,
            resource_version: None,
        }
    }

    /// The changes worked out for this state of the object (its JSON), and bound to its version where one of them
    /// replaces a list.
    ///
    /// # Errors
    ///
    /// Another writer holds a place that a change would take, or the state has no version to be bound to.
    pub fn on(changes: Vec<Change>, live: &Value) -> Result<Self, PatchProblem> {
        let mut patch = Self::new(changes);
        for change in &mut patch.changes {
            change.work_out(live)?;
        }
        if patch.replaces_a_list() {
            patch.resource_version = Some(version(live).ok_or(PatchProblem::Unversioned)?);
        }
        Ok(patch)
    }

    /// The same changes for a later state.
    ///
    /// # Errors
    ///
    /// As of [`Patch::on`].
    pub fn anew(&self, live: &Value) -> Result<Self, PatchProblem> {
        Self::on(self.changes.clone(), live)
    }

    /// Bound to the version of this state, where it has one.
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

    /// The resource version that must still hold.
    pub fn resource_version(&self) -> Option<&str> {
        self.resource_version.as_deref()
    }

    /// Whether a change writes a whole list, and so is right for one version only.
    pub fn replaces_a_list(&self) -> bool {
        self.changes.iter().any(|change| change.field().replaces_a_list())
    }

    /// The paths that are not as patched.
    pub fn differences(&self, live: &Value) -> Vec<String> {
        let fields = self.changes.iter().map(Change::field);
        fields
            .filter(|field| field.standing(live) != Standing::AsLeft)
            .map(FieldChange::path)
            .collect()
    }

    /// What may be given back in this state of the object.
    ///
    /// A change is given back where it stands as we left it; one that is as before already needs nothing. A plain value,
    /// such as `spec.unschedulable`, does not tell whose it is, so it is given back only where everything that proves
    /// itself beside it still stands: a cordon that another writer has taken over is theirs.
    pub fn given_back(&self, live: &Value) -> GivenBack {
        let all_stand = self
            .changes
            .iter()
            .map(Change::field)
            .all(|field| !field.proves_itself() || field.standing(live) == Standing::AsLeft);
        let mut given_back = GivenBack {
            changes: Vec::new(),
            others: Vec::new(),
        };
        for change in &self.changes {
            let field = change.field();
            match field.standing(live) {
                Standing::AsLeft if field.proves_itself() || all_stand => given_back.changes.push(change.reversed()),
                Standing::AsBefore => {}
                Standing::AsLeft | Standing::Other => given_back.others.push(field.path()),
            }
        }
        given_back
    }

    /// The changes that give back all of it, for a person to read before it is known what will still stand.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self::new(self.changes.iter().map(Change::reversed).collect())
    }

    /// The body to send for this target: the changes, and the uid that must hold.
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
