use proptest::prelude::*;
use rstest::rstest;

use super::{Content, MAX_BYTES, Node, plain, read};

fn one(text: &str) -> Node {
    let mut stream = read(text);
    assert_eq!(stream.faults, []);
    stream.documents.remove(0)
}

fn messages(text: &str) -> Vec<String> {
    read(text).faults.into_iter().map(|fault| fault.message).collect()
}

#[rstest]
#[case("", Content::Null)]
#[case("~", Content::Null)]
#[case("true", Content::Boolean(true))]
#[case("yes", Content::Text("yes".into()))]
#[case("on", Content::Text("on".into()))]
#[case("NO", Content::Text("NO".into()))]
#[case("0", Content::Integer(0))]
#[case("-7", Content::Integer(-7))]
#[case("0x1F", Content::Integer(31))]
#[case("0o17", Content::Integer(15))]
#[case("0755", Content::Text("0755".into()))]
#[case("1_000", Content::Text("1_000".into()))]
#[case("18446744073709551615", Content::Integer(u64::MAX.into()))]
#[case("18446744073709551616", Content::Text("18446744073709551616".into()))]
#[case("1.10", Content::Float(1.1))]
#[case("1e3", Content::Float(1000.0))]
#[case("10.0.0.0", Content::Text("10.0.0.0".into()))]
#[case("1e999", Content::Text("1e999".into()))]
#[case(".inf", Content::Text(".inf".into()))]
#[case("12:30:00", Content::Text("12:30:00".into()))]
#[case("2027-01-01", Content::Text("2027-01-01".into()))]
#[case("-", Content::Text("-".into()))]
fn a_plain_scalar_is_what_yaml_1_2_says(#[case] text: &str, #[case] content: Content) {
    assert_eq!(plain(text), content);
}

#[test]
fn every_key_and_value_knows_its_bytes() {
    let text = "spec:\n  match: {rules: [\"a b\", c]}\n";
    let root = one(text);
    let spec = root.entry("spec").unwrap();
    assert_eq!(&text[spec.key_at.clone()], "spec");
    let rules = spec.value.get("match").unwrap().get("rules").unwrap();
    assert_eq!(&text[rules.at.clone()], "[\"a b\", c]");
    let Content::List(rules) = &rules.value else {
        panic!("a list")
    };
    assert_eq!(&text[rules[0].at.clone()], "\"a b\"");
    assert_eq!(rules[0].text(), Some("a b"));
}

#[test]
fn a_quoted_scalar_is_text() {
    assert_eq!(one("a: \"5\"").get("a").unwrap().text(), Some("5"));
    assert_eq!(one("a: !!str 5").get("a").unwrap().text(), Some("5"));
}

#[test]
fn an_alias_is_its_anchor_at_its_own_place() {
    let text = "a: &x [1]\nb: *x\n";
    let root = one(text);
    assert_eq!(root.get("a").unwrap().value, root.get("b").unwrap().value);
    assert_eq!(&text[root.get("b").unwrap().at.clone()], "*x");
}

#[test]
fn documents_are_told_apart_and_empty_ones_left_out() {
    let stream = read("# nothing\n---\na: 1\n---\n---\nb: 2\n...\n");
    assert_eq!((stream.documents.len(), stream.faults.len()), (2, 0));
}

#[test]
fn a_broken_document_does_not_hide_the_next_one() {
    let stream = read("a: [1\n---\nb: 2\nb: 3\n");
    assert_eq!(
        (stream.documents.len(), stream.faults.len()),
        (1, 2),
        "{:?}",
        stream.faults
    );
}

#[rstest]
#[case("a: 1\nb: 2\na: 3", "the key `a` is here twice")]
#[case("a: *b", "there is no anchor `&b`")]
#[case("a: !!binary aGk=", "tags have no meaning here")]
#[case("a: !Ref x", "tags have no meaning here")]
#[case("<<: {a: 1}", "merge keys (`<<`) are not read")]
#[case("? [a, b]\n: 1", "a key is text, not a collection")]
#[case("a: &x [*x]", "this alias is inside the value that it refers to")]
fn yaml_without_a_form_in_json_is_a_fault(#[case] text: &str, #[case] message: &str) {
    assert_eq!(messages(text), [message]);
}

#[test]
fn hostile_files_are_answered() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        bomb.push_str(
            &[
                "a",
                &level.to_string(),
                ": &a",
                &level.to_string(),
                " [",
                &[&*alias; 10].join(", "),
                "]\n",
            ]
            .concat(),
        );
    }
    let hostile = [
        bomb,
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "a:\n".repeat(10) + &" ".repeat(100_000) + "b: 1",
        "&a ".repeat(10_000),
        "? ".repeat(10_000),
        "x".repeat(MAX_BYTES + 1),
        "- x\n".repeat(200_000),
        "\u{0}\u{feff}\u{1b}[2J: \u{202e}".to_owned(),
        "%YAML 9.9\n---\n".repeat(1000),
        "a: |\n".to_owned() + &" \t".repeat(1000),
    ];
    for text in hostile {
        let stream = read(&text);
        assert!(
            !stream.faults.is_empty() || stream.documents.len() < 2,
            "{}",
            &text[..20]
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_and_every_place_is_in_the_text(text in "[-a-c:{}\\[\\]&*!|>'\"#%@`, \n\t0-9é]{0,60}") {
        let stream = read(&text);
        for fault in &stream.faults {
            prop_assert!(text.get(fault.at.clone()).is_some(), "{fault:?}");
        }
        let mut nodes: Vec<&Node> = stream.documents.iter().collect();
        while let Some(node) = nodes.pop() {
            prop_assert!(text.get(node.at.clone()).is_some(), "{node:?}");
            match &node.value {
                Content::List(children) => nodes.extend(children),
                Content::Map(entries) => {
                    for entry in entries {
                        prop_assert!(text.get(entry.key_at.clone()).is_some(), "{entry:?}");
                        nodes.push(&entry.value);
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(text in any::<String>()) {
        let _ = read(&text);
    }
}
