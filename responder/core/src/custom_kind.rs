//! Kinds of controllers that responder knows by name only, such as Argo's Rollout. They count for limits and protections;
//! no request can name an object of one, since a [`Locator`](crate::object::Locator) has the known kinds only.

use std::fmt;

use serde::Serialize;

use crate::object::{Kind, Name, Namespace};

/// A kind of an API group, of which nothing is known but its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomKind {
    group: Name,
    version: Name,
    kind: String,
}

impl CustomKind {
    /// The kind that an owner reference names; `None` for a known kind, one of the core group, and a text that is no kind.
    ///
    /// Group and version get into a URL's path, so both are names.
    pub fn new(api_version: &str, kind: &str) -> Option<Self> {
        let (group, version) = api_version.split_once('/')?;
        let is_kind = kind.len() <= 63
            && kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_kind && Kind::of(api_version, kind).is_none()).then_some(Self {
            group: Name::new(group)?,
            version: Name::new(version)?,
            kind: kind.to_owned(),
        })
    }

    /// The API group, such as `argoproj.io`.
    pub fn group(&self) -> &str {
        self.group.as_str()
    }

    /// Group and version, as in a manifest.
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// The kind, as in a manifest.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

impl fmt::Display for CustomKind {
    /// Such as `Rollout.argoproj.io`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.group)
    }
}

/// The place of an object of a custom kind, as a reference in this namespace names it. The kind may be cluster-scoped:
/// then the object is in no namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomLocator {
    /// The object's kind.
    pub kind: CustomKind,
    /// The namespace of the reference.
    pub namespace: Namespace,
    /// The object's name.
    pub name: Name,
}

impl fmt::Display for CustomLocator {
    /// Such as `rollout.argoproj.io/web/shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.kind().to_ascii_lowercase();
        write!(f, "{kind}.{}/{}/{}", self.kind.group(), self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("argoproj.io/v1alpha1", "Rollout", true)]
    #[case::of_another_group_than_the_known("apps.kruise.io/v1beta1", "StatefulSet", true)]
    #[case::known("apps/v1", "Deployment", false)]
    #[case::known_of_any_version("apps/v1beta1", "Deployment", false)]
    #[case::of_the_core_group("v1", "ConfigMap", false)]
    #[case::out_of_its_segment("../v1/argoproj.io/v1", "Rollout", false)]
    #[case::with_a_query("argoproj.io/v1?x=", "Rollout", false)]
    #[case::no_kind("argoproj.io/v1alpha1", "rollouts/x", false)]
    #[case::nothing("argoproj.io/v1alpha1", "", false)]
    fn only_names_are_a_custom_kind(#[case] api_version: &str, #[case] kind: &str, #[case] is_one: bool) {
        assert_eq!(CustomKind::new(api_version, kind).is_some(), is_one);
    }
}
