//! `provision config zookeeper`.

use clap::Args;

use super::words::{Listen, plain_path};
use super::{Demand, Folder, Material, Source, stores};
use crate::fault::Fault;
use crate::report::Report;

use std::path::PathBuf;

const EXAMPLES: &str = "\
Example:
  provision config zookeeper --for ca --out /etc/zookeeper/conf
      makes zoo.cfg, server.p12 (key store), device-cas.p12 (trust store) and store.password

Wants ZooKeeper 3.8 or later, where zoo.cfg may name a file with the password, and Netty. A client
is known as x509 with the subject of its certificate: setAcl /path x509:CN=alice:cdrwa. ZooKeeper
reads no CRL from a file.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ZookeeperConfig {
    #[command(flatten)]
    pub source: Source,

    /// Where it listens.
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "2281")]
    pub listen: Listen,

    /// What is asked of a client. ZooKeeper has no optional_no_ca.
    #[arg(long, value_name = "DEMAND", value_enum, default_value = "on")]
    pub verify_client: Demand,

    /// Where ZooKeeper keeps its data.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/zookeeper")]
    pub data: PathBuf,
}

pub(super) fn run(arguments: &ZookeeperConfig, report: &mut Report) -> Result<(), Fault> {
    let demand = match arguments.verify_client {
        Demand::On => "need",
        Demand::Optional => "want",
        Demand::OptionalNoCa => {
            return Err(Fault::Usage("ZooKeeper has no optional_no_ca: on or optional".into()));
        }
    };
    let material = Material::read(&arguments.source)?;
    let mut folder = Folder::of(&arguments.source, "zookeeper")?;
    let at = folder.at()?.to_owned();
    stores::put(&mut folder, &material)?;
    let data = plain_path(&arguments.data)?;
    let address = arguments
        .listen
        .address
        .map_or_else(String::new, |address| format!("secureClientPortAddress={address}\n"));
    let configuration = format!(
        "# Written by `provision config zookeeper`.\n\n\
         tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={data}\n\n\
         # There is no clientPort: nobody comes in without TLS.\n\
         secureClientPort={port}\n{address}\
         # TLS is done by Netty: netty-codec, netty-resolver and netty-transport-native-unix-common\n\
         # have to be in the class path too, which Debian's package leaves to you.\n\
         serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\n\
         ssl.keyStore.location={at}/{key_store}\nssl.keyStore.type=PKCS12\n\
         ssl.keyStore.passwordPath={at}/{password}\n\
         # Root and issuing CA: devices send their own certificate alone.\n\
         ssl.trustStore.location={at}/{trust_store}\nssl.trustStore.type=PKCS12\n\
         ssl.trustStore.passwordPath={at}/{password}\n\
         ssl.clientAuth={demand}\n\
         # ZooKeeper's clients speak TLS 1.2 unless they are told otherwise, and so does it: its own\n\
         # list of cipher suites has none of TLS 1.3. In TLS 1.2 certificates pass in the clear.\n\
         ssl.protocol=TLSv1.3\nssl.enabledProtocols=TLSv1.3,TLSv1.2\n\
         ssl.ciphersuites={CIPHER_SUITES}\n\
         # A client is known by the subject of its certificate.\n\
         authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider\n",
        port = arguments.listen.port,
        key_store = stores::KEY_STORE,
        trust_store = stores::TRUST_STORE,
        password = stores::PASSWORD,
    );
    folder.put("zoo.cfg", configuration);
    folder.write(report)
}

/// For P-256, P-384 and RSA.
const CIPHER_SUITES: &str = "TLS_AES_256_GCM_SHA384,TLS_AES_128_GCM_SHA256,\
                             TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,\
                             TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,\
                             TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,\
                             TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
