//! Makes a cluster at rest from manifests. Fields that handwritten manifests omit are filled in as the API server, its
//! controllers and a kubelet would. Values from a dump stay as they are.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::controllers;
use super::manifest::{self, Manifest, ManifestError, ManifestFault};
use super::object::{NAMESPACE, NODE, ObjectKey, POD, controller, metadata, owner_key, rfc3339, text, uid};
use super::running;
use super::store::Store;

/// Creation and start time of objects without one: before any alert that is replayed.
pub(super) const LONG_AGO: Timestamp = Timestamp::constant(1_577_836_800, 0);

/// A store with the objects of these files, each given by name and text.
pub(super) fn load(files: &[(String, String)]) -> Result<Store, ManifestError> {
    let mut faults = Vec::new();
    let manifests: Vec<Manifest> = files
        .iter()
        .flat_map(|(file, text)| manifest::read(file, text, &mut faults))
        .collect();
    let mut objects = BTreeMap::new();
    let mut written = BTreeMap::new();
    for Manifest {
        key,
        object,
        file,
        document,
    } in manifests
    {
        match objects.entry(key) {
            Entry::Occupied(taken) => {
                let first: &(String, usize) = &written[taken.key()];
                let what = format!(
                    "{} is already in {}, document {}: remove one",
                    taken.key(),
                    first.0,
                    first.1
                );
                faults.push(ManifestFault {
                    file,
                    document: Some(document),
                    what,
                });
            }
            Entry::Vacant(free) => {
                written.insert(free.key().clone(), (file, document));
                free.insert(object);
            }
        }
    }
    if !faults.is_empty() {
        return Err(ManifestError::Faulty(faults));
    }
    Ok(complete(objects))
}

fn complete(mut objects: BTreeMap<ObjectKey, Value>) -> Store {
    let mut store = Store::default();
    let namespaces: Vec<String> = objects
        .keys()
        .map(|key| key.namespace.clone())
        .filter(|name| !name.is_empty())
        .collect();
    for name in namespaces {
        objects.entry(ObjectKey::new(NAMESPACE, "", &name)).or_insert_with(|| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}})
        });
    }
    for (key, object) in &mut objects {
        fill_in(&mut store, key, object, LONG_AGO);
    }
    resolve_owners(&mut store, &mut objects);
    let (pods, others): (BTreeMap<_, _>, BTreeMap<_, _>) = objects.into_iter().partition(|(key, _)| key.kind == POD);
    for (key, object) in others {
        store.load(key, object);
    }
    for (key, mut pod) in pods {
        let started = text(&pod, "/metadata/creationTimestamp").parse().unwrap_or(LONG_AGO);
        running::start(&mut store, &mut pod, started);
        store.load(key, pod);
    }
    store.complete_versions();
    let orphans: Vec<ObjectKey> = store
        .of_kind(&POD)
        .filter(|(_, pod)| controller(pod).is_none())
        .map(|(key, _)| key.clone())
        .collect();
    for orphan in orphans {
        controllers::adopt(&mut store, &orphan);
    }
    store
}

/// Sets the fields that the API server sets on every object, and a kubelet on its node, unless the manifest has them.
pub(super) fn fill_in(store: &mut Store, key: &ObjectKey, object: &mut Value, at: Timestamp) {
    if uid(object).is_empty() {
        let there = store.get(key).map(|there| uid(there).to_owned());
        let given = there.unwrap_or_else(|| store.new_uid(key));
        metadata(object).insert("uid".to_owned(), given.into());
    }
    let metadata = metadata(object);
    metadata
        .entry("creationTimestamp")
        .or_insert_with(|| rfc3339(at).into());
    if key.kind == NAMESPACE {
        // Namespace selectors rely on it.
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        if let Some(labels) = labels.as_object_mut() {
            labels
                .entry("kubernetes.io/metadata.name")
                .or_insert_with(|| key.name.as_str().into());
        }
    }
    if key.kind == NODE && object.get("status").is_none() {
        object["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    }
}

/// Gives owner references without a uid the uid of the object that they name. A single reference without `controller`
/// is taken for the controller's.
fn resolve_owners(store: &mut Store, objects: &mut BTreeMap<ObjectKey, Value>) {
    let uids: BTreeMap<ObjectKey, String> = objects
        .iter()
        .map(|(key, object)| (key.clone(), uid(object).to_owned()))
        .collect();
    for (key, object) in objects.iter_mut() {
        let references = object
            .pointer_mut("/metadata/ownerReferences")
            .and_then(Value::as_array_mut);
        let alone = references.as_ref().is_some_and(|references| references.len() == 1);
        for reference in references.into_iter().flatten() {
            if !text(reference, "/uid").is_empty() {
                continue;
            }
            let owner = owner_key(&key.namespace, reference);
            // The owner is not among the manifests, so it is gone. Its uid is one that no object has.
            let uid = uids.get(&owner).cloned().unwrap_or_else(|| store.new_uid(&owner));
            reference["uid"] = uid.into();
            if alone && reference.get("controller").is_none() {
                reference["controller"] = true.into();
            }
        }
    }
}
