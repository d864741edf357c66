//! Recorded alerts about a live object: as Falco sent them, with the object's names, its container id and the current
//! time.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::fixtures::{FixtureError, container_id};

macro_rules! recorded {
    ($file:literal) => {
        recorded(include_str!(concat!("../../../responder/core/testdata/alerts/", $file)))
    };
}

/// "Terminal shell in container" (`01_…`, priority Critical) in the first container of a running pod, dated now.
pub fn shell_in(pod: &Pod) -> Result<Value, FixtureError> {
    let mut alert = recorded!("01_syscall_shell_k8s_falco_docs.json");
    name_pod(&mut alert, pod, &container_id(pod)?);
    // As Falco's chart sets it. The recorded name is that of a Falco pod, which a test may have somewhere else.
    alert["hostname"] = json!(pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()));
    set_time(&mut alert, Timestamp::now());
    Ok(alert)
}

/// "Read sensitive file untrusted" (`05_…`, priority Warning) by a process of a host, dated now. `hostname` depends on
/// Falco's configuration: the name of the node or of Falco's own pod.
pub fn file_read_on(hostname: &str) -> Value {
    let mut alert = recorded!("05_syscall_host_process_container_id_host.json");
    alert["hostname"] = json!(hostname);
    set_time(&mut alert, Timestamp::now());
    alert
}

/// "Attach/Exec Pod" (`06_…`, priority Notice, from the audit log) into a pod, dated now, with the code of the API server's
/// answer, which Falco appends if it is told to.
pub fn exec_into(pod: &Pod) -> Value {
    let mut alert = recorded!("06_k8saudit_exec_pod_bracket_key.json");
    alert["output_fields"]["ka.target.name"] = json!(pod.name_any());
    alert["output_fields"]["ka.target.namespace"] = json!(pod.namespace());
    alert["output_fields"]["ka.response.code"] = json!("101");
    set_time(&mut alert, Timestamp::now());
    alert
}

/// Sets the pod and the container of a syscall alert.
pub fn name_pod(alert: &mut Value, pod: &Pod, container: &str) {
    let fields = &mut alert["output_fields"];
    fields["k8s.ns.name"] = json!(pod.namespace());
    fields["k8s.pod.name"] = json!(pod.name_any());
    fields["container.id"] = json!(container);
}

/// Sets both timestamps as Falco writes them: one with nine decimal digits, one as an integer of nanoseconds.
pub fn set_time(alert: &mut Value, time: Timestamp) {
    alert["time"] = json!(time.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string());
    alert["output_fields"]["evt.time"] = json!(i64::try_from(time.as_nanosecond()).unwrap_or_default());
}

/// The body that falcosidekick's webhook output makes of an alert: with an id of its own, a time without trailing
/// zeros, sorted tags and a line end.
pub fn by_falcosidekick(alert: &Value, uuid: &str) -> Vec<u8> {
    let mut sent = alert.clone();
    sent["uuid"] = json!(uuid);
    if let Some(time) = alert["time"].as_str().and_then(|time| time.strip_suffix('Z')) {
        sent["time"] = json!(format!("{}Z", time.trim_end_matches('0').trim_end_matches('.')));
    }
    if let Some(tags) = sent["tags"].as_array_mut() {
        tags.push(json!("by-sidekick"));
        tags.sort_by_key(ToString::to_string);
    }
    format!("{sent}\n").into_bytes()
}

#[expect(
    clippy::expect_used,
    reason = "the files are part of the source, and their own tests read them"
)]
fn recorded(text: &str) -> Value {
    serde_json::from_str(text).expect("a recorded alert is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_falco_does() {
        let mut alert = json!({ "output_fields": {} });
        set_time(&mut alert, "2026-11-24T05:10:35.04682Z".parse().unwrap());
        assert_eq!(alert["time"], "2026-11-24T05:10:35.046820000Z");
        assert_eq!(alert["output_fields"]["evt.time"], 1_795_497_035_046_820_000_i64);
        let sent: Value = serde_json::from_slice(&by_falcosidekick(&alert, "u")).unwrap();
        assert_eq!(sent["time"], "2026-11-24T05:10:35.04682Z");
    }
}
