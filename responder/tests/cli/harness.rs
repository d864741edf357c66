//! Runs the built binary from the root of the repository, without the variables of the caller's environment.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The output of one run.
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl CommandOutput {
    /// The standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }

    /// The exit code and the output, for a snapshot.
    pub(crate) fn all(&self) -> String {
        format!(
            "exit code {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The path of a file beside these tests.
pub(crate) fn here(file: &str) -> String {
    format!("responder/tests/cli/{file}")
}

/// Runs the command.
pub(crate) fn responder<S: AsRef<str>>(args: &[S]) -> CommandOutput {
    responder_reading("", args)
}

/// Runs the command with these environment variables.
pub(crate) fn responder_in<S: AsRef<str>>(environment: &[(&str, &str)], args: &[S]) -> CommandOutput {
    run("", environment, args)
}

/// Runs the command with this on its standard input.
pub(crate) fn responder_reading<S: AsRef<str>>(input: &str, args: &[S]) -> CommandOutput {
    run(input, &[], args)
}

fn run<S: AsRef<str>>(input: &str, environment: &[(&str, &str)], args: &[S]) -> CommandOutput {
    let mut child = Command::new(env!("CARGO_BIN_EXE_responder"))
        .args(args.iter().map(AsRef::as_ref))
        .current_dir(root())
        .env_clear()
        // No such files exist, so that no command finds a cluster of the developer.
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env("HOME", "/nonexistent")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    CommandOutput {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// The arguments, with those for the playbooks, the guard and the cluster of the demo.
pub(crate) fn demo<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "--playbooks",
        "playbooks/demo/playbooks",
        "--guard",
        "playbooks/demo/guard.yaml",
        "--simulate",
        "playbooks/demo/cluster",
    ];
    args.iter().chain(&fixed).copied().collect()
}

/// Fails on a character that acts on a terminal.
pub(crate) fn assert_harmless(text: &str) {
    let acts = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let found: Vec<_> = text.lines().filter(|line| line.contains(acts)).collect();
    assert!(found.is_empty(), "these lines act on a terminal: {found:?}");
}
