//! One script, the states it goes through, and the check of a run whose power was cut.

use embedded_storage::nor_flash::NorFlash;
use provision_csr::{Entropy, IdentityKey, NoEntropy, PublicKey};
use provision_device::{FlashVault, Stage, Vault, VaultFault};
use provision_testkit::flash::{Cut, Operation, PowerCutFlash};
pub(crate) use provision_testkit::toy_p256::ToyKey as TestKey;
use sha2_device::{Digest, Sha256};

pub(crate) type TestVault<F> = FlashVault<F, TestKey>;

/// A change to the vault.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    CreateKey,
    Store(&'static [u8]),
    Seal,
}

/// What a device goes through, with one change of mind. The lengths are no multiple of anything.
pub(crate) const SCRIPT: &[Step] =
    &[Step::CreateKey, Step::Store(&FIRST), Step::Store(&SECOND), Step::Seal];

pub(crate) const FIRST: [u8; 301] = delivery(1);
pub(crate) const SECOND: [u8; 190] = delivery(2);

/// Room for [`FIRST`], in bytes of a slot.
const SLOT_LEN: usize = 224 + 320;

/// Noise, so that no two units are the same.
const fn delivery<const LEN: usize>(seed: u32) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let mut at = 0;
    while at < LEN {
        bytes[at] = ((1_000 * seed + at as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
        at += 1;
    }
    bytes
}

/// What the vault says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) stage: Stage,
    pub(crate) key: Option<PublicKey>,
    pub(crate) delivery: Option<Vec<u8>>,
}

impl State {
    pub(crate) const BLANK: Self = Self { stage: Stage::Blank, key: None, delivery: None };

    /// What `step` makes of this state. `key` is the one a new key would be.
    pub(crate) fn after(&self, step: Step, key: Option<PublicKey>) -> Self {
        match step {
            Step::CreateKey => Self { stage: Stage::Keyed, key, delivery: None },
            Step::Store(delivery) => {
                Self { stage: Stage::Certified, key: self.key, delivery: Some(delivery.to_vec()) }
            }
            Step::Seal => Self { stage: Stage::Sealed, ..self.clone() },
        }
    }
}

pub(crate) fn observe(vault: &mut impl Vault) -> Result<State, VaultFault> {
    let stage = vault.stage()?;
    let key = vault.key()?.map(|key| key.public_key());
    let mut room = vec![0; vault.delivery_len_max()];
    let delivery = vault.read_delivery(&mut room)?.map(<[u8]>::to_vec);
    Ok(State { stage, key, delivery })
}

pub(crate) fn perform(
    vault: &mut impl Vault,
    step: Step,
    entropy: &mut TestEntropy,
) -> Result<(), VaultFault> {
    match step {
        Step::CreateKey => vault.create_key(entropy),
        Step::Store(delivery) => vault.store_delivery(delivery),
        Step::Seal => vault.seal(),
    }
}

/// A device: its flash, with one page before and one after the vault's range that are not the
/// vault's, and what it has been told is durable.
pub(crate) struct Device<const WRITE: usize, const ERASE: usize> {
    pub(crate) flash: PowerCutFlash<WRITE, ERASE>,
    pub(crate) entropy: TestEntropy,
    script: &'static [Step],
    /// The state after each step that returned.
    acknowledged: Vec<State>,
    neighbour: Vec<u8>,
}

impl<const WRITE: usize, const ERASE: usize> Device<WRITE, ERASE> {
    pub(crate) const SLOT_LEN: usize = SLOT_LEN.next_multiple_of(ERASE);

    pub(crate) fn new() -> Self {
        let pages = 2 + 2 * Self::SLOT_LEN / ERASE;
        Self::with(PowerCutFlash::new(pages), State::BLANK, SCRIPT)
    }

    /// A device that comes up in `state` and has `script` before it.
    pub(crate) fn with(
        flash: PowerCutFlash<WRITE, ERASE>,
        state: State,
        script: &'static [Step],
    ) -> Self {
        let mut device = Self {
            flash,
            entropy: TestEntropy::new(),
            script,
            acknowledged: vec![state],
            neighbour: vec![0x5a; ERASE],
        };
        let end = 2 * Self::SLOT_LEN + ERASE;
        for at in [0, end] {
            device.flash.erase(at as u32, (at + ERASE) as u32).unwrap();
            device.flash.write(at as u32, &device.neighbour).unwrap();
        }
        device.flash.forget_journal();
        device
    }

    /// Its key was the last of so many draws.
    pub(crate) fn whose_entropy_gave(mut self, draws: u64) -> Self {
        self.entropy.0 += draws;
        self
    }

    pub(crate) fn vault(&mut self) -> TestVault<&mut PowerCutFlash<WRITE, ERASE>> {
        Self::vault_over(&mut self.flash)
    }

    pub(crate) fn vault_over<F: NorFlash>(flash: F) -> TestVault<F> {
        let end = ERASE + 2 * Self::SLOT_LEN;
        FlashVault::new(flash, ERASE as u32..end as u32).unwrap()
    }

    /// The state after the last step that returned.
    pub(crate) fn acknowledged(&self) -> &State {
        self.acknowledged.last().unwrap()
    }

