//! `cargo xtask kills`: a station that is killed at random moments, while everything goes wrong.

use core::time::Duration;
use std::path::Path;

use clap::Args;
use provision_testkit::cli::built_program;
use provision_testkit::kills::{Kills, Survived};
use provision_testkit::server_kills::{ServerKills, ServerSurvived};
use serde_json::json;

use crate::process::{Fault, While as _};

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Times the station is killed.
    #[arg(long, default_value_t = 200, value_name = "N")]
    times: u32,
    /// Devices to enroll.
    #[arg(long, default_value_t = 640, value_name = "N")]
    devices: u32,
    /// Ports they are put on.
    #[arg(long, default_value_t = 64, value_name = "N")]
    ports: u32,
    /// What faults and moments are drawn from.
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Longest life of a station, in milliseconds.
    #[arg(long, default_value_t = 1500, value_name = "MS")]
    life_ms: u64,
    /// Two stations over one PostgreSQL, which is killed, restarted and stopped at random moments too.
    #[arg(long)]
    server: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// `cargo xtask kills`
pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    let program = built_program().while_doing("building the CLI")?;
    if options.server {
        return with_server(options, &program);
    }
    let kills = Kills {
        devices: options.devices,
        ports: options.ports,
        times: options.times,
        seed: options.seed,
        life_ms_max: options.life_ms.max(1),
        within: Duration::from_secs(3600),
    };
    let Survived { kills, kills_at_work, enrolled, power_cuts, cables_out, failed_runs, seconds } =
        kills.run(&program).while_doing("killing stations")?;
    if options.json {
        println!(
            "{}",
            json!({
                "kills": kills,
                "kills_at_work": kills_at_work,
                "enrolled": enrolled,
                "power_cuts": power_cuts,
                "cables_out": cables_out,
                "failed_runs": failed_runs,
                "seconds": seconds,
            })
        );
    } else {
        println!(
            "killed {kills} times ({kills_at_work} while at work), {power_cuts} power cuts, \
             {cables_out} cables pulled, {failed_runs} failed runs: {enrolled} devices enrolled, each \
             once, in {seconds:.0} s"
        );
    }
    Ok(())
}

fn with_server(options: &Options, program: &Path) -> Result<(), Fault> {
    let kills = ServerKills {
        devices: options.devices,
        ports: options.ports,
        times: options.times,
        seed: options.seed,
        life_ms_max: options.life_ms.max(1),
        within: Duration::from_secs(3600),
    };
    let survived = kills.run(program).while_doing("killing stations and their server")?;
    let ServerSurvived { kills, crashes, freezes, alone, brought, enrolled, failed_runs, seconds } =
        survived;
    if options.json {
        println!(
            "{}",
            json!({
                "kills": kills,
                "server_crashes": crashes,
                "server_freezes": freezes,
                "alone": alone,
                "brought": brought,
                "enrolled": enrolled,
                "failed_runs": failed_runs,
                "seconds": seconds,
            })
        );
    } else {
        println!(
            "killed {kills} times; the server {crashes} times killed and {freezes} times stopped; \
             {alone} times alone, {failed_runs} failed runs: {enrolled} devices enrolled, each once, \
             as many as the lot has places, in {seconds:.0} s"
        );
    }
    Ok(())
}
