//! Reads one body within its bound and its deadline, without a copy if it arrives in one piece.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::Semaphore;

/// Bytes; a larger body needs one of the permits for large bodies.
const LARGE: usize = 16 * 1024;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBody {
    /// The body exceeds the bound: by its declared size, or by the bytes read so far.
    TooLarge { size: usize },
    /// The body did not arrive in time.
    Late,
    /// No permit for a large body was free before the deadline.
    Busy,
    /// The connection ended inside the body, or its chunks are malformed.
    Broken,
}

pub(super) async fn read(
    body: Incoming,
    bound: usize,
    deadline: Duration,
    large_bodies: &Semaphore,
) -> Result<Bytes, NoBody> {
    // A declared size is refused without reading.
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
        // Trailers are not part of an alert.
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
