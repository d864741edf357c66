//! `rbac`: prints the rights that a set of playbooks needs, as manifests. Reads files only.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::PolicyRule;
use responder_core::mode::Mode;
use responder_core::object::{Name, Namespace};
use responder_core::permission::Permission;
use responder_core::rbac::{PermissionTable, RbacAccess, highest_mode};

use crate::arguments::PlaybookArgs;
use crate::report::{counted, print_data};
use crate::rules::{Ceiling, LoadedRules};

/// The options of `rbac`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RbacArgs {
    /// Files, or directories with *.yaml and *.yml files, with playbooks; a guard may be among them
    #[arg(long, required_unless_present = "chart", num_args = 1.., value_name = "PATH", env = "RESPONDER_PLAYBOOKS", value_delimiter = ':', hide_env = true)]
    playbooks: Vec<PathBuf>,
    /// A file with `kind: Guard`: its ceilings lower the rights
    #[arg(long, value_name = "FILE", env = "RESPONDER_GUARD", hide_env = true)]
    guard: Option<PathBuf>,
    /// The highest mode, as for run: Observe, Rehearse or Enforce
    #[arg(long, value_name = "MODE", env = "RESPONDER_MODE", hide_env = true)]
    mode: Option<Mode>,
    /// The namespace of the service account
    #[arg(long, value_name = "NAMESPACE", default_value = "responder", value_parser = namespace)]
    namespace: Namespace,
    /// The service account that gets the rights; the role and its binding have the same name
    #[arg(long, value_name = "NAME", default_value = "responder", value_parser = name)]
    service_account: Name,
    /// A custom kind of controllers, such as argoproj.io/rollouts: its metadata and its scale may be read
    #[arg(long, value_name = "GROUP/RESOURCE", num_args = 1.., value_parser = owner_kind)]
    owner_kinds: Vec<OwnerKind>,
    /// Prints the rights of every action instead, for the Helm chart to choose from
    #[arg(long, conflicts_with_all = ["playbooks", "guard", "mode", "namespace", "service_account", "owner_kinds"])]
    chart: bool,
}

/// A custom kind of controllers, by the names that a role has for it.
#[derive(Debug, Clone)]
struct OwnerKind {
    group: Name,
    resource: Name,
}

const EXAMPLES: &str = "\
Examples:
  responder rbac --playbooks mine --guard guard.yaml --mode Rehearse
  responder rbac --playbooks mine --mode Enforce --namespace security --service-account responder | kubectl apply -f -
  responder rbac --playbooks mine --mode Enforce --owner-kinds argoproj.io/rollouts apps.kruise.io/clonesets
  responder rbac --chart > charts/responder/files/rbac.yaml

Observe needs no right to change anything. Rehearse needs the same rights as Enforce: a dry run is authorised like any
other request.

Exit codes:
  0  printed
  2  errors in the playbooks or the guard, or an unknown option";

pub(crate) fn run(args: &RbacArgs) -> anyhow::Result<ExitCode> {
    if args.chart {
        let table = PermissionTable::of_all_actions().map_err(|found| anyhow::anyhow!("{}", found.render(false)));
        print_data(&chart_table(&table.context("the example of an action is not a step")?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let playbooks = PlaybookArgs {
        playbooks: args.playbooks.clone(),
        guard: args.guard.clone(),
    };
    let Ok(rules) = LoadedRules::load(&playbooks, Timestamp::now())? else {
        return Ok(ExitCode::from(2));
    };
    print_data(&manifests(args, &rules))?;
    Ok(ExitCode::SUCCESS)
}

fn namespace(text: &str) -> Result<Namespace, &'static str> {
    Namespace::new(text).ok_or("this can't be the name of a namespace")
}

fn name(text: &str) -> Result<Name, &'static str> {
    Name::new(text).ok_or("this can't be the name of a service account")
}

fn owner_kind(text: &str) -> Result<OwnerKind, &'static str> {
    let names = text
        .split_once('/')
        .map(|(group, resource)| (Name::new(group), Name::new(resource)));
    match names {
        Some((Some(group), Some(resource))) => Ok(OwnerKind { group, resource }),
        _ => Err("write the API group and the plural of the kind: argoproj.io/rollouts"),
    }
}

