//! Certificates of anything but devices, what was revoked, and what is said of each.

use provision_ledger::{
    CertificateStatus, Certificates as _, Ledger as _, Lot, NewCertificate, RecordCertificateError,
    RevocationRecord, RevokeError, SqliteLedger, Which,
};
use provision_station::evidence::CertSerial;

use crate::support::{Ca, Key, NOW_S, serial, with_cert_serial_of};

#[test]
fn a_certificate_is_in_force_revoked_or_not_on_record() {
    let mut ledger = SqliteLedger::open_in_memory().unwrap();
    let (mut ca, mut other_ca) = (Ca::new(), Ca::new());
    let device = ca.certify("sensor-0001", &Key::new());
    let host = ca.certify("alice", &Key::new());
    let foreign = other_ca.certify("sensor-0003", &Key::new());
    ledger.record_issued(&device, NOW_S).unwrap();
    ledger.record_certificate(host.leaf(), "alice", "client", NOW_S).unwrap();
    // Not on record: whose it is has to be said.
    let der = foreign.leaf().to_vec();
    let unknown = ledger.revoke(&Which::This(der.clone()), 4, NOW_S).unwrap_err();
    assert!(matches!(unknown, RevokeError::NotOnRecord { .. }), "{unknown}");
    let of_taken_over = Which::Of { issuer_key_id: b"taken over".to_vec(), der };
    let revoked = ledger.revoke(&of_taken_over, 4, NOW_S).unwrap().remove(0);
    assert_eq!(revoked.issuer_key_id, b"taken over");
    let foreign_ca = revoked.issuer_key_id.clone();
    let by_serial = Which::Serial(host.cert_serial().clone());
    let revoked_host = ledger.revoke(&by_serial, 1, NOW_S).unwrap().remove(0);
    let own_ca = revoked_host.issuer_key_id.clone();
    assert_ne!(own_ca, foreign_ca);

    let mut status = |ca: &[u8], serial: &CertSerial| ledger.status(ca, serial).unwrap();
    assert_eq!(status(&own_ca, device.cert_serial()), CertificateStatus::InForce);
    let expected = CertificateStatus::Revoked(revoked_host);
    assert_eq!(status(&own_ca, host.cert_serial()), expected);
    // Never recorded, and revoked all the same.
    let expected = CertificateStatus::Revoked(revoked);
    assert_eq!(status(&foreign_ca, foreign.cert_serial()), expected);
    // The right serial number, of another CA.
    for of_own in [device.cert_serial(), host.cert_serial()] {
        assert_eq!(status(&foreign_ca, of_own), CertificateStatus::NotOnRecord);
    }
    assert_eq!(status(&own_ca, foreign.cert_serial()), CertificateStatus::NotOnRecord);
    assert_eq!(status(&own_ca, &CertSerial::new(&[1])), CertificateStatus::NotOnRecord);
    assert_eq!(status(&[], &CertSerial::new(&[])), CertificateStatus::NotOnRecord);

    // And so it stands in what a CRL is made of.
    let mut on_crl = Vec::new();
    let each = &mut |record: RevocationRecord| on_crl.push(record.cert_serial);
    assert_eq!(ledger.begin_crl(&own_ca, NOW_S, NOW_S + 1, each).unwrap(), 1);
    assert_eq!(on_crl, [host.cert_serial().clone()]);
}

