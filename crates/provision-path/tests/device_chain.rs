//! What a device stores as its chain, and what it refuses.

use provision_csr::{PortableP256, PublicKey};
use provision_path::{
    AnchorFault, ChainFault, ForeignSignatures, ISSUERS_MAX, PathFault, UnixSeconds,
    check_device_chain,
};
use provision_testkit::pki::{
    self, Certified,
    rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa,
        KeyUsagePurpose, NameConstraints,
    },
};

/// A root, an issuing CA under it, and the device's certificate; what a test does not change is
/// honest.
struct Chain {
    root: Certified,
    issuer: Certified,
    leaf: Certified,
    now: u64,
}

impl Chain {
    fn honest() -> Self {
        Self::of(pki::device_issuer("Device Issuer"), pki::device("SN-0001"))
    }

    fn of(issuer: CertificateParams, leaf: CertificateParams) -> Self {
        let root = Certified::self_signed(pki::root("Device Root"));
        let issuer = root.issue(issuer);
        let leaf = issuer.issue(leaf);
        Self { root, issuer, leaf, now: pki::now() }
    }

    fn of_leaf(leaf: CertificateParams) -> Self {
        Self::of(pki::device_issuer("Device Issuer"), leaf)
    }

    fn check(&self) -> Result<(), ChainFault> {
        self.check_with(&[self.issuer.der()], self.root.der())
    }

    fn check_with(&self, issuers: &[&[u8]], anchor: &[u8]) -> Result<(), ChainFault> {
        check(self.leaf.der(), issuers, anchor, &self.leaf.public_key(), self.now)
    }
}

fn check(
    leaf: &[u8],
    issuers: &[&[u8]],
    anchor: &[u8],
    key: &PublicKey,
    now: u64,
) -> Result<(), ChainFault> {
    check_device_chain::<PortableP256>(
        leaf,
        issuers,
        anchor,
        key,
        UnixSeconds(now),
        ForeignSignatures::Refused,
    )
}

#[track_caller]
fn refused(chain: &Chain, fault: PathFault) {
    assert_eq!(chain.check(), Err(ChainFault::Path(fault)));
}

/// A CA with a key that devices have no algorithm for.
mod foreign {
    use super::*;
    use provision_testkit::pki::rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};

    struct Foreign {
        root: Certified,
        leaf: Certified,
    }

    impl Foreign {
        fn of(root: CertificateParams, leaf: CertificateParams) -> Self {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a P-384 key");
            let root = Certified::self_signed_with(key, root);
            let leaf = root.issue(leaf);
            Self { root, leaf }
        }

        fn check(&self, foreign: ForeignSignatures) -> Result<(), ChainFault> {
            self.check_at(pki::now(), self.leaf.der(), foreign)
        }

        fn check_at(
            &self,
            now: u64,
            leaf: &[u8],
            foreign: ForeignSignatures,
        ) -> Result<(), ChainFault> {
            let key = self.leaf.public_key();
            let (root, now) = (self.root.der(), UnixSeconds(now));
            check_device_chain::<PortableP256>(leaf, &[], root, &key, now, foreign)
        }
    }

    #[test]
    fn is_refused_unless_it_is_said() {
        let chain = Foreign::of(pki::root("Device Root"), pki::device("SN-0001"));
        let refused = Err(ChainFault::Anchor(AnchorFault::NotP256));
        assert_eq!(chain.check(ForeignSignatures::Refused), refused);
        assert_eq!(chain.check(ForeignSignatures::Unchecked), Ok(()));
    }

    #[test]
    fn all_but_its_signature_is_checked() {
        let chain = Foreign::of(pki::root("Device Root"), pki::device("SN-0001"));
        let mut bent = chain.leaf.der().to_vec();
        *bent.last_mut().unwrap() ^= 1;
        // That is what is not checked.
        assert_eq!(chain.check_at(pki::now(), &bent, ForeignSignatures::Unchecked), Ok(()));

        let later = pki::now() + 200 * 366 * 24 * 60 * 60;
        let expired = chain.check_at(later, chain.leaf.der(), ForeignSignatures::Unchecked);
        assert!(
            matches!(expired, Err(ChainFault::Path(PathFault::Expired { certificate: 0, .. }))),
            "{expired:?}"
        );

        let other = Foreign::of(pki::root("Device Root"), pki::device("SN-0001"));
        let of_another = other.check_at(pki::now(), chain.leaf.der(), ForeignSignatures::Unchecked);
        assert_eq!(of_another, Err(ChainFault::WrongKey));

        let no_ca = Foreign::of(pki::device("Device Root"), pki::device("SN-0001"));
        let fault = ChainFault::Anchor(AnchorFault::NotCa);
        assert_eq!(no_ca.check(ForeignSignatures::Unchecked), Err(fault));

        let server = Foreign::of(pki::root("Device Root"), pki::server(&["SN-0001"]));
        let fault = ChainFault::Path(PathFault::WrongPurpose);
        assert_eq!(server.check(ForeignSignatures::Unchecked), Err(fault));

        let named_otherwise = Foreign {
            root: Foreign::of(pki::root("Another Root"), pki::device("SN-0001")).root,
            leaf: Foreign::of(pki::root("Device Root"), pki::device("SN-0001")).leaf,
        };
        let fault = ChainFault::BrokenLink { certificate: 0 };
        assert_eq!(named_otherwise.check(ForeignSignatures::Unchecked), Err(fault));
    }

    /// An issuing CA on P-256 below such a root: what it signed is checked as ever.
    #[test]
    fn signatures_on_p256_are_checked_all_the_same() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let root = Certified::self_signed_with(key, pki::root("Device Root"));
        let issuer = root.issue(pki::device_issuer("Device Issuer"));
        let leaf = issuer.issue(pki::device("SN-0001"));
        let check = |leaf_der: &[u8]| {
            check_device_chain::<PortableP256>(
                leaf_der,
                &[issuer.der()],
                root.der(),
                &leaf.public_key(),
                UnixSeconds(pki::now()),
                ForeignSignatures::Unchecked,
            )
        };
        assert_eq!(check(leaf.der()), Ok(()));
        let mut bent = leaf.der().to_vec();
        *bent.last_mut().unwrap() ^= 1;
        let fault = PathFault::BadSignature { certificate: 0 };
        assert_eq!(check(&bent), Err(ChainFault::Path(fault)));
    }
}

