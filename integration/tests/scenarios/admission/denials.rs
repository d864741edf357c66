//! Policies with which a quarantine denies: a stolen token creates and deletes those of its quarantines only.

use super::*;

/// The definitions of the kinds with which a quarantine denies, which the conformance suite has too.
const DENYING_KINDS: [&str; 2] = [
    include_str!("../../../../responder/cluster/src/conformance/definitions/ciliumnetworkpolicies.cilium.io.json"),
    include_str!(
        "../../../../responder/cluster/src/conformance/definitions/networkpolicies.crd.projectcalico.org.json"
    ),
];

#[tokio::test]
async fn a_stolen_token_denies_the_pods_of_its_quarantines_only() {
    let mut values = values_of("Enforce", &on_shell("Enforce", &["quarantine: {through: Auto}"]));
    values["guard"] =
        "apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {name: default}\nspec: {mode: Enforce}\n".into();
    let stolen = Stolen::with("admission-denials", &values).await;
    for text in DENYING_KINDS {
        let definition: CustomResourceDefinition = serde_json::from_str(text).unwrap();
        let all: Api<CustomResourceDefinition> = Api::all(stolen.shop.client.clone());
        match all.create(&PostParams::default(), &definition).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => panic!("{error}"),
        }
    }
    for kind in DenyingKind::ALL
        .into_iter()
        .filter(|kind| *kind != DenyingKind::CalicoV3)
    {
        a_denial_is_of_a_quarantine(&stolen, kind).await;
    }
}

fn denial(stolen: &Stolen, kind: DenyingKind) -> DenyingPolicy {
    let record = QuarantineRecord {
        pod: ObjectRef {
            at: Locator::pod(
                responder_core::object::Namespace::new(&stolen.shop.name).unwrap(),
                Name::new(&stolen.pod.name_any()).unwrap(),
            ),
            uid: Uid::new(&stolen.pod.uid().unwrap()).unwrap(),
        },
        incident: "abcdefghij".to_owned(),
        playbook: "p".to_owned(),
        owner: None,
        expires_at: None,
        on_expiry: OnExpiry::Hold,
        detached: BTreeMap::new(),
        denied_by: Some(kind),
    };
    DenyingPolicy::of(&record, kind.has_exceptions()).unwrap()
}

async fn a_denial_is_of_a_quarantine(stolen: &Stolen, kind: DenyingKind) {
    let policy = denial(stolen, kind);
    let ours = policy.manifest();
    let policies = stolen.group(&kind.kind().api_version(), kind.kind().plural());
    eventually(
        "the kind is served, and a policy of a quarantine may be created",
        async || {
            let answer = stolen.send(&Method::POST, &policies, ours, true).await;
            answer.is_ok().then_some(())
        },
    )
    .await;
    let opening: &[(&str, Value)] = match kind {
        DenyingKind::Cilium => &[
            ("endpointSelector", json!({})),
            (
                "endpointSelector",
                json!({"matchLabels": {"responder.dev/quarantine": "another"}}),
            ),
            ("egress", json!([{"toEntities": ["all"]}])),
        ],
        DenyingKind::Calico | DenyingKind::CalicoV3 => &[
            ("selector", json!("all()")),
            ("serviceAccountSelector", json!("all()")),
            ("ingress", json!([{"action": "Allow"}])),
            ("egress", json!([{"action": "Pass"}])),
            (
                "egress",
                json!([{"action": "Allow", "protocol": "TCP", "destination": {"selector": "k8s-app == 'kube-dns'", "ports": [443]}}]),
            ),
        ],
    };
    let (creates, deletes) = (
        "create policies of quarantines only",
        "delete policies of quarantines only",
    );
    for (field, value) in opening {
        let mut open = ours.clone();
        open["spec"][field] = value.clone();
        stolen.refused(Method::POST, &policies, open, creates).await;
    }
    let mut unlabelled = ours.clone();
    unlabelled["metadata"]["labels"] = json!({});
    stolen.refused(Method::POST, &policies, unlabelled, creates).await;
    let mut of_the_tenant = ours.clone();
    of_the_tenant["metadata"]["name"] = json!("of-the-tenant");
    stolen
        .refused(Method::POST, &policies, of_the_tenant.clone(), creates)
        .await;

    let (group, version) = (kind.kind().group(), kind.kind().version());
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind.kind().as_str()));
    let all: Api<DynamicObject> = Api::namespaced_with(stolen.shop.client.clone(), &stolen.shop.name, &resource);
    for object in [&of_the_tenant, ours] {
        let object = serde_json::from_value(object.clone()).unwrap();
        all.create(&PostParams::default(), &object).await.unwrap();
    }
    let at = format!("{policies}/of-the-tenant");
    stolen.refused(Method::DELETE, &at, json!({}), deletes).await;
    let at = format!("{policies}/{}", policy.at().name());
    stolen
        .refused(
            Method::PATCH,
            &at,
            json!({"metadata": {"labels": {"a": "b"}}}),
            "no action of responder does UPDATE",
        )
        .await;
    stolen.allowed(Method::DELETE, &at, json!({})).await;
}
