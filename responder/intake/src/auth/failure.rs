//! Why a sender is not authenticated. Step of the flow: intake.

/// Why a sender is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthenticationFailure {
    /// Neither credentials nor a certificate.
    Missing,
    /// Credentials that are unknown or malformed.
    Wrong,
    /// A valid certificate without an allowed name.
    Name,
}

impl AuthenticationFailure {
    /// The kind of rejection, one of [`TRANSPORT_KINDS`](crate::TRANSPORT_KINDS).
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Missing => "credentials_missing",
            Self::Wrong => "credentials_wrong",
            Self::Name => "certificate_name",
        }
    }

    /// The reason with its remedy, for the operator of the sender.
    pub(crate) const fn error(self) -> &'static str {
        match self {
            Self::Missing => {
                "this responder takes alerts from senders that it knows: send credentials (Falco: in the url, \
                 falcosidekick: in customheaders) or a client certificate"
            }
            Self::Wrong => {
                "these credentials are not known here; correct the sender's, or the files that this responder reads"
            }
            Self::Name => "this client certificate may not send alerts: name it in http.tls.allowedNames",
        }
    }
}