mod good {
    use super::*;

    #[test]
    fn an_issuer_under_a_root() {
        assert_eq!(Chain::honest().check(), Ok(()));
    }

    #[test]
    fn with_the_root_at_its_end() {
        let chain = Chain::honest();
        let issuers = [chain.issuer.der(), chain.root.der()];
        assert_eq!(chain.check_with(&issuers, chain.root.der()), Ok(()));
    }

    #[test]
    fn straight_from_the_root() {
        let root = Certified::self_signed(pki::root("Device Root"));
        let leaf = root.issue(pki::device("SN-0001"));
        let result = check(leaf.der(), &[], root.der(), &leaf.public_key(), pki::now());
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn anchored_in_the_issuer_itself() {
        let chain = Chain::honest();
        assert_eq!(chain.check_with(&[], chain.issuer.der()), Ok(()));
    }

    #[test]
    fn as_deep_as_it_may_be() {
        let root = Certified::self_signed(pki::root("Device Root"));
        let mut issuers = vec![root.issue(pki::root("1"))];
        for name in 2..=ISSUERS_MAX {
            let next = issuers.last().unwrap().issue(pki::root(&name.to_string()));
            issuers.push(next);
        }
        let leaf = issuers.last().unwrap().issue(pki::device("SN-0001"));
        let ders: Vec<&[u8]> = issuers.iter().rev().map(Certified::der).collect();
        let result = check(leaf.der(), &ders, root.der(), &leaf.public_key(), pki::now());
        assert_eq!(result, Ok(()));

        let too_many: Vec<&[u8]> = ders.iter().copied().chain([root.der()]).collect();
        let result = check(leaf.der(), &too_many, root.der(), &leaf.public_key(), pki::now());
        let fault = PathFault::TooManyIssuers { found: ISSUERS_MAX + 1, max: ISSUERS_MAX };
        assert_eq!(result, Err(ChainFault::Path(fault)));
    }

    #[test]
    fn without_key_usage() {
        let mut leaf = pki::device("SN-0001");
        leaf.key_usages.clear();
        assert_eq!(Chain::of_leaf(leaf).check(), Ok(()));
    }

    #[test]
    fn of_an_issuer_that_names_no_purpose() {
        let mut issuer = pki::device_issuer("Device Issuer");
        issuer.extended_key_usages.clear();
        assert_eq!(Chain::of(issuer, pki::device("SN-0001")).check(), Ok(()));
    }

    #[test]
    fn on_its_first_and_last_second() {
        let mut chain = Chain::of_leaf(pki::valid(pki::device("SN-0001"), 1_000, 2_000));
        // The CAs must be valid then, too.
        let root = Certified::self_signed(pki::valid(pki::root("Device Root"), 0, 3_000));
        let issuer = root.issue(pki::valid(pki::device_issuer("Device Issuer"), 0, 3_000));
        let leaf = issuer.issue(pki::valid(pki::device("SN-0001"), 1_000, 2_000));
        chain = Chain { root, issuer, leaf, ..chain };
        for (now, good) in [(999, false), (1_000, true), (2_000, true), (2_001, false)] {
            chain.now = now;
            assert_eq!(chain.check().is_ok(), good, "at {now}");
        }
    }
}

mod another_key {
    use super::*;

