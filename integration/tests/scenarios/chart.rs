//! The rendered chart: the API server accepts it, invalid values are refused, and its role matches the output of
//! `responder rbac`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use integration::responder::{
    binary,
    playbooks::{guard, on_shell, playbook},
};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Secret},
    rbac::v1::ClusterRole,
};
use responder_core::{
    document::SourceFile,
    guard::Guard,
    mode::Mode,
    permission::Permission,
    playbook::load,
    rbac::{PermissionTable, RbacAccess},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::helm::{Helm, KilledOnDrop, Release, chart, is_read, rights, run, strings, values, values_of};

/// Values that enable every option.
fn everything() -> Value {
    values(json!({
        "mode": "Enforce",
        "image": {
            "repository": "registry.example:5000/security/responder",
            "digest": format!("sha256:{}", "0".repeat(64)),
            "pullSecrets": [{"name": "registry"}],
        },
        "playbooks": {"shell.yaml": on_shell("Enforce", &["delete: {}"])},
        "guard": "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec: {mode: Enforce}\n",
        "rbac": {
            "actions": ["cordon/Node", "quarantine/Pod/onExpiry=Delete", "quarantine/Pod/through=Auto"],
            "ownerKinds": [{"group": "argoproj.io", "resource": "rollouts"}],
        },
        "serviceAccount": {"annotations": {"example.org/a": "b"}},
        "auth": {"existingSecret": "senders"},
        "tls": {"secretName": "tls", "clientCertificates": true, "allowedNames": ["falco"]},
        "config": {"nats": {"servers": ["nats://nats.nats.svc:4222"]}},
        "secretMounts": [{"name": "nats", "secretName": "nats"}],
        "replicas": 2,
        "service": {"type": "LoadBalancer", "annotations": {"example.org/a": "b"}},
        "networkPolicy": {"scrapers": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]},
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
        "podLabels": {"team": "security"},
        "podAnnotations": {"example.org/a": "b"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
        ]}}},
        "priorityClassName": "system-cluster-critical",
    }))
}

#[rstest]
#[case("plain", values(json!({})))]
#[case("without-auth", values(json!({"auth": {"enabled": false}, "networkPolicy": {"senders": []}})))]
#[case("scraped-without-tls", values(json!({"serviceMonitor": {"enabled": true}})))]
#[case("everything", everything())]
#[tokio::test]
async fn the_rendered_chart_passes_a_dry_run_on_the_server(#[case] name: &str, #[case] values: Value) {
    let release = Release::new(&format!("helm-dry-{name}")).await;
    let values = release.helm.write("values.json", &values.to_string());
    let namespace = &release.scenario.name;
    let rendered = release
        .helm
        .run(&[
            "template",
            "responder",
            &chart(),
            "--namespace",
            namespace,
            "--values",
            &values,
        ])
        .await
        .ok();
    let file = release.helm.write("rendered.yaml", &rendered);
    // The CRD as the Prometheus operator installs it.
    let monitors = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/scenarios/chart/service-monitor-crd.yaml"
    );
    kubectl(&release, &["apply", "--server-side", "-f", monitors]).await;
    kubectl(
        &release,
        &["wait", "--for=condition=Established", "--timeout=60s", "-f", monitors],
    )
    .await;
    let applied = kubectl(
        &release,
        &[
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "--warnings-as-errors",
            "--namespace",
            namespace,
            "-f",
            &file,
        ],
    )
    .await;
    let kinds = rendered.lines().filter(|line| line.starts_with("kind: ")).count();
    assert_eq!(applied.lines().count(), kinds, "{applied}");
}

/// Runs kubectl as the cluster's administrator and returns its output.
async fn kubectl(release: &Release<'_>, arguments: &[&str]) -> String {
    let mut kubectl = Command::new(release.scenario.control_plane.kubectl());
    kubectl
        .args(arguments)
        .env_clear()
        .env("HOME", release.helm.home.path())
        .env("KUBECONFIG", release.scenario.control_plane.kubeconfig());
    run(kubectl).await.ok()
}

