//! The page is valid OpenMetrics, and the README documents all of it.

use std::collections::{BTreeMap, BTreeSet};

use responder_core::guard::ClaimKind;
use responder_core::mode::Mode;
use responder_core::port::SendErrorKind;
use responder_core::request::Verb;
use responder_engine::accounting::RequestLabels;
use responder_engine::latency::{BUCKETS, Histogram, PipelineStage};
use responder_engine::outcome::ResponseOutcome;
use responder_engine::verify::Effectiveness;
use responder_engine::{QuarantineEnd, QueueClass, ShedCause};
use responder_intake::nats::{DeadLetterCause, NakCause};

use super::*;

const README: &str = include_str!("../README.md");

/// A page with a sample of every family.
fn page() -> String {
    let mut accounts = AccountingSnapshot::default();
    let labels = RequestLabels {
        verb: Verb::Delete,
        dry_run: false,
        result: SendErrorKind::Busy.as_str(),
    };
    accounts.requests.insert(labels, 7);
    let mut histogram = Histogram::default();
    histogram.counts[3] = 2;
    histogram.counts[BUCKETS.len()] = 1;
    histogram.sum = 61_003_500;
    accounts.stages.insert(PipelineStage::Act, histogram);
    let process = Process {
        started: "2026-11-24T12:00:00.5Z".parse().unwrap(),
        cluster: Some("a \"quoted\"\\name".to_owned()),
        read_errors: Arc::default(),
        spans: SpanCounts::default(),
    };
    let reloads = vec![("credentials", Reloads::default())];
    render(Exposed {
        accounts,
        connections: ConnectionCounts::default(),
        nats: Some(NatsSnapshot {
            naks: NakCause::ALL.iter().map(|cause| (*cause, 1)).collect(),
            dead_letters: DeadLetterCause::ALL.iter().map(|cause| (*cause, 1)).collect(),
            ..NatsSnapshot::default()
        }),
        reloads,
        process: &process,
    })
}

/// The name of a sample, its labels with their values as written, and its value.
type Sample<'a> = (&'a str, Vec<(&'a str, &'a str)>, f64);

fn sample(line: &str) -> Sample<'_> {
    let (head, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let labels = labels.strip_suffix('}').unwrap();
    // No label value on the page contains `",`.
    let labels = labels.split("\",").filter(|label| !label.is_empty());
    let labels = labels.map(|label| label.trim_end_matches('"').split_once("=\"").unwrap());
    (name, labels.collect(), value.parse().unwrap())
}

/// The samples of each family, by its name and kind.
fn families(page: &str) -> BTreeMap<(&str, &str), Vec<Sample<'_>>> {
    let mut families = BTreeMap::new();
    let mut current: Option<(&str, &str)> = None;
    for line in page.lines() {
        if let Some(descriptor) = line.strip_prefix("# TYPE ") {
            let family = descriptor.split_once(' ').unwrap();
            assert_eq!(families.insert(family, Vec::new()), None, "{family:?} is there twice");
            current = Some(family);
        } else if !line.starts_with('#') {
            families.get_mut(&current.unwrap()).unwrap().push(sample(line));
        }
    }
    families
}

