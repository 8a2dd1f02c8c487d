//! A whole enrollment over a line that takes its time, in no time: the clock is a number.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::{HashSet, VecDeque};

use provision_csr::PortableP256;
use provision_issuer::{Issuer as _, Lifetime, Profile};
use provision_station::enrollment::{EndpointPlan, EnrollmentFault, Outcome, Randomness, Timing};
use provision_station::evidence::{Policy, Standing};
use provision_station::exchange::{NoAnswer, Pace};
use provision_station::{Enrollment, Input, Output, Plan};
use provision_testkit::ca::ca;
use provision_testkit::device::SimulatedDevice;
use provision_testkit::planted::Bug;
use provision_wire::DeviceSerial;

const NOW_S: u64 = 1_800_000_000;
/// What the device takes for each answer, in milliseconds: less than the patience with any of them.
const COMPUTES_MS: u64 = 300;

/// One direction: when it is free, in milliseconds.
struct Wire {
    baud: u32,
    free_ms: u64,
}

impl Wire {
    /// When bytes have arrived that are handed over now.
    fn carry(&mut self, len: usize, now_ms: u64) -> u64 {
        let took_ms = (len as u64 * 10_000).div_ceil(u64::from(self.baud));
        self.free_ms = self.free_ms.max(now_ms) + took_ms;
        self.free_ms
    }
}

/// How a run ended.
struct Ended {
    outcome: Result<Outcome, EnrollmentFault>,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// Questions that were sent more than once.
    asked_again: usize,
}

/// A run on a line of this rate by a station that takes it for one of this pace.
fn run(baud: u32, pace: Pace) -> Ended {
    let (mut issuer, anchor) = ca(NOW_S - 1000).unwrap();
    let profile = Profile::new(Lifetime::UntilIssuerEnds);
    let plan = Plan {
        policy: Policy::default(),
        server_anchors: vec![anchor],
        endpoint: EndpointPlan { host: "10.0.2.100".into(), port: 8883, alpn: None },
        time: NOW_S,
        foreign_signatures_unchecked: false,
        seal: true,
        timing: Timing { pace, ..Timing::default() },
    };
    let randomness = Randomness { session: 7, csr_challenge: [1; 32], proof_challenge: [2; 32] };
    let mut enrollment = Enrollment::<PortableP256>::new(plan, randomness);
    let serial = DeviceSerial::new("sensor-0001").unwrap();
    let mut device = SimulatedDevice::new(&serial, 1, Bug::None);
    let mut to_device = Wire { baud, free_ms: 0 };
    let mut to_station = Wire { baud, free_ms: 0 };
    let (mut arriving, mut now_ms) = (VecDeque::<(u64, Vec<u8>)>::new(), 0);
    let (mut sent, mut asked_again) = (HashSet::new(), 0);
    let outcome = loop {
        let input = match enrollment.poll(now_ms) {
            Output::Send(bytes) => {
                asked_again += usize::from(!sent.insert(bytes.to_vec()));
                let heard_ms = to_device.carry(bytes.len(), now_ms);
                let said = device.receive(&bytes);
                let arrives_ms = to_station.carry(said.len(), heard_ms + COMPUTES_MS);
                arriving.push_back((arrives_ms, said));
                continue;
            }
            Output::Wait { until_ms } => {
                match arriving.pop_front_if(|(arrives_ms, _)| *arrives_ms <= until_ms) {
                    Some((arrives_ms, bytes)) => {
                        now_ms = arrives_ms;
                        enrollment.handle(Input::Received(&bytes), now_ms);
                        continue;
                    }
                    None => now_ms = until_ms,
                }
                Input::Tick
            }
            Output::Progress(_) => continue,
            Output::LookUp { .. } => Input::Standing(Standing::Unknown),
            Output::LookUpDevice { .. } => Input::Known(None),
            Output::Issue(approved) => {
                Input::Issued(issuer.issue(&approved, &profile, NOW_S).unwrap())
            }
            Output::Record(_) => Input::Recorded,
            Output::WaitForAnswer => panic!("it has what it waits for"),
            Output::Done(outcome) => break Ok(*outcome),
            Output::Failed(fault) => break Err(fault),
        };
        enrollment.handle(input, now_ms);
    };
    Ended { outcome, took_ms: now_ms, asked_again }
}

/// No question is asked twice for the line's sake, at any rate.
#[test]
fn a_slow_line_costs_time_and_no_question() {
    for baud in [115_200, 9_600, 2_400, 1_200, 300] {
        let ended = run(baud, Pace::of_baud(baud));
        ended.outcome.unwrap();
        assert_eq!(ended.asked_again, 0, "{baud} baud");
    }
}

/// What it was before the station was told of the line: the patience is the device's alone.
#[test]
fn a_station_that_is_not_told_gives_up_on_what_is_still_on_its_way() {
    let Ended { outcome, took_ms, asked_again } = run(1_200, Pace::INSTANT);
    assert!(asked_again > 0);
    match outcome {
        Err(EnrollmentFault::NoAnswer(NoAnswer { ask, .. })) => assert_eq!(ask, "put"),
        other => panic!("{other:?} after {took_ms} ms"),
    }
}