#[rstest]
#[case("mode=observe", "mode")]
#[case("mdoe=Observe", "mdoe")]
#[case("replicas=two", "replicas")]
#[case("auth.pasword=x", "pasword")]
#[case("networkPolicy.senders[0].namespace=falco", "namespace")]
#[case("image.repository=registry.example/responder:latest", "repository")]
#[case("secretMounts[0].name=senders,secretMounts[0].secretName=x", "secretMounts/0/name")]
#[case(
    "image.repository=",
    "image.repository: set the repository that you pushed the image to"
)]
#[case("rbac.ownerKinds[0].group=argoproj.io", "resource")]
#[case("library[0]=nonsense", "library: the chart has no playbook nonsense")]
#[case(
    "mode=Enforce,rbac.actions[0]=delete/Node",
    "rbac.actions: unknown action delete/Node; known are: annotate/Node"
)]
#[case("library=null", "no playbooks: set library, playbooks or existingPlaybooks")]
#[case(
    "tls.secretName=tls,tls.clientCertificates=true",
    "tls.allowedNames: list the names that are accepted in client certificates"
)]
#[case(
    "tls.clientCertificates=true,tls.allowedNames[0]=falco",
    "tls.secretName: set the Secret with the server's certificate"
)]
#[case(
    "tls.secretName=tls,tls.allowedNames[0]=falco",
    "tls.clientCertificates: set it to true"
)]
#[tokio::test]
async fn invalid_values_are_refused_by_name(#[case] set: &str, #[case] named: &str) {
    let helm = Helm::alone().await;
    let image = "image.repository=registry.example/responder";
    let ran = helm
        .run(&["template", "it", &chart(), "--set", image, "--set", set])
        .await;
    assert!(!ran.success, "{}", ran.stdout);
    assert!(ran.stderr.contains(named), "{}", ran.stderr);
}

/// The rights of the chart's role: reads, and writes.
async fn chart_rights(helm: &Helm, values: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let objects = helm.template(values).await;
    let role: ClusterRole = serde_json::from_value(objects["ClusterRole/responder-it-responder"].clone()).unwrap();
    rights(&role.rules.unwrap())
        .into_iter()
        .partition(|right| is_read(right))
}

fn access(playbooks: &str, guard: &str, mode: Mode) -> RbacAccess {
    let source = |file: &str, text: &str| SourceFile {
        file: file.into(),
        text: text.to_owned(),
    };
    let mut sources = vec![source("playbooks.yaml", playbooks)];
    if !guard.is_empty() {
        sources.push(source("guard.yaml", guard));
    }
    let loaded = load(&sources, Timestamp::now()).unwrap_or_else(|found| panic!("{}", found.render(false)));
    let guard = loaded.guard.unwrap_or_else(|| Arc::new(Guard::built_in()));
    RbacAccess::of(&loaded.playbooks, &guard, mode)
}

fn in_words(permissions: &BTreeSet<Permission>) -> BTreeSet<String> {
    let rules = RbacAccess {
        reads: permissions.clone(),
        writes: BTreeSet::new(),
    };
    rights(&rules.rules())
}

const RAISED: &str = "{selector: {matchLabels: {a: b}}, mode: Enforce}";

/// Every action on every target, in several documents of one file.
fn every_action(mode: &str) -> String {
    let spec = |target: &str| format!("mode: {mode}\n  match: {{minPriority: Debug}}\n  target: {target}");
    let label = "label: {labels: {incident: open}}";
    [
        playbook(
            "pods",
            &spec("Pod"),
            &[label, "quarantine: {ttl: 1h, onExpiry: Release}", "evict: {}"],
        ),
        playbook("owners", &spec("Owner"), &["annotate: {annotations: {incident: open}}"]),
        playbook("nodes", &spec("Node"), &["cordon: {}", "taint: {}", label]),
    ]
    .concat()
}

#[rstest]
#[case::one(on_shell("Enforce", &["delete: {}"]), String::new())]
#[case::several(every_action("Rehearse"), String::new())]
#[case::observed(every_action("Observe"), String::new())]
#[case::denies(on_shell("Enforce", &["quarantine: {through: Auto}"]), String::new())]
#[case::deletes_at_the_end(on_shell("Enforce", &["quarantine: {ttl: 1h, onExpiry: Delete}"]), String::new())]
#[case::otherwise(
    on_shell("Enforce", &["quarantine: {}\n      otherwise: {evict: {blockedFor: 5s}, otherwise: {delete: {}}}"]),
    String::new()
)]
#[case::rollout(
    on_shell("Observe\n  rollout: [{namespaces: {matchLabels: {a: b}}, mode: Rehearse}]", &["evict: {}"]),
    String::new()
)]
#[case::guarded(every_action("Enforce"), guard("mode: Observe"))]
#[case::guard_raises(every_action("Enforce"), guard(&format!("mode: Observe\n  namespaces: [{RAISED}]")))]
#[tokio::test]
async fn the_charts_role_allows_exactly_the_writes_that_responder_prints(
    #[case] playbooks: String,
    #[case] guard: String,
) {
    let helm = Helm::alone().await;
    for mode in Mode::ALL {
        let mut values = values_of(mode.as_str(), &playbooks);
        values["guard"] = guard.clone().into();
        let (reads, writes) = chart_rights(&helm, &values).await;
        let access = access(&playbooks, &guard, mode);
        assert_eq!(writes, in_words(&access.writes), "{mode}");
        // A template can't know which objects an expression reads, so the chart allows all reads.
        assert!(reads.is_superset(&in_words(&access.reads)), "{mode}");
        assert_eq!(reads, in_words(&PermissionTable::of_all_actions().unwrap().reads));
    }
}

