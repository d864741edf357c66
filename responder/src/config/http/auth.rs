//! The section `http.auth`: the credentials of senders.

use responder_core::alert::{Confinement, SenderName};
use responder_core::document::{Findings, Path};
use responder_intake::SecretSource;
use responder_intake::auth::{CredentialSources, NamedSecret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::confined_to::ConfinedToDoc;
use crate::config::secret::{PasswordDoc, TokenDoc};

/// The credentials of senders. Each secret is in a file, which is read again when it changes, or in an environment variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Auth")]
pub(crate) struct HttpAuthDoc {
    /// Users with passwords: all that Falco's `http_output` can send (`url: http://user:password@responder:2803`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) basic: Vec<BasicDoc>,
    /// Senders with tokens: falcosidekick's webhook sends one in `customheaders` (`Authorization: Bearer …`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) bearer: Vec<BearerDoc>,
}

/// A user with a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Basic")]
pub(crate) struct BasicDoc {
    /// The user; a second entry with the same user is a second password.
    #[schemars(length(min = 1, max = 253))]
    user: String,
    #[serde(flatten)]
    password: PasswordDoc,
    /// The part of the cluster that the user may report on. Default: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confined_to: Option<ConfinedToDoc>,
}

/// A sender with a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Bearer")]
pub(crate) struct BearerDoc {
    /// The name of the sender in the audit trail; a second entry with the same name is a second token.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    #[serde(flatten)]
    token: TokenDoc,
    /// The part of the cluster that the sender may report on. Default: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confined_to: Option<ConfinedToDoc>,
}

impl HttpAuthDoc {
    pub(super) const fn is_empty(&self) -> bool {
        self.basic.is_empty() && self.bearer.is_empty()
    }

    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> CredentialSources {
        let basic = self.basic.iter().enumerate().filter_map(|(index, entry)| {
            let path = path.key("basic").index(index);
            if entry.user.contains(':') {
                findings.error(
                    &path.key("user"),
                    "a user can't contain a colon: in Basic authentication the first one ends the user",
                );
            }
            let secret = entry.password.places().compile(&path, SECOND_ENTRY, findings);
            let confined = confined(entry.confined_to.as_ref(), &path, findings);
            named(&entry.user, &path.key("user"), secret, confined, findings)
        });
        let basic = basic.collect();
        let bearer = self.bearer.iter().enumerate().filter_map(|(index, entry)| {
            let path = path.key("bearer").index(index);
            let secret = entry.token.places().compile(&path, SECOND_ENTRY, findings);
            let confined = confined(entry.confined_to.as_ref(), &path, findings);
            named(&entry.name, &path.key("name"), secret, confined, findings)
        });
        let bearer = bearer.collect();
        CredentialSources { basic, bearer }
    }
}

/// What helps where a secret has two places.
const SECOND_ENTRY: &str = "leave one out; a second entry of the same name takes a second secret";

fn confined(doc: Option<&ConfinedToDoc>, path: &Path, findings: &mut Findings<'_>) -> Option<Confinement> {
    doc.map(|doc| doc.compile(&path.key("confinedTo"), findings))
}

fn named(
    name: &str,
    path: &Path,
    secret: Option<SecretSource>,
    confined: Option<Confinement>,
    findings: &mut Findings<'_>,
) -> Option<NamedSecret> {
    let name = SenderName::new(name).inspect_err(|error| findings.error(path, error.to_string()));
    Some(NamedSecret {
        name: name.ok()?,
        secret: secret?,
        confined,
    })
}
