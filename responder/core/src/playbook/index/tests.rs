use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::Index;
use crate::playbook::testing::{alert, playbooks};

fn found(index: &Index, over: serde_json::Value) -> Vec<String> {
    index
        .matching(&alert(over))
        .iter()
        .map(|playbook| playbook.name.to_string())
        .collect()
}

#[rstest]
#[case(json!({"rule": "a"}), &["exact", "any", "both", "glob"])]
#[case(json!({"rule": "ab"}), &["any", "glob"])]
#[case(json!({"rule": "c"}), &["any"])]
#[case(json!({"rule": "c", "source": "k8s_audit", "priority": "Error"}), &["audit"])]
#[case(json!({"rule": "c", "source": "k8s_audit"}), &[])]
fn playbooks_come_by_order_and_then_by_name(#[case] over: serde_json::Value, #[case] expected: &[&str]) {
    let mut all = playbooks(&[
        ("glob", "{rules: ['a*', '*a*']}"),
        ("both", "{rules: [a, 'a', '[a]']}"),
        ("any", "{sources: [syscall]}"),
        ("audit", "{sources: [k8s_audit], minPriority: Error}"),
        ("exact", "{rules: [a]}"),
    ]);
    std::sync::Arc::get_mut(&mut all[4]).unwrap().order = 5;
    assert_eq!(found(&Index::new(all), over), expected);
}

#[test]
fn an_empty_index_finds_nothing() {
    let index = Index::new(Vec::new());
    assert!(index.matching(&alert(json!({}))).is_empty() && index.playbooks().is_empty());
}

fn part(key: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::option::of(prop::sample::subsequence(values, 1..=values.len()))
        .prop_map(move |chosen| chosen.map_or_else(String::new, |chosen| format!("{key}: [{}], ", chosen.join(", "))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_asking_each_playbook_finds(
        asked in prop::collection::vec(
            (
                part("rules", &["a", "b", "'a*'", "'*b'", "'[ab]/?'", "'{a,b}'"]),
                part("sources", &["syscall", "k8s_audit", "github"]),
                prop::sample::select(vec!["minPriority: Debug", "minPriority: Warning", "minPriority: Emergency", "tags: {any: [x]}"]),
                -2_i32..3,
            ),
            0..25,
        ),
        alerts in prop::collection::vec(
            ("[ab/]{1,3}", prop::sample::select(vec!["syscall", "syscalls", "k8s_audit", "github", "okta"]),
             prop::sample::select(vec!["Debug", "Warning", "Error", "Emergency"]), prop::collection::vec("[xy]", 0..2)),
            1..20,
        ),
    ) {
        let matches: Vec<(String, String)> = asked.iter().enumerate()
            .map(|(place, (rules, sources, rest, _))| (format!("p{place}"), format!("{{{rules}{sources}{rest}}}")))
            .collect();
        let named: Vec<(&str, &str)> = matches.iter().map(|(name, asked)| (name.as_str(), asked.as_str())).collect();
        let mut all = playbooks(&named);
        for (playbook, (.., order)) in all.iter_mut().zip(&asked) {
            std::sync::Arc::get_mut(playbook).unwrap().order = *order;
        }
        let index = Index::new(all.clone());
        for (rule, source, priority, tags) in alerts {
            let alert = alert(json!({"rule": rule, "source": source, "priority": priority, "tags": tags}));
            let mut expected: Vec<_> = all.iter().filter(|playbook| playbook.alert_match.matches(&alert)).collect();
            expected.sort_by(|one, other| other.order.cmp(&one.order).then_with(|| one.name.cmp(&other.name)));
            let names = |list: &[&std::sync::Arc<crate::playbook::Playbook>]| list.iter().map(|playbook| playbook.name.to_string()).collect::<Vec<_>>();
            prop_assert_eq!(names(&index.matching(&alert)), names(&expected));
        }
    }
}
