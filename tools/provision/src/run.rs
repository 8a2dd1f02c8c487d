//! One run of the dialogue on one port. The machine says what it wants; this does it.

use provision_csr::PortableP256;
use provision_station::enrollment::{Outcome, Progress, Randomness};
use provision_station::evidence::Policy;
use provision_station::{Enrollment, Input, Output, Plan};
use provision_wire::DeviceSerial;

use crate::ending::Ending;
use crate::fault::Fault;
use crate::job::Job;
use crate::line::Line;
use crate::system;

/// Longest wait between two looks at whether everything is to end, in milliseconds.
const LOOK_UP_EACH_MS: u64 = 200;

/// Enrolls what answers on `line`; `tell` hears of each step.
pub(crate) fn run(
    job: &Job,
    line: &mut Line,
    expected_device: Option<DeviceSerial>,
    ending: &Ending,
    mut tell: impl FnMut(Progress),
) -> Result<Outcome, Fault> {
    let randomness = Randomness {
        session: u32::from_le_bytes(system::bytes()?),
        csr_challenge: system::bytes()?,
        proof_challenge: system::bytes()?,
    };
    let policy = Policy { expected_device };
    let plan = Plan { time: system::now_s()?, policy, ..job.plan.clone() };
    let mut enrollment = Enrollment::<PortableP256>::new(plan, randomness);
    let mut buffer = [0; 512];
    let mut begun = false;
    loop {
        let input = match enrollment.poll(line.now_ms()) {
            Output::Send(bytes) => {
                line.send(&bytes)?;
                continue;
            }
            Output::Progress(progress) => {
                begun |= matches!(progress, Progress::Found { .. });
                tell(progress);
                continue;
            }
            Output::LookUp { device, public_key } => {
                Input::Standing(job.books.standing(&device, &public_key)?)
            }
            Output::LookUpDevice { device } => Input::Known(job.books.live(&device)?),
            Output::Issue(approved) => Input::Issued(job.books.issue(&approved)?),
            Output::Record(record) => {
                job.books.record(record)?;
                Input::Recorded
            }
            Output::Wait { until_ms } => {
                // A device that has not answered yet has nothing to finish.
                if ending.is_now() || ending.is_wished() && !begun {
                    return Err(Fault::Interrupted);
                }
                let soon_ms = line.now_ms().saturating_add(LOOK_UP_EACH_MS);
                match line.receive(&mut buffer, until_ms.min(soon_ms))? {
                    [] => Input::Tick,
                    bytes => Input::Received(bytes),
                }
            }
            Output::WaitForAnswer => Input::Tick,
            Output::Done(outcome) => return Ok(*outcome),
            Output::Failed(fault) => return Err(fault.into()),
        };
        enrollment.handle(input, line.now_ms());
    }
}
