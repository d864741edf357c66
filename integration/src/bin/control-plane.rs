//! A control plane for manual experiments: `cargo run -p integration --bin control-plane`.
//!
//! It prints the KUBECONFIG line for the shell on standard output and everything else on standard error, and runs until
//! Ctrl-C.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use integration::{
    control_plane::{ControlPlane, ControlPlaneError},
    fixtures::{
        FixtureError, ObjectExt as _, PodExt as _, PolicyExt as _, create, deployment, namespace, network_policy, node,
        pod, service, wait_ready, wait_ready_pods,
    },
};
use kube::Client;
use responder_core::error::chain;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the control plane failed")]
    Start(#[from] ControlPlaneError),
    #[error("the objects of the control plane cannot be created")]
    Fill(#[from] FixtureError),
    #[error("cannot start the async runtime")]
    Runtime(#[source] io::Error),
    #[error("cannot listen for signals")]
    Signal(#[source] io::Error),
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

fn main() -> ExitCode {
    let ended = tokio::runtime::Runtime::new()
        .map_err(Error::Runtime)
        .and_then(|runtime| {
            let ended = runtime.block_on(run());
            // A signal during the build of the programs must not wait minutes for it.
            runtime.shutdown_background();
            ended
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    // A closed terminal ends the session with SIGHUP.
    let mut hang_up = signal(SignalKind::hangup()).map_err(Error::Signal)?;
    let signals = [&mut interrupt, &mut terminate, &mut hang_up];

    tokio::select! {
        ended = serve() => ended,
        () = any(signals) => {
            say("ending the control plane");
            Ok(())
        }
    }
}

/// Runs the control plane. A signal drops this future and with it the control plane.
async fn serve() -> Result<(), Error> {
    say("starting etcd, kube-apiserver, kube-controller-manager and kwok");
    let mut control_plane = ControlPlane::start().await?;
    fill(&control_plane.client()).await?;

    let mut out = io::stdout();
    writeln!(out, "export KUBECONFIG={}", control_plane.kubeconfig().display())
        .and_then(|()| out.flush())
        .map_err(Error::Output)?;
    say(&format!(
        "\
The cluster has the nodes node-1, node-2 and node-3 and the namespace `demo` with
  deployment web          3 pods on node-1, behind the service `web`
  pod loner               on node-2, without an owner
  network policies        default-deny, and web-from-frontend, which lets `role=frontend` reach `app=web`
Pods run nothing: kwok only reports them as running. There is no scheduler: set `nodeName` in a pod.
kubectl of the same version: {}
Logs, certificates and audit.log: {}
Ctrl-C ends it and removes everything.",
        control_plane.kubectl().display(),
        control_plane.directory().display(),
    ));
    Err(control_plane.failed().await.into())
}

/// Creates the starter objects.
async fn fill(client: &Client) -> Result<(), FixtureError> {
    for name in ["node-1", "node-2", "node-3"] {
        create(client, &node(name)).await?;
    }
    create(client, &namespace("demo", &[])).await?;
    create(client, &service("demo", "web", &[("app", "web")])).await?;
    create(client, &network_policy("demo", "default-deny", &[])).await?;
    let from_frontend = network_policy("demo", "web-from-frontend", &[("app", "web")]);
    create(
        client,
        &from_frontend
            .ingress_only()
            .allowing_ingress_from(&[("role", "frontend")]),
    )
    .await?;
    create(client, &deployment("demo", "web", 3).on_node("node-1")).await?;
    let loner = create(
        client,
        &pod("demo", "loner").on_node("node-2").labelled(&[("app", "loner")]),
    )
    .await?;
    wait_ready(client, &loner).await?;
    wait_ready_pods(client, "demo", &[("app", "web")], 3).await?;
    Ok(())
}

async fn any([interrupt, terminate, hang_up]: [&mut Signal; 3]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
}

fn say(text: &str) {
    // Messages are optional: ignore a closed standard error.
    let _ = writeln!(io::stderr(), "{text}");
}
