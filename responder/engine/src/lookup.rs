//! The second look: the object that has the name now to which a request went. Reads only.

use std::sync::Arc;

use responder_core::object::{ObjectRef, Uid};
use responder_core::own::OwnObject;
use responder_core::port::{ClusterReader, ReadError};
use serde_json::Value;

/// An object as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveObject {
    pub(crate) uid: Uid,
    /// Its JSON, for comparisons by field.
    pub(crate) fields: Arc<Value>,
}

impl LiveObject {
    fn of(fields: Arc<Value>) -> Option<Self> {
        let uid = Uid::new(fields.pointer("/metadata/uid")?.as_str()?)?;
        Some(Self { uid, fields })
    }

    /// Whether it is being deleted.
    pub(crate) fn is_ending(&self) -> bool {
        let at = self.fields.pointer("/metadata/deletionTimestamp");
        at.is_some_and(|at| !at.is_null())
    }
}

/// The object that has the name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The same object.
    Same(LiveObject),
    /// No object has it.
    Gone,
    /// Another object has it.
    Replaced(Uid),
}

/// Looks for one particular object.
pub(crate) async fn lookup<C: ClusterReader>(cluster: &C, object: &ObjectRef) -> Result<Lookup, ReadError> {
    Ok(match cluster.object(&object.at).await?.and_then(LiveObject::of) {
        None => Lookup::Gone,
        Some(seen) if seen.uid == object.uid => Lookup::Same(seen),
        Some(seen) => Lookup::Replaced(seen.uid),
    })
}

/// The uid of an existing object that has all marks and content of the one that we want to create; `None` for an object
/// of another writer, and for one of ours that was changed.
pub(crate) async fn our_own<C: ClusterReader>(cluster: &C, object: &OwnObject) -> Result<Option<Uid>, ReadError> {
    let live = cluster.object(object.at()).await?.and_then(LiveObject::of);
    Ok(live.filter(|live| object.is_same_as(&live.fields)).map(|live| live.uid))
}
