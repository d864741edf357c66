//! Falco's fields by name: their types, with which loading refuses a predicate that can never hold, and the field of a
//! name whose argument a relay has rewritten.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::LazyLock,
};

/// The JSON type that Falco writes for a field that has a value; without a value it writes null for every type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Text. (`ka.response.code` and the flags of `ka.req.pod` are text: `"200"`, `"true"`.)
    String,
    /// Text that is an IP address. Cloud audit logs may name a service instead.
    Address,
    /// A whole number of up to 64 bits, signed or unsigned.
    Integer,
    /// A port: a whole number, 0 to 65535.
    Port,
    /// A point in time: whole nanoseconds since 1970.
    Time,
    /// A span of time: whole nanoseconds.
    Duration,
    /// A boolean.
    Boolean,
    /// A float.
    Float,
    /// A list of texts.
    StringList,
    /// A list of texts that are IP addresses.
    AddressList,
}

impl FieldType {
    /// Whether the field's JSON value is a whole number.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::Integer | Self::Port | Self::Time | Self::Duration)
    }

    /// Whether the field's JSON value is a number, so `lt`, `le`, `gt` and `ge` apply.
    pub const fn is_number(self) -> bool {
        self.is_integer() || matches!(self, Self::Float)
    }

    /// Whether the field's JSON value is text or a list of texts.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::String | Self::Address | Self::StringList | Self::AddressList
        )
    }

    /// Whether the field's text is an IP address, so `inCidr` and `notInCidr` apply.
    pub const fn is_address(self) -> bool {
        matches!(self, Self::Address | Self::AddressList)
    }

    /// Whether the field's JSON value is a list.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::StringList | Self::AddressList)
    }

    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::String,
            "address" => Self::Address,
            "integer" => Self::Integer,
            "port" => Self::Port,
            "time" => Self::Time,
            "duration" => Self::Duration,
            "boolean" => Self::Boolean,
            "float" => Self::Float,
            "strings" => Self::StringList,
            "addresses" => Self::AddressList,
            _ => return None,
        })
    }
}

/// With its article, as the end of "`proc.tty` is …".
impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::Address => "an IP address",
            Self::Integer => "an integer",
            Self::Port => "a port (an integer)",
            Self::Time => "a time (an integer of nanoseconds since 1970)",
            Self::Duration => "a duration (an integer of nanoseconds)",
            Self::Boolean => "a boolean",
            Self::Float => "a float",
            Self::StringList => "a list of strings",
            Self::AddressList => "a list of IP addresses",
        })
    }
}

const FIELDS: &str = include_str!("../../data/falco-fields.txt");

static TYPES: LazyLock<HashMap<&str, FieldType>> = LazyLock::new(|| {
    FIELDS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, word)| Some((name, FieldType::read(word)?)))
        .collect()
});

/// The type of a Falco field by its name, argument included (`proc.aname[2]`, `evt.arg.flags`).
///
/// `None` for a name that is not a Falco field: a custom field of falcosidekick, an entry of `append_output`, a field
/// of a plugin that `data/falco-fields.txt` lacks. Such a field may have any type.
pub fn falco_type(name: &str) -> Option<FieldType> {
    if let Some((field, argument)) = name.split_once('[') {
        return if argument.ends_with(']') {
            TYPES.get(&*format!("{field}[]")).copied()
        } else {
            None
        };
    }
    TYPES.get(name).copied().or_else(|| {
        // `k8s.pod.label.app.kubernetes.io/name`: the argument may contain dots, so the longest prefix counts.
        name.rmatch_indices('.')
            .find_map(|(dot, _)| TYPES.get(&*format!("{}.*", &name[..dot])).copied())
    })
}

/// The names of all fields, as the data has them: those with an argument end in `[]` or `.*`.
pub(super) fn falco_names() -> impl Iterator<Item = &'static str> {
    TYPES.keys().copied()
}

/// The fields that take an argument, in brackets or behind a dot.
static WITH_ARGUMENT: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    TYPES
        .keys()
        .filter_map(|name| name.strip_suffix("[]").or_else(|| name.strip_suffix(".*")))
        .collect()
});