/// The reads of a custom kind of controllers.
fn owner_rule(kind: &OwnerKind) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![kind.group.to_string()]),
        resources: Some(vec![kind.resource.to_string(), format!("{}/scale", kind.resource)]),
        verbs: vec!["get".to_owned()],
        ..PolicyRule::default()
    }
}

/// The role and its binding. It is a ClusterRole, because alerts come from any namespace.
fn manifests(args: &RbacArgs, rules: &LoadedRules) -> String {
    let ceiling = rules.ceiling(args.mode);
    let access = RbacAccess::of(&rules.playbooks, &rules.guard, ceiling.mode);
    let (name, namespace) = (&args.service_account, &args.namespace);
    format!(
        "{}apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {name}
rules:
{}---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {name}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {name}
subjects:
- kind: ServiceAccount
  name: {name}
  namespace: {namespace}
",
        reasons(rules, ceiling),
        access
            .rules()
            .into_iter()
            .chain(args.owner_kinds.iter().map(owner_rule))
            .map(|each| rule(&each))
            .collect::<String>(),
    )
}

/// The reasons for the rights, as comments: a line for each playbook.
fn reasons(rules: &LoadedRules, ceiling: Ceiling) -> String {
    let mut text = format!(
        "# The rights of {} at most in {} ({}).\n",
        counted(rules.playbooks.len(), "playbook"),
        ceiling.mode,
        ceiling.because
    );
    for playbook in &rules.playbooks {
        let mode = highest_mode(playbook, &rules.guard, ceiling.mode);
        let actions: BTreeSet<&str> = playbook.steps.iter().map(|step| step.action.name()).collect();
        let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
        let what = match mode {
            Mode::Observe => "changes nothing",
            // The API server authorises a dry run like any other request.
            Mode::Rehearse => "takes the rights of Enforce for its dry runs",
            Mode::Enforce => "acts",
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "#   {}: {actions}; at most {mode}: {what}", playbook.name);
    }
    text
}

/// A rule in YAML's flow form, which needs no quotes: its words are names of groups, resources and verbs.
fn rule(rule: &PolicyRule) -> String {
    let list = |words: &[String]| {
        format!(
            "[{}]",
            words
                .iter()
                .map(|word| word_or_empty(word))
                .collect::<Vec<_>>()
                .join(", ")
        )
    };
    format!(
        "- apiGroups: {}\n  resources: {}\n  verbs: {}\n",
        list(rule.api_groups.as_deref().unwrap_or_default()),
        list(rule.resources.as_deref().unwrap_or_default()),
        list(&rule.verbs)
    )
}

fn word_or_empty(word: &str) -> &str {
    if word.is_empty() { "\"\"" } else { word }
}

/// The table in the form that the chart reads.
fn chart_table(table: &PermissionTable) -> String {
    let mut text = "# Generated by `responder rbac --chart`; a test compares the two.\n\n".to_owned();
    text += "# The reads of every playbook.\nreads:\n";
    text += &rights(&table.reads);
    text += "\n# The further rights of a step in Rehearse and Enforce, by action and target.\n";
    text += "# An entry with a parameter adds to that of its action.\nwrites:\n";
    for (key, permissions) in &table.writes {
        let _ = write!(text, "  {key}:\n{}", rights(permissions));
    }
    text
}

fn rights(permissions: &BTreeSet<Permission>) -> String {
    permissions
        .iter()
        .map(|right| {
            format!(
                "  - {{group: {}, resource: {}, verb: {}}}\n",
                word_or_empty(right.group),
                right.resource(),
                right.verb
            )
        })
        .collect()
}
