//! mosquitto on what `config mosquitto` writes, and mosquitto's own clients.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::time::Instant;

use provision_testkit::servers::Started;

use crate::site::{Site, free_address};
use crate::tools::tool;

fn mosquitto(site: &Site, address: SocketAddr) -> Started {
    let run = site.path().join("run");
    fs::create_dir_all(&run).unwrap();
    // Started by root it would give up its rights to this directory; by anybody else, the line does
    // nothing.
    let configuration =
        format!("user root\ninclude_dir {}\n", site.path().join("mosquitto").display());
    fs::write(run.join("main.conf"), configuration).unwrap();
    site.start("mosquitto", "run", &["-v", "-c", "main.conf"], address)
}

/// Whether a message by this client to this topic is taken, with what was said.
fn publish(site: &Site, address: SocketAddr, client: &str, topic: &str) -> (bool, String) {
    call(site, "mosquitto_pub", address, client, &["-t", topic, "-m", "hello", "-q", "1"])
}

fn call(
    site: &Site,
    program: &str,
    address: SocketAddr,
    client: &str,
    more: &[&str],
) -> (bool, String) {
    let port = address.port().to_string();
    let place = ["-h", "localhost", "-p", &port, "--cafile", "ca/server-root.crt", "-V", "mqttv5"];
    let (certificate, key) = (format!("{client}/client.crt"), format!("{client}/client.key"));
    let identity = ["--cert", &certificate, "--key", &key];
    let identity = if client.is_empty() { &[][..] } else { &identity };
    tool(site.path(), program, &[&place[..], identity, more].concat())
}

#[test]
fn mosquitto_takes_the_common_name_for_the_user_and_keeps_everybody_to_their_topics() {
    let site = Site::new();
    for client in ["sensor-1", "sensor-2", "backend", "mallory"] {
        site.client(client, &[]);
    }
    site.stranger();
    site.late();
    site.revoke("mallory");
    let crls = site.crls("mosquitto");
    let address = free_address();
    site.config("mosquitto", address, &["--all-topics", "backend", "--crl", &crls]);
    let broker = mosquitto(&site, address);

    let taken = |client: &str, topic: &str| {
        let (content, said) = publish(&site, address, client, topic);
        assert!(content && !said.contains("Not authorized"), "{client} {topic}: {said}");
    };
    let not_allowed = |client: &str, topic: &str| {
        let (_, said) = publish(&site, address, client, topic);
        assert!(said.contains("Not authorized"), "{client} {topic}: {said}");
    };
    taken("sensor-1", "devices/sensor-1/temperature");
    taken("backend", "devices/sensor-1/temperature");
    taken("backend", "anything");
    not_allowed("sensor-1", "devices/sensor-2/temperature");
    not_allowed("sensor-2", "devices/sensor-1/temperature");
    not_allowed("sensor-1", "anything");
    // What one publishes, who may reads, and who may not does not.
    let retained = ["-t", "devices/sensor-1/x", "-m", "secret", "-q", "1", "-r"];
    assert!(call(&site, "mosquitto_pub", address, "sensor-1", &retained).0);
    let read = ["-t", "devices/sensor-1/x", "-C", "1", "-W", "3"];
    let (content, said) = call(&site, "mosquitto_sub", address, "backend", &read);
    assert!(content && said.contains("secret"), "{said}");
    let (content, said) = call(&site, "mosquitto_sub", address, "sensor-2", &read);
    assert!(!content && !said.contains("secret"), "{said}");

    assert!(broker.output().contains("u'sensor-1'"), "{}", broker.output());
    for client in ["", "stranger", "late", "mallory"] {
        let (content, said) = publish(&site, address, client, "devices/mallory/x");
        assert!(!content, "{client:?}: {said}");
    }
    let log = broker.output();
    for cause in ["peer did not return a certificate", "certificate verify failed"] {
        assert!(log.contains(cause), "{cause} is not in {log}");
    }

    // New CRLs count once it is told to read them; past their end nobody is taken.
    let topic = "devices/sensor-2/x";
    site.revoke("sensor-2");
    site.crls("mosquitto");
    taken("sensor-2", topic);
    reload(&site, &broker, 1);
    let (content, said) = publish(&site, address, "sensor-2", topic);
    assert!(!content, "{said}");
    taken("sensor-1", "devices/sensor-1/x");
    site.ended_crls(&crls);
    reload(&site, &broker, 2);
    let (content, said) = publish(&site, address, "sensor-1", "devices/sensor-1/x");
    assert!(!content, "{said}");
}

/// Has the broker read its CRLs anew: the `times`th time.
fn reload(site: &Site, broker: &Started, times: usize) {
    assert!(tool(site.path(), "kill", &["-HUP", &broker.id().to_string()]).0);
    // It reads them before it says so the last time, and takes nobody meanwhile.
    let deadline = Instant::now() + Duration::from_secs(30);
    while broker.output().matches("Reloading config").count() < times {
        assert!(Instant::now() < deadline, "{}", broker.output());
        std::thread::sleep(Duration::from_millis(20));
    }
}
