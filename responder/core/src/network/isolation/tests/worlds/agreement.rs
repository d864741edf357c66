//! The evaluator of single connections, and its agreement with the analysis.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn seen(world: &[SmallPolicy], engine: PolicyEngine, is_denied: bool) -> Isolation {
    let is_plain = matches!(engine, PolicyEngine::Plain(_));
    let (mut network_policies, mut policies) = (Vec::new(), Vec::new());
    policies.push(of(PolicyKind::CalicoTier, "first", json!({"order": 1})));
    policies.extend(denying_kind(engine).filter(|_| is_denied).map(denial));
    for (index, policy) in world.iter().enumerate() {
        let name = name(index);
        match engine {
            _ if is_plain || !policy.is_of_engine => network_policies.push(policy.network_policy(&name)),
            PolicyEngine::Calico => policies.push(policy.of_calico(&name)),
            PolicyEngine::Cilium => policies.push(policy.of_cilium(&name)),
            _ => policies.push(policy.of_administrator(&name, index)),
        }
    }
    under(engine, network_policies, policies)
}

/// The stages of one connection: what each policy does with it, and whether the stage denies the rest.
fn stages(
    world: &[SmallPolicy],
    engine: PolicyEngine,
    is_denied: bool,
    direction: Direction,
) -> Vec<(Vec<(usize, SmallRule)>, bool)> {
    // The number is that of no policy of the world.
    let denial = || {
        let deny = SmallRule {
            act: Act::Deny,
            peers: Peers::Everybody,
            port: None,
        };
        is_denied.then_some((world.len(), deny))
    };
    let is_plain = matches!(engine, PolicyEngine::Plain(_));
    let selecting: Vec<(usize, &SmallPolicy)> = world
        .iter()
        .enumerate()
        .filter(|(_, policy)| policy.selects && policy.rules(direction).is_some())
        .collect();
    let rules = |of: Vec<(usize, &SmallPolicy)>| -> Vec<(usize, SmallRule)> {
        let each = |(index, policy): (usize, &SmallPolicy)| -> Vec<(usize, SmallRule)> {
            policy
                .rules(direction)
                .into_iter()
                .flatten()
                .map(|rule| (index, rule.clone()))
                .collect()
        };
        of.into_iter().flat_map(each).collect()
    };
    let allowing = |of: Vec<(usize, &SmallPolicy)>| -> Vec<(usize, SmallRule)> {
        rules(of)
            .into_iter()
            .filter(|(_, rule)| rule.act == Act::Allow)
            .collect()
    };
    let (of_engine, of_kubernetes): (Vec<_>, Vec<_>) = selecting
        .into_iter()
        .partition(|(_, policy)| policy.is_of_engine && !is_plain);
    match engine {
        PolicyEngine::Calico => {
            let (first, default): (Vec<_>, Vec<_>) =
                of_engine.into_iter().partition(|(_, policy)| policy.is_in_first_tier);
            let ordered = |mut tier: Vec<(usize, &SmallPolicy)>, from: u32, to: u32| {
                tier.retain(|(_, policy)| (from..to).contains(&policy.order.unwrap_or(u32::MAX - 1)));
                tier.sort_by_key(|(index, policy)| (policy.order.unwrap_or(u32::MAX), *index));
                rules(tier)
            };
            let is_applied = !first.is_empty();
            let mut of_default: Vec<_> = denial().into_iter().collect();
            of_default.extend(ordered(default.clone(), 0, 1000));
            of_default.extend(allowing(of_kubernetes));
            of_default.extend(ordered(default, 1000, u32::MAX));
            vec![(ordered(first, 0, u32::MAX), is_applied), (of_default, true)]
        }
        PolicyEngine::Cilium => {
            let mut all = rules(of_engine.clone());
            all.retain(|(_, rule)| rule.act == Act::Deny);
            all.extend(denial());
            all.extend(allowing(of_engine));
            all.extend(allowing(of_kubernetes));
            vec![(all, true)]
        }
        PolicyEngine::OvnKubernetes => {
            let mut admin = rules(of_engine);
            admin.retain(|(_, rule)| is_written_by_administrators(rule));
            vec![(admin, false), (allowing(of_kubernetes), true)]
        }
        _ => vec![(allowing(of_kubernetes), true)],
    }
}

/// The policies that let one connection through: the first that decides, and the others that would, were it not there.
fn let_through(
    world: &[SmallPolicy],
    engine: PolicyEngine,
    is_denied: bool,
    direction: Direction,
    peer: Peer,
    port: Port,
) -> (Option<usize>, BTreeSet<usize>) {
    let (mut first, mut all) = (None, BTreeSet::new());
    let mut passed_by = None;
    for (rules, denies_the_rest) in stages(world, engine, is_denied, direction) {
        let mut passed = false;
        for (index, rule) in rules.iter().filter(|(_, rule)| rule.matches(peer, port)) {
            match rule.act {
                Act::Allow => {
                    first.get_or_insert(*index);
                    all.insert(*index);
                }
                Act::Deny => return (first, all),
                Act::Pass => {
                    passed_by = Some(*index);
                    passed = true;
                    break;
                }
            }
        }
        if denies_the_rest && !passed {
            return (first, all);
        }
    }
    // Past the last stage, everything is allowed.
    if first.is_none() {
        first = passed_by;
    }
    (first, all)
}

