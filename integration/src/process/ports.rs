//! Free ports of 127.0.0.1 for servers that must be told their port before they start.

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

/// Below the range that systems take the ports of outgoing connections from (Linux: from 32768). There, a client that
/// tries to reconnect to a stopped API server can be given that very port, and then holds it against the restart.
const RANGE: Range<u16> = 20_000..32_000;

/// A port that nobody listens on. Another process may take it before its server does: then the start is tried again.
/// Never the same twice in one process until the range is used up, so that control planes that start at once do not meet.
pub(crate) fn free() -> io::Result<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Processes begin at different places; the standard library's hash keys are random.
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