    #[test]
    fn than_the_devices() {
        let chain = Chain::honest();
        let other = chain.issuer.issue(pki::device("SN-0001")).public_key();
        let issuers = [chain.issuer.der()];
        let result = check(chain.leaf.der(), &issuers, chain.root.der(), &other, chain.now);
        assert_eq!(result, Err(ChainFault::WrongKey));
    }

    #[test]
    fn of_another_curve() {
        use provision_testkit::pki::rcgen::{Issuer, KeyPair, PKCS_ECDSA_P384_SHA384};

        let root_key = KeyPair::generate().unwrap();
        let root = pki::root("Device Root");
        let root_der = root.self_signed(&root_key).unwrap();
        let leaf = pki::device("SN-0001")
            .signed_by(
                &KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
                &Issuer::from_params(&root, &root_key),
            )
            .unwrap();
        let expected = PublicKey::from_sec1_slice(root_key.public_key_raw()).unwrap();
        let result = check(leaf.der(), &[], root_der.der(), &expected, pki::now());
        assert_eq!(result, Err(ChainFault::WrongKey));
    }
}

mod broken {
    use super::*;

    #[test]
    fn at_the_leaf() {
        let chain = Chain::honest();
        let other = chain.root.issue(pki::device_issuer("Another Issuer"));
        assert_eq!(
            chain.check_with(&[other.der()], chain.root.der()),
            Err(ChainFault::BrokenLink { certificate: 0 })
        );
    }

    #[test]
    fn at_the_anchor() {
        let chain = Chain::honest();
        let other = Certified::self_signed(pki::root("Another Root"));
        assert_eq!(
            chain.check_with(&[chain.issuer.der()], other.der()),
            Err(ChainFault::BrokenLink { certificate: 1 })
        );
    }

    #[test]
    fn without_the_issuer() {
        let chain = Chain::honest();
        assert_eq!(
            chain.check_with(&[], chain.root.der()),
            Err(ChainFault::BrokenLink { certificate: 0 })
        );
    }

    #[test]
    fn by_the_wrong_order() {
        let chain = Chain::honest();
        assert_eq!(
            chain.check_with(&[chain.root.der(), chain.issuer.der()], chain.root.der()),
            Err(ChainFault::BrokenLink { certificate: 0 })
        );
    }
}

mod forged {
    use super::*;

    #[test]
    fn by_a_root_of_the_same_name() {
        let chain = Chain::honest();
        let other = Certified::self_signed(pki::root("Device Root"));
        assert_eq!(
            chain.check_with(&[chain.issuer.der()], other.der()),
            Err(ChainFault::Path(PathFault::BadSignature { certificate: 1 }))
        );
    }

    #[test]
    fn by_an_issuer_of_the_same_name() {
        let chain = Chain::honest();
        let other = chain.root.issue(pki::device_issuer("Device Issuer"));
        assert_eq!(
            chain.check_with(&[other.der()], chain.root.der()),
            Err(ChainFault::Path(PathFault::BadSignature { certificate: 0 }))
        );
    }

    #[test]
    fn by_one_bit_anywhere() {
        // Nothing in the leaf is without protection, and nothing in it makes anybody panic.
        let chain = Chain::honest();
        let mut leaf = chain.leaf.der().to_vec();
        let issuers = [chain.issuer.der()];
        for at in 0..leaf.len() {
            leaf[at] ^= 1;
            let key = chain.leaf.public_key();
            let result = check(&leaf, &issuers, chain.root.der(), &key, chain.now);
            assert!(result.is_err(), "byte {at}");
            leaf[at] ^= 1;
        }
        let key = chain.leaf.public_key();
        assert_eq!(check(&leaf, &issuers, chain.root.der(), &key, chain.now), Ok(()));
    }

