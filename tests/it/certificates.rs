//! Certificates: which are refused at the start and why, which one a client gets, and how changed ones come into force.

use crate::support::certificates::{Ca, Leaf, folder, table, write};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, SignatureScheme,
    SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc};
use tickfan::{
    config::{
        Config, Loader, Machine, Overrides, Tls, TlsVersion, check_together, keys_in_force, load, print_defaults,
    },
    tls::{
        CERTIFICATES_MAX, CHAIN_LENGTH_MAX, Certificate, CertificateFiles, CertificateSet, Certificates, Changes,
        PEM_BYTES_MAX, server_config,
    },
};

/// 2026-11-29.
const NOW: i64 = 1_796_000_000;

fn load_error(files: &CertificateFiles) -> String {
    Certificate::load(files, NOW).unwrap_err().to_string()
}

/// Loads a configuration with these certificates.
fn configured(test: &str, files: &[CertificateFiles]) -> Result<Config, String> {
    let path = folder(test).join("tickfan.toml");
    fs::write(&path, table(files)).unwrap();
    load(Some(&path), Vec::new(), &Overrides::default()).map_err(|error| error.to_string())
}

#[test]
fn a_certificate_that_clients_would_refuse_is_refused_at_the_start() {
    let folder = folder("refused");
    let ca = Ca::new("a CA");
    let intermediate = ca.intermediate("an intermediate");
    let leaf = intermediate.sign(&["ticks.example.com"]);
    let other = ca.sign(&["other.example.com"]);
    let ed25519 = &rcgen::PKCS_ED25519;
    let [expired, early] = [[2020, 2024], [2070, 2090]].map(|years| ca.sign_for(&["a.example"], years, ed25519));
    let (der, request) =
        ("\u{1}not text", "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old_encrypted =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n-----END RSA PRIVATE KEY-----\n";
    let p521 = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let chain = leaf.pem() + &intermediate.pem();
    for (name, chain, key, said) in [
        ("mismatch", chain.clone(), other.key(), "does not belong to the certificate of"),
        ("ca's key", leaf.pem() + &intermediate.pem(), intermediate.key(), "holds the key of certificate 2"),
        ("order", intermediate.pem() + &leaf.pem(), leaf.key(), "are not in order: number 1 (`an intermediate`)"),
        ("gap", leaf.pem() + &ca.pem(), leaf.key(), "is signed by `an intermediate`, and number 2 is `a CA`"),
        ("expired", expired.pem(), expired.key(), "expired at 2024-01-01T00:00:00Z; clients would refuse it"),
        ("early", early.pem(), early.key(), "is not valid before 2070-01-01T00:00:00Z; by the clock of this machine"),
        (
            "nameless",
            ca.sign(&[]).pem(),
            other.key(),
            "If this is a CA's certificate, put the site's certificate before it in the file",
        ),
        ("exchanged", leaf.key(), leaf.pem(), "chain.pem holds a private key, and not a certificate"),
        ("twice", leaf.pem(), leaf.pem(), "key.pem holds a certificate, and not a private key"),
        ("two keys", leaf.pem(), leaf.key() + &other.key(), "key.pem holds 2 private keys"),
        ("empty", String::new(), leaf.key(), "chain.pem does not hold a certificate in PEM form"),
        ("no key", leaf.pem(), String::new(), "key.pem does not hold a private key in PEM form"),
        ("der", der.to_owned(), leaf.key(), "openssl x509 -inform der"),
        ("request", request.to_owned(), leaf.key(), "holds a request for a certificate"),
        ("encrypted", leaf.pem(), encrypted.to_owned(), "is encrypted; `openssl pkey -in"),
        ("old encryption", leaf.pem(), old_encrypted.to_owned(), "is encrypted; `openssl pkey -in"),
        ("kind", leaf.pem(), p521.to_owned(), "holds a private key that cannot sign; RSA of 2048 bits or more"),
        ("cut", leaf.pem().replace('M', "!"), leaf.key(), "is not a valid PEM file"),
        (
            "no certificate",
            certificate_of(b"0\x03\x02\x01\x01"),
            leaf.key(),
            "is not valid; write it again, from its source",
        ),
    ] {
        let files = write(&folder.join(name), &chain, &key);
        let error = load_error(&files);
        assert!(error.contains(said), "{name}: {error}");
        assert!(key.lines().filter(|line| line.len() > 40).all(|line| !error.contains(line)), "{name}: {error}");
        // The entry of the configuration is the place.
        let error = configured("refused-in-a-file", &[files]).unwrap_err();
        assert!(error.contains("tickfan.toml:3:17") && error.contains("\n   = "), "{name}: {error}");
    }
    let absent = CertificateFiles { chain: folder.join("nowhere.pem"), key: folder.join("key.pem") };
    assert!(
        load_error(&absent).contains("nowhere.pem: No such file or directory (os error 2); a relative path begins")
    );
    let folder_as_file = CertificateFiles { chain: folder.clone(), key: folder.join("key.pem") };
    assert!(load_error(&folder_as_file).ends_with("Is a directory (os error 21); name a file in it"));
}

/// A PEM file with these bytes as a certificate.
fn certificate_of(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

#[test]
fn keys_of_all_kinds_that_browsers_know_are_served_with_their_chains() {
    let folder = folder("kinds");
    let ca = Ca::new("a CA");
    let intermediate = ca.intermediate("an intermediate");
    let kinds = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
    for (place, kind) in kinds.into_iter().enumerate() {
        let leaf =
            intermediate.sign_for(&["Ticks.Example.com", "*.example.org", "192.0.2.1", "::1"], [2020, 2090], kind);
        // What else stands in a file is ignored: text, and a key beside the chain.
        let both = format!("of the site\n{}{}{}{}", leaf.pem(), intermediate.pem(), ca.pem(), leaf.key());
        let files = write(&folder.join(place.to_string()), &both, &both);
        let certificate = Certificate::load(&files, NOW).unwrap();
        assert_eq!(certificate.names, ["ticks.example.com", "*.example.org"]);
        assert_eq!(certificate.addresses.len(), 2);
        assert_eq!(certificate.name(), "ticks.example.com");
        assert_eq!(tickfan::tls::show_time(certificate.expires), "2090-01-01T00:00:00Z", "written with four digits");
        assert!(!certificate.key_is_public);
    }
}

#[test]
fn rule_10_files_chains_and_lists_of_certificates_have_a_limit() {
    let folder = folder("limits-of-certificates");
    let ca = Ca::new("a CA");
    let leaf = ca.sign(&["ticks.example.com"]);
    let padded = |bytes: usize| leaf.pem() + &"\n".repeat(bytes - leaf.pem().len());
    assert!(Certificate::load(&write(&folder, &padded(PEM_BYTES_MAX), &leaf.key()), NOW).is_ok());
    let too_large = write(&folder, &padded(PEM_BYTES_MAX + 1), &leaf.key());
    assert!(load_error(&too_large).contains("is too large for a certificate or a key; at most 64 KiB"));
    let endless = CertificateFiles { chain: "/dev/zero".into(), key: folder.join("key.pem") };
    assert!(load_error(&endless).contains("is too large"));

    let mut authorities = vec![Ca::new("0")];
    for number in 1..CHAIN_LENGTH_MAX {
        authorities.push(authorities[number - 1].intermediate(&number.to_string()));
    }
    let leaf = authorities.last().unwrap().sign(&["ticks.example.com"]);
    let chain = |authorities: &[Ca]| leaf.pem() + &authorities.iter().rev().map(Ca::pem).collect::<String>();
    let longest = write(&folder, &chain(&authorities[1..]), &leaf.key());
    assert!(Certificate::load(&longest, NOW).is_ok());
    let longer = write(&folder, &chain(&authorities), &leaf.key());
    assert!(load_error(&longer).contains("holds 11 certificates; a chain has at most 10"));

    let files = leaf.write(&folder);
    assert!(configured("most", &vec![files.clone(); CERTIFICATES_MAX]).is_ok());
    let error = configured("most", &vec![files; CERTIFICATES_MAX + 1]).unwrap_err();
    assert!(error.starts_with("`certificates` has 33 entries\n") && error.contains("at most 32"), "{error}");
}

#[test]
fn the_files_may_come_from_a_variable_and_stand_beside_the_configuration() {
    let folder = folder("places");
    let ca = Ca::new("a CA");
    let files = ca.sign(&["localhost"]).write(&folder);
    let path = folder.join("tickfan.toml");
    fs::write(&path, "[tls]\ncertificates = [{ chain = \"chain.pem\", key = \"key.pem\" }]\n").unwrap();
    let config = load(Some(&path), Vec::new(), &Overrides::default()).unwrap();
    assert_eq!(config.tls.unwrap().certificates, std::slice::from_ref(&files));
    let with = |value: String| {
        let variables = [("TICKFAN_TLS_CERTIFICATES".into(), value.into())];
        load(None, variables, &Overrides::default()).map_err(|error| error.to_string())
    };
    let pair = format!("{}:{}", files.chain.display(), files.key.display());
    let tls = with(format!("{pair}, {pair}")).unwrap().tls.unwrap();
    assert_eq!((tls.certificates.len(), tls.loaded.all().len()), (2, 2));
    let error = with(format!("{pair},nowhere.pem:nowhere.pem")).unwrap_err();
    assert!(
        error.starts_with("cannot read nowhere.pem: ") && error.contains("--> TICKFAN_TLS_CERTIFICATES"),
        "{error}"
    );
    for bad in ["chain.pem", "chain.pem:", ":key.pem"] {
        assert!(with(bad.to_owned()).unwrap_err().contains("with a colon between"), "{bad}");
    }
    for empty in ["", " "] {
        assert!(with(empty.to_owned()).unwrap_err().starts_with("`certificates` is empty\n"));
    }
}

#[test]
fn a_key_that_all_can_read_and_a_name_that_is_not_answered_are_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder("warned");
    let ca = Ca::new("a CA");
    let files = ca.sign(&["ticks.example.com", "*.example.org"]).write(&folder);
    let warnings = |server: &str| {
        let path = folder.join("tickfan.toml");
        fs::write(&path, format!("{server}\n{}", table(std::slice::from_ref(&files)))).unwrap();
        let config = load(Some(&path), Vec::new(), &Overrides::default()).unwrap();
        let found = check_together(&config, &Machine::default());
        found
            .into_iter()
            .map(|found| format!("{:?} {} {}", found.pair.keys, found.what, found.help))
            .collect::<Vec<_>>()
    };
    assert!(warnings("[server]\nhosts = [\"ticks.example.com\"]").is_empty());
    assert!(warnings("[server]\nhosts = [\"a.example.org\"]").is_empty());
    let [unknown] = &warnings("")[..] else { panic!() };
    assert!(unknown.contains("\"hosts\"") && unknown.contains("hosts = [\"ticks.example.com\"]"), "{unknown}");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    let [public] = &warnings("[server]\nhosts = [\"*.example.com\"]")[..] else { panic!() };
    assert!(public.contains("every user of this machine can read the private key") && public.contains("chmod o-r"));
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(warnings("[server]\nhosts = [\"*.example.com\"]").is_empty(), "a group may read it");
}

/// What a client of these settings gets, or why it gets nothing.
struct Met {
    certificate: CertificateDer<'static>,
    version: ProtocolVersion,
    alpn: Option<Vec<u8>>,
    tickets: usize,
}

static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static TLS12_ALONE: &[&SupportedProtocolVersion] = &[&TLS12];

/// A client's settings.
struct Visitor<'a> {
    ca: &'a Ca,
    name: &'a str,
    sends_name: bool,
    versions: &'static [&'static SupportedProtocolVersion],
    alpn: &'a [&'a [u8]],
    provider: CryptoProvider,
}

