//! Warnings about conditions that an attacker in a container can fulfil: by the name of a process, a label of its pod, the
//! name of an image. An exception on one is a way out of the response; a match that needs one is a way around it.

use crate::document::{Findings, Path, Problem};
use crate::playbook::doc::{ImageDoc, MatchDoc, OneOrMany};

/// Fields of an alert whose value the process itself chooses, with one that it does not.
const CHOSEN_BY_THE_PROCESS: &[(&str, &str)] = &[
    ("proc.name", "proc.exepath"),
    ("proc.pname", "proc.pexepath"),
    ("proc.aname", "proc.aexepath"),
    // `argv[0]`, and the other arguments.
    ("proc.exe", "proc.exepath"),
    ("proc.pexe", "proc.pexepath"),
    ("proc.aexe", "proc.aexepath"),
    ("proc.args", "proc.exepath"),
    ("proc.cmdline", "proc.exepath"),
    ("proc.pcmdline", "proc.pexepath"),
    ("proc.acmdline", "proc.aexepath"),
    ("proc.exeline", "proc.exepath"),
    ("proc.env", "proc.exepath"),
    ("proc.cwd", "proc.exepath"),
];

/// Fields of an alert that the author of the pod chooses.
const CHOSEN_BY_THE_TENANT: &[&str] = &[
    "k8s.pod.label",
    "k8s.pod.labels",
    "k8s.pod.name",
    "container.label",
    "container.labels",
    "container.name",
];

/// Fields of an alert that name an image as its author spells it.
const IMAGES: &[&str] = &["container.image", "container.image.repository"];

/// The parts of an expression that read what the author of the pod has written.
const WRITTEN_BY_THE_TENANT: &[&str] = &["pod.metadata.labels", "pod.metadata.annotations", "pod.metadata.name"];

/// Warns about an exception that an attacker can bring about.
pub(in crate::playbook) fn loopholes(doc: &MatchDoc, path: &Path, findings: &mut Findings<'_>) {
    for (index, predicate) in doc.fields.iter().flatten().enumerate() {
        let at = path.key("fields").index(index).key("field");
        // `proc.aname[2]` is a field with an argument.
        let name = predicate.field.split('[').next().unwrap_or_default();
        if let Some((_, firm)) = CHOSEN_BY_THE_PROCESS.iter().find(|(chosen, _)| *chosen == name) {
            let message = format!("an attacker chooses `{name}`, and so can except itself");
            findings.warn(&at, Problem::new(message).help(format!("ask for `{firm}` instead")));
        } else if is_chosen_by_the_tenant(name) {
            let message = format!("the author of a pod chooses `{name}`, and so can except it");
            let help =
                "ask for the labels of its namespace (`namespace`), or for its image with the registry (`image`)";
            findings.warn(&at, Problem::new(message).help(help));
        } else if IMAGES.contains(&name) {
            let texts = [
                &predicate.glob,
                &predicate.starts_with,
                &predicate.contains,
                &predicate.ends_with,
            ];
            let is_open = predicate.contains.is_some()
                || predicate.ends_with.is_some()
                || texts.into_iter().any(|texts| unanchored(texts.as_ref()).is_some());
            if is_open {
                let message = format!("`{name}` without its registry is what any registry can serve");
                let help = "begin with the registry: `registry.example/team/*`";
                findings.warn(&at, Problem::new(message).help(help));
            }
        }
    }
    if doc.pod.is_some() {
        let problem = Problem::new("the author of a pod writes its labels, and so can except it");
        findings.warn(
            &path.key("pod"),
            problem.help("select by the labels of its namespace: `namespace`"),
        );
    }
    image(
        doc.image.as_ref().and_then(|image| image.glob.as_ref()),
        &path.key("image").key("glob"),
        findings,
    );
    expression(doc, path, "except it", findings);
}

/// Warns about a match that an attacker can leave.
pub(in crate::playbook) fn evasions(doc: &MatchDoc, path: &Path, findings: &mut Findings<'_>) {
    if doc.pod.is_some() {
        let problem = Problem::new("the author of a pod writes its labels, and so can take it out of this match");
        findings.warn(
            &path.key("pod"),
            problem.help("select by the labels of its namespace: `namespace`"),
        );
    }
    let spared = |image: &ImageDoc| image.not_glob.clone();
    image(
        doc.image.as_ref().and_then(spared).as_ref(),
        &path.key("image").key("notGlob"),
        findings,
    );
    expression(doc, path, "take it out of this match", findings);
}

fn is_chosen_by_the_tenant(field: &str) -> bool {
    // `k8s.pod.label.team` is another spelling of `k8s.pod.label[team]`.
    let is_label = |prefix: &str| field.strip_prefix(prefix).is_some_and(|key| key.starts_with('.'));
    CHOSEN_BY_THE_TENANT.contains(&field)
        || ["k8s.pod.label", "container.label"]
            .iter()
            .any(|prefix| is_label(prefix))
}

