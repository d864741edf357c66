//! A client that writes given bytes and reads the answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Memory;
use crate::auth::Access;
use crate::http::{Connections, HttpLimits, HttpServer};

pub(super) const ALERT: &str = r#"{"hostname":"worker-1","output":"x","output_fields":{"container.id":"ee97d9c4186f","k8s.ns.name":"shop","k8s.pod.name":"web-0"},"priority":"Critical","rule":"RULE","source":"syscall","tags":["container"],"time":"2026-07-06T23:05:05.771201256Z"}"#;

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);

pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) sink: Memory,
    pub(super) connections: Arc<Connections>,
    pub(super) stop: CancellationToken,
    /// Returns the number of connections that were cut.
    pub(super) task: JoinHandle<usize>,
}

impl Running {
    pub(super) async fn start() -> Self {
        Self::with(HttpLimits::default()).await
    }

    pub(super) async fn with(limits: HttpLimits) -> Self {
        Self::with_access(limits, Access::default()).await
    }

    pub(super) async fn with_access(limits: HttpLimits, access: Access) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sink, stop) = (Memory::default(), CancellationToken::new());
        let server = HttpServer::new(sink.clone(), limits).with_access(Arc::new(access));
        let connections = server.connections();
        let task = tokio::spawn(server.serve(listener, stop.clone(), Duration::from_millis(300)));
        Self {
            address,
            sink,
            connections,
            stop,
            task,
        }
    }

    pub(super) async fn connect(&self) -> Connection {
        Connection {
            stream: Box::new(TcpStream::connect(self.address).await.unwrap()),
            read: Vec::new(),
        }
    }

    pub(super) async fn send(&self, request: &[u8]) -> ReceivedAnswer {
        let mut connection = self.connect().await;
        connection.write_bytes(request).await;
        connection.answer().await
    }

    pub(super) async fn get(&self, path: &str) -> ReceivedAnswer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .await
    }

    /// Waits until the server has read what was sent before: on the one thread of the test it answers another connection
    /// only after the sockets that were ready.
    pub(super) async fn until_reading(&self) {
        for _ in 0..3 {
            assert_eq!(self.get("/").await.status, 200);
        }
    }
}

pub(super) struct ReceivedAnswer {
    pub(super) status: u16,
    /// In lower case.
    pub(super) head: String,
    pub(super) body: String,
}

/// Bytes to and from the server, over TLS or not.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

pub(super) struct Connection {
    pub(super) stream: Box<dyn ByteStream>,
    pub(super) read: Vec<u8>,
}

impl Connection {
    pub(super) async fn write(&mut self, text: &str) {
        self.write_bytes(text.as_bytes()).await;
    }

    /// Writes what the server takes: it may have answered and closed its side before the end.
    pub(super) async fn write_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next final answer.
    pub(super) async fn answer(&mut self) -> ReceivedAnswer {
        loop {
            let answer = tokio::time::timeout(HANG, self.any_answer())
                .await
                .expect("the server hangs");
            if answer.status >= 200 {
                return answer;
            }
        }
    }

    /// The next answer, 100 Continue included.
    pub(super) async fn any_answer(&mut self) -> ReceivedAnswer {
        loop {
            if let Some(answer) = self.parsed() {
                return answer;
            }
            let mut buffer = [0; 4096];
            let count = self
                .stream
                .read(&mut buffer)
                .await
                .expect("the connection was reset before an answer");
            assert!(
                count > 0,
                "the connection ended before an answer: {:?}",
                String::from_utf8_lossy(&self.read)
            );
            self.read.extend_from_slice(&buffer[..count]);
        }
    }

    fn parsed(&mut self) -> Option<ReceivedAnswer> {
        let end = self.read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.read[..end].to_vec())
            .unwrap()
            .to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        // The answer to HEAD has a length and no body.
        let length = if self.read.len() == end { 0 } else { length };
        let body = self.read.get(end..end + length)?.to_vec();
        self.read.drain(..end + length);
        Some(ReceivedAnswer {
            status,
            head,
            body: String::from_utf8(body).unwrap(),
        })
    }

    pub(super) async fn is_ended(&mut self) -> bool {
        let mut rest = Vec::new();
        matches!(
            tokio::time::timeout(HANG, self.stream.read_to_end(&mut rest)).await,
            Ok(Ok(0) | Err(_))
        )
    }

    /// Waits until the server ends its side, and drops what it sends before.
    pub(super) async fn until_ended(&mut self) {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(HANG, self.stream.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "the server hangs");
    }
}
