//! Files that take names from each other in a ring.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use crate::arrows::Arrows;

/// Files of which each reaches every other.
pub(crate) struct Circle {
    pub(crate) files: BTreeSet<String>,
    /// The shortest way round: from a file, to the next, the names that tie them.
    pub(crate) ring: Vec<(String, String, BTreeSet<String>)>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a circle of {} files, the shortest way round:", self.files.len())?;
        for (from, to, names) in &self.ring {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            write!(f, "\n  {from} -> {to}: {}", names.join(", "))?;
        }
        Ok(())
    }
}

/// The circles of more than one file.
pub(crate) fn circles(arrows: &Arrows) -> Vec<Circle> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|file| (file.as_str(), reachable(arrows, file)))
        .collect();
    let leads = |from: &str, to: &str| reach.get(from).is_some_and(|files| files.contains(to));
    let mut circles: Vec<Circle> = Vec::new();
    for file in arrows.keys() {
        if !leads(file, file) || circles.iter().any(|circle| circle.files.contains(file)) {
            continue;
        }
        let files: BTreeSet<String> = reach[file.as_str()]
            .iter()
            .filter(|other| leads(other, file))
            .map(|&other| other.to_owned())
            .collect();
        let ring = files.iter().map(|file| way_round(arrows, file)).min_by_key(Vec::len);
        circles.push(Circle {
            files,
            ring: ring.unwrap_or_default(),
        });
    }
    circles
}

/// The files that a file leads to, itself only by a way round.
fn reachable<'a>(arrows: &'a Arrows, file: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![file];
    while let Some(file) = open.pop() {
        for next in arrows.get(file).into_iter().flatten().map(|(to, _)| to.as_str()) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

/// The shortest way from a file back to itself.
fn way_round(arrows: &Arrows, start: &str) -> Vec<(String, String, BTreeSet<String>)> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(file) = open.pop_front() {
        for next in arrows.get(file).into_iter().flatten().map(|(to, _)| to.as_str()) {
            if !came_from.contains_key(next) {
                came_from.insert(next, file);
                open.push_back(next);
            }
        }
    }
    let mut ring = Vec::new();
    let mut to = start;
    while let Some(&from) = came_from.get(to) {
        ring.insert(0, (from.to_owned(), to.to_owned(), arrows[from][to].clone()));
        to = from;
        if to == start {
            break;
        }
    }
    ring
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::arrows::arrows;
    use crate::circles::circles;
    use crate::source::Workspace;

    /// The circles of a crate of these files, `src/lib.rs` first.
    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let text = |file: &str| {
            let found = files.iter().find(|(name, _)| *name == file)?;
            Some(found.1.to_owned())
        };
        let workspace = Workspace::read(&[("made".to_owned(), "src/lib.rs".to_owned())], text);
        circles(&arrows(&workspace)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_ring_is_told_with_the_names_that_tie_it() {
        let told = told(&[
            ("src/lib.rs", "mod a; mod b; mod c; mod face;"),
            ("src/a.rs", "use crate::b::B; pub struct A(B);"),
            ("src/b.rs", "pub struct B; fn c() -> crate::face::C { super::face::C }"),
            ("src/face.rs", "pub use crate::c::C;"),
            (
                "src/c.rs",
                "use crate::a::{self, A}; pub struct C; fn a() -> Option<a::A> { let _: A; None }",
            ),
        ]);
        assert_eq!(
            told,
            [
                "a circle of 3 files, the shortest way round:\n  src/a.rs -> src/b.rs: B\n  src/b.rs -> src/c.rs: C\n  src/c.rs -> src/a.rs: A"
            ]
        );
    }

    #[rstest]
    #[case::a_parent_that_uses_its_child("mod child; use child::Child; pub struct Parent(Child);", 1)]
    #[case::a_call_into_the_child("mod child; pub struct Parent; fn f() { child::f(); }", 1)]
    #[case::a_name_in_a_macro("mod child; pub struct Parent; fn f() { println!(\"{}\", child::f()); }", 1)]
    #[case::a_name_handed_on_and_used("mod child; pub use child::Child; pub struct Parent; type One = Child;", 1)]
    #[case::a_name_handed_on("mod child; pub use child::Child; pub struct Parent;", 0)]
    #[case::a_use_in_a_test(
        "mod child; pub struct Parent; #[cfg(test)] mod tests { use super::child::Child; }",
        0
    )]
    #[case::a_method_of_the_name("mod child; pub struct Parent; pub use child::f; fn g(x: X) { show!(x.f()); }", 0)]
    fn a_parent_and_its_child_are_a_circle_where_each_uses_the_other(#[case] parent: &str, #[case] circles: usize) {
        let child = "use super::Parent; pub struct Child(Parent); pub fn f() {}";
        assert_eq!(told(&[("src/lib.rs", parent), ("src/child.rs", child)]).len(), circles);
    }
}