    /// Goes on with the script to its end or to the next cut. `Ok` says whether it was the end.
    ///
    /// Whatever returned is checked at once: what it replaced must be gone from the flash.
    pub(crate) fn run(&mut self) -> Result<bool, String> {
        while self.next_step().is_some() {
            // Twice by the same vault: asking again must do no harm.
            let done = self.perform_next(2);
            if !self.flash.is_powered() {
                return Ok(false);
            }
            done?;
            self.check_gone()?;
        }
        Ok(true)
    }

    /// Does the next step so many times, on a fresh vault, as after a reset.
    pub(crate) fn perform_next(&mut self, times: usize) -> Result<(), String> {
        let step = self.next_step().ok_or("the script is over")?;
        let mut vault = Self::vault_over(&mut self.flash);
        let name = |fault| format!("{step:?}: {fault}");
        for time in 0..times {
            perform(&mut vault, step, &mut self.entropy).map_err(name)?;
            if time == 0 {
                let key = vault.key().map_err(name)?.map(|key| key.public_key());
                let after = self.acknowledged.last().unwrap().after(step, key);
                self.acknowledged.push(after);
            }
        }
        Ok(())
    }

    /// Takes the next step for done, without doing it.
    pub(crate) fn acknowledge_next(&mut self) -> Result<(), String> {
        let step = self.next_step().ok_or("the script is over")?;
        let key = self.entropy.secrets().first().map(TestKey::public_of);
        let after = self.acknowledged().after(step, key);
        self.acknowledged.push(after);
        Ok(())
    }

    pub(crate) fn erases(&self) -> usize {
        let erase = |operation: &&Operation| matches!(operation, Operation::Erase { .. });
        self.flash.journal().iter().filter(erase).count()
    }

    fn next_step(&self) -> Option<Step> {
        self.script.get(self.acknowledged.len() - 1).copied()
    }

    /// Power comes back: what the vault says must be what was acknowledged, or that and the step
    /// that was under way. Takes what it says for acknowledged from here on.
    pub(crate) fn power_on(&mut self) -> Result<(), String> {
        self.flash.power_on();
        let found = match observe(&mut self.vault()) {
            Ok(found) => found,
            // Cut again, before it said anything.
            Err(VaultFault::Flash) if !self.flash.is_powered() => return Ok(()),
            Err(fault) => return Err(format!("after power-on: {fault}")),
        };

        let before = self.acknowledged();
        if found != *before {
            let step = self.next_step();
            let after = step.map(|step| before.after(step, found.key));
            if after.as_ref() != Some(&found) {
                return Err(format!("{found:?} is neither before nor after {step:?}"));
            }
            self.acknowledged.push(found);
        }
        self.check_gone()?;
        self.check_neighbours()
    }

    /// The secret is there once, and of all deliveries only the one that counts.
    pub(crate) fn check_gone(&self) -> Result<(), String> {
        let State { key, delivery, .. } = self.acknowledged();
        let secrets = self.entropy.secrets();
        let present = secrets.iter().map(|secret| self.count(secret)).sum::<usize>();
        if present != usize::from(key.is_some()) {
            return Err(format!("{present} secrets can be read"));
        }
        for other in [&FIRST[..], &SECOND[..]] {
            let expected = usize::from(delivery.as_deref() == Some(other));
            // Any full unit of it would be too much.
            for unit in other.chunks_exact(32) {
                let present = self.count(unit);
                if present != expected {
                    return Err(format!("{present} copies of a delivery, not {expected}"));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn check_neighbours(&self) -> Result<(), String> {
        let bytes = self.flash.bytes();
        if bytes.starts_with(&self.neighbour) && bytes.ends_with(&self.neighbour) {
            Ok(())
        } else {
            Err("wrote outside the range".to_owned())
        }
    }

    fn count(&self, needle: &[u8]) -> usize {
        // Records keep everything at multiples of 32.
        self.flash.bytes().chunks_exact(32).filter(|unit| *unit == needle).count()
    }

    /// Cuts power once, then lets the script run to its end.
    pub(crate) fn survives(mut self, cut: Cut) -> Result<(), String> {
        self.flash.cut_at(cut);
        if self.run()? {
            return Err(format!("{cut:?} was never reached"));
        }
        self.power_on()?;
        self.finish()
    }

    /// No cut any more.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        // What the first look said stays so.
        let said = observe(&mut self.vault()).map_err(|fault| fault.to_string())?;
        if said != *self.acknowledged() {
            return Err(format!("said {:?}, then {said:?}", self.acknowledged()));
        }
        if !self.run()? {
            return Err("power was cut again".to_owned());
        }
        let end = observe(&mut self.vault()).map_err(|fault| fault.to_string())?;
        if end == *self.acknowledged() && end.stage == Stage::Sealed {
            Ok(())
        } else {
            Err(format!("ended as {end:?}"))
        }
    }
}

/// Different 32 bytes at each draw, and all of them known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestEntropy(u64);

impl TestEntropy {
    pub(crate) fn new() -> Self {
        Self(1)
    }

    pub(crate) fn draw(number: u64) -> [u8; 32] {
        Sha256::digest(number.to_be_bytes()).into()
    }

    /// Everything drawn so far.
    pub(crate) fn secrets(&self) -> Vec<[u8; 32]> {
        (1..self.0).map(Self::draw).collect()
    }
}

impl Entropy for TestEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.copy_from_slice(&Self::draw(self.0));
        self.0 += 1;
        Ok(())
    }
}
