//! The chart, installed by helm on a real API server in a namespace that enforces Pod Security `restricted`. Without a
//! scheduler the Deployment's pod stays pending; `token.rs` runs the program itself with the chart's rights.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use integration::{assets, responder::playbooks::on_shell};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod, Secret},
    rbac::v1::{ClusterRole, PolicyRule},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    discovery::{Discovery, Scope, verbs},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scenario::{Scenario, eventually};

/// Deadline of a helm operation. Without hooks and `--wait` it takes seconds, even during a build.
const DEADLINE: Duration = Duration::from_mins(2);

/// The result of a finished program.
#[derive(Debug)]
pub(crate) struct ProgramOutput {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl ProgramOutput {
    /// The standard output; panics if the program failed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.success, "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// helm with its own home directory.
pub(crate) struct Helm {
    program: PathBuf,
    pub(crate) home: TempDir,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    async fn new(kubeconfig: Option<&Path>) -> Self {
        Self {
            program: program().await,
            home: tempfile::Builder::new().prefix("helm-").tempdir().unwrap(),
            kubeconfig: kubeconfig.map(Path::to_owned),
        }
    }

    /// helm without a cluster: it can render, package and push.
    pub(crate) async fn alone() -> Self {
        Self::new(None).await
    }

    pub(crate) async fn run<S: AsRef<str>>(&self, arguments: &[S]) -> ProgramOutput {
        let mut command = Command::new(&self.program);
        command
            .args(arguments.iter().map(AsRef::as_ref))
            .current_dir(self.home.path())
            // The developer's repositories, plugins and clusters must not reach helm.
            .env_clear()
            .env("HOME", self.home.path())
            .stdin(Stdio::null());
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        run(command).await
    }

    /// Writes a file into the home directory and returns its path.
    pub(crate) fn write(&self, name: &str, contents: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, contents).unwrap();
        path.display().to_string()
    }

    /// The rendered objects of the chart with these values, by kind and name.
    pub(crate) async fn template(&self, values: &Value) -> BTreeMap<String, Value> {
        let values = self.write("values.json", &values.to_string());
        let rendered = self
            .run(&[
                "template",
                "it",
                &chart(),
                "--namespace",
                "responder",
                "--values",
                &values,
            ])
            .await
            .ok();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
        let named = |object: Value| {
            let (kind, name) = (object["kind"].as_str(), object["metadata"]["name"].as_str());
            let (Some(kind), Some(name)) = (kind, name) else {
                panic!("{object:#} is not an object, in\n{rendered}")
            };
            (format!("{kind}/{name}"), object)
        };
        objects
            .into_iter()
            .filter(|object| !object.is_null())
            .map(named)
            .collect()
    }
}

/// Finds or builds helm in the cache.
async fn program() -> PathBuf {
    tokio::task::spawn_blocking(assets::helm).await.unwrap().unwrap()
}

pub(crate) async fn run(mut command: Command) -> ProgramOutput {
    let ended = tokio::task::spawn_blocking(move || command.output());
    let output = tokio::time::timeout(DEADLINE, ended).await.unwrap().unwrap().unwrap();
    ProgramOutput {
        success: output.status.success(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn chart() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../charts/responder")
        .display()
        .to_string()
}

/// Values with an image, for which the chart has no default.
pub(crate) fn values(more: Value) -> Value {
    let mut values = json!({"image": {"repository": "registry.example/responder"}});
    let Value::Object(more) = more else {
        panic!("values are a map")
    };
    values.as_object_mut().unwrap().extend(more);
    values
}

/// Values with a single file of playbooks and nothing from the library.
pub(crate) fn values_of(mode: &str, playbooks: &str) -> Value {
    values(json!({"mode": mode, "library": [], "playbooks": {"it.yaml": playbooks}}))
}

/// A release named `responder` in its own namespace.
pub(crate) struct Release<'a> {
    pub(crate) scenario: Scenario<'a>,
    pub(crate) helm: Helm,
}

impl Release<'static> {
    pub(crate) async fn new(name: &str) -> Self {
        let mut scenario = Scenario::new(name).await;
        scenario.user = format!("system:serviceaccount:{name}:responder");
        let helm = Helm::new(Some(scenario.control_plane.kubeconfig())).await;
        let namespaces: Api<Namespace> = Api::all(scenario.client.clone());
        let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        namespaces
            .patch(name, &PatchParams::default(), &Patch::Merge(label))
            .await
            .unwrap();
        Self { scenario, helm }
    }
}

impl Release<'_> {
    /// Runs `install` or `upgrade` with these values.
    pub(crate) async fn apply(&self, verb: &str, values: &Value) -> ProgramOutput {
        let values = self.helm.write("values.json", &values.to_string());
        self.helm
            .run(&[
                verb,
                "responder",
                &chart(),
                "--namespace",
                &self.scenario.name,
                "--values",
                &values,
            ])
            .await
    }

