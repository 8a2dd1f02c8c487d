//! A station that is killed again and again. `cargo xtask kills` does it two hundred times.

use core::time::Duration;

use provision_testkit::cli::built_program;
use provision_testkit::kills::Kills;
use provision_testkit::server_kills::ServerKills;

#[test]
fn whenever_the_station_is_killed_every_device_ends_sealed_with_one_certificate() {
    let kills = Kills {
        devices: 32,
        ports: 8,
        times: 12,
        seed: 1,
        life_ms_max: 700,
        within: Duration::from_secs(240),
    };
    let survived = kills.run(&built_program().unwrap()).unwrap();
    assert_eq!(survived.enrolled, 32);
    assert!(survived.kills_at_work >= 4, "{survived:?}");
}

/// `cargo xtask kills --server` does it for longer.
#[test]
fn two_stations_and_their_server_are_killed_and_the_quota_is_exact() {
    let kills = ServerKills {
        devices: 24,
        ports: 6,
        times: 10,
        seed: 1,
        life_ms_max: 4000,
        within: Duration::from_secs(400),
    };
    let survived = kills.run(&built_program().unwrap()).unwrap();
    assert_eq!(survived.enrolled, 24);
    assert!(survived.crashes + survived.freezes >= 2, "{survived:?}");
}
