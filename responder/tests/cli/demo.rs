//! The demo of the README: `responder run` on the simulated cluster, and alerts posted to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::harness::{demo, root};

/// A running controller with its log; killed when dropped.
struct Running {
    child: Child,
    log: Receiver<String>,
    address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_responder"))
            .args(demo(&[
                "run",
                "--listen",
                "127.0.0.1:0",
                "--probes-listen",
                "127.0.0.1:0",
            ]))
            .current_dir(root())
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, log) = channel();
        thread::spawn(move || {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut running = Self {
            child,
            log,
            address: String::new(),
        };
        let line = running.wait_for(&["listening on http://"]);
        line.rsplit_once("http://").unwrap().1.clone_into(&mut running.address);
        running
    }

    /// The next log line with all of these words. Panics if there is none within 20 s.
    fn wait_for(&self, words: &[&str]) -> String {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if words.iter().all(|word| line.contains(word)) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{error} waiting for {words:?} after:\n{}", seen.join("\n")),
            }
        }
    }

    /// Posts an alert of the demo with the present time, as the README does with `sed`, `date` and `curl`.
    fn post(&self, name: &str, change: impl Fn(String) -> String) -> String {
        let alert = fs::read_to_string(root().join(format!("playbooks/demo/alerts/{name}.json"))).unwrap();
        let (before, rest) = alert.split_once("\"time\":\"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        let body = change(format!("{before}\"time\":\"{}\"{after}", jiff::Timestamp::now()));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = "POST / HTTP/1.1\r\nHost: responder\r\nContent-Type: application/json\r\nConnection: close\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn every_alert_of_the_demo_ends_as_its_readme_says() {
    let running = Running::start();
    let same = |body| body;
    let answer = running.post("terminal-shell", same);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    running.wait_for(&["terminal-shell", "pod/shop/storefront-7c9d8b5f6d-4xkzq", "Enforce"]);
    running.post("remote-shell", same);
    running.wait_for(&["remote-shell", "pod/shop/storefront-7c9d8b5f6d-9wq2m", "Enforce"]);
    running.wait_for(&["IsolatedExcept [egress", "(policy allow-dns)]"]);
    running.post("exec-into-pod", same);
    running.wait_for(&["exec-into-pod", "pod/shop/cart-db-0", "Enforce"]);
    running.post("sensitive-file-host", same);
    running.wait_for(&["sensitive-file-host", "node/worker-2", "Enforce"]);
    running.post("kube-system", same);
    running.wait_for(&["pod/kube-system/coredns-5dd5756b68-m2x9t", "Protected"]);
    running.post("terminal-shell", |body| {
        body.replace("storefront-7c9d8b5f6d-4xkzq", "storefront-7c9d8b5f6d-hn7tb")
            .replace("ee97d9c4186f", "5892b41bcf46")
            .replace("falco-xczjd", "worker-2")
    });
    running.wait_for(&["pod/shop/storefront-7c9d8b5f6d-hn7tb", "BudgetExhausted"]);
}

#[test]
fn a_deleted_pod_is_gone_for_the_next_alert() {
    let running = Running::start();
    running.post("terminal-shell", |body| body);
    running.wait_for(&["terminal-shell", "pod/shop/storefront-7c9d8b5f6d-4xkzq", "Done"]);
    // The pod has a grace period of five seconds.
    running.post("terminal-shell", |body| body);
    let line = running.wait_for(&["pod/shop/storefront-7c9d8b5f6d-4xkzq", "nothing"]);
    assert!(line.contains("Terminating") || line.contains("TargetGone"), "{line}");
}
