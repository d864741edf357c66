//! Operators, accounts and users: JWTs signed by ed25519 keys, as `nsc` makes them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// When the credentials of a user expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// They do not expire.
    Never,
    /// They expired an hour ago.
    Past,
}

/// An operator with one account.
pub struct Account {
    operator: KeyPair,
    alerts: KeyPair,
    system: KeyPair,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("account", &self.alerts.public_key())
            .finish_non_exhaustive()
    }
}

impl Account {
    /// Generates the keys of the operator and the account.
    pub fn create() -> Self {
        Self {
            operator: KeyPair::new_operator(),
            alerts: KeyPair::new_account(),
            system: KeyPair::new_account(),
        }
    }

    /// The lines of a server's configuration that trust the operator and the account.
    pub fn access(&self) -> String {
        let operator = token(
            &self.operator,
            &self.operator,
            "operator",
            &json!({ "type": "operator" }),
            Expiry::Never,
        );
        let limits = json!({
            "type": "account",
            "limits": {
                "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
                "leaf": -1, "mem_storage": 64 << 20, "disk_storage": 256 << 20, "streams": -1, "consumer": -1,
            },
        });
        let mut without_storage = limits.clone();
        for storage in ["mem_storage", "disk_storage"] {
            without_storage["limits"][storage] = json!(0);
        }
        let account = token(&self.alerts, &self.operator, "alerts", &limits, Expiry::Never);
        let system = token(&self.system, &self.operator, "system", &without_storage, Expiry::Never);
        format!(
            "operator: {operator}\nsystem_account: {1}\nresolver: MEMORY\nresolver_preload {{ {0}: {account}, {1}: {system} }}\n",
            self.alerts.public_key(),
            self.system.public_key(),
        )
    }

    /// Writes a user's credentials file and returns its path.
    pub fn credentials(&self, expiry: Expiry, directory: &Path, name: &str) -> io::Result<PathBuf> {
        let user = KeyPair::new_user();
        let seed = user.seed().map_err(io::Error::other)?;
        let claims = json!({ "type": "user", "subs": -1, "data": -1, "payload": -1 });
        let jwt = token(&user, &self.alerts, "responder", &claims, expiry);
        let file = directory.join(format!("{name}.creds"));
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        fs::write(&file, text)?;
        Ok(file)
    }
}

fn token(subject: &KeyPair, issuer: &KeyPair, name: &str, nats: &Value, expiry: Expiry) -> String {
    let now = Timestamp::now().as_second();
    let mut nats = nats.clone();
    nats["version"] = json!(2);
    let mut claims = json!({
        "jti": format!("{name}-{now}"),
        "iat": now - 7200,
        "iss": issuer.public_key(),
        "sub": subject.public_key(),
        "name": name,
        "nats": nats,
    });
    if expiry == Expiry::Past {
        claims["exp"] = json!(now - 3600);
    }
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let signed = format!(
        "{}.{}",
        encode(&json!({ "typ": "JWT", "alg": "ed25519-nkey" })),
        encode(&claims)
    );
    // A key pair that was generated here contains its seed and can always sign.
    let signature = issuer.sign(signed.as_bytes()).unwrap_or_default();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}
