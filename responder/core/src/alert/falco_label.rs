//! The field behind a label: falcosidekick's Alertmanager output turns each output field into a label, whose name has
//! letters, digits and underscores only.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::falco_field::falco_names;

/// The output field of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelField {
    /// This field of Falco.
    Known(Box<str>),
    /// A field of Falco with an argument that the label does not tell: `k8smeta_pod_label_app` may be
    /// `k8smeta.pod.label[app]` or `k8smeta.pod.label[.app]`.
    Ambiguous {
        /// The field without its argument.
        field: &'static str,
    },
    /// No field of Falco: a custom field of falcosidekick, or a label of its configuration.
    Custom,
}

/// The fields without an argument, by label. No two have one label.
static PLAIN: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
    falco_names()
        .filter(|name| argument_of(name).is_none())
        .map(|name| (safe_label(name), name))
        .collect()
});

/// The fields with an argument, by the label of their name.
static WITH_ARGUMENT: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
    falco_names()
        .filter_map(argument_of)
        .map(|field| (safe_label(field), field))
        .collect()
});

/// The output field that falcosidekick has made this label of.
pub fn label_field(label: &str) -> LabelField {
    if let Some(name) = PLAIN.get(label) {
        return LabelField::Known((*name).into());
    }
    let with_argument = label.rmatch_indices('_').find_map(|(end, _)| {
        let field = WITH_ARGUMENT.get(&label[..end])?;
        Some((*field, &label[end + 1..]))
    });
    let Some((field, argument)) = with_argument else {
        return LabelField::Custom;
    };
    let is_number = !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = argument.starts_with(|first: char| first.is_ascii_alphabetic());
    match field {
        // An argument of a system call has a name of letters, digits and underscores, behind a dot.
        "evt.arg" if is_name => LabelField::Known(format!("{field}.{argument}").into()),
        // The ancestors of a process have numbers.
        _ if field.starts_with("proc.a") && is_number => LabelField::Known(format!("{field}[{argument}]").into()),
        _ => LabelField::Ambiguous { field },
    }
}

fn argument_of(name: &'static str) -> Option<&'static str> {
    name.strip_suffix("[]").or_else(|| name.strip_suffix(".*"))
}

/// As falcosidekick writes a name (`outputs/alertmanager.go`).
fn safe_label(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '_'
            }
        })
        .collect();
    safe.replace("__", "_").trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn no_two_fields_have_one_label() {
        let plain = falco_names().filter(|name| argument_of(name).is_none()).count();
        assert_eq!(PLAIN.len(), plain);
    }

    #[test]
    fn each_field_without_an_argument_is_found_by_its_label() {
        for name in falco_names().filter(|name| argument_of(name).is_none()) {
            assert_eq!(label_field(&safe_label(name)), LabelField::Known(name.into()));
        }
    }

    #[rstest]
    #[case("k8s_ns_name", LabelField::Known("k8s.ns.name".into()))]
    #[case("container_id", LabelField::Known("container.id".into()))]
    #[case("proc_aname_2", LabelField::Known("proc.aname[2]".into()))]
    #[case("proc_aname_12", LabelField::Known("proc.aname[12]".into()))]
    #[case("evt_arg_flags", LabelField::Known("evt.arg.flags".into()))]
    #[case("evt_arg_oldpath_raw", LabelField::Known("evt.arg.oldpath_raw".into()))]
    #[case("evt_args", LabelField::Known("evt.args".into()))]
    #[case("evt_arg_0", LabelField::Ambiguous { field: "evt.arg" })]
    #[case("proc_env_HOME", LabelField::Ambiguous { field: "proc.env" })]
    #[case("k8smeta_pod_label_app", LabelField::Ambiguous { field: "k8smeta.pod.label" })]
    #[case("ka_uri_param_command", LabelField::Ambiguous { field: "ka.uri.param" })]
    #[case("jevt_value_2", LabelField::Ambiguous { field: "jevt.value" })]
    #[case("cluster", LabelField::Custom)]
    #[case("severity", LabelField::Custom)]
    #[case("k8s.ns.name", LabelField::Custom)]
    #[case("proc_aname_", LabelField::Ambiguous { field: "proc.aname" })]
    #[case("", LabelField::Custom)]
    fn a_label_tells_its_field_or_that_it_does_not(#[case] label: &str, #[case] field: LabelField) {
        assert_eq!(label_field(label), field);
    }
}
