//! Which file defines the name that a path ends at. Re-exports are followed to the definition.

use crate::source::{ModulePath, Workspace};

/// What a path ends at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A name, and the module that defines it.
    Definition(ModulePath, String),
    Module(ModulePath),
}

/// A module and an item can have one name, as `mod corroborate` and `fn corroborate` do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Item,
    Module,
}

/// Deeper than any chain of re-exports: two globs that name each other end here.
const DEEPEST: usize = 16;

impl Workspace {
    /// What a path means in a module; `None` for what no crate of the workspace defines. What stands behind a type (a
    /// variant, an associated function) is part of the type.
    pub(crate) fn meaning(&self, here: &ModulePath, path: &[String]) -> Option<Meaning> {
        self.follow(here, path, Wanted::Item, 0)
    }

    fn follow(&self, here: &ModulePath, path: &[String], wanted: Wanted, depth: usize) -> Option<Meaning> {
        let (first, rest) = path.split_first()?;
        if depth > DEEPEST {
            return None;
        }
        let next = if rest.is_empty() { wanted } else { Wanted::Module };
        let start = match first.as_str() {
            "crate" => Meaning::Module(here[..1].to_vec()),
            "self" => Meaning::Module(here.clone()),
            "super" => Meaning::Module(here[..here.len().checked_sub(1)?].to_vec()),
            name => self.find(here, name, next, depth).or_else(|| {
                let root = vec![name.to_owned()];
                self.modules.contains_key(&root).then_some(Meaning::Module(root))
            })?,
        };
        self.descend(start, rest, wanted, depth)
    }

    fn descend(&self, start: Meaning, rest: &[String], wanted: Wanted, depth: usize) -> Option<Meaning> {
        let mut reached = start;
        for (place, name) in rest.iter().enumerate() {
            let Meaning::Module(module) = reached else { break };
            if name == "super" {
                reached = Meaning::Module(module[..module.len().checked_sub(1)?].to_vec());
                continue;
            }
            let next = if place + 1 == rest.len() {
                wanted
            } else {
                Wanted::Module
            };
            reached = self.find(&module, name, next, depth)?;
        }
        Some(reached)
    }

    /// What a name means inside a module.
    fn find(&self, at: &ModulePath, name: &str, wanted: Wanted, depth: usize) -> Option<Meaning> {
        let module = self.modules.get(at)?;
        let child = || {
            let path = [at.as_slice(), &[name.to_owned()]].concat();
            module.children.contains(name).then_some(Meaning::Module(path))
        };
        let definition = || {
            let is_here = module.definitions.contains(name);
            is_here.then(|| Meaning::Definition(at.clone(), name.to_owned()))
        };
        let imported = |wanted| {
            let mut named = module
                .imports
                .iter()
                .filter(|import| import.name.as_deref() == Some(name));
            named.find_map(|import| self.follow(at, &import.path, wanted, depth + 1))
        };
        let globbed = || {
            module
                .imports
                .iter()
                .filter(|import| import.is_glob)
                .find_map(
                    |import| match self.follow(at, &import.path, Wanted::Module, depth + 1)? {
                        Meaning::Module(module) if module != *at => self.find(&module, name, wanted, depth + 1),
                        _ => None,
                    },
                )
        };
        match wanted {
            Wanted::Item => definition()
                .or_else(|| imported(wanted))
                .or_else(child)
                .or_else(globbed),
            Wanted::Module => child()
                .or_else(|| imported(wanted))
                .or_else(definition)
                .or_else(globbed),
        }
    }
}
