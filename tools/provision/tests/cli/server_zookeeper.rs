//! ZooKeeper on what `config zookeeper` writes, and its own client: two real Java machines.

use core::net::SocketAddr;
use std::fs;

use crate::site::{Site, free_address};
use crate::tools::tool;

/// Debian's zookeeper.jar names most of Netty in its class path, but not these three, without
/// which neither its server nor its client speaks TLS.
const CLASS_PATH: &str = "/usr/share/java/zookeeper.jar:/usr/share/java/netty-codec.jar:\
                          /usr/share/java/netty-resolver.jar:\
                          /usr/share/java/netty-transport-native-unix-common.jar:\
                          /usr/share/java/slf4j-simple.jar";

/// A quick start matters more here than a quick server.
const QUICK: [&str; 4] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp"];

#[test]
fn zookeeper_takes_a_client_by_its_certificate_and_refuses_a_stranger() {
    let site = Site::new();
    site.client("alice", &[]);
    site.stranger();
    fs::write(site.path().join("pass"), "store password\n").unwrap();
    let trust = ["p12", "make", "--certificate", "ca/server-root.crt", "--out", "trust.p12"];
    site.done(&[&trust[..], &["--new-passphrase-file", "pass"]].concat());
    let address = free_address();
    let data = site.path().join("data");
    fs::create_dir(&data).unwrap();
    site.config("zookeeper", address, &["--data", data.to_str().unwrap()]);

    // The web page for administrators has a fixed port otherwise.
    let program = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    let options = ["-Dzookeeper.admin.enableServer=false", program, "./zoo.cfg"];
    let arguments = [&QUICK[..], &[CLASS_PATH], &options].concat();
    let server = site.start("java", "zookeeper", &arguments, address);

    for client in ["alice", "stranger"] {
        let (key, certificate) = (format!("{client}/client.key"), format!("{client}/client.crt"));
        let store = format!("{client}.p12");
        let make = ["p12", "make", "--key", &key, "--certificate", &certificate, "--out", &store];
        let ca = if client == "alice" { "ca" } else { "other" };
        let issuing = format!("{ca}/device-issuing.crt");
        let rest = ["--chain", &issuing, "--new-passphrase-file", "pass"];
        site.done(&[&make[..], &rest].concat());
        let properties = format!(
            "zookeeper.client.secure=true\n\
             zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n\
             zookeeper.ssl.keyStore.location={client}.p12\n\
             zookeeper.ssl.keyStore.passwordPath=pass.only\n\
             zookeeper.ssl.trustStore.location=trust.p12\n\
             zookeeper.ssl.trustStore.passwordPath=pass.only\n"
        );
        fs::write(site.path().join(format!("{client}.properties")), properties).unwrap();
    }
    // ZooKeeper takes all of the file for the password.
    fs::write(site.path().join("pass.only"), "store password").unwrap();

    // The same, and nothing before TLS 1.3.
    let properties = fs::read_to_string(site.path().join("alice.properties")).unwrap();
    let modern = "zookeeper.ssl.protocol=TLSv1.3\nzookeeper.ssl.enabledProtocols=TLSv1.3\n\
                  zookeeper.ssl.ciphersuites=TLS_AES_128_GCM_SHA256\n";
    fs::write(site.path().join("modern.properties"), properties + modern).unwrap();

    // Nobody but alice may read it: so who she is comes from her certificate.
    let acl = ["create", "/hers", "hello", "x509:CN=alice:cdrwa"];
    let (content, said) = zookeeper_cli(&site, address, "alice", &acl);
    assert!(content && said.contains("Created /hers"), "{said}\n{}", server.output());
    let (content, said) = zookeeper_cli(&site, address, "modern", &["get", "/hers"]);
    assert!(content && said.contains("hello"), "{said}");
    let other = ["create", "/theirs", "hidden", "x509:CN=bob:cdrwa"];
    let (_, said) = zookeeper_cli(&site, address, "alice", &other);
    assert!(said.contains("Created /theirs"), "{said}");
    let (_, said) = zookeeper_cli(&site, address, "alice", &["get", "/theirs"]);
    assert!(said.contains("Insufficient permission") && !said.contains("hidden"), "{said}");

    let (_, said) = zookeeper_cli(&site, address, "stranger", &["get", "/hers"]);
    assert!(said.contains("ConnectionLoss") && !said.contains("hello"), "{said}");
    assert!(server.output().contains("Unsuccessful handshake"), "{}", server.output());
}

fn zookeeper_cli(
    site: &Site,
    address: SocketAddr,
    client: &str,
    command: &[&str],
) -> (bool, String) {
    let (place, properties) = (address.to_string(), format!("{client}.properties"));
    let program = ["org.apache.zookeeper.ZooKeeperMain", "-server", &place, "-timeout", "10000"];
    let class_path = CLASS_PATH.replace("slf4j-simple", "slf4j-nop");
    let options = ["-client-configuration", &properties];
    let arguments = [&QUICK[..], &[&class_path], &program, &options, command].concat();
    tool(site.path(), "java", &arguments)
}