impl<'a> Visitor<'a> {
    fn new(ca: &'a Ca, name: &'a str) -> Self {
        Self {
            ca,
            name,
            sends_name: true,
            versions: BOTH,
            alpn: &[b"h2", b"http/1.1"],
            provider: ring::default_provider(),
        }
    }

    /// Shakes hands with a server in memory.
    fn meet(self, server: &Arc<ServerConfig>) -> Result<Met, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider));
        let mut config =
            builder.with_protocol_versions(self.versions)?.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        config.enable_sni = self.sends_name;
        let name = ServerName::try_from(self.name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name)?;
        let mut server = ServerConnection::new(server.clone())?;
        let mut bytes = Vec::new();
        while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut &bytes[..]).unwrap();
            bytes.clear();
            server.process_new_packets()?;
            server.write_tls(&mut bytes).unwrap();
            let mut input = &bytes[..];
            while !input.is_empty() {
                client.read_tls(&mut input).unwrap();
                client.process_new_packets()?;
            }
            bytes.clear();
        }
        Ok(Met {
            certificate: client.peer_certificates().unwrap()[0].clone().into_owned(),
            version: client.protocol_version().unwrap(),
            alpn: client.alpn_protocol().map(<[u8]>::to_vec),
            tickets: client.tls13_tickets_received() as usize,
        })
    }
}

