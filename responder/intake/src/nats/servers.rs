//! The addresses of NATS servers.

use std::str::FromStr;

use async_nats::ServerAddr;

use super::config_error::ConfigError;

/// The addresses of at least one server.
#[derive(Debug, Clone)]
pub struct Servers(Vec<ServerAddr>);

impl Servers {
    /// Parses `nats://host:port` or `tls://host:port`; the default port is 4222.
    pub fn parse<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        let servers = urls.into_iter().map(server).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(ConfigError::NoServer);
        }
        Ok(Self(servers))
    }

    pub(super) fn addresses(&self) -> &[ServerAddr] {
        &self.0
    }

    /// Whether every server is on this machine.
    pub fn are_loopback(&self) -> bool {
        let is_loopback = |server: &ServerAddr| {
            let host = server.host();
            host == "localhost"
                || host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        };
        self.0.iter().all(is_loopback)
    }
}

/// An address with a user or a password is refused by an error that does not quote it.
fn server(url: &str) -> Result<ServerAddr, ConfigError> {
    if url.contains('@') {
        return Err(ConfigError::SecretInUrl);
    }
    let server = ServerAddr::from_str(url).map_err(|_| ConfigError::Url(url.to_owned()))?;
    if !["nats", "tls"].contains(&server.scheme()) {
        return Err(ConfigError::Url(url.to_owned()));
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], "at least one")]
    #[case(&["ws://nats:80"], "nats://host:port")]
    #[case(&["http://nats"], "nats://host:port")]
    #[case(&["nats://user:hunter2@nats:4222"], "name a file")]
    fn addresses_that_cannot_be_used_are_refused_without_their_secrets(#[case] urls: &[&str], #[case] said: &str) {
        let error = Servers::parse(urls.iter().copied()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_server_beyond_this_machine_is_recognised() {
        let are_loopback = |urls: &[&str]| Servers::parse(urls.iter().copied()).unwrap().are_loopback();
        assert!(are_loopback(&[
            "nats://127.0.0.1:4222",
            "localhost",
            "tls://[::1]:4222"
        ]));
        assert!(!are_loopback(&["nats://127.0.0.1:4222", "nats://nats.nats:4222"]));
    }
}
