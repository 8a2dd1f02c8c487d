//! What the vault does and refuses while power stays on.

use provision_csr::{Entropy, IdentityKey, NoEntropy};
use provision_device::{FlashRangeError, FlashVault, Stage, Vault, VaultFault};
use provision_testkit::flash::PowerCutFlash;

use crate::harness::{
    Device, FIRST, SECOND, State, Step, TestEntropy, TestKey, TestVault, observe, perform,
};

type SmallFlash = PowerCutFlash<4, 256>;

fn small_vault() -> TestVault<SmallFlash> {
    FlashVault::new(SmallFlash::new(6), 0..6 * 256).unwrap()
}

fn entropy() -> TestEntropy {
    TestEntropy::new()
}

#[test]
fn each_step_shows_in_the_stage() {
    let mut vault = small_vault();
    assert_eq!(observe(&mut vault), Ok(State::BLANK));

    vault.create_key(&mut entropy()).unwrap();
    assert_eq!(vault.stage(), Ok(Stage::Keyed));
    assert_eq!(vault.read_delivery(&mut []), Ok(None));

    vault.store_delivery(&FIRST).unwrap();
    assert_eq!(vault.stage(), Ok(Stage::Certified));
    assert_eq!(vault.read_delivery(&mut [0; 500]), Ok(Some(&FIRST[..])));

    vault.store_delivery(&SECOND).unwrap();
    assert_eq!(vault.stage(), Ok(Stage::Certified));
    assert_eq!(vault.read_delivery(&mut [0; SECOND.len()]), Ok(Some(&SECOND[..])));

    vault.seal().unwrap();
    assert_eq!(vault.stage(), Ok(Stage::Sealed));
    assert_eq!(vault.read_delivery(&mut [0; SECOND.len()]), Ok(Some(&SECOND[..])));
}

#[test]
fn all_of_it_survives_a_restart() {
    let mut vault = small_vault();
    for step in [Step::CreateKey, Step::Store(&FIRST), Step::Seal] {
        perform(&mut vault, step, &mut entropy()).unwrap();
    }
    let before = observe(&mut vault).unwrap();

    let mut restarted = FlashVault::new(vault.into_inner(), 0..6 * 256).unwrap();
    assert_eq!(observe(&mut restarted), Ok::<_, VaultFault>(before));
    let _: Option<TestKey> = restarted.key().unwrap();
}

#[test]
fn a_key_is_made_once() {
    let mut vault = small_vault();
    let mut entropy = entropy();
    vault.create_key(&mut entropy).unwrap();
    let first = vault.key().unwrap().unwrap().public_key();

    for step in [Step::CreateKey, Step::Store(&FIRST), Step::CreateKey, Step::Seal, Step::CreateKey]
    {
        perform(&mut vault, step, &mut entropy).unwrap();
        assert_eq!(vault.key().unwrap().unwrap().public_key(), first);
    }
}

#[test]
fn without_entropy_there_is_no_key() {
    struct Broken;

    impl Entropy for Broken {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), NoEntropy> {
            Err(NoEntropy)
        }
    }

    let mut vault = small_vault();
    assert_eq!(vault.create_key(&mut Broken), Err(VaultFault::NoEntropy));
    assert_eq!(observe(&mut vault), Ok(State::BLANK));
    assert_eq!(vault.into_inner().operations(), 0);
}

#[test]
fn steps_out_of_order_are_refused_and_change_nothing() {
    let mut vault = small_vault();
    let blank = VaultFault::OutOfOrder { stage: Stage::Blank };
    assert_eq!(vault.store_delivery(&FIRST), Err(blank));
    assert_eq!(vault.seal(), Err(blank));
    assert_eq!(observe(&mut vault), Ok(State::BLANK));

    vault.create_key(&mut entropy()).unwrap();
    assert_eq!(vault.seal(), Err(VaultFault::OutOfOrder { stage: Stage::Keyed }));
    assert_eq!(vault.stage(), Ok(Stage::Keyed));
}