fn set(folder: &Path, leaves: &[&Leaf]) -> CertificateSet {
    let files: Vec<_> =
        leaves.iter().enumerate().map(|(place, leaf)| leaf.write(&folder.join(place.to_string()))).collect();
    CertificateSet::load(&files, NOW).unwrap()
}

fn server(certificates: &Arc<Certificates>) -> Arc<ServerConfig> {
    server_config(true, TlsVersion::Tls12, certificates.clone()).unwrap()
}

#[test]
fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let ca = Ca::new("a CA");
    let first = ca.sign(&["first.example"]);
    let exact = ca.sign(&["a.example.com"]);
    let wildcard = ca.sign(&["*.example.com", "example.com"]);
    let certificates = Certificates::new(Arc::new(set(&folder("by-name"), &[&first, &wildcard, &exact])));
    let server = server(&certificates);
    for (name, leaf) in [
        ("first.example", &first),
        ("a.example.com", &exact),
        ("A.EXAMPLE.com", &exact),
        ("b.example.com", &wildcard),
        ("example.com", &wildcard),
    ] {
        let met = Visitor::new(&ca, name).meet(&server).unwrap();
        assert_eq!(met.certificate, leaf.der(), "{name}");
    }
    // The client refuses the first certificate, which it gets for every other name.
    for name in ["b.a.example.com", "other.example"] {
        let error = Visitor::new(&ca, name).meet(&server).err().unwrap().to_string();
        assert!(error.contains("first.example"), "{name}: {error}");
    }
    let nameless = Visitor { sends_name: false, ..Visitor::new(&ca, "first.example") };
    assert_eq!(nameless.meet(&server).unwrap().certificate, first.der());
}

