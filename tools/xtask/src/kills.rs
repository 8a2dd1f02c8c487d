//! `cargo xtask kills`: a station that is killed at random moments, while everything goes wrong.

use core::time::Duration;

use clap::Args;
use provision_testkit::cli::built_program;
use provision_testkit::kills::{Kills, Survived};
use serde_json::json;

use crate::needs::{self, POSTGRES};
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
    /// Two stations, and one PostgreSQL that loses its power and its network as well.
    #[arg(long)]
    postgres: bool,
    /// With `--postgres`: each station has a file in which it goes on by itself.
    #[arg(long, requires = "postgres")]
    fallback: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// `cargo xtask kills`
pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    if options.postgres {
        needs::ensure(&[POSTGRES])?;
    }
    let program = built_program().while_doing("building the CLI")?;
    let kills = Kills {
        devices: options.devices,
        ports: options.ports,
        times: options.times,
        seed: options.seed,
        life_ms_max: options.life_ms.max(1),
        within: Duration::from_secs(3600),
        postgres: options.postgres,
        fallback: options.fallback,
    };
    let Survived {
        kills,
        kills_at_work,
        enrolled,
        power_cuts,
        cables_out,
        database_crashes,
        database_freezes,
        network_outages,
        alone,
        brought,
        stops,
        failed_runs,
        ledger_faults,
        seconds,
    } = kills.run(&program).while_doing("killing stations")?;
    if options.json {
        println!(
            "{}",
            json!({
                "kills": kills,
                "kills_at_work": kills_at_work,
                "enrolled": enrolled,
                "power_cuts": power_cuts,
                "cables_out": cables_out,
                "database_crashes": database_crashes,
                "database_freezes": database_freezes,
                "network_outages": network_outages,
                "alone": alone,
                "brought": brought,
                "stops": stops,
                "failed_runs": failed_runs,
                "ledger_faults": ledger_faults,
                "seconds": seconds,
            })
        );
    } else {
        let database = if options.postgres {
            format!(
                ", the database crashed {database_crashes} times, was stopped {database_freezes} \
                 times and cut off {network_outages} times, a station ended {stops} times without a \
                 ledger and went on alone {alone} times ({brought} certificates brought)"
            )
        } else {
            String::new()
        };
        println!(
            "killed {kills} times ({kills_at_work} while at work), {power_cuts} power cuts, \
             {cables_out} cables pulled{database}, {failed_runs} failed runs ({ledger_faults} for the \
             ledger): {enrolled} devices enrolled, each once, in {seconds:.0} s"
        );
    }
    Ok(())
}
