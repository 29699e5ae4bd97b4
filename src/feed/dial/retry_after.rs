//! `Retry-After`: how long a server wants no further attempt.

use http::{
    HeaderMap,
    header::{DATE, HeaderName, RETRY_AFTER},
};
use std::time::{Duration, SystemTime};

/// Reads seconds, or a date in any of HTTP's three forms; a date that has passed is a wait of zero. Of several headers
/// the longest wait counts, and what cannot be read is ignored. A date counts from the answer's own `Date`, since this
/// host's clock may be wrong; without one, from `now`.
pub(in crate::feed) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let now = texts(headers, DATE).find_map(|text| httpdate::parse_http_date(text).ok()).unwrap_or(now);
    texts(headers, RETRY_AFTER).filter_map(|text| wait(text, now)).max()
}

fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::trim)
}

fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number beyond 64 bits is a long wait; the session has a limit for those.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of RFC 9110's examples, 60 s before it.
    const NOW: Duration = Duration::from_secs(784_111_777 - 60);

    fn read(fields: &[(HeaderName, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value.parse().unwrap());
        }
        retry_after(&headers, SystemTime::UNIX_EPOCH + NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_retry_after_is_read_in_seconds_and_as_a_date_of_each_form() {
        for (value, seconds) in [
            ("120", Some(120)),
            (" 5 ", Some(5)),
            ("0", Some(0)),
            ("007", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(60)),
            ("Sun Nov  6 08:49:37 1994", Some(60)),
            ("  Sun, 06 Nov 1994 08:49:37 GMT  ", Some(60)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("Sat, 01 Jan 1972 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 +0100", None),
            ("1994-11-06T08:49:37Z", None),
            ("soon", None),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("120s", None),
            ("", None),
        ] {
            assert_eq!(read(&[(RETRY_AFTER, value)]), seconds, "{value:?}");
        }
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn of_two_retry_afters_the_longer_wait_counts() {
        for (first, second, seconds) in [
            ("5", "120", Some(120)),
            ("120", "5", Some(120)),
            ("soon", "5", Some(5)),
            ("5", "Sun, 06 Nov 1994 08:49:37 GMT", Some(60)),
            ("soon", "later", None),
        ] {
            assert_eq!(read(&[(RETRY_AFTER, first), (RETRY_AFTER, second)]), seconds, "{first:?}, {second:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_answers_own_clock() {
        let until = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (date, seconds) in
            [("Sun, 06 Nov 1994 08:49:07 GMT", 30), ("Sun, 06 Nov 1994 08:39:37 GMT", 600), ("today", 60)]
        {
            assert_eq!(read(&[(DATE, date), (RETRY_AFTER, until)]), Some(seconds), "{date}");
        }
    }
}