    #[test]
    fn by_its_end_cut_off() {
        let chain = Chain::honest();
        let leaf = chain.leaf.der();
        let issuers = [chain.issuer.der()];
        for len in 0..leaf.len() {
            let key = chain.leaf.public_key();
            let result = check(&leaf[..len], &issuers, chain.root.der(), &key, chain.now);
            assert_eq!(
                result,
                Err(ChainFault::Path(PathFault::Unreadable { certificate: 0 })),
                "{len} bytes"
            );
        }
    }
}

mod unreadable {
    use super::*;

    #[test]
    fn in_the_issuer() {
        let chain = Chain::honest();
        assert_eq!(
            chain.check_with(&[b"no certificate"], chain.root.der()),
            Err(ChainFault::Path(PathFault::Unreadable { certificate: 1 }))
        );
    }

    #[test]
    fn in_the_anchor() {
        let chain = Chain::honest();
        assert_eq!(
            chain.check_with(&[chain.issuer.der()], b"no certificate"),
            Err(ChainFault::Anchor(AnchorFault::Unreadable))
        );
    }

    #[test]
    fn with_something_after_it() {
        let chain = Chain::honest();
        let leaf = [chain.leaf.der(), &[0]].concat();
        let key = chain.leaf.public_key();
        let result = check(&leaf, &[chain.issuer.der()], chain.root.der(), &key, chain.now);
        assert_eq!(result, Err(ChainFault::Path(PathFault::Unreadable { certificate: 0 })));
    }

    #[test]
    fn by_a_critical_extension_nobody_knows() {
        let with = |critical| {
            let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            extension.set_criticality(critical);
            let mut leaf = pki::device("SN-0001");
            leaf.custom_extensions.push(extension);
            Chain::of_leaf(leaf)
        };
        refused(&with(true), PathFault::UnknownCriticalExtension { certificate: 0 });
        assert_eq!(with(false).check(), Ok(()));
    }
}

mod out_of_time {
    use super::*;

    #[test]
    fn the_leaf() {
        let now = pki::now();
        let chain = Chain::of_leaf(pki::valid(pki::device("SN-0001"), now - 60, now - 1));
        let (not_after, now) = (UnixSeconds(now - 1), UnixSeconds(chain.now));
        refused(&chain, PathFault::Expired { certificate: 0, not_after, now });
    }

    #[test]
    fn the_issuer() {
        let now = pki::now();
        let issuer = pki::valid(pki::device_issuer("Device Issuer"), now + 60, now + 120);
        let chain = Chain::of(issuer, pki::device("SN-0001"));
        let (not_before, now) = (UnixSeconds(now + 60), UnixSeconds(chain.now));
        refused(&chain, PathFault::NotYetValid { certificate: 1, not_before, now });
    }
}

mod not_for_this {
    use super::*;

    #[test]
    fn a_server_certificate() {
        let mut leaf = pki::device("SN-0001");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut issuer = pki::device_issuer("Device Issuer");
        issuer.extended_key_usages.clear();
        refused(&Chain::of(issuer, leaf), PathFault::WrongPurpose);
    }

    #[test]
    fn a_certificate_that_names_no_purpose() {
        // It would do for anything: for a server, too.
        let mut leaf = pki::device("SN-0001");
        leaf.extended_key_usages.clear();
        refused(&Chain::of_leaf(leaf), PathFault::WrongPurpose);
    }

    #[test]
    fn an_issuer_of_servers() {
        let issuer = pki::server_issuer("Server Issuer");
        refused(&Chain::of(issuer, pki::device("SN-0001")), PathFault::WrongPurpose);
    }

    #[test]
    fn a_ca_as_a_device() {
        let mut leaf = pki::device("SN-0001");
        leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        refused(&Chain::of_leaf(leaf), PathFault::LeafIsCa);
    }

    #[test]
    fn a_key_that_may_not_sign() {
        let mut leaf = pki::device("SN-0001");
        leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement];
        refused(&Chain::of_leaf(leaf), PathFault::KeyUsage { certificate: 0 });
    }