    async fn deployment(&self) -> Deployment {
        let deployments: Api<Deployment> = Api::namespaced(self.scenario.client.clone(), &self.scenario.name);
        deployments.get("responder").await.unwrap()
    }

    async fn arguments(&self) -> Vec<String> {
        let template = self.deployment().await.spec.unwrap().template;
        template.spec.unwrap().containers[0].args.clone().unwrap()
    }

    /// The writing rights of the release's role.
    async fn writes(&self) -> BTreeSet<String> {
        let roles: Api<ClusterRole> = Api::all(self.scenario.client.clone());
        let role = roles.get(&format!("{}-responder", self.scenario.name)).await.unwrap();
        rights(&role.rules.unwrap())
            .into_iter()
            .filter(|right| !is_read(right))
            .collect()
    }

    async fn token(&self) -> String {
        let secrets: Api<Secret> = Api::namespaced(self.scenario.client.clone(), &self.scenario.name);
        let data = secrets.get("responder-senders").await.unwrap().data.unwrap();
        String::from_utf8(data["token"].0.clone()).unwrap()
    }

    /// All objects of the namespace, and cluster-scoped objects with its name in theirs. Events are left out, because
    /// they stay for an hour, and so is `kube-root-ca.crt`, which every namespace receives eventually.
    async fn objects(&self) -> BTreeSet<String> {
        let (client, namespace) = (&self.scenario.client, &self.scenario.name);
        let discovery = Discovery::new(client.clone()).run_aggregated().await.unwrap();
        let listed = discovery
            .groups()
            .flat_map(kube::discovery::ApiGroup::recommended_resources)
            .filter(|(resource, capabilities)| {
                capabilities.supports_operation(verbs::LIST) && resource.plural != "events"
            })
            .map(|(resource, capabilities)| async move {
                let api: Api<DynamicObject> = match capabilities.scope {
                    Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
                    Scope::Cluster => Api::all_with(client.clone(), &resource),
                };
                let found = api.list(&ListParams::default()).await.unwrap();
                let ours = move |object: &DynamicObject| {
                    object.metadata.namespace.is_some() || object.name_any().contains(namespace.as_str())
                };
                let name = move |object: DynamicObject| format!("{}/{}", resource.plural, object.name_any());
                found.items.into_iter().filter(ours).map(name).collect::<Vec<_>>()
            });
        let mut objects: BTreeSet<String> = join_all(listed).await.into_iter().flatten().collect();
        objects.remove("configmaps/kube-root-ca.crt");
        objects
    }
}

pub(crate) fn is_read(right: &str) -> bool {
    right.starts_with("get ") || right.starts_with("list ")
}

/// The single rights of rules, such as `create pods/eviction` and `patch apps/deployments`.
pub(crate) fn rights(rules: &[PolicyRule]) -> BTreeSet<String> {
    let mut rights = BTreeSet::new();
    for rule in rules {
        for group in rule.api_groups.as_ref().unwrap() {
            for resource in rule.resources.as_ref().unwrap() {
                let slash = if group.is_empty() { "" } else { "/" };
                rights.extend(rule.verbs.iter().map(|verb| format!("{verb} {group}{slash}{resource}")));
            }
        }
    }
    rights
}

