//! The HTTP server that the benchmark `load` compares the responder with: an axum handler that reads the body and
//! discards it. It prints its address and ends when its standard input closes.

use std::{
    io::{self, Read as _, Write as _},
    net::Ipv4Addr,
    process, thread,
};

use axum::{Router, body::Bytes, routing::post};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    thread::spawn(|| {
        // A closed or broken input means that the benchmark has ended.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let read = post(async |body: Bytes| if body.is_empty() { "empty\n" } else { "read\n" });
    axum::serve(listener, Router::new().route("/", read)).await
}
