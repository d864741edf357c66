//! What a scenario plays on: a namespace and a node of its own, and a responder under a user of its own who may do what
//! its playbooks need and nothing else.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use integration::{
    control_plane::{AuditEvent, ControlPlane, shared},
    fixtures::{Labelled as _, PlacedOn as _, create, namespace, node, pod, wait_ready},
    responder::{Responder, ResponderOptions, alert},
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
        core::v1::{Namespace, Node, Pod},
        rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    discovery::{Discovery, Scope, verbs},
};
use responder_core::{
    document::SourceFile, guard::Guard, mode::Mode, node::takes_pods, playbook::load, rbac::RbacAccess,
};
use serde_json::{Value, json};

/// For what the cluster does by itself: controllers, kwok, informers of the API server.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Stage<'a> {
    pub(crate) control_plane: &'a ControlPlane,
    pub(crate) client: Client,
    /// Of the namespace and of the node.
    pub(crate) name: String,
    pub(crate) user: String,
}

impl Stage<'static> {
    /// On the control plane that all scenarios share.
    pub(crate) async fn new(name: &str) -> Self {
        Stage::on(shared().await, name).await
    }
}

impl<'a> Stage<'a> {
    pub(crate) async fn on(control_plane: &'a ControlPlane, name: &str) -> Self {
        let client = control_plane.client();
        keep_one_schedulable(&client).await;
        create(&client, &node(name)).await.unwrap();
        create(&client, &namespace(name, &[])).await.unwrap();
        let user = format!("responder-{name}");
        Self {
            control_plane,
            client,
            name: name.to_owned(),
            user,
        }
    }

    /// A running pod, labelled `app=<name>`.
    pub(crate) async fn running(&self, name: &str) -> Pod {
        let pod = self.pod(name);
        wait_ready(&self.client, &create(&self.client, &pod).await.unwrap())
            .await
            .unwrap()
    }

    /// The pod as it is created.
    pub(crate) fn pod(&self, name: &str) -> Pod {
        pod(&self.name, name).on_node(&self.name).labelled(&[("app", name)])
    }

    /// Many running pods, `<name>-0` and so on.
    pub(crate) async fn running_many(&self, name: &str, count: usize) -> Vec<Pod> {
        let names: Vec<String> = (0..count).map(|number| format!("{name}-{number}")).collect();
        join_all(names.iter().map(|name| self.running(name))).await
    }

    /// Takes the pod away as its controller or a person would, and makes another of its name.
    pub(crate) async fn replace(&self, pod: &Pod) -> Pod {
        self.remove(pod).await;
        self.running(&pod.name_any()).await
    }

    pub(crate) async fn remove(&self, pod: &Pod) {
        let params = DeleteParams::default().grace_period(0);
        self.pods().delete(&pod.name_any(), &params).await.unwrap();
        integration::fixtures::wait_gone(&self.client, pod).await.unwrap();
    }

