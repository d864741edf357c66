//! The connection. The client keeps it up by itself; here it learns how patiently, and whom to tell.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectOptions};

use super::config::{NatsConfig, Subscription};
use super::state::NatsState;

/// The first pause between attempts, and the longest.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// A peer that is gone without a word is noticed after two of these.
const PING: Duration = Duration::from_secs(10);

pub(super) async fn connect(config: &NatsConfig, state: &Arc<NatsState>) -> Result<Client, ConnectError> {
    if !config.auth.is_none() && config.tls.is_none() && !config.servers.are_loopback() {
        tracing::warn!(
            "{} is sent to NATS without TLS unless the server asks for it: add a `tls` block",
            config.auth
        );
    }
    let told = Arc::clone(state);
    let tried = Arc::clone(state);
    let mut options = match &config.auth {
        auth if auth.is_none() => ConnectOptions::new(),
        auth => {
            let auth = Arc::new(auth.clone());
            ConnectOptions::with_auth_callback(move |nonce| {
                let auth = Arc::clone(&auth);
                async move { auth.prove(&nonce).await }
            })
        }
    };
    options = options
        .name(&config.name)
        .retry_on_initial_connect()
        .ping_interval(PING)
        .subscription_capacity(capacity(&config.subscription))
        .reconnect_delay_callback(delay)
        .event_callback(move |event| {
            told.happened(&event);
            async {}
        })
        // Asked before each attempt; it never chooses, but it is told why the last one failed, which no event says.
        .reconnect_to_server_callback(move |servers, _| {
            tried.trying(&servers);
            async { None }
        });
    if let Some(tls) = &config.tls {
        options = options.require_tls(true);
        if let Some(ca) = &tls.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &tls.client {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if tls.first {
            options = options.tls_first();
        }
    }
    options.connect(config.servers.addresses()).await
}

/// Messages that the client holds for one subscription.
fn capacity(subscription: &Subscription) -> usize {
    match subscription {
        Subscription::Core(core) => core.capacity.max(1),
        // The server delivers no more than may be in flight. Twice that, for heartbeats and what else it says of a pull.
        Subscription::JetStream(jetstream) => jetstream.max_in_flight * 2 + 64,
    }
}

/// Doubling, and never the same twice: a server that comes back is not met by all at once.
fn delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(8);
    let longest = SHORTEST.saturating_mul(1 << doublings).min(LONGEST);
    // The standard library's hash keys are random; no more is needed for this.
    let sixteenths = u32::try_from(RandomState::new().hash_one(attempts) % 9).unwrap_or(0) + 8;
    longest * sixteenths / 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_never_vanish() {
        assert!((SHORTEST / 2..=SHORTEST).contains(&delay(1)));
        assert!((LONGEST / 2..=LONGEST).contains(&delay(20)));
        assert!((LONGEST / 2..=LONGEST).contains(&delay(usize::MAX)));
    }
}
