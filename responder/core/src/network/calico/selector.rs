//! Calico's selectors, such as `app == 'web' && !has(debug)`.
//! Source: <https://docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy#selectors>

use std::collections::BTreeMap;

use winnow::ascii::multispace0;
use winnow::combinator::{alt, delimited, fail, opt, preceded, repeat, separated};
use winnow::error::{ContextError, ErrMode};
use winnow::prelude::*;
use winnow::token::{any, take_till, take_while};

/// The deepest nesting. A tenant writes selectors, and each level takes a piece of the stack.
const MOST_LEVELS: usize = 32;

/// A selector over labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CalicoSelector {
    /// `all()`.
    All,
    /// `global()`: what is in no namespace.
    Global,
    Has(String),
    Is(String, String),
    /// Of an absent label too.
    IsNot(String, String),
    In(String, Vec<String>),
    /// Of an absent label too.
    NotIn(String, Vec<String>),
    Contains(String, String),
    StartsWith(String, String),
    EndsWith(String, String),
    Not(Box<Self>),
    Both(Vec<Self>),
    Either(Vec<Self>),
}

type Parsed<T> = ModalResult<T>;

impl CalicoSelector {
    /// The selector of a text; `None` for one that is not understood. An empty text is a selector of everything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::All);
        }
        let mut input = text;
        let selector = either(&mut input, 0).ok()?;
        input.trim().is_empty().then_some(selector)
    }

    /// Whether an object with these labels is selected.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = |key: &String| labels.get(key).map(String::as_str);
        match self {
            Self::All => true,
            Self::Global => false,
            Self::Has(key) => labels.contains_key(key),
            Self::Is(key, is) => value(key) == Some(is),
            Self::IsNot(key, is) => value(key) != Some(is),
            Self::In(key, values) => value(key).is_some_and(|value| values.iter().any(|one| one == value)),
            Self::NotIn(key, values) => !value(key).is_some_and(|value| values.iter().any(|one| one == value)),
            Self::Contains(key, part) => value(key).is_some_and(|value| value.contains(part.as_str())),
            Self::StartsWith(key, part) => value(key).is_some_and(|value| value.starts_with(part.as_str())),
            Self::EndsWith(key, part) => value(key).is_some_and(|value| value.ends_with(part.as_str())),
            Self::Not(selector) => !selector.matches(labels),
            Self::Both(selectors) => selectors.iter().all(|selector| selector.matches(labels)),
            Self::Either(selectors) => selectors.iter().any(|selector| selector.matches(labels)),
        }
    }
}

fn either(input: &mut &str, level: usize) -> Parsed<CalicoSelector> {
    if level > MOST_LEVELS {
        return fail(input);
    }
    let all: Vec<_> = separated(1.., |input: &mut &str| both(input, level), token("||")).parse_next(input)?;
    Ok(one_or(all, CalicoSelector::Either))
}

fn both(input: &mut &str, level: usize) -> Parsed<CalicoSelector> {
    let all: Vec<_> = separated(1.., |input: &mut &str| negated(input, level), token("&&")).parse_next(input)?;
    Ok(one_or(all, CalicoSelector::Both))
}

fn one_or(mut all: Vec<CalicoSelector>, several: fn(Vec<CalicoSelector>) -> CalicoSelector) -> CalicoSelector {
    match all.pop() {
        Some(one) if all.is_empty() => one,
        last => {
            all.extend(last);
            several(all)
        }
    }
}

fn negated(input: &mut &str, level: usize) -> Parsed<CalicoSelector> {
    let negations: usize = repeat(0.., token("!")).parse_next(input)?;
    let selector = alt((
        delimited(token("("), |input: &mut &str| either(input, level + 1), token(")")),
        call,
        comparison,
    ))
    .parse_next(input)?;
    Ok(if negations % 2 == 1 {
        CalicoSelector::Not(Box::new(selector))
    } else {
        selector
    })
}

