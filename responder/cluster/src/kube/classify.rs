//! Classifies the answer to a failed request by verb, status code, reason and message. Part of the step *act*.
//!
//! Measured against Kubernetes 1.37; the conformance suite checks it against a real API server.

use ::kube::core::Status;
use http::StatusCode;
use responder_core::port::SendErrorKind;
use responder_core::request::Verb;

/// `StatusDetails.causes[].reason` of an eviction that a PodDisruptionBudget blocks.
const DISRUPTION_BUDGET: &str = "DisruptionBudget";

/// The class of a failed request.
pub(super) fn failure(verb: Verb, code: StatusCode, status: Option<&Status>) -> SendErrorKind {
    let reason = status.map_or("", |status| status.reason.as_str());
    let message = status.map_or("", |status| status.message.as_str());
    match code {
        StatusCode::UNAUTHORIZED => SendErrorKind::Forbidden,
        StatusCode::FORBIDDEN if is_for_lack_of_rights(message) => SendErrorKind::Forbidden,
        // A 404 without the API server's `Status` comes from a proxy and says nothing about the object.
        StatusCode::NOT_FOUND if reason == "NotFound" => SendErrorKind::NotFound,
        StatusCode::CONFLICT if reason == "AlreadyExists" => SendErrorKind::AlreadyExists,
        StatusCode::CONFLICT if matches!(verb, Verb::Delete | Verb::Evict) && is_about_uid(message) => {
            SendErrorKind::UidMismatch
        }
        StatusCode::CONFLICT => SendErrorKind::Conflict,
        // Admission policies also answer 422, with this text. Another look at the object would not help.
        StatusCode::UNPROCESSABLE_ENTITY if message.contains("denied request") => SendErrorKind::Rejected,
        StatusCode::UNPROCESSABLE_ENTITY if matches!(verb, Verb::Create | Verb::Patch) => SendErrorKind::Invalid,
        StatusCode::TOO_MANY_REQUESTS if verb == Verb::Evict && is_by_budget(status) => SendErrorKind::BlockedByBudget,
        StatusCode::TOO_MANY_REQUESTS => SendErrorKind::Busy,
        StatusCode::INTERNAL_SERVER_ERROR if verb == Verb::Evict && is_by_several_budgets(message) => {
            SendErrorKind::SeveralBudgets
        }
        code if code.is_server_error() => SendErrorKind::Unknown,
        _ => SendErrorKind::Rejected,
    }
}

/// The two messages for a failed uid precondition.
/// Source: `BeforeDelete` in apiserver's `pkg/registry/rest/delete.go`, `Preconditions.Check` in its
/// `pkg/storage/interfaces.go`.
fn is_about_uid(message: &str) -> bool {
    message.contains("the UID in the precondition") || message.contains("UID in precondition")
}

/// Every authorizer's refusal begins `User "x" cannot delete resource "pods"`; a refusal by admission doesn't.
fn is_for_lack_of_rights(message: &str) -> bool {
    message.contains(" is forbidden: User \"") && message.contains(" cannot ")
}

fn is_by_budget(status: Option<&Status>) -> bool {
    let causes = status
        .and_then(|status| status.details.as_ref())
        .map(|details| details.causes.as_slice());
    causes
        .unwrap_or_default()
        .iter()
        .any(|cause| cause.reason == DISRUPTION_BUDGET)
}