#[test]
fn the_page_is_open_metrics() {
    let page = page();
    assert!(page.ends_with("\n# EOF\n"), "{page}");
    assert_eq!(page.matches("# EOF").count(), 1);
    for ((name, kind), samples) in families(&page) {
        assert!(page.contains(&format!("# HELP {name} ")), "{name} has no help");
        assert!(!samples.is_empty(), "{name} has no sample");
        let mut seen = BTreeSet::new();
        for (sample, labels, value) in &samples {
            let suffix = sample
                .strip_prefix(name)
                .unwrap_or_else(|| panic!("{sample} among those of {name}"));
            let allowed: &[&str] = match kind {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_count", "_sum"],
                _ => panic!("{name} is a {kind}"),
            };
            assert!(allowed.contains(&suffix), "{sample} of the {kind} {name}");
            assert!(*value >= 0.0);
            assert!(seen.insert((sample, labels.clone())), "{sample} {labels:?} twice");
            assert!(
                labels.contains(&("cluster", r#"a \"quoted\"\\name"#)),
                "{sample} {labels:?}"
            );
        }
        let unit = page
            .lines()
            .find_map(|line| line.strip_prefix(&format!("# UNIT {name} ")));
        assert!(
            unit.is_none_or(|unit| name.ends_with(&format!("_{unit}"))),
            "{name} is not in {unit:?}"
        );
    }
}

#[test]
fn the_buckets_of_a_histogram_are_cumulative() {
    let page = page();
    let families = families(&page);
    let samples = &families[&("responder_stage_seconds", "histogram")];
    let of_act = |name: &str| {
        let samples = samples
            .iter()
            .filter(|(sample, labels, _)| *sample == name && labels.contains(&("stage", "act")));
        samples
            .map(|(_, labels, value)| {
                let end = labels.iter().find(|(label, _)| *label == "le").map(|(_, end)| *end);
                (end, *value)
            })
            .collect::<Vec<_>>()
    };
    let buckets = of_act("responder_stage_seconds_bucket");
    assert_eq!(buckets.len(), BUCKETS.len() + 1);
    assert!(buckets.is_sorted_by(|(_, a), (_, b)| a <= b));
    assert_eq!((buckets[2], buckets[3]), ((Some("0.001"), 0.0), (Some("0.0025"), 2.0)));
    assert_eq!(buckets.last(), Some(&(Some("+Inf"), 3.0)));
    assert_eq!(of_act("responder_stage_seconds_count"), [(None, 3.0)]);
    assert_eq!(of_act("responder_stage_seconds_sum"), [(None, 61.0035)]);
}

/// The rows of the README's table: kind and labels by the name in queries.
fn documented() -> BTreeMap<&'static str, (&'static str, BTreeSet<&'static str>)> {
    let rows = README.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter(|row| row.starts_with("responder_") || row.starts_with("process_"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let name = cells.next().unwrap().trim_end_matches('`');
        let kind = cells.next().unwrap();
        let labels = cells.next().unwrap();
        let labels = labels
            .split(", ")
            .filter_map(|label| label.strip_prefix('`')?.strip_suffix('`'));
        (name, (kind, labels.collect()))
    })
    .collect()
}

#[test]
fn the_readme_has_every_metric_with_its_labels_and_no_other() {
    let page = page();
    let written: BTreeMap<String, (&str, BTreeSet<&str>)> = families(&page)
        .into_iter()
        .map(|((name, kind), samples)| {
            let suffix = if kind == "counter" { "_total" } else { "" };
            let labels = samples
                .iter()
                .flat_map(|(_, labels, _)| labels)
                .map(|(label, _)| *label);
            // `cluster` is a label of every metric, and `le` of every histogram.
            let labels = labels.filter(|label| !["cluster", "le"].contains(label));
            (format!("{name}{suffix}"), (kind, labels.collect()))
        })
        .collect();
    let documented: BTreeMap<String, _> = documented()
        .into_iter()
        .map(|(name, row)| (name.to_owned(), row))
        .collect();
    assert_eq!(documented, written);
}

#[test]
fn the_readme_has_every_value_of_the_small_label_sets() {
    let classes = QueueClass::ALL.map(QueueClass::as_str);
    let claims = ClaimKind::ALL.map(ClaimKind::as_str);
    let stages = PipelineStage::ALL.map(PipelineStage::as_str);
    let verbs = Verb::ALL.map(Verb::as_str);
    let verdicts = Effectiveness::ALL.map(Effectiveness::as_str);
    let causes = ShedCause::ALL.map(ShedCause::as_str);
    let naks: Vec<_> = NakCause::ALL.iter().map(|cause| cause.as_str()).collect();
    let dead: Vec<_> = DeadLetterCause::ALL.iter().map(|cause| cause.as_str()).collect();
    let modes = Mode::ALL.map(Mode::as_str);
    let read_errors = ReadErrors::default().counts().map(|(kind, _)| kind);
    let sets = [
        ("queue", &classes[..]),
        ("claims", &claims),
        ("stage", &stages),
        ("verb", &verbs),
        ("verdict", &verdicts),
        ("cause", &causes),
        ("cause", &naks),
        ("cause", &dead),
        ("result", &["taken", "refused"]),
        ("files", &["credentials", "tls"]),
        ("state", &["authenticated", "unauthenticated"]),
        ("cause", &["displaced", "late", "refused"]),
        ("mode", &modes),
        ("outcome", &ResponseOutcome::NAMES),
        ("end", &QuarantineEnd::NAMES),
        ("kind", &read_errors),
    ];
    for (label, values) in sets {
        let row = README.lines().find(|line| line.starts_with(&format!("| `{label}` |")));
        let row = row.unwrap_or_else(|| panic!("the README has no row for the label {label}"));
        for value in values {
            assert!(
                row.contains(&format!("`{value}`")),
                "{label}={value} is not in the README"
            );
        }
    }
}
