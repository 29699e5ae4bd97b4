//! Certificates while the gateway runs: what is said of them, and of what a look at their files found.

use crate::{
    telemetry::catalog,
    tls::{Certificate, CertificateError, CertificateSet, show_time},
};
use std::collections::HashMap;
use tracing::{error, info, warn};

/// A certificate that expires sooner is announced, in seconds: long after a renewal by certbot or cert-manager, which
/// renew with a third of the lifetime left, has failed.
const EXPIRES_SOON: i64 = 7 * DAY;
/// It is announced again after so long.
const DAY: i64 = 24 * 60 * 60;

/// The certificates that expire soon or have expired.
pub fn expiring(set: &CertificateSet, now: i64) -> impl Iterator<Item = &Certificate> {
    set.all().iter().map(AsRef::as_ref).filter(move |certificate| certificate.expires - now < EXPIRES_SOON)
}

/// What earlier looks have found and said.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// What was wrong at the last look, and whether that was said.
    mistakes: HashMap<String, bool>,
    /// Whether a mistake was said since the files were right.
    told: bool,
    /// When the last announcement of an expiry was, in seconds since 1970.
    expiry_told: Option<i64>,
}

impl Looks {
    /// A look has found these mistakes. Returns those to say now: each the second time, and then no more. The files of
    /// a certificate are renewed one after the other, so for a moment they do not fit.
    pub(super) fn found<'a>(&mut self, mistakes: &'a [CertificateError]) -> Vec<&'a CertificateError> {
        let before = std::mem::take(&mut self.mistakes);
        let mut to_say = Vec::new();
        for mistake in mistakes {
            let was_said = before.get(&mistake.what);
            if was_said == Some(&false) {
                to_say.push(mistake);
            }
            self.mistakes.insert(mistake.what.clone(), was_said.is_some());
        }
        self.told |= !to_say.is_empty();
        to_say
    }

    /// Whether the files are right now that a mistake in them was said before; once.
    pub(super) fn are_right_again(&mut self) -> bool {
        self.mistakes.is_empty() && std::mem::take(&mut self.told)
    }

    /// Other certificates are in force: those of them that expire soon are announced at once.
    pub(super) fn replaced(&mut self) {
        self.expiry_told = None;
    }

    /// Warns of certificates that expire soon, once a day.
    pub(super) fn announce_expiry(&mut self, set: &CertificateSet, now: i64) {
        if self.expiry_told.is_some_and(|told| now - told < DAY) {
            return;
        }
        for certificate in expiring(set, now) {
            self.expiry_told = Some(now);
            let (chain, name) = (certificate.files.chain.display(), certificate.name());
            let expires = show_time(certificate.expires);
            if certificate.expires < now {
                error!(%chain, name, expires, "a certificate has expired: browsers refuse it");
            } else {
                warn!(%chain, name, expires, "a certificate expires soon");
            }
        }
    }
}

/// Records when each certificate expires, and takes back what was recorded of those that are not used any more.
pub(super) fn record_expiry(before: &CertificateSet, set: &CertificateSet) {
    let chain = |certificate: &Certificate| certificate.files.chain.display().to_string();
    for gone in before.all() {
        catalog::CERTIFICATE_EXPIRY.handle([chain(gone).into()]).set(f64::NAN);
    }
    for certificate in set.all() {
        catalog::CERTIFICATE_EXPIRY.handle([chain(certificate).into()]).set(certificate.expires as f64);
    }
}

/// Says which certificates are in force.
pub(super) fn log_loaded(set: &CertificateSet) {
    for certificate in set.all() {
        let (chain, name) = (certificate.files.chain.display(), certificate.name());
        info!(%chain, name, expires = show_time(certificate.expires), "loaded a certificate");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_told_once_and_only_if_it_stays() {
        let mut looks = Looks::default();
        let mut told = |mistakes: &str| {
            let error = |what: char| CertificateError { what: what.to_string(), help: None };
            let mistakes: Vec<_> = mistakes.chars().map(error).collect();
            looks.found(&mistakes).iter().map(|told| told.what.as_str()).collect::<String>()
        };
        assert_eq!(
            (told("a"), told(""), told("a")),
            (String::new(), String::new(), String::new()),
            "between two files"
        );
        assert_eq!([told("b"), told("b"), told("b")], ["", "b", ""], "another one");
        assert_eq!([told("ab"), told("ab"), told("bca"), told("c")], ["", "a", "", "c"]);
        assert_eq!([told("a"), told("a"), told("a")], ["", "a", ""], "again, after it was mended");
    }

    #[test]
    fn files_are_right_again_once_and_only_after_a_mistake_was_told() {
        let mut looks = Looks::default();
        let mut is_said = |mistakes: &str| {
            let error = |what: char| CertificateError { what: what.to_string(), help: None };
            let mistakes: Vec<_> = mistakes.chars().map(error).collect();
            looks.found(&mistakes);
            looks.are_right_again()
        };
        assert_eq!([is_said(""), is_said("a"), is_said("")], [false; 3], "between two files");
        assert_eq!([is_said("a"), is_said("a"), is_said("b"), is_said("")], [false, false, false, true]);
        assert_eq!(
            [is_said(""), is_said("ab"), is_said("ab"), is_said("b"), is_said("")],
            [false, false, false, false, true]
        );
    }
}