#[test]
fn sealed_stays_sealed() {
    let mut vault = small_vault();
    for step in [Step::CreateKey, Step::Store(&FIRST), Step::Seal] {
        perform(&mut vault, step, &mut entropy()).unwrap();
    }
    let before = observe(&mut vault).unwrap();
    let operations = vault.into_inner();
    let image = operations.bytes().to_vec();

    let mut vault = FlashVault::new(operations, 0..6 * 256).unwrap();
    assert_eq!(vault.store_delivery(&SECOND), Err(VaultFault::Sealed));
    assert_eq!(vault.store_delivery(&[0; 9_999]), Err(VaultFault::Sealed));
    assert_eq!(vault.create_key(&mut entropy()), Ok(()));
    assert_eq!(vault.seal(), Ok(()));
    assert_eq!(observe(&mut vault), Ok::<_, VaultFault>(before));
    let _: Option<TestKey> = vault.key().unwrap();
    assert_eq!(vault.into_inner().bytes(), image);
}

#[test]
fn any_length_up_to_the_longest_fits() {
    let max = small_vault().delivery_len_max();
    assert_eq!(max, 3 * 256 - 224);
    for len in (0..=max).step_by(1) {
        let mut vault = small_vault();
        vault.create_key(&mut entropy()).unwrap();
        let delivery = vec![0xa5; len];
        vault.store_delivery(&delivery).unwrap();
        assert_eq!(vault.read_delivery(&mut vec![0; len]), Ok(Some(&delivery[..])), "{len}");
        vault.seal().unwrap();
        assert_eq!(vault.read_delivery(&mut vec![0; len]), Ok(Some(&delivery[..])), "{len}");
    }
}

#[test]
fn one_byte_too_many_is_refused_and_changes_nothing() {
    let mut vault = small_vault();
    vault.create_key(&mut entropy()).unwrap();
    vault.store_delivery(&FIRST).unwrap();

    let max = vault.delivery_len_max();
    assert_eq!(vault.store_delivery(&vec![1; max + 1]), Err(VaultFault::Full { max }));
    assert_eq!(vault.read_delivery(&mut [0; 400]), Ok(Some(&FIRST[..])));
}

#[test]
fn a_short_buffer_is_told_the_length() {
    let mut vault = small_vault();
    vault.create_key(&mut entropy()).unwrap();
    vault.store_delivery(&FIRST).unwrap();
    let needed = FIRST.len();
    for have in [0, 1, 32, needed - 1] {
        let short = vault.read_delivery(&mut vec![0; have]).map(|_| ());
        assert_eq!(short, Err(VaultFault::BufferTooSmall { needed }));
    }
}

#[test]
fn one_change_costs_one_erase() {
    let mut device = Device::<4, 1024>::new();
    device.perform_next(1).unwrap();
    device.flash.forget_journal();

    // The slot was erased when the record in it was replaced; not again before it is written.
    {
        let mut vault = device.vault();
        vault.store_delivery(&FIRST).unwrap();
        vault.store_delivery(&SECOND).unwrap();
        vault.seal().unwrap();
    }
    // One more for the first of them: this run cannot know how the last one ended.
    assert_eq!(device.erases(), 3 + 1);
}

#[test]
fn wiping_leaves_nothing() {
    let mut vault = small_vault();
    for step in [Step::CreateKey, Step::Store(&FIRST), Step::Seal] {
        perform(&mut vault, step, &mut entropy()).unwrap();
    }
    vault.wipe().unwrap();
    assert_eq!(observe(&mut vault), Ok(State::BLANK));
    assert!(vault.into_inner().bytes().iter().all(|byte| *byte == 0xff));
}

#[test]
fn a_range_that_cannot_hold_a_vault_is_refused() {
    let refused = |range: core::ops::Range<u32>| {
        FlashVault::<_, TestKey>::new(SmallFlash::new(8), range).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(1..2048), FlashRangeError::NotWholePages { page: 256 });
    assert_eq!(refused(0..2047), FlashRangeError::NotWholePages { page: 256 });
    assert_eq!(refused(0..2304), FlashRangeError::OutsideFlash { capacity: 2048 });
    assert_eq!(refused(256..256), FlashRangeError::TooShort { needed: 512, have: 0 });
    assert_eq!(refused(256..512), FlashRangeError::TooShort { needed: 512, have: 256 });
    #[expect(clippy::reversed_empty_ranges, reason = "what is tested")]
    let reversed = refused(1024..256);
    assert_eq!(reversed, FlashRangeError::TooShort { needed: 512, have: 0 });

    // An odd page is left over.
    let odd = FlashVault::<_, TestKey>::new(SmallFlash::new(8), 256..256 + 3 * 256).unwrap();
    assert_eq!(odd.delivery_len_max(), 256 - 224);
}
