//! Free ports of 127.0.0.1 for servers that need their port on the command line.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
};

/// Below the range of outgoing connections (Linux: from 32768). In that range, a client that reconnects to a stopped
/// API server could be given the server's own port and block its restart.
const RANGE: Range<u16> = 20_000..32_000;

/// A port that is free at the moment. Another process may take it before the server does; then the start is repeated.
/// Within one process, no port is returned twice until the range is used up, so control planes that start at the same
/// time do not collide.
pub(crate) fn free() -> io::Result<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Processes begin at random offsets: the standard library's hash keys are random.
    let next = NEXT.get_or_init(|| AtomicU16::new(u16::try_from(RandomState::new().hash_one(0) % 0xffff).unwrap_or(0)));
    for _ in RANGE {
        let port = RANGE.start + next.fetch_add(1, Ordering::Relaxed) % (RANGE.end - RANGE.start);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "no free port between 20000 and 32000 of 127.0.0.1",
    ))
}
