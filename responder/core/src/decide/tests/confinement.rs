//! Senders that may report on a part of the cluster only.

use super::*;
use crate::alert::Confinement;

fn confined(nodes: Option<&[&str]>, namespaces: Option<&[&str]>) -> World {
    let name = SenderName::new("falco").unwrap();
    let to = Confinement {
        nodes: nodes.map(|nodes| nodes.iter().map(|name| Name::new(name).unwrap()).collect()),
        namespaces: namespaces.map(|names| names.iter().map(|name| Namespace::new(name).unwrap()).collect()),
    };
    World {
        sender: Some(Sender::Certificate(name).confined(to)),
        ..World::new()
    }
}

#[rstest]
#[case::nothing(None, None, None)]
#[case::its_node(Some(&["worker-1"][..]), None, None)]
#[case::its_namespace(None, Some(&["shop", "web"][..]), None)]
#[case::another_node(Some(&["worker-2"][..]), None, Some(RefusalReason::OutsideSender))]
#[case::no_node(Some(&[][..]), None, Some(RefusalReason::OutsideSender))]
#[case::another_namespace(None, Some(&["shop"][..]), Some(RefusalReason::OutsideSender))]
#[case::one_of_both(Some(&["worker-1"][..]), Some(&["shop"][..]), Some(RefusalReason::OutsideSender))]
fn an_alert_about_a_pod_outside_of_its_senders_part_is_refused(
    #[case] nodes: Option<&[&str]>,
    #[case] namespaces: Option<&[&str]>,
    #[case] refusal: Option<RefusalReason>,
) {
    assert_eq!(confined(nodes, namespaces).refusal(&delete()), refusal);
    assert_eq!(confined(nodes, namespaces).refusal(&cordon()), refusal);
    let mut by_container = confined(nodes, namespaces);
    edit(
        &mut by_container.alert,
        "/output_fields",
        json!({"container.id": "aaaaaaaaaaaa"}),
    );
    assert_eq!(by_container.refusal(&delete()), refusal);
}

/// The alert's own word about its node counts for nothing: the live pod's node does.
#[test]
fn a_sender_can_not_widen_its_part_by_what_it_writes() {
    let mut world = confined(Some(&["worker-2"]), None);
    edit(&mut world.alert, "/hostname", json!("worker-2"));
    assert_eq!(world.refusal(&delete()), Some(RefusalReason::OutsideSender));
}

#[rstest]
#[case::its_node(Some(&["worker-1"][..]), None, None)]
#[case::another_node(Some(&["worker-2"][..]), None, Some(RefusalReason::OutsideSender))]
#[case::namespaces_have_no_hosts(None, Some(&["web"][..]), Some(RefusalReason::OutsideSender))]
fn an_alert_about_a_host_outside_of_its_senders_part_is_refused(
    #[case] nodes: Option<&[&str]>,
    #[case] namespaces: Option<&[&str]>,
    #[case] refusal: Option<RefusalReason>,
) {
    let mut world = confined(nodes, namespaces);
    edit(&mut world.alert, "/output_fields/container.id", json!("host"));
    world.pod = None;
    assert_eq!(world.refusal(&cordon()), refusal);
}
