//! Whom a device takes for its server.
//!
//! Expiry, forgery, purpose and depth are the same code as for a device's chain, and tried there;
//! here is what differs: names, several anchors, and a peer that chooses what to send.

use provision_csr::{BadSignature, PortableP256, PublicKey, Signature, VerifyP256};
use provision_path::{
    ANCHORS_MAX, AnchorFault, ISSUERS_MAX, NotAServerName, PathFault, SIGNATURES_MAX, ServerFault,
    ServerKey, ServerName, UnixSeconds, check_server, check_server_anchor,
};
use provision_testkit::pki::{
    self, Certified,
    rcgen::{self, ExtendedKeyUsagePurpose, KeyPair},
};

fn check(
    server: &[u8],
    issuers: &[&[u8]],
    anchors: &[&[u8]],
    name: &str,
) -> Result<ServerKey, ServerFault> {
    let name = ServerName::parse(name).expect("a name");
    check_server::<PortableP256>(server, issuers, anchors, &name, UnixSeconds(pki::now()))
}

mod names {
    use super::*;

    /// A server with these names, asked for as `name`.
    fn asked(names: &[&str], name: &str) -> bool {
        let root = Certified::self_signed(pki::root("Server Root"));
        let server = root.issue(pki::server(names));
        match check(server.der(), &[], &[root.der()], name) {
            Ok(_) => true,
            Err(ServerFault::WrongName) => false,
            Err(fault) => panic!("{fault}"),
        }
    }

    #[test]
    fn dns() {
        assert!(asked(&["cloud.example"], "cloud.example"));
        assert!(asked(&["cloud.example"], "CLOUD.example"));
        assert!(asked(&["cloud.example"], "cloud.example."));
        assert!(!asked(&["cloud.example"], "example"));
        assert!(!asked(&["cloud.example"], "a.cloud.example"));
        assert!(!asked(&["cloud.example"], "cloud.example.com"));
        assert!(asked(&["a.example", "b.example", "c.example", "d.example"], "d.example"));
    }

    #[test]
    fn wildcards() {
        assert!(asked(&["*.cloud.example"], "a.cloud.example"));
        assert!(!asked(&["*.cloud.example"], "cloud.example"));
        assert!(!asked(&["*.cloud.example"], "a.b.cloud.example"));
        assert!(!asked(&["a*.cloud.example"], "ab.cloud.example"));
    }

    #[test]
    fn addresses() {
        assert!(asked(&["192.0.2.7"], "192.0.2.7"));
        assert!(!asked(&["192.0.2.7"], "192.0.2.8"));
        assert!(asked(&["2001:db8::7"], "2001:db8::7"));
        assert!(!asked(&["cloud.example"], "192.0.2.7"));
        assert!(!asked(&["192.0.2.7"], "cloud.example"));
    }

    #[test]
    fn longer_than_a_common_name_may_be() {
        let name = format!("{}.iot.example", "a".repeat(63));
        assert!(asked(&[&name], &name));
    }

    #[test]
    fn that_are_none() {
        for text in ["", ".", "cloud..example", "cloud example", "münchen.example", "1.2.3", "::g"]
        {
            assert_eq!(ServerName::parse(text), Err(NotAServerName), "{text:?}");
        }
    }

    #[test]
    fn what_is_indicated() {
        assert_eq!(
            ServerName::parse("cloud.example.").unwrap().indication(),
            Some("cloud.example")
        );
        assert_eq!(ServerName::parse("192.0.2.7").unwrap().indication(), None);
    }
}

mod anchors {
    use super::*;

    #[test]
    fn any_of_them_will_do() {
        let roots: Vec<Certified> = (0..ANCHORS_MAX)
            .map(|number| Certified::self_signed(pki::root(&format!("Root {number}"))))
            .collect();
        let ders: Vec<&[u8]> = roots.iter().map(Certified::der).collect();
        for root in &roots {
            let server = root.issue(pki::server(&["cloud.example"]));
            assert!(check(server.der(), &[], &ders, "cloud.example").is_ok());
        }
    }

    #[test]
    fn a_cross_signed_root_is_an_issuer_like_any_other() {
        // The anchor is the old root; the server sends the new one, certified by the old.
        let old = Certified::self_signed(pki::root("Old Root"));
        let new = old.issue(pki::root("New Root"));
        let issuer = new.issue(pki::server_issuer("Server Issuer"));
        let server = issuer.issue(pki::server(&["cloud.example"]));
        // In any order.
        let issuers = [new.der(), issuer.der()];
        assert!(check(server.der(), &issuers, &[old.der()], "cloud.example").is_ok());
    }

    #[test]
    fn too_many() {
        let root = Certified::self_signed(pki::root("Server Root"));
        let server = root.issue(pki::server(&["cloud.example"]));
        let anchors = [root.der(); ANCHORS_MAX + 1];
        assert_eq!(
            check(server.der(), &[], &anchors, "cloud.example"),
            Err(ServerFault::TooManyAnchors { found: ANCHORS_MAX + 1, max: ANCHORS_MAX })
        );
    }

    #[test]
    fn none() {
        let root = Certified::self_signed(pki::root("Server Root"));
        let server = root.issue(pki::server(&["cloud.example"]));
        assert_eq!(
            check(server.der(), &[root.der()], &[], "cloud.example"),
            Err(ServerFault::Path(PathFault::UnknownIssuer))
        );
    }