    #[test]
    fn an_issuer_that_may_not_issue() {
        let mut issuer = pki::device_issuer("Device Issuer");
        issuer.key_usages = vec![KeyUsagePurpose::CrlSign];
        let chain = Chain::of(issuer, pki::device("SN-0001"));
        refused(&chain, PathFault::KeyUsage { certificate: 1 });
    }

    #[test]
    fn a_device_as_an_issuer() {
        let chain = Chain::of(pki::device("SN-0001"), pki::device("SN-0002"));
        refused(&chain, PathFault::IssuerIsNotCa);
    }

    #[test]
    fn a_device_as_an_anchor() {
        let chain = Chain::of(pki::device("SN-0001"), pki::device("SN-0002"));
        assert_eq!(
            chain.check_with(&[], chain.issuer.der()),
            Err(ChainFault::Anchor(AnchorFault::NotCa))
        );
    }

    #[test]
    fn a_leaf_as_its_own_anchor() {
        let leaf = Certified::self_signed(pki::device("SN-0001"));
        let result = check(leaf.der(), &[], leaf.der(), &leaf.public_key(), pki::now());
        assert_eq!(result, Err(ChainFault::Anchor(AnchorFault::NotCa)));
    }

    #[test]
    fn deeper_than_a_ca_allows() {
        let root = Certified::self_signed(pki::root("Device Root"));
        let below = |path_len| {
            let mut params = pki::root("Above");
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_len));
            let above = root.issue(params);
            let issuer = above.issue(pki::device_issuer("Device Issuer"));
            let leaf = issuer.issue(pki::device("SN-0001"));
            let issuers = [issuer.der(), above.der()];
            check(leaf.der(), &issuers, root.der(), &leaf.public_key(), pki::now())
        };
        assert_eq!(below(0), Err(ChainFault::Path(PathFault::PathLenExceeded)));
        assert_eq!(below(1), Ok(()));
    }

    #[test]
    fn the_anchor_is_held_to_the_same_rules() {
        let chain_under = |root: CertificateParams| {
            let root = Certified::self_signed(root);
            let issuer = root.issue(pki::device_issuer("Device Issuer"));
            let leaf = issuer.issue(pki::device("SN-0001"));
            check(leaf.der(), &[issuer.der()], root.der(), &leaf.public_key(), pki::now())
        };
        let now = pki::now();
        assert_eq!(chain_under(pki::root("Device Root")), Ok(()));
        let expired = pki::valid(pki::root("Device Root"), now - 60, now - 1);
        assert!(matches!(
            chain_under(expired),
            Err(ChainFault::Path(PathFault::Expired { certificate: 2, .. }))
        ));
        let mut childless = pki::root("Device Root");
        childless.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        assert_eq!(chain_under(childless), Err(ChainFault::Path(PathFault::PathLenExceeded)));
        let mut for_servers = pki::root("Device Root");
        for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        assert_eq!(chain_under(for_servers), Err(ChainFault::Path(PathFault::WrongPurpose)));
    }

    #[test]
    fn extensions_that_cannot_be_read_or_come_twice() {
        // BasicConstraints a second time; key usage a second time.
        for (id, value) in [(19, vec![0x30, 0]), (15, vec![3, 2, 7, 0x80])] {
            let mut leaf = pki::device("SN-0001");
            leaf.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, id], value));
            let chain = Chain::of_leaf(leaf);
            refused(&chain, PathFault::Unreadable { certificate: 0 });
        }
        // cA TRUE in a form DER does not have, and with something after it.
        for value in [vec![0x30, 3, 1, 1, 1], vec![0x30, 5, 1, 1, 0xff, 5, 0]] {
            let mut leaf = pki::device("SN-0001");
            leaf.is_ca = IsCa::NoCa;
            leaf.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 19], value));
            refused(&Chain::of_leaf(leaf), PathFault::Unreadable { certificate: 0 });
        }
    }

    #[test]
    fn constraints_on_names_that_nobody_here_checks() {
        use provision_testkit::pki::rcgen::GeneralSubtree;

        let mut issuer = pki::device_issuer("Device Issuer");
        issuer.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("sensors.example".into())],
            excluded_subtrees: vec![],
        });
        let chain = Chain::of(issuer, pki::device("SN-0001"));
        refused(&chain, PathFault::UnknownCriticalExtension { certificate: 1 });
    }
}