const V4: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

fn connections() -> impl Iterator<Item = (Peer, Port)> {
    let peers = V4
        .map(Peer::V4)
        .into_iter()
        .chain([Peer::V6, Peer::Pod("web"), Peer::Pod("db")]);
    peers.flat_map(|peer| [Port::Http, Port::Dns, Port::Other].map(|port| (peer, port)))
}

fn block() -> impl Strategy<Value = (u8, u8)> {
    (1_u8..=3).prop_flat_map(|length| (Just(length), 0..1_u8 << length))
}

fn rule() -> impl Strategy<Value = SmallRule> {
    let peers = prop_oneof![
        Just(Peers::Everybody),
        prop::collection::vec(block(), 1..3).prop_map(Peers::Blocks),
        (block(), 0_u8..8).prop_map(|(block, hole)| Peers::BlockExcept(block, hole)),
        select(vec!["web", "db"]).prop_map(Peers::Tier),
    ];
    let act = prop_oneof![4 => Just(Act::Allow), 3 => Just(Act::Deny), 1 => Just(Act::Pass)];
    let port = prop::option::weighted(0.4, select(vec![Port::Http, Port::Dns]));
    (act, peers, port).prop_map(|(act, peers, port)| SmallRule { act, peers, port })
}

fn small_policy() -> impl Strategy<Value = SmallPolicy> {
    let rules = || prop::option::of(prop::collection::vec(rule(), 0..4));
    let order = select(vec![None, Some(10), Some(20), Some(2000)]);
    // A policy without types would default to ingress; the tables cover that.
    let ways = (rules(), rules()).prop_filter("has a type", |(ingress, egress)| ingress.is_some() || egress.is_some());
    (any::<bool>(), prop::bool::weighted(0.8), any::<bool>(), order, ways).prop_map(
        |(is_of_engine, selects, is_in_first_tier, order, (ingress, egress))| SmallPolicy {
            is_of_engine,
            selects,
            is_in_first_tier,
            order,
            ingress,
            egress,
        },
    )
}

fn has_passes(world: &[SmallPolicy]) -> bool {
    let rules = world
        .iter()
        .flat_map(|policy| policy.ingress.iter().chain(&policy.egress).flatten());
    rules.into_iter().any(|rule| rule.act == Act::Pass)
}

/// Whether a denial is such that what is left of a rule has no shape here: of some ports, or of pods by a text that other
/// kinds write otherwise.
fn denies_a_part(world: &[SmallPolicy], engine: PolicyEngine) -> bool {
    let mut rules = world
        .iter()
        .flat_map(|policy| policy.ingress.iter().chain(&policy.egress).flatten());
    rules.any(|rule| {
        let is_of_pods = engine == PolicyEngine::Calico && matches!(rule.peers, Peers::Tier(_));
        rule.act == Act::Deny && (rule.port.is_some() || is_of_pods)
    })
}

fn world() -> impl Strategy<Value = Vec<SmallPolicy>> {
    prop::collection::vec(small_policy(), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Each world is tried under four engines, with a quarantine that denies and one that does not.
    #[test]
    fn a_leak_is_reported_wherever_a_connection_is_allowed(world in world(), is_denied in any::<bool>()) {
        agrees(&world, is_denied)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25_000))]

    #[test]
    #[ignore = "takes minutes: `.ci/run` runs it"]
    fn a_leak_is_reported_wherever_a_connection_is_allowed_in_25_000_worlds(
        world in world(),
        is_denied in any::<bool>(),
    ) {
        agrees(&world, is_denied)?;
    }
}

fn agrees(world: &[SmallPolicy], is_denied: bool) -> Result<(), TestCaseError> {
    for engine in ENGINES {
        let isolation = seen(world, engine, is_denied);
        for direction in Direction::BOTH {
            let reported = |index: &usize| {
                let name = name(*index);
                isolation
                    .leaks_of(direction)
                    .any(|leak| leak.policy.split(' ').next_back() == Some(&name))
            };
            let mut allowing = BTreeSet::new();
            for (peer, port) in connections() {
                let (first, all) = let_through(world, engine, is_denied, direction, peer, port);
                if let Some(first) = first {
                    prop_assert!(
                        reported(&first),
                        "{engine}: p{first} lets {peer:?} {port:?} through: {isolation}"
                    );
                }
                allowing.extend(all);
            }
            // Where no rule sends traffic elsewhere, nothing is reported beyond that.
            if !has_passes(world) && !denies_a_part(world, engine) {
                for index in 0..world.len() {
                    prop_assert_eq!(
                        reported(&index),
                        allowing.contains(&index),
                        "{}: p{}: {}",
                        engine,
                        index,
                        isolation
                    );
                }
                let open = |peer| {
                    let_through(world, engine, is_denied, direction, peer, Port::Other)
                        .0
                        .is_some()
                };
                let v4 = V4.into_iter().filter(|address| open(Peer::V4(*address))).count();
                // With half of the addresses, single ports of others decide.
                if v4 != 4 || open(Peer::V6) {
                    let is_open = v4 > 4 || open(Peer::V6);
                    prop_assert_eq!(
                        isolation.open.contains(&direction),
                        is_open,
                        "{}: {}",
                        engine,
                        isolation
                    );
                }
            }
        }
    }
    Ok(())
}
