//! What the configuration says of grants: groups, defaults, and what a client without credentials may read.

use super::{
    claims::Claims,
    grant::{Grant, PolicyMark},
    pattern::{Groups, Pattern, Patterns},
    subject::SubjectKey,
};
use std::sync::Arc;

/// Two lists of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// What may be read live.
    pub live: Vec<Pattern>,
    /// What may be read delayed.
    pub delayed: Vec<Pattern>,
}

/// Makes grants. The lists of the configuration are compiled once, and shared by all grants.
#[derive(Debug)]
pub struct Policy {
    groups: Groups,
    default_live: Arc<Patterns>,
    default_delayed: Arc<Patterns>,
    streams: usize,
    anonymous: Arc<Grant>,
    mark: PolicyMark,
}

impl Policy {
    /// The policy: `defaults` count where a token does not have that list, `anonymous` for a client without
    /// credentials, and `streams` is how many streams a subject may have at a time unless its token says.
    pub fn new(groups: Groups, defaults: &Lists, anonymous: &Lists, streams: usize) -> Self {
        let compiled = |patterns: &[Pattern]| Arc::new(Patterns::new(patterns, &groups));
        let mark = PolicyMark::default();
        let anonymous = Arc::new(Grant {
            subject: None,
            from: None,
            until: None,
            streams: None,
            rate: None,
            live: compiled(&anonymous.live),
            delayed: compiled(&anonymous.delayed),
            made_by: mark.clone(),
        });
        let default_live = compiled(&defaults.live);
        let default_delayed = compiled(&defaults.delayed);
        Self { groups, default_live, default_delayed, streams, anonymous, mark }
    }

    /// The grant of a client without credentials.
    pub fn anonymous(&self) -> Arc<Grant> {
        self.anonymous.clone()
    }

    /// Whether clients without credentials may read the same by both policies.
    pub fn is_same_without_credentials(&self, other: &Self) -> bool {
        let lists = |policy: &Self| [policy.anonymous.live.clone(), policy.anonymous.delayed.clone()];
        lists(self) == lists(other)
    }

    /// The grant of a token.
    pub fn grant(&self, claims: &Claims, key: &SubjectKey) -> Arc<Grant> {
        let list = |patterns: &Option<Vec<Pattern>>, default: &Arc<Patterns>| match patterns {
            Some(patterns) => Arc::new(Patterns::new(patterns, &self.groups)),
            None => default.clone(),
        };
        Arc::new(Grant {
            subject: Some(key.subject(&claims.subject)),
            from: claims.from,
            until: Some(claims.until),
            streams: Some(claims.streams.unwrap_or(self.streams)),
            rate: claims.rate,
            live: list(&claims.live, &self.default_live),
            delayed: list(&claims.delayed, &self.default_delayed),
            made_by: self.mark.clone(),
        })
    }

    /// Whether this policy has made a grant, and no other.
    pub fn has_made(&self, grant: &Grant) -> bool {
        self.mark.is(&grant.made_by)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Access, Access::*},
        *,
    };
    use crate::market::UnixMicros;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn lists(live: &[&str], delayed: &[&str]) -> Lists {
        Lists { live: patterns(live), delayed: patterns(delayed) }
    }

    fn policy() -> Policy {
        let us = patterns(&["AAPL", "MSFT"]);
        let groups = Groups::new([("us", us.as_slice())]);
        Policy::new(groups, &lists(&["@us"], &["BTC-*"]), &lists(&[], &["*"]), 16)
    }

    fn claims(live: Option<&[&str]>, delayed: Option<&[&str]>) -> Claims {
        Claims {
            subject: "u17".to_owned(),
            from: None,
            expires: UnixMicros(1),
            until: UnixMicros(2),
            live: live.map(patterns),
            delayed: delayed.map(patterns),
            streams: None,
            rate: Some(4.0),
        }
    }

    fn access(grant: &Grant) -> [Access; 3] {
        ["AAPL", "BTC-USDT", "ETH-USDT"].map(|symbol| grant.access(&symbol.parse().unwrap()))
    }

    #[test]
    fn a_symbol_is_live_else_delayed_else_denied_and_a_default_fills_in_for_a_missing_list_alone() {
        let key = SubjectKey::new([1; 32]);
        for (live, delayed, expected) in [
            (None, None, [Live, Delayed, Denied]),
            (Some(&["*"][..]), None, [Live, Live, Live]),
            (Some(&[]), None, [Denied, Delayed, Denied]),
            (None, Some(&["*"][..]), [Live, Delayed, Delayed]),
            (None, Some(&[]), [Live, Denied, Denied]),
            (Some(&["eth-*"]), Some(&["@us", "@eu"]), [Delayed, Denied, Live]),
        ] {
            let grant = policy().grant(&claims(live, delayed), &key);
            assert_eq!(access(&grant), expected, "{live:?} {delayed:?}");
        }
        assert_eq!(access(&policy().anonymous()), [Delayed; 3]);
    }

    #[test]
    fn clients_without_credentials_may_read_the_same_unless_their_lists_or_a_group_in_these_differ() {
        let policy = |groups: [(&str, &[&str]); 2], default: &[&str], live: &[&str], delayed: &[&str], streams| {
            let groups = groups.map(|(name, texts)| (name, patterns(texts)));
            let groups = Groups::new(groups.iter().map(|(name, list)| (*name, list.as_slice())));
            Policy::new(groups, &lists(default, &[]), &lists(live, delayed), streams)
        };
        let (us, eu): (&[&str], &[&str]) = (&["AAPL", "BRK.*"], &["VOD"]);
        let one = policy([("us", us), ("eu", eu)], &["@eu"], &["@us"], &["BTC-*"], 16);
        for (other, is_same) in [
            (policy([("us", us), ("eu", eu)], &["@eu"], &["@us"], &["BTC-*"], 16), true),
            (policy([("us", us), ("eu", &["SAP"])], &["SAP"], &["@us"], &["BTC-*"], 2), true),
            (policy([("us", &["AAPL"]), ("eu", eu)], &["@eu"], &["@us"], &["BTC-*"], 16), false),
            (policy([("us", us), ("eu", eu)], &["@eu"], &["@us", "@eu"], &["BTC-*"], 16), false),
            (policy([("us", us), ("eu", eu)], &["@eu"], &["@us"], &["BTC-USDT"], 16), false),
            (policy([("us", us), ("eu", eu)], &["@eu"], &["@us"], &[], 16), false),
        ] {
            assert_eq!(one.is_same_without_credentials(&other), is_same, "{other:?}");
        }
    }

    #[test]
    fn a_token_may_set_the_number_of_streams_and_its_grant_ends_with_it() {
        let key = SubjectKey::new([1; 32]);
        let grant = policy().grant(&claims(None, None), &key);
        assert_eq!((grant.streams, grant.rate, grant.subject), (Some(16), Some(4.0), Some(key.subject("u17"))));
        assert!(!grant.has_ended(UnixMicros(1)) && grant.has_ended(UnixMicros(2)));
        let later = Claims { from: Some(UnixMicros(1)), ..claims(None, None) };
        assert_eq!([0, 1, 2].map(|now| policy().grant(&later, &key).counts(UnixMicros(now))), [false, true, false]);
        let own = Claims { streams: Some(3), ..claims(None, None) };
        assert_eq!(policy().grant(&own, &key).streams, Some(3));
        let anonymous = policy().anonymous();
        assert!(anonymous.subject.is_none() && !anonymous.has_ended(UnixMicros(i64::MAX)));
    }
}
