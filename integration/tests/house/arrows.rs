//! Which file takes which names from which other. A file that only hands a name on (`pub use`) takes nothing; a call of a
//! method names no file, so it draws no arrow.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemUse, Meta, Path};

use crate::names::Meaning;
use crate::source::{Import, Workspace, is_for_tests, leaves};

/// From a file to the files that it takes names from, with the names.
pub(crate) type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The arrows between the files of a workspace.
pub(crate) fn arrows(workspace: &Workspace) -> Arrows {
    let mut arrows = Arrows::new();
    for (path, module) in &workspace.modules {
        let mut used = Used::default();
        for item in &module.items {
            used.visit_item(item);
        }
        let imports = module
            .imports
            .iter()
            .filter(|import| !import.is_public)
            .chain(&used.imports);
        let imported = imports.filter_map(|import| Some((import, workspace.meaning(path, &import.path)?)));
        let from_imports = imported.filter_map(|(import, meaning)| match meaning {
            Meaning::Definition(at, name) => Some((at, name)),
            Meaning::Module(at) => import.is_glob.then_some((at, "*".to_owned())),
        });
        let from_paths = used
            .paths
            .iter()
            .filter_map(|used| match workspace.meaning(path, used)? {
                Meaning::Definition(at, name) => Some((at, name)),
                Meaning::Module(_) => None,
            });
        for (at, name) in from_imports.chain(from_paths) {
            let file = &workspace.modules[&at].file;
            if *file != module.file {
                let names = arrows.entry(module.file.clone()).or_default();
                names.entry(file.clone()).or_default().insert(name);
            }
        }
    }
    arrows
}

/// The paths that a module's code names.
#[derive(Default)]
struct Used {
    paths: BTreeSet<Vec<String>>,
    /// Of `use` items inside functions.
    imports: Vec<Import>,
}

impl<'ast> Visit<'ast> for Used {
    fn visit_path(&mut self, path: &'ast Path) {
        self.paths
            .insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        leaves(&item.tree, &[], false, &mut self.imports);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        let is_test = matches!(item, Item::Fn(item) if is_for_tests(&item.attrs));
        if !is_test {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let is_test = matches!(item, ImplItem::Fn(item) if is_for_tests(&item.attrs));
        if !is_test {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // `derive` names traits of other crates, `error` formats: neither is worse for being looked through.
        if let Meta::List(list) = &attribute.meta {
            self.tokens(&list.tokens);
        }
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.tokens(tokens);
    }
}

impl Used {
    /// The paths in the tokens of a macro: identifiers joined by `::`, but no field and no method.
    fn tokens(&mut self, tokens: &TokenStream) {
        let mut path: Vec<String> = Vec::new();
        // How the last token ends: `.` before a field, one `:` or two.
        let mut before = String::new();
        for token in tokens.clone() {
            match token {
                TokenTree::Ident(ident) => {
                    if before != "::" {
                        self.end(&mut path);
                    }
                    if before != "." {
                        path.push(ident.to_string());
                    }
                    before.clear();
                }
                TokenTree::Punct(punct) => {
                    if punct.as_char() != ':' {
                        before.clear();
                    }
                    before.push(punct.as_char());
                }
                TokenTree::Group(group) => {
                    self.tokens(&group.stream());
                    before.clear();
                }
                TokenTree::Literal(_) => before.clear(),
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.paths.insert(std::mem::take(path));
        }
    }
}
