//! The setting of a scenario: its own namespace, node, and responder, whose user has only the rights that its playbooks
//! need.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use integration::{
    control_plane::{AuditEvent, ControlPlane, shared},
    fixtures::{ObjectExt as _, PodExt as _, create, namespace, node, pod, pod_disruption_budget, wait_ready},
    responder::{Accounts, HttpReply, Responder, ResponderOptions, alert},
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
        core::v1::{Namespace, Node, Pod},
        policy::v1::PodDisruptionBudget,
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

/// Deadline for the cluster's own work: controllers, kwok and informers of the API server.
const DEADLINE: Duration = Duration::from_secs(30);

/// The namespace and the node of one test, and the user of its responder.
pub(crate) struct Scenario<'a> {
    pub(crate) control_plane: &'a ControlPlane,
    pub(crate) client: Client,
    /// The name of the namespace and of the node.
    pub(crate) name: String,
    pub(crate) user: String,
}

impl Scenario<'static> {
    /// Uses the control plane that all scenarios share.
    pub(crate) async fn new(name: &str) -> Self {
        Scenario::on(shared().await, name).await
    }
}

impl<'a> Scenario<'a> {
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

    /// Creates a pod labelled `app=<name>` and waits until it is ready.
    pub(crate) async fn running(&self, name: &str) -> Pod {
        let pod = self.pod(name);
        wait_ready(&self.client, &create(&self.client, &pod).await.unwrap())
            .await
            .unwrap()
    }

    /// The manifest of a pod labelled `app=<name>`.
    pub(crate) fn pod(&self, name: &str) -> Pod {
        pod(&self.name, name).on_node(&self.name).labelled(&[("app", name)])
    }

    /// Creates the pods `<name>-0`, `<name>-1`, … and waits until they are ready.
    pub(crate) async fn running_many(&self, name: &str, count: usize) -> Vec<Pod> {
        let names: Vec<String> = (0..count).map(|number| format!("{name}-{number}")).collect();
        join_all(names.iter().map(|name| self.running(name))).await
    }

    /// Deletes a pod, as its controller or a person would, and creates another with its name.
    pub(crate) async fn replace(&self, pod: &Pod) -> Pod {
        self.remove(pod).await;
        self.running(&pod.name_any()).await
    }

    pub(crate) async fn remove(&self, pod: &Pod) {
        let params = DeleteParams::default().grace_period(0);
        self.pods().delete(&pod.name_any(), &params).await.unwrap();
        integration::fixtures::wait_gone(&self.client, pod).await.unwrap();
    }

    /// Removes the namespace's Pod Security level and waits until admission knows: it learns of namespaces through a
    /// watch.
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

