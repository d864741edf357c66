//! The end of the request that an audit alert reports, as far as the alert tells it.

use super::{Alert, Value, falco_field::falco_field};

/// Whether the API server carried out the request of an audit event.
///
/// Only the code of the answer proves it. A stage does not: the API server writes `ResponseStarted` for an `exec` that it
/// denies, too, with the code 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    /// It answered with this code, and nothing shows a dry run.
    CarriedOut {
        /// 2xx, or 101 for a stream (`exec`, `attach`, `portforward`).
        code: u16,
        /// Whether the alert would show a dry run. Without `ka.uri` it would not, and a dry run has the same code.
        shows_dry_run: bool,
    },
    /// The request was denied, failed, or was a dry run.
    NotCarriedOut {
        /// The observation, as a sentence without a full stop.
        why: String,
    },
    /// The alert does not tell.
    Unknown {
        /// The gap, as a sentence without a full stop.
        why: &'static str,
    },
}

impl AuditVerdict {
    /// The verdict on the request of an alert of the source `k8s_audit`.
    pub fn of(alert: &Alert) -> Self {
        let code = code(alert);
        if let Some(code) = code.filter(|code| !matches!(code, 101 | 200..=299)) {
            return Self::NotCarriedOut {
                why: format!("the API server answered the request with the code {code}"),
            };
        }
        if alert.text("ka.auth.decision") == Some("forbid") {
            return Self::NotCarriedOut {
                why: "the API server denied the request (ka.auth.decision)".to_owned(),
            };
        }
        if alert.text("ka.stage") == Some("Panic") {
            return Self::NotCarriedOut {
                why: "the API server failed in the request (ka.stage is Panic)".to_owned(),
            };
        }
        if let Some(field) = dry_run(alert) {
            return Self::NotCarriedOut {
                why: format!("the request was a dry run ({field})"),
            };
        }
        let Some(code) = code else {
            return Self::Unknown {
                why: "the alert does not carry the code of the API server's answer (ka.response.code)",
            };
        };
        if code != 101 && alert.field("ka.uri").is_some_and(Value::is_cut) {
            return Self::Unknown {
                why: "a relay has cut ka.uri, and a dry run may be in the lost part",
            };
        }
        Self::CarriedOut {
            code,
            shows_dry_run: code == 101 || alert.text("ka.uri").is_some(),
        }
    }
}

/// Text in Falco's own alerts; a number is tolerated.
fn code(alert: &Alert) -> Option<u16> {
    match alert.field("ka.response.code")? {
        Value::String(text) => text.parse().ok(),
        Value::Integer(integer) => integer.to_string().parse().ok(),
        _ => None,
    }
}

/// The field that shows a dry run. Its parameter is in the address of most requests, and in the body of a deletion.
fn dry_run(alert: &Alert) -> Option<&'static str> {
    let has_parameter = |uri: &str| {
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == "dryRun")
    };
    if alert.text("ka.uri").is_some_and(has_parameter) {
        return Some("ka.uri");
    }
    alert.fields().find_map(|(name, value)| {
        let is_given = !value.is_null() && !matches!(value.as_str(), Some("" | "<NA>"));
        let field = falco_field(name).filter(|_| is_given)?;
        let argument = name.get(field.len()..)?;
        match field {
            // A relay may have replaced the brackets.
            "ka.uri.param" if argument.trim_matches(|mark: char| !mark.is_ascii_alphanumeric()) == "dryRun" => {
                Some("ka.uri.param[dryRun]")
            }
            "jevt.value" if argument.contains("/requestObject/dryRun") => Some("jevt.value[/requestObject/dryRun]"),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::alert::Bounds;

    fn verdict(fields: &Json) -> AuditVerdict {
        let alert = json!({
            "rule": "EphemeralContainers Created", "priority": "Notice", "source": "k8s_audit",
            "time": "2026-11-24T03:00:05.500000000Z", "output_fields": fields,
        });
        AuditVerdict::of(&Alert::decode(alert.to_string().as_bytes(), &Bounds::default()).unwrap())
    }

    #[rstest]
    #[case::ok(json!({"ka.response.code": "200", "ka.uri": "/api/v1/namespaces/web/pods/p"}), 200, true)]
    #[case::created(json!({"ka.response.code": "201", "ka.uri": "/api?fieldManager=dryRun"}), 201, true)]
    #[case::a_number(json!({"ka.response.code": 200, "ka.uri": "/api"}), 200, true)]
    #[case::a_stream(json!({"ka.response.code": "101", "ka.stage": "ResponseStarted"}), 101, true)]
    #[case::no_address(json!({"ka.response.code": "200"}), 200, false)]
    #[case::no_parameter(json!({"ka.response.code": "200", "ka.uri.param[dryRun]": null}), 200, false)]
    #[case::not_available(json!({"ka.response.code": "200", "ka.uri.param[dryRun]": "<NA>"}), 200, false)]
    fn a_success_is_carried_out(#[case] fields: Json, #[case] code: u16, #[case] shows_dry_run: bool) {
        assert_eq!(verdict(&fields), AuditVerdict::CarriedOut { code, shows_dry_run });
    }

    #[rstest]
    #[case::forbidden(json!({"ka.response.code": "403"}))]
    #[case::a_conflict(json!({"ka.response.code": 409}))]
    #[case::broken(json!({"ka.response.code": "500"}))]
    #[case::a_denied_stream(json!({"ka.response.code": "403", "ka.stage": "ResponseStarted"}))]
    #[case::by_decision(json!({"ka.auth.decision": "forbid"}))]
    #[case::a_panic(json!({"ka.stage": "Panic"}))]
    #[case::dry_run(json!({"ka.response.code": "200", "ka.uri": "/api/v1/pods?pretty=true&dryRun=All"}))]
    #[case::written_otherwise(json!({"ka.response.code": "200", "ka.uri": "/api/v1/pods?dry%52un=All"}))]
    #[case::by_parameter(json!({"ka.response.code": "200", "ka.uri.param[dryRun]": "All"}))]
    #[case::without_brackets(json!({"ka.response.code": "200", "ka.uri.param_dryRun": "All"}))]
    #[case::in_the_body(json!({"ka.response.code": "200", "jevt.value[/requestObject/dryRun/0]": "All"}))]
    #[case::without_a_code(json!({"ka.uri": "/api/v1/pods?dryRun=All"}))]
    fn a_denied_failed_or_dry_request_is_not_carried_out(#[case] fields: Json) {
        let verdict = verdict(&fields);
        assert!(matches!(verdict, AuditVerdict::NotCarriedOut { .. }), "{verdict:?}");
    }

    #[rstest]
    #[case::nothing(json!({}))]
    #[case::no_value(json!({"ka.response.code": null}))]
    #[case::not_available(json!({"ka.response.code": "<NA>"}))]
    #[case::a_stage(json!({"ka.stage": "ResponseStarted"}))]
    #[case::allowed(json!({"ka.auth.decision": "allow"}))]
    #[case::a_cut_address(json!({"ka.response.code": "200", "ka.uri": format!("/api?{}[...]", "x".repeat(502))}))]
    fn without_a_code_or_its_whole_address_the_end_is_unknown(#[case] fields: Json) {
        let verdict = verdict(&fields);
        assert!(matches!(verdict, AuditVerdict::Unknown { .. }), "{verdict:?}");
    }
}
