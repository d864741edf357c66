//! Authentication of this client to a NATS server. Secrets are read at each connect, so replacing a file is all that a
//! rotation takes, and none of them stays in memory.

use std::fmt;
use std::path::PathBuf;

use async_nats::AuthError;
use nkeys::KeyPair;
use secrecy::ExposeSecret as _;

use crate::SecretSource;
use crate::secret::{Contents, Flaw};

/// How this client authenticates.
#[derive(Debug, Clone)]
pub enum NatsAuth {
    /// By user and password.
    User {
        /// The user.
        name: String,
        /// Where the password is.
        password: SecretSource,
    },
    /// By a token.
    Token(SecretSource),
    /// By a credentials file: a user's JWT and the seed of its key, as `nsc` writes them.
    Credentials(PathBuf),
    /// By the key of a user, made from its seed (`SU…`).
    Nkey(SecretSource),
}

/// Why this client can't authenticate. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum NatsAuthError {
    #[error("the secret for NATS cannot be used: {0}")]
    Secret(Flaw),
    #[error("{} holds no user JWT and seed: write it with `nsc generate creds`", .0.display())]
    Credentials(PathBuf),
    #[error("{0} holds no seed of a user's key (SU…): write it with `nsc` or `nk -gen user`")]
    Seed(SecretSource),
}

impl From<Flaw> for NatsAuthError {
    fn from(flaw: Flaw) -> Self {
        Self::Secret(flaw)
    }
}

impl NatsAuth {
    /// The authentication for one connect, in which the server wants this nonce signed.
    pub(super) async fn answer(&self, nonce: &[u8]) -> Result<async_nats::Auth, AuthError> {
        // `AuthError` takes a text only, so the chain ends here.
        self.signed(nonce).await.map_err(AuthError::new)
    }

    async fn signed(&self, nonce: &[u8]) -> Result<async_nats::Auth, NatsAuthError> {
        let mut auth = async_nats::Auth::new();
        match self {
            Self::User { name, password } => {
                auth.username = Some(name.clone());
                auth.password = Some(password.text().await?.expose_secret().to_owned());
            }
            Self::Token(token) => auth.token = Some(token.text().await?.expose_secret().to_owned()),
            Self::Credentials(file) => {
                let contents = SecretSource::File(file.clone()).read().await?;
                let malformed = || NatsAuthError::Credentials(file.clone());
                let (jwt, seed) = jwt_and_seed(&contents).ok_or_else(malformed)?;
                auth.signature = Some(sign(seed, nonce).ok_or_else(malformed)?.1);
                auth.jwt = Some(jwt.to_owned());
            }
            Self::Nkey(source) => {
                let seed = source.text().await?;
                let (key, signature) =
                    sign(seed.expose_secret(), nonce).ok_or_else(|| NatsAuthError::Seed(source.clone()))?;
                auth.nkey = Some(key);
                auth.signature = Some(signature);
            }
        }
        Ok(auth)
    }
}

/// The public key and the signature; `None` for a malformed seed.
fn sign(seed: &str, nonce: &[u8]) -> Option<(String, Vec<u8>)> {
    let key = KeyPair::from_seed(seed).ok()?;
    Some((key.public_key(), key.sign(nonce).ok()?))
}

/// The two parts of a credentials file.
fn jwt_and_seed(contents: &Contents) -> Option<(&str, &str)> {
    let text = str::from_utf8(contents.expose_secret()).ok()?;
    Some((section(text, "NATS USER JWT")?, section(text, "USER NKEY SEED")?))
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

/// What the server gets, for a log line; never the secret.
impl fmt::Display for NatsAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name, .. } => write!(f, "the password of the user {name:?}"),
            Self::Token(_) => f.write_str("a token"),
            Self::Credentials(file) => write!(f, "the user JWT in {}", file.display()),
            Self::Nkey(source) => write!(f, "a signature by the seed in {source}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::TestFiles;

    #[tokio::test]
    async fn a_secret_is_read_again_at_each_connect_and_has_no_line_end() {
        let files = TestFiles::new();
        let auth = NatsAuth::Token(SecretSource::File(files.write("token", "first\n")));
        assert_eq!(auth.signed(b"").await.unwrap().token.as_deref(), Some("first"));
        files.write("token", "second");
        assert_eq!(auth.signed(b"").await.unwrap().token.as_deref(), Some("second"));
    }

    #[tokio::test]
    async fn a_credentials_file_as_nsc_writes_it_is_read_and_its_key_signs() {
        let key = KeyPair::new_user();
        let seed = key.seed().unwrap();
        let text = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.c2ln\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let files = TestFiles::new();
        let auth = NatsAuth::Credentials(files.write("user.creds", &text));
        let signed = auth.signed(b"nonce").await.unwrap();
        assert_eq!(signed.jwt.as_deref(), Some("eyJ0.eyJq.c2ln"));
        key.verify(b"nonce", &signed.signature.unwrap()).unwrap();
    }

    #[rstest]
    #[case("hunter2", NatsAuth::Credentials)]
    #[case(
        "-----BEGIN NATS USER JWT-----\nhunter2\n------END NATS USER JWT------\n",
        NatsAuth::Credentials
    )]
    #[case("hunter2", |file| NatsAuth::Nkey(SecretSource::File(file)))]
    #[case("hunter2\nhunter2\n", |file| NatsAuth::Nkey(SecretSource::File(file)))]
    #[case("hunter2\nhunter2\n", |file| NatsAuth::Token(SecretSource::File(file)))]
    #[tokio::test]
    async fn a_malformed_secret_is_named_and_not_quoted(#[case] text: &str, #[case] auth: fn(PathBuf) -> NatsAuth) {
        let files = TestFiles::new();
        let file = files.write("secret", text);
        let auth = auth(file.clone());
        let Err(error) = auth.answer(b"nonce").await else {
            panic!("{auth:?} authenticates");
        };
        let error = error.to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
