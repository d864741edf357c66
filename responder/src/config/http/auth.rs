//! The section `http.auth`: who may send alerts. The secrets themselves are never in it.

use std::path::PathBuf;

use responder_core::alert::SenderName;
use responder_core::document::{Findings, Path, Problem};
use responder_intake::auth::{CredentialSources, NamedSecret, SecretSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may send alerts. Each secret is in a file, which is read again when it changes, or in an environment variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Auth")]
pub(crate) struct HttpAuthDoc {
    /// User and password: all that Falco's `http_output` can carry (`url: http://user:password@responder:2803`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) basic: Vec<BasicDoc>,
    /// A token: falcosidekick's webhook carries it in `customheaders` (`Authorization: Bearer …`).
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
    pub(super) user: String,
    /// The file that holds the password and nothing else; a line end after it is no part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) password_env: Option<String>,
}

/// A token, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Bearer")]
pub(crate) struct BearerDoc {
    /// Whose it is: what the audit trail calls the sender.
    #[schemars(length(min = 1, max = 253))]
    pub(super) name: String,
    /// The file that holds the token and nothing else; a line end after it is no part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) token_file: Option<PathBuf>,
    /// The environment variable that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(super) token_env: Option<String>,
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
                    "a user has no colon in its name: Basic ends the user at the first",
                );
            }
            let secret = secret(
                "password",
                &path,
                entry.password_file.as_ref(),
                entry.password_env.as_ref(),
                findings,
            );
            let name = name(&entry.user, &path.key("user"), findings);
            Some(NamedSecret {
                name: name?,
                secret: secret?,
            })
        });
        let basic = basic.collect();
        let bearer = self.bearer.iter().enumerate().filter_map(|(index, entry)| {
            let path = path.key("bearer").index(index);
            let secret = secret(
                "token",
                &path,
                entry.token_file.as_ref(),
                entry.token_env.as_ref(),
                findings,
            );
            let name = name(&entry.name, &path.key("name"), findings);
            Some(NamedSecret {
                name: name?,
                secret: secret?,
            })
        });
        let bearer = bearer.collect();
        CredentialSources { basic, bearer }
    }
}

fn name(name: &str, path: &Path, findings: &mut Findings<'_>) -> Option<SenderName> {
    SenderName::new(name)
        .inspect_err(|error| findings.error(path, error.to_string()))
        .ok()
}

/// Where a secret is: in exactly one place.
fn secret(
    noun: &str,
    path: &Path,
    file: Option<&PathBuf>,
    variable: Option<&String>,
    findings: &mut Findings<'_>,
) -> Option<SecretSource> {
    match (file, variable) {
        (Some(file), None) => return Some(SecretSource::File(file.clone())),
        (None, Some(variable)) => return Some(SecretSource::Variable(variable.clone())),
        (None, None) => {
            let problem = Problem::new(format!("there is no {noun}"));
            findings.absence(
                path,
                problem.help(format!(
                    "write `{noun}File` with a file, or `{noun}Env` with an environment variable"
                )),
            );
        }
        (Some(_), Some(_)) => {
            let problem = Problem::new(format!("there are two places for one {noun}"));
            findings.error(
                &path.key(&format!("{noun}Env")),
                problem.help("leave one out; a second entry of the same name takes a second secret"),
            );
        }
    }
    None
}