#[test]
fn of_two_certificates_of_a_name_a_client_gets_one_that_it_can_check() {
    let ca = Ca::new("a CA");
    let ed25519 = ca.sign_for(&["ticks.example"], [2020, 2090], &rcgen::PKCS_ED25519);
    let p256 = ca.sign(&["ticks.example"]);
    let certificates = Certificates::new(Arc::new(set(&folder("two-kinds"), &[&ed25519, &p256])));
    let server = server(&certificates);
    let certificate = |visitor: Visitor<'_>| visitor.meet(&server).unwrap().certificate;
    assert_eq!(certificate(Visitor::new(&ca, "ticks.example")), ed25519.der(), "the first in the file");
    let mut browser = Visitor::new(&ca, "ticks.example");
    let known = browser.provider.signature_verification_algorithms.mapping;
    let p256_alone = known.iter().filter(|(scheme, _)| *scheme == SignatureScheme::ECDSA_NISTP256_SHA256);
    let p256_alone = p256_alone.copied().collect::<Vec<_>>().leak();
    browser.provider.signature_verification_algorithms.mapping = p256_alone;
    assert_eq!(certificate(browser), p256.der());
}

#[test]
fn both_versions_are_spoken_or_the_newer_alone() {
    let ca = Ca::new("a CA");
    let certificates = Certificates::new(Arc::new(set(&folder("versions"), &[&ca.sign(&["ticks.example"])])));
    let old = || Visitor { versions: TLS12_ALONE, ..Visitor::new(&ca, "ticks.example") };
    let server = server(&certificates);
    let met = Visitor::new(&ca, "ticks.example").meet(&server).unwrap();
    assert_eq!((met.version, met.tickets), (ProtocolVersion::TLSv1_3, 1));
    assert_eq!(old().meet(&server).unwrap().version, ProtocolVersion::TLSv1_2);
    let newer_alone = server_config(true, TlsVersion::Tls13, certificates).unwrap();
    assert!(Visitor::new(&ca, "ticks.example").meet(&newer_alone).is_ok());
    assert!(old().meet(&newer_alone).is_err());
}

