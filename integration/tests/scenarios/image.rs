//! The image: packed, unpacked, and started in an otherwise empty root.

use std::{collections::BTreeSet, fs, path::Path};

use integration::oci::{
    image,
    program::{self, Profile},
    start,
};
use responder_core::error::chain;

/// The names in a directory.
fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn the_unpacked_program_is_healthy_in_an_empty_root_as_an_unprivileged_user() {
    let target = program::target_directory().join("image-test");
    let program = program::build(Profile::Test, &target).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let archive = image::layout(program, "0.0.0").unwrap().archive().unwrap();
    let started = start::start(&archive).unwrap_or_else(|error| panic!("{}", chain(&error)));

    let root = format!("/proc/{}/root", started.pid());
    assert_eq!(
        names(Path::new(&root)),
        ["LICENSE", "cluster", "etc", "playbooks", "responder"]
            .map(str::to_owned)
            .into(),
        "the root has no library and no shell"
    );
    let users = fs::read_to_string(format!("/proc/{}/uid_map", started.pid())).unwrap();
    assert_eq!(users.split_whitespace().next(), Some("65532"));
    let status = fs::read_to_string(format!("/proc/{}/status", started.pid())).unwrap();
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    assert_eq!(capabilities.trim(), "0000000000000000");
}

/// This proves that the root in the test above is empty.
#[test]
fn a_program_that_needs_a_library_does_not_start_there() {
    let linked = fs::read(env!("CARGO_BIN_EXE_bare-axum")).unwrap();
    let archive = image::layout(linked, "0.0.0").unwrap().archive().unwrap();
    let error = start::start(&archive).unwrap_err();
    assert!(chain(&error).contains("No such file or directory"), "{}", chain(&error));
}
