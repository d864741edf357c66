//! Where a secret is, as written: `passwordFile` or `passwordEnv`, and likewise for tokens and seeds, in every section that
//! needs a secret. The secrets themselves are never in the configuration.

use std::path::PathBuf;

use responder_core::document::{Findings, Path, Problem};
use responder_intake::SecretSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! secret_docs {
    ($($(#[$doc:meta])* $name:ident { $file:ident, $env:ident } = $key:literal, $noun:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            #[doc = concat!("The file that holds the ", $noun, " and nothing else; one line end after it is not part of it.")]
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1))]
            $file: Option<PathBuf>,
            #[doc = concat!("The environment variable that holds the ", $noun, ".")]
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1))]
            $env: Option<String>,
        }

        impl $name {
            pub(super) const fn places(&self) -> SecretPlaces<'_> {
                SecretPlaces {
                    key: $key,
                    noun: $noun,
                    file: self.$file.as_ref(),
                    env: self.$env.as_ref(),
                }
            }
        }
    )+};
}

secret_docs! {
    /// Where a password is.
    PasswordDoc { password_file, password_env } = "password", "password";
    /// Where a token is.
    TokenDoc { token_file, token_env } = "token", "token";
    /// Where the seed of a NATS user's key is.
    NkeySeedDoc { nkey_seed_file, nkey_seed_env } = "nkeySeed", "seed of a user's key (`SU…`)";
}

/// The places that are written for one secret.
pub(super) struct SecretPlaces<'a> {
    /// The keys are `<key>File` and `<key>Env`.
    key: &'static str,
    noun: &'static str,
    file: Option<&'a PathBuf>,
    env: Option<&'a String>,
}

impl SecretPlaces<'_> {
    /// Whether no place is written.
    pub(super) const fn is_empty(&self) -> bool {
        self.file.is_none() && self.env.is_none()
    }

    /// The one place. None at all and two are reported at `path`, two of them with this remedy.
    pub(super) fn compile(&self, path: &Path, remedy: &str, findings: &mut Findings<'_>) -> Option<SecretSource> {
        let Self { key, noun, .. } = self;
        match (self.file, self.env) {
            (Some(file), None) => return Some(SecretSource::File(file.clone())),
            (None, Some(variable)) => return Some(SecretSource::Env(variable.clone())),
            (None, None) => {
                let help = format!("write `{key}File` with a file, or `{key}Env` with an environment variable");
                findings.absence(path, Problem::new(format!("there is no {noun}")).help(help));
            }
            (Some(_), Some(_)) => {
                let problem = Problem::new(format!("there are two places for one {noun}"));
                findings.error(&path.key(&format!("{key}Env")), problem.help(remedy));
            }
        }
        None
    }
}

/// The problem of a secret that is written itself, and of a key that had another name in an earlier version.
pub(super) fn unknown_key(type_name: &str, key: &str) -> Option<Problem> {
    let noun = match (type_name, key) {
        ("NatsUser", "passwordVariable") => return Some(renamed(key, "passwordEnv")),
        ("NatsAuth", "tokenVariable") => return Some(renamed(key, "tokenEnv")),
        ("Basic" | "NatsUser", "password") => "password",
        ("Bearer" | "NatsAuth", "token") => "token",
        ("NatsAuth", "nkeySeed") => "seed",
        _ => return None,
    };
    let problem = Problem::new(format!("a {noun} does not belong in this file")).before_a_secret();
    Some(problem.help(format!(
        "write `{key}File` with the file that holds it, or `{key}Env` with an environment variable"
    )))
}

fn renamed(old: &str, new: &str) -> Problem {
    Problem::new(format!("unknown key `{old}`")).help(format!("write `{new}` instead"))
}
