//! A role that is bound in some namespaces only: the chart's `rbac.namespaces`.

use integration::responder::{ResponderOptions, playbooks::on_shell};
use serde_json::json;

use crate::{
    helm::{Release, as_service_account, values_of},
    scenario::{Scenario, expect_responses, post_shells, start},
};

/// The role is bound in the shop alone; alerts come from everywhere.
#[tokio::test]
async fn with_rbac_for_one_namespace_an_alert_of_another_fails_with_the_reason_and_changes_nothing() {
    let shop = Scenario::new("bound-shop").await;
    let elsewhere = Scenario::new("bound-elsewhere").await;
    let release = Release::new("bound").await;
    let playbooks = on_shell("Enforce", &["delete: {}"]);
    let mut values = values_of("Enforce", &playbooks);
    values["rbac"] = json!({"namespaces": ["bound-shop"]});
    release.apply("install", &values).await.ok();
    let (_, kubeconfig) = as_service_account(&release).await;
    let options = ResponderOptions {
        playbooks,
        kubeconfig: Some(kubeconfig),
        mode: Some("Enforce"),
        ..ResponderOptions::default()
    };
    let mut responder = start(&options).await;
    let inside = shop.running("web").await;
    let outside = elsewhere.running("web").await;

    post_shells(&responder, &[inside.clone(), outside.clone()]).await;

    expect_responses(&mut responder, 2, &[("Done", 1), ("Failed", 1)]).await;
    assert!(shop.get(&inside).await.is_none());
    assert!(elsewhere.get(&outside).await.is_some());
    let log = responder.log();
    assert!(log.contains("forbidden") && log.contains("bound-elsewhere"), "{log}");
}
