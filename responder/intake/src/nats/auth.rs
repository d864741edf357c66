//! Who we are to a NATS server. Secrets are read at each connect, so that replacing a file is all that a rotation takes,
//! and none is kept here.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use async_nats::AuthError;
use nkeys::KeyPair;

/// How we prove who we are.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Not at all, or by the client certificate alone.
    #[default]
    None,
    /// A user and a password.
    User {
        /// The user.
        name: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
    /// A credentials file: a user's JWT and the seed of its key, as `nsc` writes them.
    Credentials(PathBuf),
    /// A file with the seed of a user's key (`SU…`).
    Nkey(PathBuf),
}

/// Where a secret is. Not the secret.
#[derive(Debug, Clone)]
pub enum Secret {
    /// A file; a line end at its end is not part of it.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

/// Why there is no proof to show. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProofError {
    #[error("cannot read {}: {problem}; look at the mount and its permissions", file.display())]
    File { file: PathBuf, problem: std::io::Error },
    #[error("the environment variable {0} is not set")]
    Variable(String),
    #[error("{} holds no user JWT and seed: write it with `nsc generate creds`", .0.display())]
    Credentials(PathBuf),
    #[error("{} holds no seed of a user's key (SU…): write it with `nsc` or `nk -gen user`", .0.display())]
    Seed(PathBuf),
}

impl Secret {
    async fn read(&self) -> Result<String, ProofError> {
        match self {
            Self::File(file) => read(file).await,
            Self::Variable(name) => env::var(name).map_err(|_| ProofError::Variable(name.clone())),
        }
    }
}

async fn read(file: &Path) -> Result<String, ProofError> {
    let mut text = tokio::fs::read_to_string(file)
        .await
        .map_err(|problem| ProofError::File {
            file: file.to_owned(),
            problem,
        })?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

impl Auth {
    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The proof for one connect; the nonce is what the server wants signed.
    pub(super) async fn prove(&self, nonce: &[u8]) -> Result<async_nats::Auth, AuthError> {
        // `AuthError` keeps a text only, so the chain ends here.
        self.proof(nonce).await.map_err(AuthError::new)
    }

    async fn proof(&self, nonce: &[u8]) -> Result<async_nats::Auth, ProofError> {
        let mut auth = async_nats::Auth::new();
        match self {
            Self::None => {}
            Self::User { name, password } => {
                auth.username = Some(name.clone());
                auth.password = Some(password.read().await?);
            }
            Self::Token(token) => auth.token = Some(token.read().await?),
            Self::Credentials(file) => {
                let text = read(file).await?;
                let unreadable = || ProofError::Credentials(file.clone());
                let jwt = section(&text, "NATS USER JWT").ok_or_else(unreadable)?;
                let seed = section(&text, "USER NKEY SEED").ok_or_else(unreadable)?;
                auth.signature = Some(sign(seed, nonce).ok_or_else(unreadable)?.1);
                auth.jwt = Some(jwt.to_owned());
            }
            Self::Nkey(file) => {
                let seed = read(file).await?;
                let (key, signature) = sign(seed.trim(), nonce).ok_or_else(|| ProofError::Seed(file.clone()))?;
                auth.nkey = Some(key);
                auth.signature = Some(signature);
            }
        }
        Ok(auth)
    }
}

/// The public key and the signature; `None` where it is no seed.
fn sign(seed: &str, nonce: &[u8]) -> Option<(String, Vec<u8>)> {
    let key = KeyPair::from_seed(seed).ok()?;
    Some((key.public_key(), key.sign(nonce).ok()?))
}

/// The line between `-----BEGIN <title>-----` and its end.
fn section<'a>(text: &'a str, title: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("-----BEGIN {title}-----"))?;
    after
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .filter(|line| !line.starts_with('-'))
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nobody"),
            Self::User { name, .. } => write!(f, "the user {name:?}"),
            Self::Token(_) => f.write_str("the bearer of a token"),
            Self::Credentials(file) => write!(f, "the user of {}", file.display()),
            Self::Nkey(file) => write!(f, "the key of {}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (PathBuf, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, text).unwrap();
        (file, directory)
    }

    #[tokio::test]
    async fn a_secret_is_read_again_at_each_connect_and_has_no_line_end() {
        let (file, _directory) = written("first\n");
        let auth = Auth::Token(Secret::File(file.clone()));
        assert_eq!(auth.proof(b"").await.unwrap().token.as_deref(), Some("first"));
        std::fs::write(&file, "second").unwrap();
        assert_eq!(auth.proof(b"").await.unwrap().token.as_deref(), Some("second"));
    }

    #[tokio::test]
    async fn a_credentials_file_as_nsc_writes_it_is_read_and_its_key_signs() {
        let key = KeyPair::new_user();
        let seed = key.seed().unwrap();
        let text = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.c2ln\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let (file, _directory) = written(&text);
        let proof = Auth::Credentials(file).proof(b"nonce").await.unwrap();
        assert_eq!(proof.jwt.as_deref(), Some("eyJ0.eyJq.c2ln"));
        key.verify(b"nonce", &proof.signature.unwrap()).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_secret_is_named_without_being_shown() {
        let (file, _directory) = written("-----BEGIN NATS USER JWT-----\nhunter2\n------END NATS USER JWT------\n");
        for auth in [Auth::Credentials(file.clone()), Auth::Nkey(file.clone())] {
            let Err(error) = auth.prove(b"nonce").await else {
                panic!("{auth:?} proves something");
            };
            let error = error.to_string();
            assert!(
                error.contains(file.to_str().unwrap()) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
