//! The hash that identifies a version of a document by its content.

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::Serialize;

/// The SHA-256 of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// SHA-256 of the canonical form: the document with its defaults, as compact JSON in the order of its types.
    /// Comments, quotes and the order of keys make no difference.
    pub(crate) fn of(doc: &impl Serialize) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "documents are made of structs, lists and maps with text keys: no error is possible"
        )]
        let canonical = serde_json::to_vec(doc).expect("a document serialises");
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &canonical).as_ref());
        Self(hash)
    }
}

impl fmt::Display for ContentHash {
    /// The first 12 hexadecimal digits: enough to tell versions of one playbook apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
