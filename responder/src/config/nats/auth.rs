//! The section `nats.auth`: how this client authenticates to the servers.

use std::path::PathBuf;

use responder_core::document::{Findings, Path, Problem};
use responder_intake::nats::NatsAuth;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::secret::{NkeySeedDoc, PasswordDoc, TokenDoc};

/// How responder authenticates to NATS: in exactly one of these ways. Secrets are read at each connect, so a rotation takes
/// no more than the replacement of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NatsAuth")]
pub(in crate::config) struct NatsAuthDoc {
    /// A user and a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<NatsUserDoc>,
    #[serde(flatten)]
    token: TokenDoc,
    /// A credentials file (`.creds`): a user's JWT and the seed of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    credentials_file: Option<PathBuf>,
    #[serde(flatten)]
    nkey_seed: NkeySeedDoc,
}

/// A user with a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NatsUser")]
pub(in crate::config) struct NatsUserDoc {
    /// The user.
    name: String,
    #[serde(flatten)]
    password: PasswordDoc,
}

/// What helps where a secret has two places.
const LEAVE_ONE_OUT: &str = "leave one out";

impl NatsAuthDoc {
    pub(super) fn compile(&self, path: &Path, findings: &mut Findings<'_>) -> Option<NatsAuth> {
        let (token, nkey_seed) = (self.token.places(), self.nkey_seed.places());
        match (
            &self.user,
            &self.credentials_file,
            token.is_empty(),
            nkey_seed.is_empty(),
        ) {
            (Some(user), None, true, true) => {
                let password = user.password.places();
                Some(NatsAuth::User {
                    name: user.name.clone(),
                    password: password.compile(&path.key("user"), LEAVE_ONE_OUT, findings)?,
                })
            }
            (None, Some(file), true, true) => Some(NatsAuth::Credentials(file.clone())),
            (None, None, false, true) => token.compile(path, LEAVE_ONE_OUT, findings).map(NatsAuth::Token),
            (None, None, true, false) => nkey_seed.compile(path, LEAVE_ONE_OUT, findings).map(NatsAuth::Nkey),
            _ => {
                let problem = Problem::new("`auth` takes exactly one way to authenticate").help(
                    "write one of `user`, `tokenFile`, `tokenEnv`, `credentialsFile`, `nkeySeedFile` and `nkeySeedEnv`",
                );
                findings.absence(path, problem);
                None
            }
        }
    }
}
