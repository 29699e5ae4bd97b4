//! What is wrong with a certificate.

/// Why a certificate cannot be served: one sentence, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", .help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct CertificateError {
    /// What is wrong, with the file.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

pub(super) fn wrong(what: String) -> CertificateError {
    CertificateError { what, help: None }
}

impl CertificateError {
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}
