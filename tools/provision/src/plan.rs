//! `--dry-run`: what a run would do, up to its first step that cannot be taken back. Nothing changes
//! on the device, in the ledger or at the CA.

use provision_station::EnrollmentFault;
use provision_station::enrollment::EndpointPlan;
use provision_station::evidence::{Policy, PolicyFault, Standing};
use provision_station::exchange::Patience;
use provision_wire::{Answer, Ask, DeviceSerial, Hello, Stage};

use crate::books::Before;
use crate::conversation::Conversation;
use crate::fault::Fault;
use crate::job::Job;
use crate::line::Line;
use crate::report::{At, Report};

/// Bytes of a delivery beside the certificates above the leaf: the leaf, names, and some CBOR.
const LEAF_AND_MORE: usize = 900;

/// Asks what can be asked without consequences, and says what would follow.
pub(crate) fn show(
    job: &Job,
    line: &mut Line,
    hello: Patience,
    expected: Option<&DeviceSerial>,
    at: At<'_>,
    report: &mut Report,
) -> Result<(), Fault> {
    let (mut conversation, Hello { device, stage, delivery_len_max, .. }) =
        Conversation::open(line, hello)?;
    let policy = Policy { expected_device: expected.cloned() };
    policy.admit(&device).map_err(refused)?;
    let mut steps = Vec::new();
    if stage == Stage::Sealed {
        let elsewhere = || refused(PolicyFault::SealedElsewhere { device: device.clone() });
        let live = job.books.live(&device)?.ok_or_else(elsewhere)?;
        if live.delivery_sha256.is_none() {
            return Err(refused(PolicyFault::SealedUnproven { device }));
        }
        let serial = live.chain.cert_serial();
        steps.push(format!("it would have to prove certificate {serial}; nothing would change"));
        return report.plan(at, &device, stage, &steps);
    }
    let certificate = if stage == Stage::Blank {
        match job.books.before(&device)? {
            Before::Nothing => job.books.check_lot()?,
            Before::Replaceable { revoked: false } => {
                steps.push("the certificate it had would be revoked (superseded)".into());
            }
            Before::Replaceable { revoked: true } => {
                steps.push("the certificate it had is revoked: it would get another".into());
            }
            Before::Kept => return Err(refused(PolicyFault::KnownWithOtherKey { device })),
        }
        steps.push("it would make its key, which cannot be taken back".into());
        None
    } else {
        // It has a key, so asking for it makes none.
        let public_key = conversation.ask(&Ask::Key, |answer| match answer {
            Answer::Key { public } => provision_csr::PublicKey::from_sec1(*public).ok(),
            _ => None,
        })?;
        match job.books.standing(&device, &public_key)? {
            Standing::Live(live) => Some(live.chain.cert_serial().to_string()),
            Standing::Unknown => None,
            Standing::OtherKey { .. } => {
                return Err(refused(PolicyFault::KnownWithOtherKey { device }));
            }
            Standing::KeyElsewhere { device: other } => {
                return Err(refused(PolicyFault::KeyElsewhere { other }));
            }
        }
    };
    match certificate {
        Some(serial) => {
            steps.push(format!("certificate {serial} of the ledger would be delivered"))
        }
        None => {
            let profile = job.books.profile_name();
            steps.push(format!(
                "it would prove that it holds its key, and a certificate of the profile {profile} \
                 would be signed and recorded"
            ));
        }
    }
    let EndpointPlan { host, port, .. } = &job.plan.endpoint;
    let above: usize = job.books.len_above_leaf();
    let anchors: usize = job.plan.server_anchors.iter().map(Vec::len).sum();
    let len = above + anchors + LEAF_AND_MORE;
    let fits = if len as u64 <= u64::from(delivery_len_max) { "fits" } else { "may not fit" };
    steps.push(format!(
        "the endpoint {host}:{port} and anchors for servers ({}) would be delivered with it: about \
         {len} bytes, which {fits} into the {delivery_len_max} that it takes",
        job.plan.server_anchors.len()
    ));
    steps.push("it would check and store all that, and prove it".into());
    if job.plan.seal {
        steps.push("it would be sealed, which cannot be taken back".into());
    }
    report.plan(at, &device, stage, &steps)
}

fn refused(fault: PolicyFault) -> Fault {
    EnrollmentFault::from(fault).into()
}