fn image(globs: Option<&OneOrMany>, path: &Path, findings: &mut Findings<'_>) {
    if let Some(glob) = unanchored(globs) {
        let message = format!(
            "`{}` names no registry, and any registry can serve such an image",
            glob.escape_debug()
        );
        findings.warn(
            path,
            Problem::new(message).help("begin with the registry: `registry.example/team/*`"),
        );
    }
}

/// The first of these globs whose registry is left open: before the first `/` stands a special character, or no host.
fn unanchored(globs: Option<&OneOrMany>) -> Option<&str> {
    let globs = globs.map(OneOrMany::as_slice).unwrap_or_default();
    globs.iter().map(String::as_str).find(|glob| {
        let Some((registry, _)) = glob.split_once('/') else {
            return true;
        };
        let is_host = registry.contains(['.', ':']) || registry == "localhost";
        !is_host || registry.contains(['*', '?', '[', '{'])
    })
}

fn expression(doc: &MatchDoc, path: &Path, how: &str, findings: &mut Findings<'_>) {
    let Some(when) = &doc.when else { return };
    let read = WRITTEN_BY_THE_TENANT.iter().find(|part| when.contains(**part));
    if let Some(part) = read {
        let message = format!("the author of a pod writes `{part}`, and so can {how}");
        let help = "read the labels of its namespace: `namespaceObject.metadata.labels`";
        findings.warn(&path.key("when"), Problem::new(message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::playbook::testing::warned_places;

    #[rstest]
    #[case::name("fields: [{field: proc.name, in: [apt]}]", Some("spec.except[0].fields[0].field"))]
    #[case::parents_name(
        "fields: [{field: proc.pname, equals: sshd}]",
        Some("spec.except[0].fields[0].field")
    )]
    #[case::an_ancestors_name(
        "fields: [{field: \"proc.aname[2]\", equals: sshd}]",
        Some("spec.except[0].fields[0].field")
    )]
    #[case::command(
        "fields: [{field: proc.cmdline, startsWith: /usr/bin/apt}]",
        Some("spec.except[0].fields[0].field")
    )]
    #[case::path("fields: [{field: proc.exepath, equals: /usr/bin/apt}]", None)]
    #[case::parents_path("fields: [{field: proc.pexepath, equals: /usr/sbin/sshd}]", None)]
    #[case::label_in_the_alert(
        "fields: [{field: \"k8s.pod.label[team]\", equals: ci}]",
        Some("spec.except[0].fields[0].field")
    )]
    #[case::repository(
        "fields: [{field: container.image.repository, endsWith: /debug}]",
        Some("spec.except[0].fields[0].field")
    )]
    #[case::anchored_repository(
        "fields: [{field: container.image.repository, startsWith: registry.example/debug}]",
        None
    )]
    #[case::label("pod: {matchLabels: {team: ci}}", Some("spec.except[0].pod"))]
    #[case::namespaces_label("namespace: {matchLabels: {team: ci}}", None)]
    #[case::image("image: {glob: \"*/ci/*\"}", Some("spec.except[0].image.glob"))]
    #[case::image_without_a_registry("image: {glob: nginx}", Some("spec.except[0].image.glob"))]
    #[case::image_of_a_user("image: {glob: library/nginx}", Some("spec.except[0].image.glob"))]
    #[case::image_of_a_registry("image: {glob: \"registry.example/ci/*\"}", None)]
    #[case::image_of_a_half_open_registry("image: {glob: \"registry.*/ci/*\"}", Some("spec.except[0].image.glob"))]
    #[case::annotation_in_an_expression("when: 'has(pod.metadata.annotations)'", Some("spec.except[0].when"))]
    #[case::namespace_in_an_expression("when: 'has(namespaceObject.metadata.labels)'", None)]
    fn an_exception_that_an_attacker_can_fulfil_is_warned_of(#[case] except: &str, #[case] place: Option<&str>) {
        let spec = format!(
            "match: {{minPriority: Notice}}\n  except:\n    - reason: SEC-1\n      {except}\n  steps: [{{delete: {{}}}}]"
        );
        assert_eq!(warned_places(&spec), place.into_iter().collect::<Vec<_>>());
    }

    #[rstest]
    #[case::label("pod: {matchLabels: {team: ci}}", Some("spec.match.pod"))]
    #[case::spared_images(
        "image: {notGlob: [\"registry.example/a/*\", \"*/ci/*\"]}",
        Some("spec.match.image.notGlob")
    )]
    #[case::spared_images_of_a_registry("image: {notGlob: [\"registry.example/a/*\"]}", None)]
    #[case::wanted_images("image: {glob: \"*/web/*\"}", None)]
    #[case::label_in_an_expression("when: 'pod.metadata.labels.team == \"ci\"'", Some("spec.match.when"))]
    fn a_match_that_an_attacker_can_leave_is_warned_of(#[case] part: &str, #[case] place: Option<&str>) {
        let spec = format!("match:\n    minPriority: Notice\n    {part}\n  steps: [{{delete: {{}}}}]");
        assert_eq!(warned_places(&spec), place.into_iter().collect::<Vec<_>>());
    }
}
