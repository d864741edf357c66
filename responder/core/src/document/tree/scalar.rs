//! Plain scalars, by YAML 1.2's core schema.

use super::node::Content;

/// The value of a plain (unquoted) scalar.
///
/// Source: <https://yaml.org/spec/1.2.2/#103-core-schema>. Kept as text: numbers with leading zeros, which YAML 1.1
/// reads as octal and 1.2 as decimal, and numbers past 64 bits.
pub(super) fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Boolean(true),
        "false" | "False" | "FALSE" => Content::Boolean(false),
        _ => number(text).unwrap_or_else(|| Content::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Content> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let integer = if let Some(hexadecimal) = text.strip_prefix("0x") {
        unsigned(hexadecimal, 16)
    } else if let Some(octal) = text.strip_prefix("0o") {
        unsigned(octal, 8)
    } else if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        text.parse().ok()
    } else {
        return float(text, digits);
    };
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    integer.filter(|integer| range.contains(integer)).map(Content::Integer)
}

fn unsigned(digits: &str, radix: u32) -> Option<i128> {
    if digits.starts_with(['-', '+']) {
        None
    } else {
        i128::from_str_radix(digits, radix).ok()
    }
}

fn float(text: &str, digits: &str) -> Option<Content> {
    let shape = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let digit = digits.bytes().any(|byte| byte.is_ascii_digit());
    let zeros = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if !shape || !digit || zeros {
        return None;
    }
    text.parse()
        .ok()
        .filter(|float: &f64| float.is_finite())
        .map(Content::Float)
}
