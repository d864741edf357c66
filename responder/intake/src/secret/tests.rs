use rstest::rstest;

use super::*;
use crate::testing::TestFiles;

#[rstest]
#[case::as_editors_leave_it("secret\n", "secret")]
#[case::from_windows("secret\r\n", "secret")]
#[case::without_a_line_end("secret", "secret")]
#[case::blanks_belong_to_it(" a secret \n", " a secret ")]
#[tokio::test]
async fn a_secret_is_the_whole_file_but_for_one_line_end(#[case] contents: &str, #[case] secret: &str) {
    let files = TestFiles::new();
    let source = SecretSource::File(files.write("password", contents));
    assert_eq!(source.text().await.unwrap().expose_secret(), secret);
}

#[rstest]
#[case::empty("", "it is empty")]
#[case::a_line_end("\n", "it is empty")]
#[case::two_lines("alpha\nbeta\n", "it has a line end or another control character in it")]
#[case::a_line_end_too_many("alpha\n\n", "it has a line end or another control character in it")]
#[case::a_nul("alpha\0", "it has a line end or another control character in it")]
#[case::long(&"alpha".repeat(1000), "it is longer than 4096 bytes")]
#[tokio::test]
async fn a_file_without_one_secret_is_refused_and_not_quoted(#[case] contents: &str, #[case] problem: &str) {
    let files = TestFiles::new();
    let file = files.write("password", contents);
    let flaw = SecretSource::File(file.clone()).text().await.unwrap_err().to_string();
    assert!(flaw.starts_with(&format!("{}: {problem}", file.display())), "{flaw}");
    assert!(!flaw.contains("alpha"), "{flaw}");
}

#[tokio::test]
async fn a_place_that_cannot_be_read_is_named() {
    let files = TestFiles::new();
    let said = async |source: SecretSource| source.text().await.unwrap_err().to_string();
    let missing = said(SecretSource::File(files.path("missing"))).await;
    assert!(missing.contains("missing: No such file"), "{missing}");
    let directory = said(SecretSource::File(files.directory().to_owned())).await;
    assert!(directory.ends_with(": it is not a file"), "{directory}");
    let unset = said(SecretSource::Env("RESPONDER_NO_SUCH_VARIABLE".to_owned())).await;
    assert_eq!(
        unset,
        "the environment variable RESPONDER_NO_SUCH_VARIABLE: it is not set"
    );
}

#[test]
fn debug_output_of_contents_holds_nothing_of_them() {
    let files = TestFiles::new();
    let contents = read_file(&files.write("password", "hunter2")).unwrap();
    assert!(!format!("{contents:?}").contains("hunter2"));
}