/// A controller of a custom kind is counted by, and never changed.
#[tokio::test]
async fn the_controllers_of_a_named_custom_kind_may_be_read() {
    let helm = Helm::alone().await;
    let mut values = values_of("Enforce", &every_action("Enforce"));
    let (reads, writes) = chart_rights(&helm, &values).await;
    values["rbac"] = json!({"ownerKinds": [{"group": "argoproj.io", "resource": "rollouts"}]});
    let (more, still) = chart_rights(&helm, &values).await;
    let added: BTreeSet<String> = more.difference(&reads).cloned().collect();
    assert_eq!(
        added,
        strings(&["get argoproj.io/rollouts", "get argoproj.io/rollouts/scale"])
    );
    assert_eq!(still, writes);
}

/// What decisions read, and nodes, stay in the ClusterRoleBinding.
#[tokio::test]
async fn with_namespaces_the_role_writes_there_only() {
    let helm = Helm::alone().await;
    let mut values = values_of("Enforce", &every_action("Enforce"));
    values["rbac"] = json!({"namespaces": ["shop"]});
    let objects = helm.template(&values).await;
    let rules = |name: &str| {
        let role: ClusterRole = serde_json::from_value(objects[name].clone()).unwrap();
        rights(&role.rules.unwrap())
    };
    let everywhere = rules("ClusterRole/responder-it-responder");
    let written: Vec<&String> = everywhere.iter().filter(|right| !is_read(right)).collect();
    assert!(
        !written.is_empty() && written.iter().all(|right| right.contains("nodes")),
        "{written:?}"
    );
    let there = rules("ClusterRole/responder-it-responder-writes");
    assert!(
        there.iter().all(|right| !is_read(right) && !right.contains("nodes")),
        "{there:?}"
    );
    let all = access(&every_action("Enforce"), "", Mode::Enforce);
    let both: BTreeSet<String> = there.iter().chain(written.iter().copied()).cloned().collect();
    assert_eq!(both, in_words(&all.writes));

    let binding = &objects["RoleBinding/responder-it-responder"];
    assert_eq!(binding["metadata"]["namespace"], "shop");
    assert_eq!(binding["roleRef"]["name"], "responder-it-responder-writes");
    let of_all = &objects["ClusterRoleBinding/responder-it-responder"];
    assert_eq!(of_all["roleRef"]["name"], "responder-it-responder");
}

