//! The request that an audit alert reports: one that the API server did not carry out is no reason to act.

use super::context::Context;
use crate::alert::{Alert, AuditVerdict};
use crate::class::ActionClass;
use crate::refusal::{Refusal, RefusalReason};
use crate::trace::{CheckName, Trace};

/// Refuses an alert about a request that was denied, failed or was a dry run; and for a response that contains or
/// destroys also one that does not show the request's success.
pub(super) fn request(context: &Context<'_>, trace: &mut Trace) -> Result<(), Refusal> {
    if !context.alert.source().is_k8s_audit() {
        return Ok(());
    }
    match AuditVerdict::of(context.alert) {
        AuditVerdict::CarriedOut { code, shows_dry_run } => {
            let gap = if shows_dry_run {
                ""
            } else {
                "; without ka.uri the alert would not show a dry run"
            };
            trace.passed(
                CheckName::AuditedRequest,
                format!("the API server answered {code}{gap}"),
            );
            Ok(())
        }
        AuditVerdict::NotCarriedOut { why } => {
            Err(trace.refused(CheckName::AuditedRequest, RefusalReason::NotCarriedOut, why))
        }
        AuditVerdict::Unknown { why } => {
            let class = context.playbook.class();
            if class < ActionClass::Contain {
                trace.skipped(CheckName::AuditedRequest, why);
                return Ok(());
            }
            let detail = format!("{why}, and a response of class {class} needs it");
            Err(trace.refused(CheckName::AuditedRequest, RefusalReason::OutcomeUnknown, detail))
        }
    }
}

/// What an audit alert lacks for a branch that contains or destroys: the success of the request. The others were refused.
pub(super) fn unproven(alert: &Alert) -> Option<Refusal> {
    if !alert.source().is_k8s_audit() {
        return None;
    }
    match AuditVerdict::of(alert) {
        AuditVerdict::Unknown { why } => Some(Refusal::new(RefusalReason::OutcomeUnknown, why)),
        AuditVerdict::CarriedOut { .. } | AuditVerdict::NotCarriedOut { .. } => None,
    }
}
