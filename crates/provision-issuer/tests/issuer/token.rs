//! A CA's key in a token that ends its session while a station runs.

use std::env;
use std::path::Path;
use std::process::Command;

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use provision_issuer::{
    CaNames, CaRequest, FileIssuer, Issuer as _, KeyProtection, KeyStore, Lifetime, Passphrase,
    Profile, Token, TokenFault, TokenUri,
};

use provision_testkit::softhsm::{self, PIN, SoftHsm};

use crate::support::{NOW_S, approved};

/// SoftHSM reads where its tokens are from the environment, which a test cannot set for itself.
#[test]
fn a_session_that_has_ended_is_opened_again() {
    let place = tempfile::tempdir().unwrap();
    let tokens = SoftHsm::new(place.path(), "factory").unwrap();
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "token::in_a_process_with_a_token", "--ignored", "--nocapture"]);
    let child = tokens.given_to(child.env("PLACE", place.path())).output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{child:?}");
}

#[test]
#[ignore = "not a test: the child process of the one above"]
fn in_a_process_with_a_token() {
    let dir = Path::new(&env::var_os("PLACE").unwrap()).join("ca");
    let path = softhsm::library().expect("softhsm2 is not installed");
    let uri: TokenUri = format!("pkcs11:token=factory?module-path={path}").parse().unwrap();
    let pin = || KeyProtection::Encrypted(Passphrase::new(PIN.into()).unwrap());
    // A PIN that was refused is not given again, whatever has become of it.
    let wrong = KeyProtection::Encrypted(Passphrase::new("999999".into()).unwrap());
    let refused = || matches!(Token::open(&uri, &wrong), Err(TokenFault::WrongPin));
    assert!(refused());
    let (old, new) = (AuthPin::from(PIN.to_owned()), AuthPin::from("999999".to_owned()));
    let library = Pkcs11::new(path).unwrap();
    other_session(&library).set_pin(&old, &new).unwrap();
    assert!(refused());
    let slot = library.get_slots_with_initialized_token().unwrap()[0];
    let session = library.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&new)).unwrap();
    session.set_pin(&new, &old).unwrap();
    drop(session);

    let request = CaRequest {
        keys: KeyStore::Token(Token::open(&uri, &pin()).unwrap()),
        ..CaRequest::new(CaNames::of("Acme").unwrap(), KeyProtection::InsecurePlaintext, NOW_S)
    };
    provision_issuer::init(&dir, &request).unwrap();
    drop(request);
    assert!(FileIssuer::needs_passphrase(&dir).unwrap());
    let mut issuer = FileIssuer::open(&dir, &pin()).unwrap();
    let mut issue = |name| {
        let profile = Profile::new(Lifetime::Days(1));
        issuer.issue(&approved(name), &profile, NOW_S).map_err(|error| error.to_string())
    };
    issue("one").unwrap();

    // Somebody else in this process logs out, which is for all of it.
    let library = Pkcs11::new(path).unwrap();
    other_session(&library).logout().unwrap();
    issue("two").unwrap();
    // The library lets go of everything, as when a token is taken out.
    library.clone().finalize().unwrap();
    assert!(issue("three").unwrap_err().contains("the token does not"));

    // The same name is another key.
    let library = Pkcs11::new(path).unwrap();
    let flags = cryptoki::context::CInitializeFlags::OS_LOCKING_OK;
    library.initialize(cryptoki::context::CInitializeArgs::new(flags)).unwrap();
    issue("four").unwrap();
    let session = other_session(&library);
    let keys = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    for key in session.find_objects(&keys).unwrap() {
        session.destroy_object(key).unwrap();
    }
    let gone = issue("five").unwrap_err();
    assert!(gone.contains("the token has no private key of that name"), "{gone}");
}

fn other_session(library: &Pkcs11) -> Session {
    let slot = library.get_slots_with_initialized_token().unwrap()[0];
    let session = library.open_rw_session(slot).unwrap();
    // Logged in already, or not.
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN.to_owned())));
    session
}
