//! The identities that the simulated API server and container runtime assign: uids, container ids, suffixes of pod
//! names.
//!
//! Each is a hash of the object's key and a counter, so that runs are reproducible.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

/// The characters of generated names. Without vowels, they don't form words.
/// Source: `k8s.io/apimachinery/pkg/util/rand`.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A uid in the form of a version 4 UUID.
pub(super) fn uid(key: &str, counter: u64) -> String {
    let hash = digest(&SHA256, format!("{key}#{counter}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hexadecimal(&bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// The id of a container. The first container's id is the pod's uid twice, without dashes, so that the twelve digits of
/// an alert's `container.id` identify the pod to a reader.
pub(super) fn container(pod_uid: &str, position: usize, name: &str) -> String {
    let plain: String = pod_uid.chars().filter(|&digit| digit != '-').collect();
    let hexadecimal_uid = plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_hexdigit());
    if position == 0 && hexadecimal_uid {
        return format!("containerd://{plain}{plain}");
    }
    format!(
        "containerd://{}",
        hexadecimal(digest(&SHA256, format!("{pod_uid}/{name}").as_bytes()).as_ref())
    )
}

/// The five-character suffix of a generated pod name.
pub(super) fn suffix(key: &str, counter: u64) -> String {
    let hash = digest(&SHA256, format!("{key}~{counter}").as_bytes());
    hash.as_ref()
        .iter()
        .take(5)
        .map(|&byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]))
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use responder_core::object::{ContainerId, Name, Uid};

    use super::*;

    #[test]
    fn a_uid_is_a_uuid_and_each_is_new() {
        let first = uid("Pod/web/web-0", 1);
        assert_eq!(first.len(), 36);
        assert_eq!((&first[14..15], first.matches('-').count()), ("4", 4));
        assert!(Uid::new(&first).is_some());
        assert_eq!(first, uid("Pod/web/web-0", 1));
        assert_ne!(first, uid("Pod/web/web-0", 2));
    }

    #[test]
    fn a_container_id_begins_with_the_uid_of_its_pod() {
        let pod = uid("Pod/web/web-0", 1);
        let id = container(&pod, 0, "web");
        assert!(ContainerId::new(&id).unwrap().as_str().starts_with(&pod[..8]));
        assert_eq!(id.len(), "containerd://".len() + 64);
        let sidecar = container(&pod, 1, "sidecar");
        assert_eq!(ContainerId::new(&sidecar).unwrap().as_str().len(), 64);
        assert_ne!(id, sidecar);
    }

    #[test]
    fn a_generated_name_is_a_name() {
        assert!(Name::new(&format!("web-{}", suffix("web", 7))).is_some());
    }
}
