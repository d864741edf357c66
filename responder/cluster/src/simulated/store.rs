//! The store of the simulated API server: objects by kind, namespace and name, with versions and uids.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::identity;
use super::object::{KindName, ObjectKey, metadata, rfc3339, text, uid};

/// All stored objects. They are shared with readers and copied on change.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    version: u64,
    given: u64,
}

impl Store {
    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Value>)> {
        self.objects.iter()
    }

    /// All objects of a kind.
    pub(super) fn of_kind(&self, kind: &KindName) -> impl Iterator<Item = (&ObjectKey, &Arc<Value>)> + use<'_> {
        let (from, kind) = (ObjectKey::new(kind.clone(), "", ""), kind.clone());
        self.objects.range(from..).take_while(move |(key, _)| key.kind == kind)
    }

    /// All objects of a kind in a namespace.
    pub(super) fn in_namespace(
        &self,
        kind: &KindName,
        namespace: &str,
    ) -> impl Iterator<Item = (&ObjectKey, &Arc<Value>)> + use<'_> {
        let (from, kind) = (ObjectKey::new(kind.clone(), namespace, ""), kind.clone());
        let namespace = namespace.to_owned();
        self.objects
            .range(from..)
            .take_while(move |(key, _)| key.kind == kind && key.namespace == namespace)
    }

    /// A number that was not returned before.
    pub(super) fn next_number(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    /// Adds an object with the version from its manifest. Later versions are higher.
    pub(super) fn load(&mut self, key: ObjectKey, object: Value) {
        let version: u64 = text(&object, "/metadata/resourceVersion").parse().unwrap_or_default();
        self.version = self.version.max(version);
        self.objects.insert(key, Arc::new(object));
    }

    /// Gives a version to every object without one.
    pub(super) fn complete_versions(&mut self) {
        let unversioned = |object: &Arc<Value>| text(object, "/metadata/resourceVersion").is_empty();
        let keys: Vec<_> = self
            .objects
            .iter()
            .filter(|(_, object)| unversioned(object))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            if let Some(object) = self.get(&key).cloned() {
                self.put(key, Arc::unwrap_or_clone(object));
            }
        }
    }

    /// A new uid for an object with this key.
    pub(super) fn new_uid(&mut self, key: &ObjectKey) -> String {
        let number = self.next_number();
        identity::uid(&key.to_string(), number)
    }

    /// Stores a new object with a new uid, created at `now`. Returns the uid.
    pub(super) fn create(&mut self, key: ObjectKey, mut object: Value, now: Timestamp) -> String {
        let uid = self.new_uid(&key);
        let metadata = metadata(&mut object);
        metadata.insert("uid".to_owned(), uid.as_str().into());
        metadata.insert("creationTimestamp".to_owned(), rfc3339(now).into());
        self.put(key, object);
        uid
    }

    /// Stores an object under a new version. Returns the version.
    pub(super) fn put(&mut self, key: ObjectKey, mut object: Value) -> String {
        self.version += 1;
        let version = self.version.to_string();
        metadata(&mut object).insert("resourceVersion".to_owned(), version.as_str().into());
        self.objects.insert(key, Arc::new(object));
        version
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.version += 1;
        self.objects.remove(key)
    }

    /// The object with this key, if it has this uid.
    pub(super) fn same(&self, key: &ObjectKey, of: &str) -> Option<&Arc<Value>> {
        self.get(key).filter(|object| uid(object) == of)
    }
}