#[tokio::test]
async fn egress_is_closed_but_for_dns_the_api_server_and_what_is_named() {
    let helm = Helm::alone().await;
    let open = helm.template(&values(json!({}))).await;
    assert_eq!(
        open["NetworkPolicy/it-responder"]["spec"]["policyTypes"],
        json!(["Ingress"])
    );
    let rule = json!({"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "nats"}}}], "ports": [{"port": 4222}]});
    let address = json!({"ipBlock": {"cidr": "10.0.0.1/32"}});
    let egress = json!({"enabled": true, "apiServer": {"ports": [6443], "to": [address]}, "rules": [rule]});
    let closed = helm
        .template(&values(json!({"networkPolicy": {"egress": egress}})))
        .await;
    let spec = &closed["NetworkPolicy/it-responder"]["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(
        spec["egress"][1],
        json!({"ports": [{"port": 6443, "protocol": "TCP"}], "to": [address]})
    );
    assert_eq!(spec["egress"][2], rule);
    assert_eq!(spec["egress"].as_array().unwrap().len(), 3);
    assert!(
        serde_json::from_value::<k8s_openapi::api::networking::v1::NetworkPolicy>(
            closed["NetworkPolicy/it-responder"].clone()
        )
        .is_ok()
    );
}

#[tokio::test]
async fn a_playbook_of_the_library_is_replaced_by_one_of_the_same_name() {
    let helm = Helm::alone().await;
    let mine = on_shell("Enforce", &["delete: {}"]);
    let objects = helm
        .template(&values(
            json!({"mode": "Enforce", "playbooks": {"terminal-shell.yaml": mine}}),
        ))
        .await;
    let files: ConfigMap = serde_json::from_value(objects["ConfigMap/it-responder-playbooks"].clone()).unwrap();
    let files = files.data.unwrap();
    assert_eq!(files.len(), 9, "{:?}", files.keys());
    assert_eq!(files["terminal-shell.yaml"].trim(), mine.trim());
}

/// Writes the files of the pod's mounts into a directory, and returns the container's arguments with paths in that
/// directory.
fn mounted(objects: &BTreeMap<String, Value>, directory: &Path) -> Vec<String> {
    let deployment: Deployment = serde_json::from_value(objects["Deployment/it-responder"].clone()).unwrap();
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    let volumes = pod.volumes.unwrap();
    let container = &pod.containers[0];
    let mounts = container.volume_mounts.as_ref().unwrap();
    let places: Vec<(String, String)> = mounts
        .iter()
        .map(|mount| {
            let place = directory.join(&mount.name).display().to_string();
            (mount.mount_path.clone(), place)
        })
        .collect();
    let moved = |text: &str, before: &str| {
        places.iter().fold(text.to_owned(), |text, (from, to)| {
            text.replace(&format!("{before}{from}"), &format!("{before}{to}"))
        })
    };
    for (mount, (_, place)) in mounts.iter().zip(&places) {
        let volume = volumes.iter().find(|volume| volume.name == mount.name).unwrap();
        fs::create_dir(place).unwrap();
        if let Some(source) = &volume.config_map {
            let files: ConfigMap =
                serde_json::from_value(objects[&format!("ConfigMap/{}", source.name)].clone()).unwrap();
            for (file, text) in files.data.unwrap_or_default() {
                fs::write(Path::new(place).join(file), moved(&text, ": ")).unwrap();
            }
        } else {
            let name = volume.secret.as_ref().unwrap().secret_name.as_ref().unwrap();
            let files: Secret = serde_json::from_value(objects[&format!("Secret/{name}")].clone()).unwrap();
            for (file, contents) in files.data.unwrap() {
                fs::write(Path::new(place).join(file), contents.0).unwrap();
            }
        }
    }
    let arguments = container.args.as_ref().unwrap().iter();
    arguments
        .map(|argument| {
            moved(argument, "=")
                .replace("0.0.0.0:2803", "127.0.0.1:0")
                .replace("0.0.0.0:2804", "127.0.0.1:0")
        })
        .collect()
}

#[tokio::test]
async fn the_program_runs_with_the_arguments_the_files_and_the_credentials_of_the_deployment() {
    let helm = Helm::alone().await;
    let objects = helm
        .template(&values(json!({"mode": "Rehearse", "guard": guard("mode: Enforce")})))
        .await;
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new(binary().unwrap())
        .args(mounted(&objects, directory.path()))
        .arg("--simulate")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/demo/cluster"))
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = KilledOnDrop(child);
    let mut said = String::new();
    let mut log = BufReader::new(child.0.stderr.take().unwrap());
    while !said.contains("listening on") {
        assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
    }
    assert!(said.contains("ceiling: Rehearse"), "{said}");
    let (_, address) = said.rsplit_once("http://").unwrap();
    let address: String = address
        .chars()
        .take_while(|c| *c == '.' || *c == ':' || c.is_ascii_digit())
        .collect();

    let secret: Secret = serde_json::from_value(objects["Secret/it-responder-senders"].clone()).unwrap();
    let secret = |key: &str| String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = || {
        client
            .post(format!("http://{address}/"))
            .json(&json!({"not": "an alert"}))
    };
    let anonymous = post().send().await.unwrap().status();
    let sidekick = post().bearer_auth(secret("token")).send().await.unwrap().status();
    let falco = post()
        .basic_auth("falco", Some(secret("password")))
        .send()
        .await
        .unwrap()
        .status();
    // A known sender learns what is wrong with its alert.
    assert_eq!((anonymous.as_u16(), sidekick.as_u16(), falco.as_u16()), (401, 400, 400));
}