    /// Takes the Pod Security level away, where the namespace has one, and waits until admission knows: it learns of
    /// namespaces by a watch.
    pub(crate) async fn allow_any_pod(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let level = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": null}}});
        let params = PatchParams::default();
        namespaces
            .patch(&self.name, &params, &Patch::Merge(level))
            .await
            .unwrap();
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        eventually("any pod is taken", async || {
            self.pods().create(&dry, &self.pod("any")).await.ok()
        })
        .await;
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    pub(crate) async fn get(&self, pod: &Pod) -> Option<Pod> {
        let found = self.pods().get_opt(&pod.name_any()).await.unwrap();
        found.filter(|found| found.uid() == pod.uid())
    }

    /// The pod as it is, of which the test says that nobody may have taken it away.
    pub(crate) async fn still_there(&self, pod: &Pod) -> Pod {
        if let Some(found) = self.get(pod).await {
            return found;
        }
        let mut events = self.control_plane.audit().unwrap();
        events.retain(|event| event.namespace == self.name && event.name == pod.name_any() && event.is_write());
        let told: Vec<_> = events
            .iter()
            .map(|event| {
                let AuditEvent {
                    received,
                    user,
                    verb,
                    subresource,
                    code,
                    ..
                } = event;
                format!("{received} {user}: {verb} {subresource} -> {code}")
            })
            .collect();
        panic!("{} ({:?}) is gone: {told:#?}", pod.name_any(), pod.uid())
    }

    /// ResponderOptions for a responder with these playbooks that may do what they need: its rights come from the same list of
    /// actions as those of the chart.
    pub(crate) async fn options(&self, playbooks: &str) -> ResponderOptions {
        self.allow(playbooks).await;
        let kubeconfig = self.control_plane.kubeconfig_for(&self.user, &[]).unwrap();
        ResponderOptions {
            playbooks: playbooks.to_owned(),
            kubeconfig: Some(kubeconfig),
            mode: Some("Enforce"),
            ..ResponderOptions::default()
        }
    }

    /// A responder with these playbooks that is ready to act.
    pub(crate) async fn responder(&self, playbooks: &str) -> Responder {
        start(&self.options(playbooks).await).await
    }

    async fn allow(&self, playbooks: &str) {
        let rules = rules(playbooks);
        let metadata = ObjectMeta {
            name: Some(self.user.clone()),
            ..ObjectMeta::default()
        };
        let role = ClusterRole {
            metadata: metadata.clone(),
            rules: Some(rules.clone()),
            ..ClusterRole::default()
        };
        let group = "rbac.authorization.k8s.io".to_owned();
        let binding = ClusterRoleBinding {
            metadata,
            role_ref: RoleRef {
                api_group: group.clone(),
                kind: "ClusterRole".to_owned(),
                name: self.user.clone(),
            },
            subjects: Some(vec![Subject {
                api_group: Some(group),
                kind: "User".to_owned(),
                name: self.user.clone(),
                namespace: None,
            }]),
        };
        create(&self.client, &role).await.unwrap();
        create(&self.client, &binding).await.unwrap();
        // The authorizer learns of it by a watch.
        let last = rules.last().unwrap();
        let (resource, subresource) = last.resources.as_ref().unwrap()[0]
            .split_once('/')
            .unwrap_or((&last.resources.as_ref().unwrap()[0], ""));
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(self.user.clone()),
                resource_attributes: Some(ResourceAttributes {
                    group: last.api_groups.as_ref().map(|groups| groups[0].clone()),
                    resource: Some(resource.to_owned()),
                    subresource: Some(subresource.to_owned()),
                    verb: Some(last.verbs[0].clone()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        eventually("the authorizer knows the role", async || {
            let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
            answer.status.is_some_and(|status| status.allowed).then_some(())
        })
        .await;
    }

    /// What the responder has asked of the API server, in order.
    pub(crate) fn asked(&self) -> Vec<AuditEvent> {
        let mut events = self.control_plane.audit().unwrap();
        events.retain(|event| event.user == self.user);
        events
    }

    /// Of these, what could have changed something, dry runs and refused requests included.
    pub(crate) fn writes(&self) -> Vec<AuditEvent> {
        let mut events = self.asked();
        events.retain(AuditEvent::is_write);
        events
    }

    /// Of these, what did change something.
    pub(crate) fn mutations(&self) -> Vec<AuditEvent> {
        let mut events = self.asked();
        events.retain(AuditEvent::is_mutation);
        events
    }

    /// Every object of the namespace but Events, and the node, whole, once nothing has changed between two looks. Of the node without
    /// its status, which the kubelet's heartbeat changes.
    pub(crate) async fn objects(&self) -> BTreeMap<String, Value> {
        let discovery = Discovery::new(self.client.clone()).run_aggregated().await.unwrap();
        let mut before = self.look(&discovery).await;
        eventually("the namespace to be at rest", async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.look(&discovery).await;
            let is_at_rest = now == before;
            before = now;
            is_at_rest.then_some(())
        })
        .await;
        before
    }

    async fn look(&self, discovery: &Discovery) -> BTreeMap<String, Value> {
        let resources = discovery
            .groups()
            .flat_map(kube::discovery::ApiGroup::recommended_resources);
        let listed = resources
            // Events are what others say of objects, whenever they come to it: the API server itself writes one when it
            // repairs the cluster IP of a Service that has just been made.
            .filter(|(resource, capabilities)| {
                resource.plural != "events"
                    && capabilities.scope == Scope::Namespaced
                    && capabilities.supports_operation(verbs::LIST)
            })
            .map(|(resource, _)| async move {
                let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.name, &resource);
                let found = api.list(&ListParams::default()).await.unwrap();
                found
                    .items
                    .into_iter()
                    .map(move |object| (format!("{}/{}", resource.plural, object.name_any()), json!(object)))
            });
        let mut objects: BTreeMap<String, Value> = join_all(listed).await.into_iter().flatten().collect();
        let mut node = self.node().await;
        node.status = None;
        node.metadata.resource_version = None;
        node.metadata.managed_fields = None;
        objects.insert(format!("nodes/{}", self.name), json!(node));
        objects
    }

    pub(crate) async fn node(&self) -> Node {
        Api::all(self.client.clone()).get(&self.name).await.unwrap()
    }
}

/// A node that nobody touches: the last schedulable one is never cordoned, and a scenario may be alone here.
async fn keep_one_schedulable(client: &Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    match nodes.create(&PostParams::default(), &node("spare")).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
        Err(error) => panic!("{error}"),
    }
    eventually("the spare node is ready", async || {
        let node = nodes.get("spare").await.unwrap();
        takes_pods(&node).then_some(())
    })
    .await;
}

/// Starts a responder and waits until it is ready to act.
pub(crate) async fn start(options: &ResponderOptions) -> Responder {
    let mut responder = Responder::start(options).await.unwrap();
    responder.wait_until_ready().await.unwrap();
    responder
}

/// What these playbooks take, by the same list that the chart's roles are made of.
fn rules(playbooks: &str) -> Vec<PolicyRule> {
    let source = SourceFile {
        file: "playbooks.yaml".into(),
        text: playbooks.to_owned(),
    };
    let loaded = load(&[source], Timestamp::now()).unwrap_or_else(|found| panic!("{}", found.render(false)));
    let guard = loaded.guard.unwrap_or_else(|| Arc::new(Guard::built_in()));
    RbacAccess::of(&loaded.playbooks, &guard, Mode::Enforce).rules()
}

/// A playbook that answers "Terminal shell in container" on its pod.
pub(crate) fn on_shell(mode: &str, steps: &[&str]) -> String {
    playbook(
        "shell",
        &format!("mode: {mode}\n  match: {{rules: [Terminal shell in container]}}"),
        steps,
    )
}

/// A playbook of this name; `spec` is indented by two.
pub(crate) fn playbook(name: &str, spec: &str, steps: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("    - {step}")).collect();
    let steps = steps.join("\n");
    format!(
        "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n  steps:\n{steps}\n---\n"
    )
}