#[test]
fn http2_is_offered_where_it_is_served() {
    let ca = Ca::new("a CA");
    let certificates = Certificates::new(Arc::new(set(&folder("alpn"), &[&ca.sign(&["ticks.example"])])));
    let [both, http1] = [true, false].map(|h2| server_config(h2, TlsVersion::Tls12, certificates.clone()).unwrap());
    let alpn = |names: &[&[u8]], server: &Arc<ServerConfig>| {
        Visitor { alpn: names, ..Visitor::new(&ca, "ticks.example") }.meet(server).map(|met| met.alpn)
    };
    assert_eq!(alpn(&[b"http/1.1", b"h2"], &both).unwrap().as_deref(), Some(&b"h2"[..]), "the server's order");
    assert_eq!(alpn(&[b"h2", b"http/1.1"], &http1).unwrap().as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(alpn(&[], &both).unwrap(), None);
    assert!(alpn(&[b"h3"], &both).is_err());
}

/// What a look at the files found to be wrong.
fn mistakes(found: &Changes) -> String {
    found.mistakes.iter().map(ToString::to_string).collect()
}

/// The certificates after a look that found changed files, and no mistake.
fn changed(set: &CertificateSet) -> CertificateSet {
    let found = set.load_changed(NOW);
    assert_eq!(mistakes(&found), "");
    found.set.expect("the files hold something else")
}

#[test]
fn the_files_of_a_certificate_are_loaded_together_and_a_mistake_changes_nothing() {
    let ca = Ca::new("a CA");
    let folder = folder("changed");
    let [old, other, new] = ["old", "other", "new"].map(|_| ca.sign(&["ticks.example"]));
    let set = set(&folder, &[&old, &other]);
    let found = set.load_changed(NOW);
    assert!(found.set.is_none() && found.mistakes.is_empty(), "the files hold what they did");
    let files = &set.all()[0].files;
    let chain = new.pem();
    fs::write(&files.key, new.key()).unwrap();
    for half_written in ["", &chain[..chain.len() / 2]] {
        fs::write(&files.chain, half_written).unwrap();
        let found = set.load_changed(NOW);
        assert!(found.set.is_none() && found.mistakes.len() == 1, "{found:?}");
    }
    fs::write(&files.chain, chain).unwrap();
    fs::write(&files.key, old.key()).unwrap();
    let found = set.load_changed(NOW);
    assert!(found.set.is_none() && mistakes(&found).contains("does not belong to the certificate"), "{found:?}");
    fs::write(&files.key, new.key()).unwrap();
    let next = changed(&set);
    assert!(!next.is_same(&set) && next.load_changed(NOW).set.is_none());
    assert!(Arc::ptr_eq(&set.all()[1], &next.all()[1]), "the other one is kept");
    let certificates = Certificates::new(Arc::new(set));
    let server = server(&certificates);
    let met = || Visitor::new(&ca, "ticks.example").meet(&server).unwrap().certificate;
    assert_eq!(met(), old.der());
    certificates.replace(Arc::new(next));
    assert_eq!(met(), new.der(), "without a new listener");
}

#[test]
fn a_certificate_that_has_expired_or_is_broken_does_not_delay_the_renewal_of_others() {
    let ca = Ca::new("a CA");
    let folder = folder("beside-broken");
    let p256 = &rcgen::PKCS_ECDSA_P256_SHA256;
    let expires = ca.sign_for(&["a.example"], [2020, 2030], p256);
    let [breaks, goes, old, renewed] =
        ["b.example", "c.example", "d.example", "d.example"].map(|name| ca.sign(&[name]));
    let set = set(&folder, &[&expires, &breaks, &goes, &old]);
    let files: Vec<_> = set.all().iter().map(|certificate| certificate.files.clone()).collect();
    fs::write(&files[1].key, "").unwrap();
    fs::remove_file(&files[2].chain).unwrap();
    fs::write(&files[3].chain, renewed.pem()).unwrap();
    fs::write(&files[3].key, renewed.key()).unwrap();
    let in_2031 = NOW + 5 * 365 * 86_400;
    let found = set.load_changed(in_2031);
    let next = found.set.as_ref().unwrap();
    for place in 0..3 {
        assert!(Arc::ptr_eq(&set.all()[place], &next.all()[place]), "{place} stays in force");
    }
    assert!(!Arc::ptr_eq(&set.all()[3], &next.all()[3]), "the renewed one does not wait for them");
    assert_eq!(found.mistakes.len(), 2, "{found:?}");
    for said in ["does not hold a private key", "No such file"] {
        assert!(mistakes(&found).contains(said), "{found:?}");
    }
    // One that is renewed with a certificate that has expired is a mistake, too.
    let expired = ca.sign_for(&["a.example"], [2020, 2029], p256);
    fs::write(&files[0].chain, expired.pem()).unwrap();
    fs::write(&files[0].key, expired.key()).unwrap();
    let found = next.load_changed(in_2031);
    assert!(found.set.is_none() && mistakes(&found).contains("expired at 2029-01-01"), "{found:?}");
}

#[test]
fn a_folder_that_is_swapped_by_a_link_counts_as_changed() {
    // As Kubernetes does for secrets: the names link into `..data`, which links to a folder of each version.
    let ca = Ca::new("a CA");
    let folder = folder("linked");
    let [old, new] = ["old", "new"].map(|_| ca.sign(&["ticks.example"]));
    old.write(&folder.join("..1"));
    new.write(&folder.join("..2"));
    let link = |to: &str| {
        let _ = fs::remove_file(folder.join("..new"));
        symlink(to, folder.join("..new")).unwrap();
        fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    };
    link("..1");
    for name in ["chain.pem", "key.pem"] {
        let _ = fs::remove_file(folder.join(name));
        symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
    }
    let files = CertificateFiles { chain: folder.join("chain.pem"), key: folder.join("key.pem") };
    let set = CertificateSet::load(&[files], NOW).unwrap();
    link("..2");
    let next = changed(&set);
    link("..1");
    assert!(changed(&next).is_same(&set));
}

#[test]
fn the_effective_configuration_shows_the_table_and_where_it_comes_from() {
    let folder = folder("effective");
    let files = Ca::new("a CA").sign(&["localhost"]).write(&folder);
    let path = folder.join("tickfan.toml");
    fs::write(&path, format!("{}http2 = false\n", table(std::slice::from_ref(&files)))).unwrap();
    let variables = vec![("TICKFAN_TLS_HANDSHAKES".into(), "7".into())];
    let loader =
        Loader::new(Some(path), variables, Overrides { listen: "127.0.0.1:1".parse().ok(), ..Overrides::default() });
    let printed = loader.print_effective().unwrap();
    let pair = format!("{{ chain = {:?}, key = {:?} }}", files.chain, files.key);
    for line in [
        "[tls]".to_owned(),
        "listen = \"127.0.0.1:1\" # --listen".to_owned(),
        "listen = \"127.0.0.1:0\" # line 2".to_owned(),
        format!("certificates = [{pair}] # line 3"),
        "http2 = false # line 4".to_owned(),
        "h2_streams = 100 # default".to_owned(),
        "min_version = \"1.2\" # default".to_owned(),
        "handshakes = 7 # TICKFAN_TLS_HANDSHAKES".to_owned(),
        "hsts = \"0s\" # default".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    let in_force = keys_in_force(&loader.load().unwrap());
    assert_eq!(in_force.iter().filter(|key| key.key.starts_with("tls.")).count(), 10);
    assert!(keys_in_force(&Config::default()).iter().all(|key| !key.key.starts_with("tls.")));
}

#[test]
fn the_printed_table_is_one_once_its_files_are_there() {
    let folder = folder("printed");
    let files = Ca::new("a CA").sign(&["localhost"]).write(&folder);
    let printed = print_defaults();
    let (_, table) = printed.split_once("#[tls]\n").unwrap();
    let (table, _) = table.split_once("\n#[").unwrap();
    let lines = table.lines().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with(' '));
    let text = format!("[tls]\n{}", lines.map(|line| format!("{line}\n")).collect::<String>());
    let text = text.replace("/etc/tickfan", folder.to_str().unwrap());
    let path = folder.join("tickfan.toml");
    fs::write(&path, &text).unwrap();
    let tls = load(Some(&path), Vec::new(), &Overrides::default()).unwrap().tls.unwrap();
    let defaults = Tls { certificates: vec![files], loaded: tls.loaded.clone(), ..Tls::default() };
    assert_eq!(format!("{tls:?}"), format!("{defaults:?}"), "{text}");
}