/// `all()`, `global()`, `has(key)`.
fn call(input: &mut &str) -> Parsed<CalicoSelector> {
    alt((
        (token("all"), token("("), token(")")).value(CalicoSelector::All),
        (token("global"), token("("), token(")")).value(CalicoSelector::Global),
        preceded((token("has"), token("(")), (key, token(")"))).map(|(key, ())| CalicoSelector::Has(key)),
    ))
    .parse_next(input)
}

fn comparison(input: &mut &str) -> Parsed<CalicoSelector> {
    let key = key(input)?;
    let text = |operator: &'static str| preceded(token(operator), literal);
    alt((
        text("==").map(|is| CalicoSelector::Is(key.clone(), is)),
        text("!=").map(|is| CalicoSelector::IsNot(key.clone(), is)),
        preceded((token("not"), token("in")), set).map(|values| CalicoSelector::NotIn(key.clone(), values)),
        preceded(token("in"), set).map(|values| CalicoSelector::In(key.clone(), values)),
        text("contains").map(|part| CalicoSelector::Contains(key.clone(), part)),
        preceded((token("starts"), token("with")), literal).map(|part| CalicoSelector::StartsWith(key.clone(), part)),
        preceded((token("ends"), token("with")), literal).map(|part| CalicoSelector::EndsWith(key.clone(), part)),
    ))
    .parse_next(input)
}

fn set(input: &mut &str) -> Parsed<Vec<String>> {
    delimited(
        token("{"),
        separated(0.., literal, token(",")),
        (opt(token(",")), token("}")),
    )
    .parse_next(input)
}

fn key(input: &mut &str) -> Parsed<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    preceded(multispace0, take_while(1.., is_part))
        .map(str::to_owned)
        .parse_next(input)
}

fn literal(input: &mut &str) -> Parsed<String> {
    let quote = preceded(multispace0, any)
        .verify(|c| matches!(c, '\'' | '"'))
        .parse_next(input)?;
    let text: &str = take_till(0.., quote).parse_next(input)?;
    any.parse_next(input)?;
    Ok(text.to_owned())
}

fn token<'a>(text: &'static str) -> impl Parser<&'a str, (), ErrMode<ContextError>> {
    (multispace0, text).void()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The spellings of Calico's own documentation.
    #[rstest]
    #[case("all()", true)]
    #[case("", true)]
    #[case("global()", false)]
    #[case("app == 'web'", true)]
    #[case("app==\"web\"", true)]
    #[case("app != 'web'", false)]
    #[case("gone != 'web'", true)]
    #[case("has(app)", true)]
    #[case("!has(app)", false)]
    #[case("! ! has(app)", true)]
    #[case("app in { 'db', 'web' }", true)]
    #[case("app not in {'db','web'}", false)]
    #[case("app not in {'db'}", true)]
    #[case("app contains 'e' && app starts with 'w' && app ends with 'b'", true)]
    #[case("has(gone) || app == 'web' && tier == 'front'", true)]
    #[case("(has(gone) || app == 'web') && tier == 'back'", false)]
    #[case("projectcalico.org/namespace == 'shop'", true)]
    #[case("allowed == 'x'", false)]
    fn a_selector_selects_as_calico_says(#[case] text: &str, #[case] selects: bool) {
        let labels = [
            ("app", "web"),
            ("tier", "front"),
            ("projectcalico.org/namespace", "shop"),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let selector = CalicoSelector::parse(text).unwrap();
        assert_eq!(selector.matches(&labels), selects, "{selector:?}");
    }

    #[rstest]
    #[case("app = 'web'")]
    #[case("app == web")]
    #[case("app == 'web")]
    #[case("app == 'web' &&")]
    #[case("(app == 'web'")]
    #[case("has app")]
    #[case("app == 'web' has(x)")]
    fn another_text_is_no_selector(#[case] text: &str) {
        assert_eq!(CalicoSelector::parse(text), None);
    }

    #[test]
    fn a_selector_nested_too_deep_is_not_understood() {
        let nested = |levels: usize| format!("{}has(app){}", "(".repeat(levels), ")".repeat(levels));
        assert!(CalicoSelector::parse(&nested(MOST_LEVELS)).is_some());
        assert_eq!(CalicoSelector::parse(&nested(100_000)), None);
    }
}
