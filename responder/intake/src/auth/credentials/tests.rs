use base64::prelude::BASE64_STANDARD;
use rstest::rstest;

use super::*;
use crate::auth::reload::Reloadable;
use crate::secret::listed;
use crate::testing::TestFiles;

const SECRET: &str = "a-secret-of-some-length";

fn named(name: &str, secret: SecretSource) -> NamedSecret {
    NamedSecret {
        confined: None,
        name: SenderName::new(name).unwrap(),
        secret,
    }
}

/// The sender falco has two passwords, falcosidekick a token.
fn credentials() -> Credentials {
    let files = TestFiles::new();
    let file = |name, secret| SecretSource::File(files.write(name, secret));
    let sources = CredentialSources {
        basic: vec![
            named("falco", file("old", "old:password with a colon\n")),
            named("falco", file("new", SECRET)),
        ],
        bearer: vec![named("falcosidekick", file("token", "token-0123456789abcdef\r\n"))],
    };
    sources
        .load(&read(&sources))
        .unwrap_or_else(|flaws| panic!("{}", listed(&flaws)))
}

fn read(sources: &CredentialSources) -> Vec<Contents> {
    let read = |file: &&Path| Contents::new(Box::new(std::fs::read(file).unwrap()));
    sources.files().iter().map(read).collect()
}

fn basic_header(pair: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

fn headers(values: &[String]) -> HeaderMap {
    let values = values
        .iter()
        .map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
    values.collect()
}

#[rstest]
#[case(&basic_header("falco:old:password with a colon"), "basic falco")]
#[case(&basic_header(&format!("falco:{SECRET}")), "basic falco")]
#[case(&basic_header(&format!("falco:{SECRET}")).replace("Basic", "bAsIc"), "basic falco")]
#[case(&basic_header(&format!("falco:{SECRET}")).replace('=', ""), "basic falco")]
#[case("Bearer token-0123456789abcdef", "bearer falcosidekick")]
#[case("bearer   token-0123456789abcdef", "bearer falcosidekick")]
fn a_sender_with_a_known_secret_is_authenticated_by_its_name(#[case] header: &str, #[case] sender: &str) {
    let known = credentials().sender(&headers(&[header.to_owned()])).unwrap();
    assert_eq!(known.to_string(), sender);
}

#[rstest]
#[case::other_password(&basic_header("falco:a-secret-of-some-lengtH"))]
#[case::shorter(&basic_header("falco:a-secret-of-some-lengt"))]
#[case::longer(&basic_header(&format!("falco:{SECRET}x")))]
#[case::with_its_line_end(&basic_header("falco:old:password with a colon\n"))]
#[case::nothing(&basic_header("falco:"))]
#[case::other_user(&basic_header(&format!("root:{SECRET}")))]
#[case::cut_elsewhere(&basic_header(&format!("falc:o{SECRET}")))]
#[case::user_of_another_case(&basic_header(&format!("Falco:{SECRET}")))]
#[case::no_colon(&basic_header("falco"))]
#[case::a_token_as_password(&basic_header("falcosidekick:token-0123456789abcdef"))]
#[case::a_password_as_token(&format!("Bearer {SECRET}"))]
#[case::no_base64("Basic falco:password")]
#[case::no_scheme("token-0123456789abcdef")]
#[case::other_scheme("Digest token-0123456789abcdef")]
#[case::no_token("Bearer ")]
#[case::empty("")]
fn a_sender_with_anything_else_is_not(#[case] header: &str) {
    let unknown = credentials().sender(&headers(&[header.to_owned()])).unwrap_err();
    assert_eq!(unknown, AuthenticationFailure::Wrong);
}

#[test]
fn no_credentials_and_two_at_once_are_told_apart() {
    let credentials = credentials();
    assert_eq!(
        credentials.sender(&HeaderMap::new()).unwrap_err(),
        AuthenticationFailure::Missing
    );
    let right = basic_header(&format!("falco:{SECRET}"));
    let two = headers(&[right.clone(), right]);
    assert_eq!(credentials.sender(&two).unwrap_err(), AuthenticationFailure::Wrong);
}

#[rstest]
#[case("", "it is empty")]
#[case("\n", "it is empty")]
#[case("alpha\nbeta\n", "it has a line end or another control character in it")]
#[case("nul\0", "it has a line end or another control character in it")]
fn a_file_that_holds_no_secret_is_refused_without_being_quoted(#[case] contents: &str, #[case] problem: &str) {
    let files = TestFiles::new();
    let sources = CredentialSources {
        basic: vec![named("falco", SecretSource::File(files.write("password", contents)))],
        bearer: vec![named(
            "other",
            SecretSource::Env("RESPONDER_NO_SUCH_VARIABLE".to_owned()),
        )],
    };
    let flaws = Reloadable::load(sources).err().unwrap();
    let said = listed(&flaws);
    assert!(said.contains(problem), "{said}");
    assert!(
        said.contains("the environment variable RESPONDER_NO_SUCH_VARIABLE: it is not set"),
        "{said}"
    );
    assert!(!said.contains("alpha") && !said.contains("beta"), "{said}");
}

#[test]
fn debug_output_holds_no_secret() {
    let shown = format!("{:?}", credentials());
    assert!(shown.contains("falcosidekick") && !shown.contains("token-0"), "{shown}");
}
