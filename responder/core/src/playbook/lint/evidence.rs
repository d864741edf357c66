//! Playbooks that take away what others keep.

use crate::class::ActionClass;
use crate::document::{Findings, Path, Problem};
use crate::playbook::Step;
use crate::quarantined::QuarantinedPods;

/// Warns of a playbook that includes quarantined pods and comes to their removal: by a step, by what runs instead of one, or
/// by the end of one.
pub(in crate::playbook) fn evidence(
    quarantined: Option<QuarantinedPods>,
    steps: &[Step],
    path: &Path,
    findings: &mut Findings<'_>,
) {
    let mut branches = steps.iter().flat_map(Step::alternatives);
    let removes = branches.any(|step| {
        let classes = [Some(step.class), step.action.end_class()];
        classes.contains(&Some(ActionClass::Destroy))
    });
    if quarantined == Some(QuarantinedPods::Include) && removes {
        let message = "pods that other playbooks keep in quarantine as evidence are removed by this one";
        let help = "leave `quarantined` out, unless another system has the evidence by then";
        findings.warn(path, Problem::new(message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::playbook::testing::warned_places;

    #[rstest]
    #[case::by_a_step("Include", "{delete: {}}", true)]
    #[case::by_its_otherwise("Include", "{annotate: {annotations: {a: b}}, otherwise: {delete: {}}}", true)]
    #[case::by_its_end("Include", "{quarantine: {ttl: 1h, onExpiry: Delete}}", true)]
    #[case::that_removes_nothing("Include", "{annotate: {annotations: {a: b}}}", false)]
    #[case::that_leaves_them_alone("Exclude", "{delete: {}}", false)]
    fn a_playbook_that_removes_the_evidence_of_others_is_warned_of(
        #[case] quarantined: &str,
        #[case] step: &str,
        #[case] is_warned: bool,
    ) {
        let spec =
            format!("quarantined: {quarantined}\n  match: {{rules: [Terminal shell in container]}}\n  steps: [{step}]");
        let places = warned_places(&spec);
        let is_at_the_key = places.iter().any(|place| place == "spec.quarantined");
        assert_eq!(is_at_the_key, is_warned, "{places:?}");
    }
}
