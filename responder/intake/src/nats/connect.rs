//! The connection to NATS. The client restores it by itself; here it gets the pauses between its attempts and the
//! callbacks for what happens.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectOptions};

use super::config::NatsConfig;
use super::state::NatsState;
use super::subscription::Subscription;

/// The first pause between two attempts, and the longest.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// Between two pings. The client closes the connection to a silent server after two of them.
const PING: Duration = Duration::from_secs(10);

pub(super) async fn connect(config: &NatsConfig, state: &Arc<NatsState>) -> Result<Client, ConnectError> {
    if let Some(auth) = &config.auth
        && config.tls.is_none()
        && !config.servers.are_loopback()
    {
        tracing::warn!("NATS gets {auth} without TLS unless the server asks for TLS: add a `tls` block");
    }
    let for_events = Arc::clone(state);
    let for_attempts = Arc::clone(state);
    let mut options = match &config.auth {
        None => ConnectOptions::new(),
        Some(auth) => {
            let auth = Arc::new(auth.clone());
            ConnectOptions::with_auth_callback(move |nonce| {
                let auth = Arc::clone(&auth);
                async move { auth.answer(&nonce).await }
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
            for_events.happened(&event);
            async {}
        })
        // Called before each attempt, with the error of the last one, which no event has. It chooses no server.
        .reconnect_to_server_callback(move |servers, _| {
            for_attempts.trying(&servers);
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

/// The messages that the client holds for one subscription.
fn capacity(subscription: &Subscription) -> usize {
    match subscription {
        Subscription::Core(core) => core.capacity.max(1),
        // The server delivers no more than may be in flight; twice that leaves room for heartbeats and the status of pulls.
        Subscription::JetStream(jetstream) => jetstream.max_in_flight * 2 + 64,
    }
}

/// The pause before an attempt: doubling, with jitter, so that clients do not return to a server all at once.
fn delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(8);
    let longest = SHORTEST.saturating_mul(1 << doublings).min(LONGEST);
    // The standard library's hash keys are random enough for jitter.
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