    /// Creates a budget that blocks every eviction of the single pod labelled `app=<app>`, and waits until the
    /// disruption controller has counted it.
    pub(crate) async fn block_evictions(&self, budget: &str, app: &str) {
        let object = pod_disruption_budget(&self.name, budget, &[("app", app)], 1);
        create(&self.client, &object).await.unwrap();
        let budgets: Api<PodDisruptionBudget> = Api::namespaced(self.client.clone(), &self.name);
        eventually("the disruption controller has counted the budget", async || {
            let status = budgets.get(budget).await.unwrap().status.unwrap_or_default();
            (status.observed_generation.is_some() && status.current_healthy > 0).then_some(())
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

    /// The current state of a pod that must not have been deleted. Panics with the writes to it.
    pub(crate) async fn still_there(&self, pod: &Pod) -> Pod {
        if let Some(found) = self.get(pod).await {
            return found;
        }
        let mut events = self.control_plane.audit().unwrap();
        events.retain(|event| event.namespace == self.name && event.name == pod.name_any() && event.is_write());
        let writes: Vec<_> = events
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
        panic!("{} ({:?}) is gone: {writes:#?}", pod.name_any(), pod.uid())
    }

    /// Options of a responder with these playbooks and a user with the rights that they need. The rights come from the
    /// same list of actions as the chart's.
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

    /// Starts a responder with these playbooks and waits until it is ready to act.
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
        // The authorizer learns of the role through a watch.
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

    /// The requests of the responder to the API server, in order.
    pub(crate) fn requests(&self) -> Vec<AuditEvent> {
        let mut events = self.control_plane.audit().unwrap();
        events.retain(|event| event.user == self.user);
        events
    }

    /// The writing ones of these requests, dry runs and refused requests included.
    pub(crate) fn writes(&self) -> Vec<AuditEvent> {
        let mut events = self.requests();
        events.retain(AuditEvent::is_write);
        events
    }

    /// The requests that changed an object.
    pub(crate) fn mutations(&self) -> Vec<AuditEvent> {
        let mut events = self.requests();
        events.retain(AuditEvent::is_mutation);
        events
    }

    /// All objects of the namespace except Events, and the node, as soon as two reads agree. The node comes without its
    /// status, which heartbeats change.
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
            // Other components write Events at any time. The API server itself writes one when it repairs the cluster
            // IP of a new Service.
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

/// Creates a node that no test changes: the last schedulable node is never cordoned, and a scenario may run alone.
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

/// The rules that these playbooks need, from the same list as the chart's roles.
fn rules(playbooks: &str) -> Vec<PolicyRule> {
    let source = SourceFile {
        file: "playbooks.yaml".into(),
        text: playbooks.to_owned(),
    };
    let loaded = load(&[source], Timestamp::now()).unwrap_or_else(|found| panic!("{}", found.render(false)));
    let guard = loaded.guard.unwrap_or_else(|| Arc::new(Guard::built_in()));
    RbacAccess::of(&loaded.playbooks, &guard, Mode::Enforce).rules()
}

/// Posts an alert about a shell in each of these pods, all at once.
pub(crate) async fn post_shells(responder: &Responder, pods: &[Pod]) {
    let alerts: Vec<Value> = pods.iter().map(|pod| alert::shell_in(pod).unwrap()).collect();
    post(responder, &alerts).await;
}

/// Posts these alerts, all at once, and expects that each is accepted.
pub(crate) async fn post(responder: &Responder, alerts: &[Value]) {
    let answers = join_all(
        alerts
            .iter()
            .map(|alert| async { responder.post(alert).await.unwrap() }),
    )
    .await;
    let outcomes: Vec<_> = answers.iter().map(HttpReply::outcome).collect();
    assert!(outcomes.iter().all(|outcome| outcome == "accepted"), "{answers:?}");
}

/// Waits until the responder has taken `decisions` decisions and is at rest, and compares the outcomes of its responses.
pub(crate) async fn expect_responses(responder: &mut Responder, decisions: u64, expected: &[(&str, u64)]) -> Accounts {
    let accounts = responder.wait_until_at_rest(decisions).await.unwrap();
    assert_eq!(accounts.responses, counts(expected), "{:#?}", responder.trail());
    accounts
}

/// Waits until the responder has taken `decisions` decisions and is at rest, and compares the reasons of its refusals.
pub(crate) async fn expect_refusals(responder: &mut Responder, decisions: u64, expected: &[(&str, u64)]) -> Accounts {
    let accounts = responder.wait_until_at_rest(decisions).await.unwrap();
    assert_eq!(accounts.refused, counts(expected), "{:#?}", responder.trail());
    accounts
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
}

/// Repeats a question until it has an answer, and panics after 30 s.
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
        .unwrap_or_else(|_| panic!("timed out waiting until: {what}"))
}

pub(crate) fn uid(pod: &Pod) -> String {
    pod.uid().unwrap()
}

/// A request in a few words, such as `patch pods (dry run)`.
pub(crate) fn in_words(event: &AuditEvent) -> String {
    let resource = match event.subresource.as_str() {
        "" => event.resource.clone(),
        subresource => format!("{}/{subresource}", event.resource),
    };
    let dry = if event.is_dry_run() { " (dry run)" } else { "" };
    format!("{} {resource}{dry}", event.verb)
}
