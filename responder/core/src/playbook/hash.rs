//! The hash that identifies a version of a document. Step of the flow: match (loading playbooks).

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use super::ContentHash;

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
