//! Matches label selectors against the labels of stored objects.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::object::label;

/// Whether the selector matches the object. An empty selector matches everything, as in the API.
pub(super) fn selects(selector: &LabelSelector, object: &Value) -> bool {
    let exactly = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| label(object, key) == Some(value));
    exactly
        && selector.match_expressions.iter().flatten().all(|requirement| {
            let value = label(object, &requirement.key);
            let values = requirement.values.as_deref().unwrap_or_default();
            let among = || value.is_some_and(|value| values.iter().any(|one| one == value));
            match requirement.operator.as_str() {
                "In" => among(),
                "NotIn" => !among(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                // The API server refuses every other operator.
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn selector(value: Value) -> LabelSelector {
        serde_json::from_value(value).unwrap()
    }

    #[rstest]
    #[case(json!({}), true)]
    #[case(json!({"matchLabels": {"app": "web"}}), true)]
    #[case(json!({"matchLabels": {"app": "web", "tier": "back"}}), false)]
    #[case(json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "web"]}]}), true)]
    #[case(json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}), false)]
    #[case(json!({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["web"]}]}), true)]
    #[case(json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}), true)]
    #[case(json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}), false)]
    #[case(json!({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["w"]}]}), false)]
    fn a_selector_selects_as_the_api_server_does(#[case] written: Value, #[case] selected: bool) {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        assert_eq!(selects(&selector(written), &object), selected);
    }

    fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
        prop::collection::btree_map("[ab]", "[xy]", 0..3)
    }

    fn requirement(operator: &str, key: &str, values: &[String]) -> LabelSelector {
        LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: key.to_owned(),
                operator: operator.to_owned(),
                values: Some(values.to_vec()),
            }]),
            match_labels: None,
        }
    }

    proptest! {
        #[test]
        fn an_object_is_selected_by_its_own_labels(labels in labels()) {
            let object = json!({"metadata": {"labels": labels}});
            let selector = LabelSelector { match_labels: Some(labels), match_expressions: None };
            prop_assert!(selects(&selector, &object));
        }

        #[test]
        fn an_operator_and_its_opposite_never_agree(
            labels in labels(),
            key in "[abc]",
            values in prop::collection::vec("[xy]", 1..3),
        ) {
            let object = json!({"metadata": {"labels": labels}});
            for (operator, opposite) in [("In", "NotIn"), ("Exists", "DoesNotExist")] {
                prop_assert_ne!(
                    selects(&requirement(operator, &key, &values), &object),
                    selects(&requirement(opposite, &key, &values), &object)
                );
            }
        }

        #[test]
        fn a_label_that_must_match_is_the_same_as_in_one_value(labels in labels(), key in "[abc]", value in "[xy]") {
            let object = json!({"metadata": {"labels": labels}});
            let exact = LabelSelector { match_labels: Some([(key.clone(), value.clone())].into()), match_expressions: None };
            prop_assert_eq!(selects(&exact, &object), selects(&requirement("In", &key, &[value]), &object));
        }
    }
}
