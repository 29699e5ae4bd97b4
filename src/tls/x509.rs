//! What a certificate says: its names, its dates, and which certificate signed it.

use std::net::IpAddr;
use yasna::{
    ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag, TagClass, parse_der,
    tags::{TAG_GENERALIZEDTIME, TAG_UTCTIME},
};

/// The object identifiers of a common name and of alternative names.
const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];
const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];
/// The kinds of alternative names that a site has.
const DNS_NAME: Tag = Tag { tag_class: TagClass::ContextSpecific, tag_number: 2 };
const IP_ADDRESS: Tag = Tag { tag_class: TagClass::ContextSpecific, tag_number: 7 };

/// What a certificate says. The time is in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) subject: Name,
    pub(super) issuer: Name,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// Its DNS names in lower case, wildcards among them.
    pub(super) names: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
}

/// Whom a certificate is for, or who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// All of it: two names are one if their bytes are.
    der: Vec<u8>,
    /// What people call it.
    pub(super) common: String,
}

/// Reads a certificate. `None`: its bytes are not one.
pub(super) fn read(der: &[u8]) -> Option<Facts> {
    parse_der(der, |certificate| {
        certificate.read_sequence(|parts| {
            let facts = parts.next().read_sequence(read_facts)?;
            // The algorithm and the signature.
            parts.next().read_der()?;
            parts.next().read_der()?;
            Ok(facts)
        })
    })
    .ok()
}

fn read_facts(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Facts> {
    parts.read_optional(|version| version.read_tagged(Tag::context(0), |version| version.read_u8()))?;
    // The serial number and the algorithm.
    parts.next().read_der()?;
    parts.next().read_der()?;
    let issuer = read_name(parts.next().read_der()?);
    let [not_before, not_after] = parts.next().read_sequence(|dates| Ok([read_time(dates)?, read_time(dates)?]))?;
    let subject = read_name(parts.next().read_der()?);
    // The public key, and identifiers that are not used any more.
    parts.next().read_der()?;
    for number in [1, 2] {
        parts.read_optional(|id| id.read_tagged_implicit(Tag::context(number), |id| id.read_bitvec_bytes()))?;
    }
    let extensions = parts.read_optional(|all| {
        all.read_tagged(Tag::context(3), |all| all.collect_sequence_of(|one| one.read_sequence(read_alt_names)))
    })?;
    let mut facts = Facts { subject, issuer, not_before, not_after, names: Vec::new(), addresses: Vec::new() };
    for (tag, value) in extensions.into_iter().flatten().flatten() {
        match tag {
            DNS_NAME => facts.names.push(String::from_utf8_lossy(&value).to_ascii_lowercase()),
            IP_ADDRESS => facts.addresses.extend(read_address(&value)),
            _ => {}
        }
    }
    Ok(facts)
}

/// The alternative names of an extension; none if it is another.
fn read_alt_names(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Vec<(Tag, Vec<u8>)>> {
    let kind = parts.next().read_oid()?;
    // Whether it is critical; some CAs write the default too.
    parts.read_optional(|critical| critical.read_bool())?;
    let value = parts.next().read_bytes()?;
    if kind.components().as_slice() != SUBJECT_ALT_NAME {
        return Ok(Vec::new());
    }
    parse_der(&value, |names| {
        names.collect_sequence_of(|name| {
            let name = name.read_tagged_der()?;
            Ok((name.tag(), name.value().to_vec()))
        })
    })
}

fn read_name(der: Vec<u8>) -> Name {
    // It is only shown, so a form that cannot be read is not an error.
    let common = parse_der(&der, |name| name.collect_sequence_of(read_attributes)).unwrap_or_default();
    let common = common.into_iter().flatten().next_back().unwrap_or_default();
    Name { der, common }
}

/// The common name, if it is among the attributes of a set.
fn read_attributes(set: BERReader<'_, '_>) -> ASN1Result<Option<String>> {
    let mut common = None;
    set.read_set_of(|attribute| {
        attribute.read_sequence(|parts| {
            let kind = parts.next().read_oid()?;
            let value = parts.next().read_tagged_der()?;
            if kind.components().as_slice() == COMMON_NAME {
                common = Some(String::from_utf8_lossy(value.value()).into_owned());
            }
            Ok(())
        })
    })?;
    Ok(common)
}

/// A time: with two digits of its year until 2049, with four after.
fn read_time(dates: &mut BERReaderSeq<'_, '_>) -> ASN1Result<i64> {
    let date = dates.next();
    match date.lookahead_tag()? {
        TAG_UTCTIME => Ok(date.read_utctime()?.datetime().unix_timestamp()),
        TAG_GENERALIZEDTIME => Ok(date.read_generalized_time()?.datetime().unix_timestamp()),
        _ => Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
    }
}

fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    fn certificate(names: &[&str]) -> Vec<u8> {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "an organization");
        params.distinguished_name.push(DnType::CommonName, "Zoë");
        (params.not_before, params.not_after) = (date_time_ymd(1999, 12, 31), date_time_ymd(2050, 1, 1));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_its_names_and_its_dates() {
        let facts = read(&certificate(&["A.example", "*.b.example", "192.0.2.1", "2001:db8::1"])).unwrap();
        assert_eq!(facts.names, ["a.example", "*.b.example"]);
        assert_eq!(facts.addresses, ["192.0.2.1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap()));
        assert_eq!((facts.not_before, facts.not_after), (946_598_400, 2_524_608_000), "two digits of a year, and four");
        assert_eq!(facts.subject.common, "Zoë");
        assert_eq!(facts.subject, facts.issuer);
        let nameless = read(&certificate(&[])).unwrap();
        assert!(nameless.names.is_empty() && nameless.addresses.is_empty());
    }

    /// As the first version of certificates was, which still signs some private ones.
    #[test]
    fn a_certificate_without_extensions_is_read() {
        let sequence = |body: &[u8]| [&[0x30, body.len() as u8][..], body].concat();
        let time = |text: &[u8]| [&[0x17, text.len() as u8][..], text].concat();
        let dates = sequence(&[time(b"490101000000Z"), time(b"500101000000Z")].concat());
        let name = sequence(&[]);
        let rest = sequence(&[]);
        let inside = sequence(&[&[2, 1, 7], &rest[..], &name, &dates, &name, &rest].concat());
        let facts = read(&sequence(&[&inside[..], &rest, &[3, 1, 0]].concat())).unwrap();
        assert_eq!((facts.not_before, facts.not_after), (2_493_072_000, -631_152_000), "50 is 1950");
        assert_eq!((facts.names.len(), facts.subject.common.as_str()), (0, ""));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(place in 0usize..700, byte: u8, length in 0usize..700, noise: Vec<u8>) {
            let mut der = certificate(&["a.example", "::1"]);
            let place = place % der.len();
            der[place] = byte;
            read(&der);
            der.truncate(length);
            read(&der);
            read(&noise);
        }
    }
}
