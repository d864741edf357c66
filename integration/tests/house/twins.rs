//! Types that share a name.

use std::collections::BTreeMap;

use syn::{Ident, Item, Visibility};

use crate::source::Workspace;

/// The names that more than one type has outside its own file, each with the files.
pub(crate) fn twins(workspace: &Workspace) -> Vec<String> {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for module in workspace.modules.values() {
        for name in module.items.iter().filter_map(public_type) {
            files.entry(name.to_string()).or_default().push(&module.file);
        }
    }
    files.retain(|_, files| files.len() > 1);
    files
        .into_iter()
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect()
}

fn public_type(item: &Item) -> Option<&Ident> {
    let (visibility, name) = match item {
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    (!matches!(visibility, Visibility::Inherited)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::twins;
    use crate::source::Workspace;

    #[test]
    fn types_of_one_name_are_told_with_their_files() {
        let text = |file: &str| {
            let text = match file {
                "one/lib.rs" => "pub struct Same; struct Own; pub fn same() {}",
                "two/lib.rs" => "mod inner; pub use inner::Same;",
                "two/inner.rs" => "pub(crate) enum Same { A } struct Own; #[cfg(test)] pub struct Own;",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let crates = ["one", "two"].map(|name| (name.to_owned(), format!("{name}/lib.rs")));
        let workspace = Workspace::read(&crates, text);
        assert_eq!(twins(&workspace), ["Same: one/lib.rs, two/inner.rs"]);
    }
}