#[test]
fn a_batch_is_recorded_as_a_whole_or_not_at_all() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.sqlite");
    let mut ledger = SqliteLedger::create(&path).unwrap();
    let mut ca = Ca::new();
    let chains: Vec<_> = (0..20).map(|at| ca.certify(&format!("host-{at}"), &Key::new())).collect();
    let new = |at: usize| NewCertificate { der: chains[at].leaf(), name: "x", profile: "client" };
    let first: Vec<_> = (0..10).map(new).collect();
    ledger.record_certificates(&first, NOW_S).unwrap();
    // Again, with others: what is there stays as it was recorded first.
    let more: Vec<_> = (5..15).map(new).collect();
    ledger.record_certificates(&more, NOW_S + 1).unwrap();
    let times = |ledger: &mut SqliteLedger| -> Vec<u64> {
        ledger.certificates().unwrap().iter().map(|one| one.issued_at_s - NOW_S).collect()
    };
    assert_eq!(times(&mut ledger), [vec![0; 10], vec![1; 5]].concat());

    // The last of these has the serial number of one on record, and is another.
    let twin = with_cert_serial_of(&chains[19], &chains[3]);
    let mut wrong: Vec<_> = (15..19).map(new).collect();
    wrong.push(NewCertificate { der: twin.leaf(), ..new(0) });
    let refused = ledger.record_certificates(&wrong, NOW_S + 2).unwrap_err();
    assert!(
        matches!(&refused, RecordCertificateError::CertSerialTaken { cert_serial }
            if cert_serial == chains[3].cert_serial()),
        "{refused:?}"
    );
    wrong.last_mut().unwrap().der = b"no certificate";
    let refused = ledger.record_certificates(&wrong, NOW_S + 2).unwrap_err();
    assert!(matches!(refused, RecordCertificateError::Unreadable(_)), "{refused:?}");

    // Durable: another program sees the same.
    let mut again = SqliteLedger::open(&path).unwrap();
    assert_eq!(times(&mut again).len(), 15);
}

#[test]
fn a_lot_is_revoked_as_a_whole() {
    let mut ledger = SqliteLedger::open_in_memory().unwrap();
    let mut ca = Ca::new();
    let (lot, other): (Lot, Lot) = ("2026-W47".parse().unwrap(), "2026-W48".parse().unwrap());
    let mut made = |ledger: &mut SqliteLedger, device: &str, lot: Option<&Lot>| {
        let chain = ca.certify(device, &Key::new());
        ledger.record_issued_in(lot, &chain, NOW_S).unwrap();
        // Again, whatever lot is named then: it stays as it was recorded first.
        ledger.record_issued_in(Some(&other), &chain, NOW_S).unwrap();
    };
    for device in ["sensor-1", "sensor-2", "sensor-3"] {
        made(&mut ledger, device, Some(&lot));
    }
    made(&mut ledger, "sensor-4", Some(&other));
    made(&mut ledger, "sensor-5", None);
    let before =
        ledger.revoke(&Which::OfDevice(serial("sensor-2")), 1, NOW_S + 1).unwrap().remove(0);

    let of_lot = Which::OfLot(lot);
    let preview = ledger.revocable(&of_lot).unwrap();
    let names = |preview: &[provision_ledger::Revocable]| -> Vec<(String, bool)> {
        preview.iter().map(|one| (one.name.clone(), one.revoked.is_some())).collect()
    };
    let expected = [("sensor-1", false), ("sensor-2", true), ("sensor-3", false)];
    let expected = expected.map(|(name, revoked)| (name.to_owned(), revoked));
    assert_eq!(names(&preview), expected);
    assert_eq!(names(&ledger.revocable(&of_lot).unwrap()), expected, "a look changes nothing");

    let revoked = ledger.revoke(&of_lot, 4, NOW_S + 2).unwrap();
    assert_eq!(revoked.len(), 3);
    assert_eq!(revoked[1], before, "what was said first stays");
    assert_eq!((revoked[0].reason, revoked[0].revoked_at_s), (4, NOW_S + 2));
    assert_eq!(ledger.revoke(&of_lot, 5, NOW_S + 3).unwrap(), revoked);
    for (device, is_revoked) in [("sensor-1", true), ("sensor-4", false), ("sensor-5", false)] {
        assert_eq!(ledger.revocation_of(&serial(device)).unwrap().is_some(), is_revoked);
    }
    assert_eq!(ledger.revocations(&revoked[0].issuer_key_id).unwrap().len(), 3);

    let nobody = Which::OfLot("2026-W49".parse().unwrap());
    for refused in
        [ledger.revocable(&nobody).map(|_| ()), ledger.revoke(&nobody, 0, NOW_S).map(|_| ())]
    {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, RevokeError::NotOnRecord { .. }), "{refused:?}");
        assert_eq!(refused.to_string(), "lot 2026-W49 is not on record");
    }
}