    #[test]
    fn one_bad_among_good() {
        let root = Certified::self_signed(pki::root("Server Root"));
        let server = root.issue(pki::server(&["cloud.example"]));
        assert_eq!(
            check(server.der(), &[], &[root.der(), b"?"], "cloud.example"),
            Err(ServerFault::Anchor { anchor: 1, fault: AnchorFault::Unreadable })
        );
    }

    #[test]
    fn are_checked_before_they_are_stored() {
        let root = Certified::self_signed(pki::root("Server Root"));
        assert_eq!(check_server_anchor(root.der()), Ok(()));
        assert_eq!(check_server_anchor(b"?"), Err(AnchorFault::Unreadable));
        let server = root.issue(pki::server(&["cloud.example"]));
        assert_eq!(check_server_anchor(server.der()), Err(AnchorFault::NotCa));
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let root = pki::root("Server Root").self_signed(&p384).unwrap();
        assert_eq!(check_server_anchor(root.der()), Err(AnchorFault::NotP256));
    }
}

mod purpose {
    use super::*;

    #[test]
    fn must_be_named() {
        let root = Certified::self_signed(pki::root("Server Root"));
        for (purposes, result) in [
            (vec![ExtendedKeyUsagePurpose::ServerAuth], true),
            (vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth], true),
            (vec![ExtendedKeyUsagePurpose::ClientAuth], false),
            (vec![ExtendedKeyUsagePurpose::Any], false),
            (vec![], false),
        ] {
            let mut params = pki::server(&["cloud.example"]);
            params.extended_key_usages = purposes.clone();
            let server = root.issue(params);
            let checked = check(server.der(), &[], &[root.der()], "cloud.example");
            if result {
                assert!(checked.is_ok(), "{purposes:?}: {checked:?}");
            } else {
                let fault = ServerFault::Path(PathFault::WrongPurpose);
                assert_eq!(checked, Err(fault), "{purposes:?}");
            }
        }
    }
}

mod algorithm {
    use super::*;

    #[test]
    fn of_the_leaf_is_ours() {
        let key = KeyPair::generate().unwrap();
        let root = pki::root("Server Root");
        let root_der = root.self_signed(&key).unwrap();
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let server = pki::server(&["cloud.example"])
            .signed_by(&p384, &rcgen::Issuer::from_params(&root, &key))
            .unwrap();
        assert_eq!(
            check(server.der(), &[], &[root_der.der()], "cloud.example"),
            Err(ServerFault::Path(PathFault::UnsupportedAlgorithm))
        );
    }

    #[test]
    fn of_the_issuer_is_ours() {
        let root = Certified::self_signed(pki::root("Server Root"));
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let issuer = pki::server_issuer("Server Issuer");
        // The root's own signature on it does not matter: its signature on the leaf comes to a
        // key and an algorithm that are not ours.
        let issuer_der = issuer.self_signed(&p384).unwrap();
        let server = pki::server(&["cloud.example"])
            .signed_by(&KeyPair::generate().unwrap(), &rcgen::Issuer::from_params(&issuer, &p384))
            .unwrap();
        assert!(matches!(
            check(server.der(), &[issuer_der.der()], &[root.der()], "cloud.example"),
            Err(ServerFault::Path(PathFault::UnsupportedAlgorithm | PathFault::UnknownIssuer))
        ),);
    }
}

mod work {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static CHECKED: AtomicUsize = AtomicUsize::new(0);

    /// Says no, and counts how often it was asked.
    struct Counting;

    impl VerifyP256 for Counting {
        fn verify_digest(_: &PublicKey, _: &[u8; 32], _: &Signature) -> Result<(), BadSignature> {
            CHECKED.fetch_add(1, Ordering::Relaxed);
            Err(BadSignature)
        }
    }

    #[test]
    fn is_bounded_whatever_a_peer_sends() {
        // Every issuer has the same name and another key, and is issued by all of them: each order
        // of them is a path to be tried, and each ends in four anchors of that name.
        let all = |params: rcgen::CertificateParams| Certified::self_signed(params);
        let issuers: Vec<Certified> = (0..ISSUERS_MAX).map(|_| all(pki::root("Same"))).collect();
        let anchors: Vec<Certified> = (0..ANCHORS_MAX).map(|_| all(pki::root("Same"))).collect();
        let issuers: Vec<&[u8]> = issuers.iter().map(Certified::der).collect();
        let anchors: Vec<&[u8]> = anchors.iter().map(Certified::der).collect();
        let server = all(pki::root("Same")).issue(pki::server(&["cloud.example"]));

        let refused = check_server::<Counting>(
            server.der(),
            &issuers,
            &anchors,
            &ServerName::parse("cloud.example").unwrap(),
            UnixSeconds(pki::now()),
        );
        assert_eq!(refused, Err(ServerFault::Path(PathFault::TooComplex)));
        assert_eq!(CHECKED.load(Ordering::Relaxed), usize::from(SIGNATURES_MAX));

        // Enough for the deepest honest path, and for one wrong turn, but not for many.
        let deepest = ISSUERS_MAX + 1;
        assert!((deepest..2 * deepest).contains(&usize::from(SIGNATURES_MAX)));
    }
}
