//! Reads one body: within its bound, within its deadline, and without a copy where it came in one piece.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::Semaphore;

/// Above this a body needs one of the permits for large ones.
const LARGE: usize = 16 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBody {
    /// More than the bound; with what was declared, or what had been read until then.
    TooLarge { size: usize },
    /// Not in time.
    Late,
    /// Too many large bodies at once, for all of its time.
    Busy,
    /// The connection ended before the body did, or its chunks can't be read.
    Broken,
}

pub(super) async fn read(
    body: Incoming,
    bound: usize,
    deadline: Duration,
    large_bodies: &Semaphore,
) -> Result<Bytes, NoBody> {
    // A declared length needs no reading to be refused.
    if let Some(size) = body
        .size_hint()
        .exact()
        .map(|size| usize::try_from(size).unwrap_or(usize::MAX))
        && size > bound
    {
        return Err(NoBody::TooLarge { size });
    }
    let mut waits_for_room = false;
    match tokio::time::timeout(deadline, read_all(body, bound, large_bodies, &mut waits_for_room)).await {
        Ok(read) => read,
        Err(_) if waits_for_room => Err(NoBody::Busy),
        Err(_) => Err(NoBody::Late),
    }
}

async fn read_all(
    mut body: Incoming,
    bound: usize,
    large_bodies: &Semaphore,
    waits_for_room: &mut bool,
) -> Result<Bytes, NoBody> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    let mut permit = None;
    while let Some(frame) = body.frame().await {
        // Trailers are no part of an alert.
        let Ok(data) = frame.map_err(|_| NoBody::Broken)?.into_data() else {
            continue;
        };
        let size = first.len() + whole.len() + data.len();
        if size > bound {
            return Err(NoBody::TooLarge { size });
        }
        if size > LARGE && permit.is_none() {
            *waits_for_room = true;
            // The semaphore is never closed.
            permit = Some(large_bodies.acquire().await.map_err(|_| NoBody::Busy)?);
            *waits_for_room = false;
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}
