//! The real CLI on real (pseudo-)ports, with simulated devices behind them.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod ask;
mod authority;
mod bad_input;
mod certificates;
mod config;
mod doctor;
mod enroll;
mod help;
mod hostile_files;
mod impostors;
mod key_files;
mod keys;
mod kit;
mod label;
mod ledger;
mod ledger_faults;
mod ledger_forward;
mod ledger_import;
mod lint;
mod lot_report;
mod many_ports;
mod ocsp;
mod read_only;
mod records;
mod screen;
mod server_envoy;
mod server_haproxy;
mod server_iis;
mod server_mosquitto;
mod server_nginx;
mod server_zookeeper;
mod site;
mod station;
mod tools;
mod watch;
