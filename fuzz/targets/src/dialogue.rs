//! Asks in any order, noise, and power cuts, against a model of the device.

mod deliveries;
mod model;
mod rig;

use provision_testkit::flash::Moment;
use provision_wire::{Ask, Encodable, VersionRange};

use self::deliveries::Variant;
use self::rig::Rig;
use crate::input::Input;
use crate::toy::sha256;

/// The bytes are operations, one after the other, each a number and what it needs.
///
/// # Panics
///
/// If the device does what the model says it must not, or does not do what it must.
pub(crate) fn dialogue<const PLANTED: bool>(data: &[u8]) {
    let mut input = Input::new(data);
    let mut rig = Rig::new(PLANTED);
    for _ in 0..OPERATIONS_MAX {
        if operation(&mut rig, &mut input).is_none() {
            break;
        }
    }
}

/// `None` at the end of the input.
fn operation(rig: &mut Rig, input: &mut Input<'_>) -> Option<()> {
    match input.byte()? {
        0 => {
            rig.session = u32::from(input.byte()?);
            rig.ask(&Ask::Hello { versions: VersionRange::OURS });
        }
        1 => {
            let versions = VersionRange { min: input.byte()?.into(), max: input.byte()?.into() };
            rig.ask(&Ask::Hello { versions });
        }
        2 => rig.ask(&Ask::Key),
        3 => rig.ask(&Ask::Csr { challenge: [input.byte()?; 32] }),
        4 => rig.ask(&Ask::Read { offset: input.number()?.into() }),
        5 => {
            let delivery = rig.delivery(Variant::numbered(input.byte()?));
            let (offset, len) = (input.number()?, input.number()?);
            let from = usize::from(offset).min(delivery.len());
            let len = usize::from(len % PIECE_LEN_MAX).min(delivery.len() - from);
            rig.ask(&Ask::Put { offset: offset.into(), bytes: &delivery[from..from + len] });
        }
        6 => rig.ask(&Ask::Put { offset: input.number()?.into(), bytes: input.bytes()? }),
        7 => {
            let delivery = rig.delivery(Variant::numbered(input.byte()?));
            rig.put_all(&delivery);
        }
        8 => {
            let delivery_sha256 = sha256(&rig.delivery(Variant::numbered(input.byte()?)));
            rig.ask(&Ask::Commit { delivery_sha256 });
        }
        9 => {
            let variant = Variant::numbered(input.byte()?);
            rig.deliver(variant, Rig::put_all);
        }
        10 => rig.ask(&Ask::Prove { challenge: [input.byte()?; 32] }),
        11 => rig.ask(&Ask::Seal),
        12 => rig.noise(input.bytes()?),
        13 => rig.ask_in_bytes(input.bytes()?),
        14 => {
            let (operations, moment) = (input.byte()?, input.byte()?);
            let moment = match moment {
                0 => Moment::Before,
                1 => Moment::After,
                seed => Moment::Inside { seed: seed.into() },
            };
            rig.cut_in_next_ask(operations.into(), moment);
        }
        15 => rig.switch_off_and_on(),
        16 => rig.entropy_refuses(input.byte()? & 1 == 1),
        17 => rig.repeat(),
        18 => rig.ask(&Ask::PutPacked { offset: input.number()?.into(), block: input.bytes()? }),
        19 => {
            let variant = Variant::numbered(input.byte()?);
            rig.deliver(variant, Rig::put_all_packed);
        }
        _ => {}
    }
    Some(())
}

fn encoded(message: &impl Encodable) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let len = message.encode_into(&mut out).expect("a piece and its surroundings");
    out.truncate(len);
    out
}

/// More than an enrollment takes, with all its mishaps, several times over.
const OPERATIONS_MAX: usize = 200;
/// What the device takes in one ask, about.
const PIECE_LEN_MAX: u16 = 520;
