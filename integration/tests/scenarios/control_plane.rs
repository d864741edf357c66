//! The control plane that the other scenarios rely on: its controllers, its audit log, a restart, and its end.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use integration::{
    control_plane::{ControlPlane, shared},
    fixtures::{PodExt as _, container_id, create, deployment, pods, wait_gone, wait_ready_pods},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::DeleteParams};

use crate::{
    api_server::{given_uid, refusal, requests},
    scenario::{Scenario, uid},
};

/// Whether a process is gone. A zombie is: it holds only its number until init reaps it.
fn is_gone(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    stat.rsplit_once(") ")
        .is_some_and(|(_, fields)| fields.starts_with('Z'))
}

#[tokio::test]
async fn a_ready_pod_has_a_container_id_that_starts_as_its_uid() {
    let scenario = Scenario::new("ids").await;
    let pod = scenario.running("web").await;

    assert_eq!(container_id(&pod).unwrap(), uid(&pod).replace('-', "")[..12]);
    let status = pod.status.unwrap();
    assert!(status.pod_ip.is_some());
    let running = status.container_statuses.unwrap()[0]
        .clone()
        .state
        .unwrap()
        .running
        .unwrap();
    assert!(running.started_at.is_some());
}

#[tokio::test]
async fn the_controllers_are_real_and_replace_a_deleted_pod() {
    let scenario = Scenario::new("replace").await;
    create(&scenario.client, &deployment("replace", "web", 3).on_node("replace"))
        .await
        .unwrap();
    let before = wait_ready_pods(&scenario.client, "replace", &[("app", "web")], 3)
        .await
        .unwrap();

    let api = scenario.pods();
    api.delete(&before[0].name_any(), &DeleteParams::default())
        .await
        .unwrap();
    wait_gone(&scenario.client, &before[0]).await.unwrap();

    let after = wait_ready_pods(&scenario.client, "replace", &[("app", "web")], 3)
        .await
        .unwrap();
    assert!(after.iter().all(|pod| pod.uid() != before[0].uid()));
    assert_ne!(container_id(&after[2]).unwrap(), container_id(&before[0]).unwrap());
}

#[tokio::test]
async fn the_audit_log_has_a_deletion_with_its_user_and_its_precondition() {
    let scenario = Scenario::new("audited").await;
    let pod = scenario.running("web").await;

    let responder = scenario
        .control_plane
        .client_for("auditee", &["system:masters"])
        .await
        .unwrap();
    let api: Api<Pod> = Api::namespaced(responder, "audited");
    api.delete("web", &DeleteParams::default().preconditions(given_uid(&uid(&pod))))
        .await
        .unwrap();

    let events = requests(scenario.control_plane, "auditee", "audited");
    let [event] = events.as_slice() else {
        panic!("expected one request, got {events:#?}")
    };
    assert_eq!(
        (event.verb.as_str(), event.resource.as_str(), event.name.as_str()),
        ("delete", "pods", "web")
    );
    assert_eq!(event.uid_precondition(), pod.uid().as_deref());
    assert_eq!(event.code, 200);
    assert!(event.is_mutation());
}

#[tokio::test]
async fn a_user_without_a_role_may_do_nothing() {
    let control_plane = shared().await;
    let nobody = control_plane.client_for("nobody", &[]).await.unwrap();
    let api: Api<Pod> = Api::namespaced(nobody, "default");

    assert_eq!(refusal(api.delete("web", &DeleteParams::default()).await).code, 403);
    let [event] = &requests(control_plane, "nobody", "default")[..] else {
        panic!("expected one request")
    };
    assert_eq!(event.code, 403);
    assert!(event.is_write() && !event.is_mutation());
}

/// Restart and end in one test, because a start takes four seconds.
#[tokio::test]
async fn the_api_server_stops_and_comes_back_and_at_the_end_nothing_is_left() {
    let control_plane = ControlPlane::start().await.unwrap();
    let scenario = Scenario::on(&control_plane, "restart").await;
    let before = scenario.running("before").await;
    let first = control_plane.pids();
    assert_eq!(first.len(), 4);

    control_plane.stop_api_server().await.unwrap();
    let api = scenario.pods();
    assert!(
        !matches!(api.get("before").await, Ok(_) | Err(kube::Error::Api(_))),
        "something still answers"
    );
    control_plane.start_api_server().await.unwrap();

    // The data, the old client, the controllers and kwok all work.
    assert_eq!(api.get("before").await.unwrap().uid(), before.uid());
    create(&scenario.client, &deployment("restart", "after", 2).on_node("restart"))
        .await
        .unwrap();
    wait_ready_pods(&scenario.client, "restart", &[("app", "after")], 2)
        .await
        .unwrap();
    assert_eq!(pods(&scenario.client, "restart", &[]).await.unwrap().len(), 3);
    let second = control_plane.pids();
    let survived = first.iter().filter(|pid| second.contains(pid)).count();
    assert_eq!(
        survived, 3,
        "only the API server is another process: {first:?}, then {second:?}"
    );
    let creations = control_plane
        .audit()
        .unwrap()
        .into_iter()
        .filter(|event| event.verb == "create");
    let names: Vec<_> = creations
        .filter(|event| event.user == "admin")
        .map(|event| event.name)
        .collect();
    assert_eq!(
        names,
        ["spare", "restart", "restart", "before", "after"],
        "one log over the restart"
    );

    let directory = control_plane.directory().to_owned();
    control_plane.stop().await.unwrap();
    let left: Vec<_> = first
        .into_iter()
        .chain(second)
        .filter(|(_, pid)| !is_gone(*pid))
        .collect();
    assert_eq!(left, []);
    assert!(!directory.exists());
}

/// The processes with `directory` among their arguments.
fn processes_of(directory: &str) -> Vec<u32> {
    let numbers = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(directory)))
        .collect()
}

/// After SIGKILL the program can't clean up. The test harness ends the same way when a test overflows its stack.
#[tokio::test]
async fn killing_the_process_that_started_it_leaves_neither_process_nor_file() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let kubeconfig = Path::new(line.trim_end().strip_prefix("export KUBECONFIG=").unwrap()).to_owned();
    let directory = kubeconfig.parent().unwrap();
    let pids = processes_of(directory.to_str().unwrap());
    assert_eq!(
        pids.len(),
        5,
        "etcd, the API server, the controllers, kwok and the sweeper"
    );

    program.kill().unwrap();
    program.wait().unwrap();

    let gone = async {
        while directory.exists() || !pids.iter().all(|pid| is_gone(*pid)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let left = || processes_of(directory.to_str().unwrap());
    assert!(
        tokio::time::timeout(Duration::from_secs(30), gone).await.is_ok(),
        "{:?} still run",
        left()
    );
}
