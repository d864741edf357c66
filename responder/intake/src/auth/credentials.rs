//! Passwords and tokens. Step of the flow: intake.
//!
//! In memory is a SHA-256 of each, and what a request presents is hashed before it is compared, in constant time and with
//! every one: neither the time nor the length of an answer tells how near a guess came.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use responder_core::alert::{Sender, SenderName};
use secrecy::{ExposeSecret as _, SecretString};

use super::kept::{Contents, Flaw, Recipe};

/// No password or token is so long, and neither is a header that could carry it.
const LONGEST: usize = 4096;
/// A shorter secret can be found by trying.
const SHORT: usize = 16;

/// Names, and where their secrets are. A name may be there twice, with two secrets.
#[derive(Debug, Clone, Default)]
pub struct CredentialSources {
    /// Users with passwords.
    pub basic: Vec<NamedSecret>,
    /// Names of tokens.
    pub bearer: Vec<NamedSecret>,
}

/// A name, and where its secret is.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// The name.
    pub name: SenderName,
    /// Where its secret is.
    pub secret: SecretSource,
}

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// In this file, which is read again when it changes.
    File(PathBuf),
    /// In this environment variable.
    Variable(String),
}

impl CredentialSources {
    /// Whether there is none.
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

impl Recipe for CredentialSources {
    type Made = Credentials;

    const WHAT: &'static str = "credentials of senders";

    fn files(&self) -> Vec<&Path> {
        let files = self.all().filter_map(|(_, named)| match &named.secret {
            SecretSource::File(file) => Some(file.as_path()),
            SecretSource::Variable(_) => None,
        });
        files.collect()
    }

    fn make(&self, contents: &[Contents]) -> Result<Credentials, Vec<Flaw>> {
        let (mut keys, mut flaws) = (Vec::new(), Vec::new());
        let mut contents = contents.iter();
        for (scheme, named) in self.all() {
            let key = match &named.secret {
                SecretSource::Variable(variable) => {
                    let place = PathBuf::from(format!("the environment variable {variable}"));
                    match std::env::var(variable) {
                        Ok(secret) => {
                            let secret = SecretString::from(secret);
                            key(scheme, &named.name, &place, secret.expose_secret().as_bytes())
                        }
                        Err(error) => Err(Flaw::new(&place, unset(&error))),
                    }
                }
                SecretSource::File(file) => {
                    // One for each file, in the same order.
                    let secret = contents.next().map_or(&[][..], |contents| contents.expose_secret());
                    key(scheme, &named.name, file, secret)
                }
            };
            match key {
                Ok(key) => keys.push(key),
                Err(flaw) => flaws.push(flaw),
            }
        }
        if flaws.is_empty() {
            Ok(Credentials { keys })
        } else {
            Err(flaws)
        }
    }
}

fn key(scheme: Scheme, name: &SenderName, place: &Path, contents: &[u8]) -> Result<Key, Flaw> {
    let secret = secret_in(contents).map_err(|problem| Flaw::new(place, problem))?;
    if secret.len() < SHORT {
        tracing::warn!(
            "the secret of {name} in {} has {} bytes and can be found by trying; {SHORT} or more are right",
            place.display(),
            secret.len()
        );
    }
    Ok(Key::new(scheme, name, secret))
}

/// Never the value: a variable that is no text is a secret all the same.
fn unset(error: &std::env::VarError) -> &'static str {
    match error {
        std::env::VarError::NotPresent => "it is not set",
        std::env::VarError::NotUnicode(_) => "it is not UTF-8",
    }
}

/// The secret of a file: all of it but the line end that editors and `echo` leave.
fn secret_in(contents: &[u8]) -> Result<&[u8], &'static str> {
    let secret = contents.strip_suffix(b"\n").unwrap_or(contents);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.is_empty() {
        Err("it is empty")
    } else if secret.len() > LONGEST {
        Err("it is longer than 4096 bytes; no header would carry it")
    } else if secret.iter().any(u8::is_ascii_control) {
        Err("it has a line end or another control character in it: a file holds one secret and nothing else")
    } else {
        Ok(secret)
    }
}

/// What was made of the secrets.
pub(crate) struct Credentials {
    keys: Vec<Key>,
}

struct Key {
    digest: [u8; SHA256_OUTPUT_LEN],
    sender: Sender,
}

impl Key {
    fn new(scheme: Scheme, name: &SenderName, secret: &[u8]) -> Self {
        match scheme {
            Scheme::Basic => Self {
                digest: basic(name.as_str().as_bytes(), secret),
                sender: Sender::Basic(name.clone()),
            },
            Scheme::Bearer => Self {
                digest: bearer(secret),
                sender: Sender::Bearer(name.clone()),
            },
        }
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

/// Why no sender is known by a request's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// They carry no credentials.
    Missing,
    /// They carry some that are not known, or can't be read.
    Wrong,
}

impl Credentials {
    /// Whose credentials these headers carry.
    pub(crate) fn sender(&self, headers: &HeaderMap) -> Result<Sender, Unknown> {
        let presented = presented(headers)?;
        let mut found = None;
        // No early end: how long it takes says nothing of which one it was.
        for key in &self.keys {
            if verify_slices_are_equal(&key.digest, &presented).is_ok() {
                found = Some(&key.sender);
            }
        }
        found.cloned().ok_or(Unknown::Wrong)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let senders = self.keys.iter().map(|key| &key.sender);
        f.debug_list().entries(senders).finish()
    }
}

/// Padding is left out by some clients.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The hash of what the headers carry.
fn presented(headers: &HeaderMap) -> Result<[u8; SHA256_OUTPUT_LEN], Unknown> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Unknown::Missing)?;
    // Of two, a proxy in between and we could mean another one.
    if values.next().is_some() {
        return Err(Unknown::Wrong);
    }
    let (scheme, carried) = split(value).ok_or(Unknown::Wrong)?;
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(bearer(carried));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Err(Unknown::Wrong);
    }
    let pair = BASE64.decode(carried).map_err(|_| Unknown::Wrong)?;
    let colon = pair.iter().position(|byte| *byte == b':').ok_or(Unknown::Wrong)?;
    let (user, password) = pair.split_at(colon);
    Ok(basic(user, &password[1..]))
}

/// The scheme, and what it carries.
fn split(value: &HeaderValue) -> Option<(&[u8], &[u8])> {
    let value = value.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, carried) = value.split_at(space);
    Some((scheme, carried.trim_ascii()))
}

#[cfg(test)]
mod tests;
