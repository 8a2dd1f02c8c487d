//! A station that is killed again and again. `cargo xtask kills` does it two hundred times.

use core::time::Duration;

use provision_testkit::cli::built_program;
use provision_testkit::kills::Kills;

#[test]
fn whenever_the_station_is_killed_every_device_ends_sealed_with_one_certificate() {
    let kills = Kills {
        devices: 32,
        ports: 8,
        times: 12,
        seed: 1,
        life_ms_max: 700,
        within: Duration::from_secs(480),
        postgres: false,
        fallback: false,
    };
    let survived = kills.run(&built_program().unwrap()).unwrap();
    assert_eq!(survived.enrolled, 32);
    assert!(survived.kills_at_work >= 4, "{survived:?}");
}

#[test]
fn the_same_with_two_stations_and_a_database_that_is_cut_off() {
    let kills = Kills {
        devices: 24,
        ports: 8,
        times: 8,
        seed: 2,
        life_ms_max: 4000,
        within: Duration::from_secs(480),
        postgres: true,
        fallback: false,
    };
    let survived = kills.run(&built_program().unwrap()).unwrap();
    assert_eq!(survived.enrolled, 24);
    let outages = survived.database_crashes + survived.database_freezes + survived.network_outages;
    assert!(outages > 0, "{survived:?}");
}

#[test]
fn two_stations_that_go_on_without_their_database_use_up_the_quota_and_no_more() {
    let kills = Kills {
        devices: 24,
        ports: 8,
        times: 8,
        seed: 3,
        life_ms_max: 5000,
        within: Duration::from_secs(600),
        postgres: true,
        fallback: true,
    };
    let survived = kills.run(&built_program().unwrap()).unwrap();
    assert_eq!(survived.enrolled, 24);
    assert!(survived.alone > 0, "{survived:?}");
}
