//! Compiles `match`, and the same keys in `except`. Step of the flow: match (loading playbooks).

use globset::GlobSetBuilder;

use crate::alert::Source;
use crate::document::{Findings, Path, Problem};
use crate::playbook::alert_match::{RuleNames, Tags};
use crate::playbook::doc::{ImageDoc, MatchDoc, OneOrMany, TagsDoc};
use crate::playbook::expression::Expression;
use crate::playbook::live::ImageMatch;
use crate::playbook::pattern::{Pattern, is_glob, parse_glob};
use crate::playbook::{AlertMatch, LiveMatch, fields};
use crate::selector::{LabelSelectorDoc, Selector};

/// The compiled conditions on the alert and on the live object.
pub(super) fn compile(doc: &MatchDoc, path: &Path, findings: &mut Findings<'_>) -> (AlertMatch, LiveMatch) {
    let predicates = doc.fields.iter().flatten().enumerate();
    let alert_match = AlertMatch {
        rules: doc
            .rules
            .as_ref()
            .map(|names| rules(names, &path.key("rules"), findings)),
        sources: sources(
            doc.sources.as_deref().unwrap_or_default(),
            &path.key("sources"),
            findings,
        ),
        min_priority: doc.min_priority,
        tags: doc
            .tags
            .as_ref()
            .map(|doc| tags(doc, &path.key("tags"), findings))
            .unwrap_or_default(),
        fields: predicates
            .map(|(index, field)| fields::compile(field, &path.key("fields").index(index), findings))
            .collect(),
    };
    let mut labels = |doc: Option<&LabelSelectorDoc>, key: &str| -> Option<Selector> {
        Selector::compile(doc?, &path.key(key), findings)
    };
    let live_match = LiveMatch {
        namespace: labels(doc.namespace.as_ref(), "namespace"),
        pod: labels(doc.pod.as_ref(), "pod"),
        node: labels(doc.node.as_ref(), "node"),
        image: doc.image.as_ref().map(|doc| image(doc, &path.key("image"), findings)),
        when: doc
            .when
            .as_ref()
            .and_then(|source| when(source, &path.key("when"), findings)),
    };
    (alert_match, live_match)
}

fn rules(names: &[String], path: &Path, findings: &mut Findings<'_>) -> RuleNames {
    let mut rules = RuleNames::default();
    let mut set = GlobSetBuilder::new();
    for (index, name) in names.iter().enumerate() {
        let path = path.index(index);
        if name.trim() != name || name.is_empty() {
            findings.error(&path, "a rule's name is not empty and has no blanks at its ends");
        } else if is_glob(name) {
            match parse_glob(name) {
                Ok(glob) => {
                    set.add(glob);
                    rules.globs.push(name.clone());
                }
                Err(problem) => findings.error(&path, problem),
            }
        } else {
            rules.exact.push(name.clone());
        }
    }
    match set.build() {
        Ok(set) => rules.set = set,
        Err(error) => findings.error(
            path,
            Problem::new(format!("these globs are too large together: {}", error.kind())),
        ),
    }
    rules
}

fn sources(names: &[String], path: &Path, findings: &mut Findings<'_>) -> Vec<Source> {
    let mut sources = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let source = Source::new(name);
        if name.trim() != name || name.is_empty() {
            findings.error(&path.index(index), "a source has a name, without blanks");
        } else if source.is_internal() {
            let problem = Problem::new("alerts of the source internal are Falco's own messages, and never act");
            findings.error(&path.index(index), problem.help("write `syscall` or `k8s_audit`"));
        }
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

fn tags(doc: &TagsDoc, path: &Path, findings: &mut Findings<'_>) -> Tags {
    let lists = [("all", &doc.all), ("any", &doc.any), ("none", &doc.none)];
    if lists.iter().all(|(_, list)| list.is_empty()) {
        findings.absence(
            path,
            Problem::new("nothing is asked of the tags").help("write `all`, `any` or `none`"),
        );
    }
    for (key, list) in lists {
        for (index, _) in list
            .iter()
            .enumerate()
            .filter(|(_, tag)| tag.trim() != **tag || tag.is_empty())
        {
            findings.error(
                &path.key(key).index(index),
                "a tag is not empty and has no blanks at its ends",
            );
        }
    }
    if let Some(tag) = doc.none.iter().find(|tag| doc.all.contains(tag)) {
        let problem = Problem::new(format!("no rule both has and lacks the tag `{}`", tag.escape_debug()));
        findings.error(&path.key("none"), problem);
    }
    Tags {
        all: doc.all.clone(),
        any: doc.any.clone(),
        none: doc.none.clone(),
    }
}

fn image(doc: &ImageDoc, path: &Path, findings: &mut Findings<'_>) -> ImageMatch {
    if doc.glob.is_none() && doc.not_glob.is_none() {
        findings.absence(
            path,
            Problem::new("nothing is asked of the image").help("write `glob`, `notGlob` or both"),
        );
    }
    let mut patterns = |globs: Option<&OneOrMany>, key: &str| {
        let globs = globs.into_iter().flat_map(|globs| {
            let is_list = matches!(globs, OneOrMany::Many(_));
            globs
                .as_slice()
                .iter()
                .enumerate()
                .map(move |(index, glob)| (is_list.then_some(index), glob))
        });
        let mut compiled = Vec::new();
        for (index, glob) in globs {
            let path = path.key(key);
            match Pattern::compile(glob) {
                Ok(pattern) => compiled.push(pattern),
                Err(problem) => findings.error(&index.map_or_else(|| path.clone(), |index| path.index(index)), problem),
            }
        }
        compiled
    };
    ImageMatch {
        glob: patterns(doc.glob.as_ref(), "glob"),
        not_glob: patterns(doc.not_glob.as_ref(), "notGlob"),
    }
}

fn when(source: &str, path: &Path, findings: &mut Findings<'_>) -> Option<Expression> {
    match Expression::compile(source) {
        Ok(expression) => Some(expression),
        Err(problems) => {
            for problem in problems {
                findings.error(path, problem);
            }
            None
        }
    }
}
