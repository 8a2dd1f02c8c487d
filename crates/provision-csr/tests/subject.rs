//! What may stand in a subject.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use provision_csr::{Subject, SubjectAttribute, SubjectError};

fn base() -> Subject<'static> {
    Subject::new("sensor-0042").unwrap()
}

#[test]
fn attributes_are_kept_as_given() {
    let subject = base()
        .with_organization("Müller & Söhne")
        .unwrap()
        .with_organizational_unit("Werk 2")
        .unwrap()
        .with_country("DE")
        .unwrap()
        .with_serial_number("SN-0042")
        .unwrap();
    assert_eq!(subject.common_name(), "sensor-0042");
    assert_eq!(subject.organization(), Some("Müller & Söhne"));
    assert_eq!(subject.organizational_unit(), Some("Werk 2"));
    assert_eq!(subject.country(), Some("DE"));
    assert_eq!(subject.serial_number(), Some("SN-0042"));
}

#[test]
fn empty_attributes_are_refused() {
    use SubjectAttribute as A;
    let empty = |attribute| Err(SubjectError::Empty { attribute });
    assert_eq!(Subject::new(""), empty(A::CommonName));
    assert_eq!(base().with_organization(""), empty(A::Organization));
    assert_eq!(base().with_organizational_unit(""), empty(A::OrganizationalUnit));
    assert_eq!(base().with_serial_number(""), empty(A::SerialNumber));
}

/// The bound of X.520 is in characters, not in bytes.
#[test]
fn sixty_four_characters_fit_and_sixty_five_do_not() {
    for character in ["x", "ü", "語", "🜁"] {
        let longest = character.repeat(64);
        assert!(Subject::new(&longest).is_ok());
        assert!(base().with_organization(&longest).is_ok());
        assert!(base().with_organizational_unit(&longest).is_ok());

        let too_long = character.repeat(65);
        let refused = |attribute| SubjectError::TooLong { attribute, chars: 65, chars_max: 64 };
        use SubjectAttribute as A;
        assert_eq!(Subject::new(&too_long), Err(refused(A::CommonName)));
        assert_eq!(base().with_organization(&too_long), Err(refused(A::Organization)));
        assert_eq!(base().with_organizational_unit(&too_long), Err(refused(A::OrganizationalUnit)));
    }
    assert!(base().with_serial_number(&"9".repeat(64)).is_ok());
    assert_eq!(
        base().with_serial_number(&"9".repeat(65)),
        Err(SubjectError::TooLong {
            attribute: SubjectAttribute::SerialNumber,
            chars: 65,
            chars_max: 64
        })
    );
}

#[test]
fn control_characters_are_refused() {
    for found in ['\0', '\n', '\x1b', '\x7f', '\u{85}'] {
        let text = format!("sensor{found}.example");
        let attribute = SubjectAttribute::CommonName;
        assert_eq!(Subject::new(&text), Err(SubjectError::ControlCharacter { attribute, found }));
        assert!(base().with_organization(&text).is_err());
        assert!(base().with_organizational_unit(&text).is_err());
        assert!(base().with_serial_number(&text).is_err());
    }
}

#[test]
fn a_country_is_two_upper_case_letters() {
    for good in ["CH", "DE", "ZZ"] {
        assert_eq!(base().with_country(good).unwrap().country(), Some(good));
    }
    for (bad, chars) in [("", 0), ("C", 1), ("CHE", 3), ("ch", 2), ("Ch", 2), ("C1", 2), ("Ü", 1)]
    {
        assert_eq!(base().with_country(bad), Err(SubjectError::NotACountry { chars }), "{bad}");
    }
}

/// X.680 section 41.4, the whole table.
#[test]
fn a_serial_number_is_a_printable_string() {
    const ALLOWED: &str =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?";
    for code in 0x20..0x180 {
        let found = char::from_u32(code).unwrap();
        let serial_number = format!("1{found}2");
        let attribute = SubjectAttribute::SerialNumber;
        match base().with_serial_number(&serial_number) {
            Ok(_) => assert!(ALLOWED.contains(found), "{found:?} was let through"),
            Err(error) => {
                assert!(!ALLOWED.contains(found), "{found:?} was refused");
                assert_eq!(error, SubjectError::NotPrintable { attribute, found });
            }
        }
    }
}

#[test]
fn errors_say_what_was_expected_and_what_came() {
    let said = |error: Result<Subject<'_>, SubjectError>| error.unwrap_err().to_string();
    assert_eq!(said(Subject::new("")), "the common name is empty");
    assert_eq!(
        said(base().with_organization(&"x".repeat(70))),
        "the organization has 70 characters, at most 64 are allowed"
    );
    assert_eq!(
        said(base().with_serial_number("a_b")),
        "the serial number holds '_', which PrintableString lacks"
    );
    assert_eq!(
        said(base().with_country("Switzerland")),
        "the country must be two upper-case letters, it has 11 characters"
    );
}
