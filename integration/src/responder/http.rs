//! HTTP requests to a responder process.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;

use super::error::ResponderError;

/// Deadline of one request. Replies take milliseconds; a build on the same machine adds the rest.
const DEADLINE: Duration = Duration::from_mins(1);

/// The reply to one HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl HttpReply {
    /// `accepted`, `unmatched`, `duplicate` or `rejected`; empty for a page.
    pub fn outcome(&self) -> String {
        self.text("outcome")
    }

    /// The kind of a rejection; empty for other replies.
    pub fn kind(&self) -> String {
        self.text("kind")
    }

    /// The id of an accepted alert; empty for other replies.
    pub fn alert(&self) -> String {
        self.text("alert")
    }

    fn text(&self, key: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body[key].as_str().unwrap_or_default().to_owned()
    }
}

/// A client. If an authority is given, the client trusts only that one.
pub(super) fn client(authority: Option<&Path>) -> Result<reqwest::Client, ResponderError> {
    let failed = |error| ResponderError::Http("at all", error);
    // An error means that another client of this process has installed it.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(authority) = authority {
        let pem = fs::read(authority).map_err(|error| ResponderError::Process("read the authority of", error))?;
        builder = builder.tls_certs_only([reqwest::Certificate::from_pem(&pem).map_err(failed)?]);
    }
    builder.build().map_err(failed)
}

pub(super) async fn send(what: &'static str, request: reqwest::RequestBuilder) -> Result<HttpReply, ResponderError> {
    let failed = |error| ResponderError::Http(what, error);
    let response = request.timeout(DEADLINE).send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(failed)?;
    Ok(HttpReply { status, body })
}