/// Source: `EvictionREST.Create` in Kubernetes' `pkg/registry/core/pod/storage/eviction.go`.
fn is_by_several_budgets(message: &str) -> bool {
    message.contains("more than one PodDisruptionBudget")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const UID: &str = "Operation cannot be fulfilled on Pod \"web-0\": the UID in the precondition (a) does not match the \
                       UID in record (b). The object might have been deleted and then recreated";
    const STORED_UID: &str = "Operation cannot be fulfilled on pods \"web-0\": StorageError: invalid object, Code: 4, Key: \
                              /registry/pods/web/web-0, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in \
                              precondition: a, UID in object meta: b";
    const NO_RIGHT: &str = "pods \"web-0\" is forbidden: User \"system:serviceaccount:responder:responder\" cannot delete \
                            resource \"pods\" in API group \"\" in the namespace \"web\"";
    const WEBHOOK: &str = "admission webhook \"pods.example.org\" denied the request: User traffic cannot stop";
    const POLICY: &str = "pods \"web-0\" is forbidden: ValidatingAdmissionPolicy 'keep' with binding 'keep' denied request: \
                          no";
    const TWO: &str =
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

    #[rstest]
    #[case::gone(Verb::Delete, 404, "NotFound", "pods \"web-0\" not found", SendErrorKind::NotFound)]
    #[case::a_proxys_404(Verb::Delete, 404, "", "", SendErrorKind::Rejected)]
    #[case::replaced(Verb::Delete, 409, "Conflict", UID, SendErrorKind::UidMismatch)]
    #[case::replaced_while_deleting(Verb::Delete, 409, "Conflict", STORED_UID, SendErrorKind::UidMismatch)]
    #[case::replaced(Verb::Evict, 409, "Conflict", UID, SendErrorKind::UidMismatch)]
    #[case::changed_meanwhile(
        Verb::Evict,
        409,
        "Conflict",
        "the object has been modified",
        SendErrorKind::Conflict
    )]
    #[case::changed_meanwhile(
        Verb::Patch,
        409,
        "Conflict",
        "the object has been modified",
        SendErrorKind::Conflict
    )]
    #[case::there_already(Verb::Create, 409, "AlreadyExists", "exists", SendErrorKind::AlreadyExists)]
    #[case::replaced_or_invalid(
        Verb::Patch,
        422,
        "Invalid",
        "metadata.uid: field is immutable",
        SendErrorKind::Invalid
    )]
    #[case::by_policy(Verb::Patch, 422, "Invalid", POLICY, SendErrorKind::Rejected)]
    #[case::by_policy(Verb::Delete, 422, "Invalid", POLICY, SendErrorKind::Rejected)]
    #[case::by_policy_with_a_reason_of_its_own(Verb::Patch, 403, "Forbidden", POLICY, SendErrorKind::Rejected)]
    #[case::no_right(Verb::Delete, 403, "Forbidden", NO_RIGHT, SendErrorKind::Forbidden)]
    #[case::by_webhook(Verb::Delete, 403, "Forbidden", WEBHOOK, SendErrorKind::Rejected)]
    #[case::unknown_user(Verb::Patch, 401, "Unauthorized", "Unauthorized", SendErrorKind::Forbidden)]
    #[case::malformed(Verb::Patch, 400, "BadRequest", "", SendErrorKind::Rejected)]
    #[case::load(Verb::Evict, 429, "TooManyRequests", "too many requests", SendErrorKind::Busy)]
    #[case::load(Verb::Delete, 429, "TooManyRequests", "too many requests", SendErrorKind::Busy)]
    #[case::two_budgets(Verb::Evict, 500, "", TWO, SendErrorKind::SeveralBudgets)]
    #[case::broken(Verb::Evict, 500, "InternalError", "etcd", SendErrorKind::Unknown)]
    #[case::broken(Verb::Delete, 503, "ServiceUnavailable", "", SendErrorKind::Unknown)]
    #[case::too_slow(Verb::Delete, 504, "Timeout", "", SendErrorKind::Unknown)]
    fn an_answer_is_classed_by_verb_code_and_what_it_says(
        #[case] verb: Verb,
        #[case] code: u16,
        #[case] reason: &str,
        #[case] message: &str,
        #[case] kind: SendErrorKind,
    ) {
        let status = Status::failure(message, reason);
        assert_eq!(failure(verb, StatusCode::from_u16(code).unwrap(), Some(&status)), kind);
    }

    #[test]
    fn a_budgets_429_names_its_cause_and_a_busy_servers_does_not() {
        let status: Status = serde_json::from_value(json!({
            "reason": "TooManyRequests", "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "details": {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods"}]},
        }))
        .unwrap();
        let code = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(
            failure(Verb::Evict, code, Some(&status)),
            SendErrorKind::BlockedByBudget
        );
        assert_eq!(failure(Verb::Delete, code, Some(&status)), SendErrorKind::Busy);
    }

    #[test]
    fn an_answer_that_is_no_status_proves_nothing_about_the_object() {
        assert_eq!(
            failure(Verb::Delete, StatusCode::NOT_FOUND, None),
            SendErrorKind::Rejected
        );
        assert_eq!(
            failure(Verb::Delete, StatusCode::BAD_GATEWAY, None),
            SendErrorKind::Unknown
        );
    }
}
