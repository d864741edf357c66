//! Passwords and tokens of senders. Step of the flow: intake.
//!
//! Memory holds a SHA-256 of each secret. The credentials of a request are hashed and then compared, in constant time, with
//! every one of them, so the time of an answer does not tell how close a guess was.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use responder_core::alert::{Confinement, Sender, SenderName};
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use subtle::ConstantTimeEq as _;

use super::failure::AuthenticationFailure;
use super::reload::FileLoader;
use crate::secret::{Contents, Flaw, SecretSource};

/// Bytes; a shorter secret can be guessed by brute force.
const SHORT: usize = 16;

/// The names of senders, and where their secrets are. A name with two secrets has two entries.
#[derive(Debug, Clone, Default)]
pub struct CredentialSources {
    /// Users with passwords.
    pub basic: Vec<NamedSecret>,
    /// Senders with tokens.
    pub bearer: Vec<NamedSecret>,
}

/// The name of a sender, and where its secret is.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// The user of a password, or the name of a token's sender.
    pub name: SenderName,
    /// Where the password or the token is.
    pub secret: SecretSource,
    /// The part of the cluster that the sender may report on; `None` for all of it.
    pub confined: Option<Confinement>,
}

impl CredentialSources {
    /// Whether no sender has credentials.
    pub const fn is_empty(&self) -> bool {
        self.basic.is_empty() && self.bearer.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = (Scheme, &NamedSecret)> {
        let basic = self.basic.iter().map(|secret| (Scheme::Basic, secret));
        basic.chain(self.bearer.iter().map(|secret| (Scheme::Bearer, secret)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Basic,
    Bearer,
}

impl FileLoader for CredentialSources {
    type Loaded = Credentials;

    const WHAT: &'static str = "credentials of senders";

    fn files(&self) -> Vec<&Path> {
        self.all().filter_map(|(_, named)| named.secret.file()).collect()
    }

    fn load(&self, contents: &[Contents]) -> Result<Credentials, Vec<Flaw>> {
        let (mut known, mut flaws) = (Vec::new(), Vec::new());
        // One for each file, in the order of `files`.
        let mut contents = contents.iter();
        for (scheme, named) in self.all() {
            let credential = match named.secret.file().and_then(|_| contents.next()) {
                Some(contents) => credential(scheme, named, contents),
                None => named
                    .secret
                    .contents()
                    .and_then(|contents| credential(scheme, named, &contents)),
            };
            match credential {
                Ok(credential) => known.push(credential),
                Err(flaw) => flaws.push(flaw),
            }
        }
        if flaws.is_empty() {
            Ok(Credentials { known })
        } else {
            Err(flaws)
        }
    }
}

fn credential(scheme: Scheme, named: &NamedSecret, contents: &Contents) -> Result<Credential, Flaw> {
    let secret = named.secret.secret_in(contents)?;
    if secret.len() < SHORT {
        tracing::warn!(
            "the secret of {} in {} has {} bytes and can be guessed by brute force; use {SHORT} or more",
            named.name,
            named.secret,
            secret.len()
        );
    }
    Ok(Credential::new(scheme, named, secret))
}

/// The credentials that a server accepts, as digests.
pub(crate) struct Credentials {
    known: Vec<Credential>,
}

struct Credential {
    digest: [u8; SHA256_OUTPUT_LEN],
    sender: Sender,
}

impl Credential {
    fn new(scheme: Scheme, named: &NamedSecret, secret: &[u8]) -> Self {
        let name = &named.name;
        let (digest, sender) = match scheme {
            Scheme::Basic => (basic(name.as_str().as_bytes(), secret), Sender::Basic(name.clone())),
            Scheme::Bearer => (bearer(secret), Sender::Bearer(name.clone())),
        };
        let sender = match &named.confined {
            Some(to) => sender.confined(to.clone()),
            None => sender,
        };
        Self { digest, sender }
    }
}

fn basic(user: &[u8], password: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    digest(&[b"basic", &(user.len() as u64).to_be_bytes(), user, password])
}

fn bearer(token: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    digest(&[b"bearer", token])
}

fn digest(parts: &[&[u8]]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = [0; SHA256_OUTPUT_LEN];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

impl Credentials {
    /// The sender whose credentials these headers carry.
    pub(crate) fn sender(&self, headers: &HeaderMap) -> Result<Sender, AuthenticationFailure> {
        let presented = presented(headers)?;
        let mut found = None;
        // No early return: the time must not tell which of them matched.
        for credential in &self.known {
            if credential.digest.ct_eq(&presented).into() {
                found = Some(&credential.sender);
            }
        }
        found.cloned().ok_or(AuthenticationFailure::Wrong)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let senders = self.known.iter().map(|credential| &credential.sender);
        f.debug_list().entries(senders).finish()
    }
}

/// Some clients leave out the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The digest of the credentials in these headers.
fn presented(headers: &HeaderMap) -> Result<[u8; SHA256_OUTPUT_LEN], AuthenticationFailure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthenticationFailure::Missing)?;
    // With two headers a proxy in between might check another one than this server.
    if values.next().is_some() {
        return Err(AuthenticationFailure::Wrong);
    }
    let (scheme, credentials) = split(value).ok_or(AuthenticationFailure::Wrong)?;
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(bearer(credentials));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Err(AuthenticationFailure::Wrong);
    }
    let pair = BASE64.decode(credentials).map_err(|_| AuthenticationFailure::Wrong)?;
    let colon = pair
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(AuthenticationFailure::Wrong)?;
    let (user, password) = pair.split_at(colon);
    Ok(basic(user, &password[1..]))
}

/// The scheme and its credentials.
fn split(value: &HeaderValue) -> Option<(&[u8], &[u8])> {
    let value = value.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, credentials) = value.split_at(space);
    Some((scheme, credentials.trim_ascii()))
}

#[cfg(test)]
mod tests;
