//! The YAML of playbooks and guards for scenarios and benchmarks.

/// A playbook that matches "Terminal shell in container" and targets its pod.
pub fn on_shell(mode: &str, steps: &[&str]) -> String {
    playbook(
        "shell",
        &format!("mode: {mode}\n  match: {{rules: [Terminal shell in container]}}"),
        steps,
    )
}

/// A playbook. Lines of `spec` after the first must be indented by two spaces.
pub fn playbook(name: &str, spec: &str, steps: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("    - {step}")).collect();
    let steps = steps.join("\n");
    format!(
        "apiVersion: responder.dev/v1alpha1\nkind: ClusterPlaybook\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n  steps:\n{steps}\n---\n"
    )
}

/// A guard. Lines of `spec` after the first must be indented by two spaces.
pub fn guard(spec: &str) -> String {
    format!("apiVersion: responder.dev/v1alpha1\nkind: Guard\nmetadata: {{name: default}}\nspec:\n  {spec}\n---\n")
}