pub(crate) fn strings(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

#[tokio::test]
async fn a_release_is_installed_upgraded_rolled_back_and_uninstalled_without_leftovers() {
    let release = Release::new("helm-release").await;
    let namespace = release.scenario.name.clone();
    let before = release.objects().await;

    // As a newcomer: only the image is set.
    let notes = release.apply("install", &values(json!({}))).await.ok();
    assert!(
        notes.contains("It decides and reports, and its role can change nothing."),
        "{notes}"
    );
    assert!(
        notes.contains(&format!("url: http://falco:$PASSWORD@responder.{namespace}.svc:2803/")),
        "{notes}"
    );
    assert!(release.arguments().await.contains(&"--mode=Observe".to_owned()));
    assert_eq!(release.writes().await, strings(&[]));
    let (token, first) = (release.token().await, release.deployment().await);
    assert_eq!(token.len(), 48);
    // The pod exists, so admission accepted it.
    eventually("the Deployment's pod", async || {
        let pods = release.scenario.pods().list(&ListParams::default()).await.unwrap();
        (pods.items.len() == 1).then_some(())
    })
    .await;

    let playbook = on_shell("Enforce", &["delete: {}"]);
    release.apply("upgrade", &values_of("Enforce", &playbook)).await.ok();
    assert!(release.arguments().await.contains(&"--mode=Enforce".to_owned()));
    assert_eq!(release.writes().await, strings(&["delete pods"]));
    assert_eq!(release.token().await, token, "the token that senders know stays");
    let checksum = |deployment: &Deployment| {
        let template = deployment.spec.as_ref().unwrap().template.metadata.as_ref().unwrap();
        template.annotations.as_ref().unwrap()["checksum/config"].clone()
    };
    assert_ne!(
        checksum(&release.deployment().await),
        checksum(&first),
        "other playbooks make new pods"
    );

    release
        .helm
        .run(&["rollback", "responder", "1", "--namespace", &namespace])
        .await
        .ok();
    assert!(release.arguments().await.contains(&"--mode=Observe".to_owned()));
    assert_eq!(release.writes().await, strings(&[]), "the role is rolled back too");
    assert_eq!(release.token().await, token);
    assert_eq!(checksum(&release.deployment().await), checksum(&first));

    release
        .helm
        .run(&["uninstall", "responder", "--namespace", &namespace])
        .await
        .ok();
    eventually("everything is gone", async || {
        (release.objects().await == before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn pod_security_restricted_takes_the_pod_and_would_refuse_a_laxer_one() {
    let release = Release::new("helm-restricted").await;
    release.apply("install", &values(json!({}))).await.ok();
    let spec = release.deployment().await.spec.unwrap().template.spec.unwrap();
    let pod = Pod {
        metadata: kube::core::ObjectMeta {
            name: Some("it".to_owned()),
            ..Default::default()
        },
        spec: Some(spec),
        status: None,
    };
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    release.scenario.pods().create(&dry, &pod).await.unwrap();

    let mut laxer = pod.clone();
    let container = &mut laxer.spec.as_mut().unwrap().containers[0];
    container.security_context.as_mut().unwrap().allow_privilege_escalation = Some(true);
    let refused = release
        .scenario
        .pods()
        .create(&dry, &laxer)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
}

/// A process that is killed when the test ends.
pub(crate) struct KilledOnDrop(pub(crate) Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts an OCI registry on a free port with plain HTTP. It ends when its standard input closes.
async fn start_registry() -> (KilledOnDrop, String) {
    let child = Command::new(program().await)
        .arg("serve-registry")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = KilledOnDrop(child);
    let mut address = String::new();
    BufReader::new(child.0.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    (child, address.trim().to_owned())
}

#[tokio::test]
async fn the_packaged_chart_is_pushed_to_a_registry_and_installed_from_it() {
    let release = Release::new("helm-registry").await;
    let helm = &release.helm;
    let (_registry, address) = start_registry().await;
    let repository = format!("oci://{address}/charts");

    helm.run(&["package", &chart()]).await.ok();
    helm.run(&["push", "responder-0.1.0.tgz", &repository, "--plain-http"])
        .await
        .ok();
    let values = helm.write("values.json", &values(json!({})).to_string());
    let installed = helm
        .run(&[
            "install",
            "responder",
            &format!("{repository}/responder"),
            "--version",
            "0.1.0",
            "--plain-http",
            "--namespace",
            &release.scenario.name,
            "--values",
            &values,
        ])
        .await
        .ok();
    assert!(installed.contains("responder runs in Observe"), "{installed}");
    let objects = release.objects().await;
    assert!(objects.contains("deployments/responder"), "{objects:?}");
}

/// A client and a kubeconfig with the token of the release's service account.
pub(crate) async fn as_service_account(release: &Release<'_>) -> (Client, PathBuf) {
    use k8s_openapi::api::authentication::v1::TokenRequest;
    use k8s_openapi::api::core::v1::ServiceAccount;

    let accounts: Api<ServiceAccount> = Api::namespaced(release.scenario.client.clone(), &release.scenario.name);
    let asked: TokenRequest =
        serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 3600}})).unwrap();
    let answered = accounts
        .create_token_request("responder", &PostParams::default(), &asked)
        .await
        .unwrap();
    let token = answered.status.unwrap().token;
    let kubeconfig = release
        .scenario
        .control_plane
        .kubeconfig_with_token(&release.scenario.user, &token)
        .unwrap();
    let config = kube::Config::from_custom_kubeconfig(
        kube::config::Kubeconfig::read_from(&kubeconfig).unwrap(),
        &kube::config::KubeConfigOptions::default(),
    )
    .await
    .unwrap();
    (Client::try_from(config).unwrap(), kubeconfig)
}
