//! What a chip's generator gives, tested and condensed until it is fit for keys.

use zeroize::Zeroizing;

use super::health::{Cutoffs, HealthTests, START_UP_SAMPLES};
use super::{Entropy, NoEntropy, RawEntropy};
use crate::Sha256;

/// [`Entropy`] made of [`RawEntropy`], after NIST SP 800-90B: every raw byte goes through the health
/// tests of section 4.4, and then through SHA-256 (a vetted conditioning component, section
/// 3.1.5.1.1), 64 bits more than come out of it going in at least.
///
/// - **Start-up**: before the first byte is handed out, 1,024 raw bytes are tested and thrown away. The
///   first 64 of them must not come again: so whatever repeats itself after at most 960 bytes is found.
/// - **Continuous**: every byte after that is tested before anything made of it is handed out.
/// - **Once failed stays failed**, until the next power-on: a source that was stuck for a moment is
///   not to be trusted afterwards. A refusal by the hardware itself is passed on and is not final;
///   the start-up test is done again after it.
///
/// How the cutoffs come about, and what the tests can and cannot find: `docs/entropy.md`.
///
/// ```
/// use provision_csr::{Entropy, NoEntropy, RawEntropy, TestedEntropy};
///
/// struct Stuck;
///
/// impl RawEntropy for Stuck {
///     const MIN_ENTROPY_BITS_PER_BYTE: u32 = 4;
///
///     fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
///         out.fill(0x5a);
///         Ok(())
///     }
/// }
///
/// let mut entropy = TestedEntropy::new(Stuck);
/// assert_eq!(entropy.fill(&mut [0; 32]), Err(NoEntropy));
/// ```
#[derive(Debug)]
pub struct TestedEntropy<R> {
    source: R,
    tests: HealthTests,
    health: Health,
}

impl<R: RawEntropy> TestedEntropy<R> {
    /// Takes a source. Nothing is drawn yet: the start-up test comes before the first bytes.
    #[must_use]
    pub const fn new(source: R) -> Self {
        Self { source, tests: HealthTests::new(), health: Health::Untested }
    }

    /// Gives the source back.
    pub fn into_inner(self) -> R {
        self.source
    }

    /// 32 bytes with full entropy.
    fn condensed(&mut self) -> Result<Zeroizing<[u8; DIGEST_LEN]>, NoEntropy> {
        let mut hash = Sha256::new();
        let mut raw = Zeroizing::new([0; PIECE_LEN]);
        for _ in 0..Self::RAW_LEN / PIECE_LEN {
            self.draw(&mut raw)?;
            hash.update(&*raw);
        }
        Ok(Zeroizing::new(hash.finish()))
    }

    /// The only way by which a raw byte comes in.
    fn draw(&mut self, raw: &mut [u8; PIECE_LEN]) -> Result<(), NoEntropy> {
        if let Err(NoEntropy) = self.source.fill_raw(raw) {
            self.health = Health::Untested;
            return Err(NoEntropy);
        }
        for sample in raw {
            if let Err(NoEntropy) = self.tests.take(*sample, &Self::CUTOFFS) {
                self.health = Health::Failed;
                return Err(NoEntropy);
            }
        }
        Ok(())
    }

    fn start_up(&mut self) -> Result<(), NoEntropy> {
        let mut first = [0; PIECE_LEN];
        self.draw(&mut first)?;
        // The latest two pieces. The first comes again in them if the source repeats itself.
        let mut latest = [first; 2];
        for _ in 1..START_UP_SAMPLES / PIECE_LEN {
            let [before, now] = &mut latest;
            *before = *now;
            self.draw(now)?;
            if latest.as_flattened().windows(PIECE_LEN).skip(1).any(|piece| piece == first) {
                self.health = Health::Failed;
                return Err(NoEntropy);
            }
        }
        self.health = Health::Good;
        Ok(())
    }

    const CUTOFFS: Cutoffs = Cutoffs::of(R::MIN_ENTROPY_BITS_PER_BYTE);

    /// Raw bytes that go into 32. For full entropy of what comes out of a vetted conditioning
    /// component, 64 bits more must go in (SP 800-90C). A power of two, so that a
    /// source that repeats itself after 2, 4, 8, … up to so many bytes gives the same 32 again, and
    /// [`sample_scalar`](crate::sample_scalar) sees it.
    const RAW_LEN: usize = {
        let needed_bits = 8 * DIGEST_LEN as u32 + 64;
        needed_bits.div_ceil(R::MIN_ENTROPY_BITS_PER_BYTE).next_power_of_two() as usize
    };
}

impl<R: RawEntropy> Entropy for TestedEntropy<R> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        match self.health {
            Health::Failed => return Err(NoEntropy),
            Health::Untested => self.start_up()?,
            Health::Good => {}
        }
        for part in out.chunks_mut(DIGEST_LEN) {
            let condensed = self.condensed()?;
            part.iter_mut().zip(condensed.iter()).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Untested,
    Good,
    Failed,
}

const DIGEST_LEN: usize = 32;
/// Raw bytes that are drawn together.
const PIECE_LEN: usize = 64;
