//! The modules of the crates, from their root files down. What is compiled for tests only is left out.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// A crate's name, then the modules down to one.
pub(crate) type ModulePath = Vec<String>;

/// All modules of all crates.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(crate) modules: BTreeMap<ModulePath, Module>,
}

/// One module, a file of its own or inline.
#[derive(Default)]
pub(crate) struct Module {
    /// From the root of the workspace.
    pub(crate) file: String,
    pub(crate) items: Vec<Item>,
    /// The modules that it declares.
    pub(crate) children: BTreeSet<String>,
    /// The names that it defines.
    pub(crate) definitions: BTreeSet<String>,
    /// What its `use` items bring in.
    pub(crate) imports: Vec<Import>,
}

/// One leaf of a `use` item.
#[derive(Clone)]
pub(crate) struct Import {
    /// As written; for a glob, what stands before it.
    pub(crate) path: Vec<String>,
    /// The name here; `None` for a glob and for `_`.
    pub(crate) name: Option<String>,
    pub(crate) is_glob: bool,
    /// Whether it hands the name on to others.
    pub(crate) is_public: bool,
}

impl Workspace {
    /// Reads crates, each by its name and its root file; `text` gives a file's content, `None` where there is none.
    pub(crate) fn read(crates: &[(String, String)], text: impl Fn(&str) -> Option<String>) -> Self {
        let mut workspace = Self::default();
        for (name, root) in crates {
            let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
            workspace.file(vec![name.clone()], root, folder, &text);
        }
        workspace
    }

    fn file(&mut self, path: ModulePath, file: &str, folder: &str, text: &impl Fn(&str) -> Option<String>) {
        let text_of_file = text(file).unwrap_or_else(|| panic!("{file} is not there"));
        let parsed = syn::parse_file(&text_of_file).unwrap_or_else(|error| panic!("{file} is no Rust: {error}"));
        self.module(path, file, folder, parsed.items, text);
    }

    fn module(
        &mut self,
        path: ModulePath,
        file: &str,
        folder: &str,
        items: Vec<Item>,
        text: &impl Fn(&str) -> Option<String>,
    ) {
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        for item in items {
            if is_for_tests(attributes(&item)) {
                continue;
            }
            match item {
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let (path, folder) = (
                        [path.as_slice(), std::slice::from_ref(&name)].concat(),
                        format!("{folder}/{name}"),
                    );
                    match child.content {
                        Some((_, items)) => self.module(path, file, &folder, items, text),
                        None => self.file(path, &format!("{folder}.rs"), &folder, text),
                    }
                    module.children.insert(name);
                }
                Item::Use(item) => {
                    let is_public = !matches!(item.vis, Visibility::Inherited);
                    leaves(&item.tree, &[], is_public, &mut module.imports);
                }
                item => {
                    module.definitions.extend(defined(&item));
                    module.items.push(item);
                }
            }
        }
        self.modules.insert(path, module);
    }
}

/// `#[cfg(test)]`.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// The leaves of a `use` item, with the path that leads to each.
pub(crate) fn leaves(tree: &UseTree, before: &[String], is_public: bool, imports: &mut Vec<Import>) {
    let mut leaf = |last: &str, name: Option<&str>, is_glob: bool| {
        let mut path = before.to_vec();
        if last != "self" && !is_glob {
            path.push(last.to_owned());
        }
        let name = name.map(|name| {
            if name == "self" {
                path.last().cloned().unwrap_or_default()
            } else {
                name.to_owned()
            }
        });
        imports.push(Import {
            path,
            name: name.filter(|name| name != "_"),
            is_glob,
            is_public,
        });
    };
    match tree {
        UseTree::Path(tree) => {
            let before = [before, &[tree.ident.to_string()]].concat();
            leaves(&tree.tree, &before, is_public, imports);
        }
        UseTree::Name(tree) => {
            let name = tree.ident.to_string();
            leaf(&name, Some(&name), false);
        }
        UseTree::Rename(tree) => leaf(&tree.ident.to_string(), Some(&tree.rename.to_string()), false),
        UseTree::Glob(_) => leaf("*", None, true),
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, before, is_public, imports);
            }
        }
    }
}

fn defined(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