/// The Falco field of a name, without its argument: `proc.aname` for `proc.aname[2]`, and also for `proc.aname_2`, as
/// falcosidekick's `bracketreplacer` writes it with a replacement that the alert does not tell.
///
/// `None` for a name that is not a Falco field.
pub(super) fn falco_field(name: &str) -> Option<&str> {
    let field = name.split_once('[').map_or(name, |(field, _)| field);
    if TYPES.contains_key(field) && field == name || WITH_ARGUMENT.contains(field) {
        return Some(field);
    }
    name.rmatch_indices(|character: char| !character.is_ascii_alphanumeric())
        .map(|(end, _)| &name[..end])
        .find(|field| WITH_ARGUMENT.contains(field))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::shipped_rules, FIELDS, FieldType, TYPES, falco_field, falco_type};

    #[test]
    fn every_line_of_the_data_is_a_field_and_no_name_is_there_twice() {
        let lines = FIELDS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        assert_eq!(TYPES.len(), lines.count());
    }

    #[rstest]
    #[case("proc.tty", FieldType::Integer)]
    #[case("proc.name", FieldType::String)]
    #[case("proc.aname[2]", FieldType::String)]
    #[case("proc.apid[1]", FieldType::Integer)]
    #[case("evt.arg.flags", FieldType::String)]
    #[case("evt.arg[0]", FieldType::String)]
    #[case("evt.time", FieldType::Time)]
    #[case("evt.time.iso8601", FieldType::Time)]
    #[case("fd.sip", FieldType::Address)]
    #[case("fd.sip.name", FieldType::String)]
    #[case("fd.rport", FieldType::Port)]
    #[case("container.privileged", FieldType::Boolean)]
    #[case("k8s.pod.label.app.kubernetes.io/name", FieldType::String)]
    #[case("k8s.pod.label[app.kubernetes.io/name]", FieldType::String)]
    #[case("k8smeta.svc.name", FieldType::StringList)]
    #[case("ka.sourceips", FieldType::AddressList)]
    #[case("ka.req.pod.containers.image[0]", FieldType::StringList)]
    #[case("ka.response.code", FieldType::String)]
    #[case("ka.uri.param[command]", FieldType::String)]
    #[case("jevt.value[/requestObject/spec/volumes]", FieldType::String)]
    #[case("okta.mfa.deny.countlast[300]", FieldType::Integer)]
    #[case("thread.cpu", FieldType::Float)]
    fn a_field_has_falcos_type(#[case] name: &str, #[case] expected: FieldType) {
        assert_eq!(falco_type(name), Some(expected));
    }

    #[rstest]
    #[case("cluster")]
    #[case("proc.nmae")]
    #[case("proc.name[1]")]
    #[case("proc.aname[2")]
    #[case("proc.aname")]
    #[case("evt.arg")]
    #[case("evt.rawarg.fd")]
    #[case("")]
    fn a_name_that_falco_does_not_print_has_no_type(#[case] name: &str) {
        assert_eq!(falco_type(name), None);
    }

    #[rstest]
    #[case("proc.name", Some("proc.name"))]
    #[case("proc.aname[2]", Some("proc.aname"))]
    #[case("proc.aname_2", Some("proc.aname"))]
    #[case("proc.aname.2", Some("proc.aname"))]
    #[case("evt.arg.flags", Some("evt.arg"))]
    #[case("evt.args", Some("evt.args"))]
    #[case("k8s.pod.label.app.kubernetes.io/name", Some("k8s.pod.label"))]
    #[case("jevt.value[/requestObject/spec]", Some("jevt.value"))]
    #[case("jevt.value→/requestObject/spec", Some("jevt.value"))]
    #[case("ka.req.pod.containers.image", Some("ka.req.pod.containers.image"))]
    #[case(
        "ka.req.pod.containers.image.repository_0",
        Some("ka.req.pod.containers.image.repository")
    )]
    #[case("proc.name[1]", None)]
    #[case("proc.anames", None)]
    #[case("cluster", None)]
    #[case("", None)]
    fn a_name_has_a_field_without_its_argument(#[case] name: &str, #[case] field: Option<&str>) {
        assert_eq!(falco_field(name), field);
    }

    /// Names in this family end in a word that the extraction of the rules cut off (`data/README.md`).
    const FAMILIES: [&str; 1] = ["ka.req.pod."];

    #[test]
    fn every_field_of_falcos_own_rules_has_a_type() {
        let unknown: Vec<&str> = shipped_rules()
            .flat_map(|rule| &rule.output_fields)
            .map(String::as_str)
            .filter(|name| falco_type(name).is_none() && !FAMILIES.iter().any(|family| name.starts_with(family)))
            .collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }
}
