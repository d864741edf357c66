//! An HTTP client with persistent connections to one address. Each connection posts one body after the other.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

type Connection = http1::SendRequest<Full<Bytes>>;

/// The number of replies by status.
pub(crate) type Answers = BTreeMap<StatusCode, usize>;

/// Persistent connections to one address.
pub(crate) struct LoadClient {
    host: String,
    connections: Vec<Connection>,
    /// The tasks that drive the connections.
    _tasks: JoinSet<()>,
}

impl LoadClient {
    /// Opens connections to `http://127.0.0.1:<port>`.
    pub(crate) async fn connect(url: &str, connections: usize) -> anyhow::Result<Self> {
        let host = url.strip_prefix("http://").unwrap_or(url);
        let address: SocketAddr = host.parse().with_context(|| format!("{url} is not an address"))?;
        let mut tasks = JoinSet::new();
        let mut open = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (send, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tasks.spawn(async move { drop(connection.await) });
            open.push(send);
        }
        Ok(Self {
            host: host.to_owned(),
            connections: open,
            _tasks: tasks,
        })
    }

    /// Posts `count` bodies, each on the next free connection.
    pub(crate) async fn post(
        &mut self,
        count: usize,
        body: impl Fn(usize) -> Bytes + Send + Sync + 'static,
    ) -> anyhow::Result<Answers> {
        let (next, body) = (Arc::new(AtomicUsize::new(0)), Arc::new(body));
        let mut posting = JoinSet::<Result<(Connection, Answers), hyper::Error>>::new();
        for mut connection in self.connections.drain(..) {
            let (next, body, host) = (Arc::clone(&next), Arc::clone(&body), self.host.clone());
            posting.spawn(async move {
                let mut answers = Answers::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok((connection, answers));
                    }
                    *answers
                        .entry(post(&mut connection, &host, body(number)).await?)
                        .or_default() += 1;
                }
            });
        }
        let mut all = Answers::new();
        while let Some(posted) = posting.join_next().await {
            let (connection, answers) = posted?.context("a post failed")?;
            self.connections.push(connection);
            for (status, count) in answers {
                *all.entry(status).or_default() += count;
            }
        }
        Ok(all)
    }

    /// Posts `count` bodies and fails unless every reply has this status.
    pub(crate) async fn post_for(
        &mut self,
        status: StatusCode,
        count: usize,
        body: impl Fn(usize) -> Bytes + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let answers = self.post(count, body).await?;
        ensure!(
            answers.get(&status) == Some(&count),
            "{count} posts were answered {answers:?}, not {status}"
        );
        Ok(())
    }
}

async fn post(connection: &mut Connection, host: &str, body: Bytes) -> Result<StatusCode, hyper::Error> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = hyper::Method::POST;
    let headers = request.headers_mut();
    if let Ok(host) = header::HeaderValue::from_str(host) {
        headers.insert(header::HOST, host);
    }
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    connection.ready().await?;
    let answer = connection.send_request(request).await?;
    let status = answer.status();
    answer.into_body().collect().await?;
    Ok(status)
}