/// A guard; `spec` is indented by two.
pub(crate) fn guard(spec: &str) -> String {
    format!("apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {{name: default}}\nspec:\n  {spec}\n---\n")
}

/// Posts a shell in each of these pods, all at once.
pub(crate) async fn post_shells(responder: &Responder, pods: &[Pod]) {
    let alerts: Vec<Value> = pods.iter().map(|pod| alert::shell_in(pod).unwrap()).collect();
    post(responder, &alerts).await;
}

/// Posts these alerts, all at once, and sees that each is accepted.
pub(crate) async fn post(responder: &Responder, alerts: &[Value]) {
    let answers = join_all(
        alerts
            .iter()
            .map(|alert| async { responder.post(alert).await.unwrap() }),
    )
    .await;
    let outcomes: Vec<_> = answers
        .iter()
        .map(integration::responder::PostAnswer::outcome)
        .collect();
    assert!(outcomes.iter().all(|outcome| outcome == "accepted"), "{answers:?}");
}

/// Asks again until there is an answer, within a deadline.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asked)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

pub(crate) fn uid(pod: &Pod) -> String {
    pod.uid().unwrap()
}

/// A request in a few words, such as `patch pods web-0 (dry run)`.
pub(crate) fn in_words(event: &AuditEvent) -> String {
    let resource = match event.subresource.as_str() {
        "" => event.resource.clone(),
        subresource => format!("{}/{subresource}", event.resource),
    };
    let dry = if event.is_dry_run() { " (dry run)" } else { "" };
    format!("{} {resource}{dry}", event.verb)
}
