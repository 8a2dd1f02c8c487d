//! `provision kit`: everything for mutual TLS at once, as scripts around openssl make it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use provision_issuer::pkcs12::{self, Strength};
use provision_issuer::{
    Access, CaNames, CaRequest, CertificateForm, DnsName, FileIssuer, HostIdentity, KeyProtection,
    KeyType, Passphrase, Profile, ServerName, Variables, create_file, inspect::CertificateValues,
    prepare_protection,
};
use provision_ledger::{Certificates as _, SqlLedger};
use serde_json::json;

use crate::arguments::{KeyPassphrase, NewKeyPassphrase};
use crate::cli::CaPlace;
use crate::config::nginx::{self, NginxConfig, Serving};
use crate::config::words::{Listen, Upstream, plain_path};
use crate::config::{self, Demand, Folder, Material, Revocation, Source};
use crate::fault::Fault;
use crate::p12::file_name;
use crate::report::{Report, hex};
use crate::secret::Of;
use crate::signing::for_names;
use crate::{ledger, secret, system};

const EXAMPLES: &str = "\
Examples:
  provision kit --domain example.com --client client1 --out kit
  provision kit --domain example.com --wildcard --client client1 --insecure-plaintext-keys

Makes in one directory: ca/ (root, issuing CA, server root, ledger), nginx/ (configuration, server's
certificate and key), client/ (certificate, key, PKCS#12), and README.md with the lines for curl.
Two passphrases are asked for, unless files or the environment have them: that of the CA's keys, and
the client's, which opens key and PKCS#12. Without a terminal and without passphrases, only
--insecure-plaintext-keys makes a kit: then the PKCS#12 has a random password, in a file beside it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Kit {
    /// Name of the server.
    #[arg(long, value_name = "NAME")]
    pub domain: String,

    /// Certify every name below it too: *.NAME.
    #[arg(long)]
    pub wildcard: bool,

    /// Name of the client.
    #[arg(long, value_name = "NAME", default_value = "client1")]
    pub client: String,

    /// Where nginx listens.
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "8443")]
    pub listen: Listen,

    /// Who gets the requests, over HTTP [default: nobody; nginx answers with who asks].
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<Upstream>,

    /// File whose first line is the passphrase for the CA's keys. Without it: the environment
    /// variable PROVISION_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_plaintext_keys")]
    pub passphrase_file: Option<PathBuf>,

    /// File whose first line is the passphrase for the client's key and PKCS#12. Without it: the
    /// environment variable PROVISION_NEW_KEY_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_plaintext_keys")]
    pub new_passphrase_file: Option<PathBuf>,

    /// Keep the keys of CA and client unencrypted (mode 0600). For development only.
    #[arg(long)]
    pub insecure_plaintext_keys: bool,

    /// New directory for all of it.
    #[arg(long, value_name = "DIR", default_value = "kit")]
    pub out: PathBuf,
}

pub(crate) fn run(arguments: &Kit, report: &mut Report) -> Result<(), Fault> {
    let plan = Plan::new(arguments)?;
    // All of it appears at once, or nothing does.
    let partial = plan.partial()?;
    let made = plan.make(&partial).and_then(|()| {
        fs::rename(&partial, &plan.out)
            .map_err(|cause| Fault::Write { path: plan.out.clone(), cause })
    });
    if made.is_err() {
        // Made just now by this call.
        let _ = fs::remove_dir_all(&partial);
    }
    made?;
    report.result(
        &format!(
            "made {}\n  CA, ledger           ca/\n  server, for nginx    nginx/\n  \
             client, with PKCS#12 client/\n  how to try it        README.md",
            arguments.out.display()
        ),
        &json!({
            "event": "result",
            "kit": arguments.out,
            "ca": arguments.out.join("ca"),
            "nginx": arguments.out.join("nginx"),
            "certificate": arguments.out.join(format!("client/{}.crt", plan.file)),
            "key": arguments.out.join(format!("client/{}.key", plan.file)),
            "pkcs12": arguments.out.join(format!("client/{}.p12", plan.file)),
            "readme": arguments.out.join("README.md"),
            "keys_encrypted": !arguments.insecure_plaintext_keys,
        }),
    )?;
    if arguments.insecure_plaintext_keys {
        report.note("warning: the private keys are not encrypted; for development only")?;
    }
    Ok(())
}

/// What is to be made, checked before anything is.
struct Plan<'a> {
    arguments: &'a Kit,
    /// As the operating system has it from its root on.
    out: PathBuf,
    names: Vec<ServerName>,
    /// What the client's files are called.
    file: String,
    ca: CaRequest,
    client: Client,
}

struct Client {
    profile: Profile,
    values: Variables,
    protection: KeyProtection,
    /// For the PKCS#12 of a key in the clear, which has no passphrase that would do for both.
    password: Passphrase,
    /// The same: nobody has typed it, so it has to stand somewhere.
    password_text: String,
}

impl<'a> Plan<'a> {
    fn new(arguments: &'a Kit) -> Result<Self, Fault> {
        let out = std::path::absolute(&arguments.out)
            .map_err(|cause| Fault::Write { path: arguments.out.clone(), cause })?;
        plain_path(&out)?;
        if out.symlink_metadata().is_ok() {
            return Err(Fault::Differs { path: arguments.out.clone(), is_secret: true });
        }
        let name = |text: &str| {
            DnsName::new(text).map(ServerName::Dns).map_err(|fault| Fault::Usage(fault.to_string()))
        };
        let mut names = vec![name(&arguments.domain)?];
        if arguments.wildcard {
            names.push(name(&format!("*.{}", arguments.domain))?);
        }
        let place = CaPlace { ca: out.clone(), passphrase_file: arguments.passphrase_file.clone() };
        let ca_protection = if arguments.insecure_plaintext_keys {
            KeyProtection::InsecurePlaintext
        } else {
            secret::for_making(&place)?
        };
        let client = Client::new(arguments)?;
        let file = file_name(&arguments.client);
        let ca_names = CaNames::of(&arguments.domain)
            .map_err(|fault| Fault::Usage(format!("{}: {fault}", arguments.domain)))?;
        let ca = CaRequest::new(ca_names, ca_protection, system::now_s()?);
        Ok(Self { arguments, out, names, file, ca, client })
    }

    /// A directory beside the one that is to be.
    fn partial(&self) -> Result<PathBuf, Fault> {
        let mut name = self.out.clone().into_os_string();
        name.push(format!(".{}", hex(&system::bytes::<4>()?)));
        let partial = PathBuf::from(name);
        fs::create_dir_all(&partial)
            .map_err(|cause| Fault::Write { path: partial.clone(), cause })?;
        Ok(partial)
    }

    fn make(&self, dir: &Path) -> Result<(), Fault> {
        // What a passphrase is made into takes a quarter of a second, and there are two.
        std::thread::scope(|scope| {
            let preparing = scope.spawn(|| prepare_protection(&self.client.protection));
            let made = self.fill(dir);
            let prepared = preparing.join().unwrap_or_else(|why| std::panic::resume_unwind(why));
            made.and_then(|()| Ok(prepared?))
        })
    }

    fn fill(&self, dir: &Path) -> Result<(), Fault> {
        let ca = dir.join("ca");
        let mut opened = provision_issuer::init_opened(&ca, &self.ca)?;
        let mut ledger = SqlLedger::create(&ledger::path(None, &ca))?;

        let (profile, values) = for_names(Profile::find("server")?, None, &self.names)?;
        let server = self.certify(&mut opened.server, &mut ledger, &profile, &values)?;
        server.write(
            &dir.join("nginx"),
            "server",
            CertificateForm::Pem,
            &KeyProtection::InsecurePlaintext,
        )?;
        self.nginx(dir)?;

        let Client { profile, values, protection, password, password_text } = &self.client;
        let client = self.certify(&mut opened.device, &mut ledger, profile, values)?;
        let place = dir.join("client");
        client.write(&place, &self.file, CertificateForm::Pem, protection)?;
        let mut chain = vec![client.certificate.clone()];
        chain.extend(client.issuers.iter().cloned());
        let (password, is_new) = match protection {
            KeyProtection::Encrypted(passphrase) => (passphrase, false),
            KeyProtection::InsecurePlaintext => (password, true),
        };
        let p12 =
            pkcs12::make(&self.arguments.client, &client.key, &chain, password, Strength::Current)?;
        let path = place.join(format!("{}.p12", self.file));
        create_file(&path, &p12, Access::OwnerOnly).map_err(Fault::File)?;
        if is_new {
            let path = place.join(format!("{}.p12.password", self.file));
            create_file(&path, password_text.as_bytes(), Access::OwnerOnly).map_err(Fault::File)?;
        }
        let path = dir.join("README.md");
        fs::write(&path, self.readme()).map_err(|cause| Fault::Write { path, cause })
    }

    /// Makes a key and has it certified; on record before it is in a file.
    fn certify(
        &self,
        issuer: &mut FileIssuer,
        ledger: &mut SqlLedger,
        profile: &Profile,
        values: &Variables,
    ) -> Result<HostIdentity, Fault> {
        let made = HostIdentity::new(issuer, KeyType::P256, profile, values, self.ca.now_s)?;
        let values = CertificateValues::of(&made.certificate)
            .map_err(|error| Fault::Usage(error.to_string()))?;
        ledger.record_certificate(
            &made.certificate,
            &values.subject,
            &profile.name,
            self.ca.now_s,
        )?;
        Ok(made)
    }

    fn nginx(&self, dir: &Path) -> Result<(), Fault> {
        let nginx = dir.join("nginx");
        let source = Source {
            ca: dir.join("ca"),
            certificate: nginx.join("server.crt"),
            key: nginx.join("server.key"),
            passphrase: KeyPassphrase { key_passphrase_file: None },
            insecure_plaintext_key: false,
            at: Some(self.out.join("nginx")),
            out: Some(nginx),
            replace: false,
        };
        let material = Material::read(&source)?;
        let mut folder = Folder::of(&source, "nginx")?;
        let serving = Serving {
            listen: self.arguments.listen,
            verify_client: Demand::On,
            verify_depth: 2,
            access: config::Access { allow_cn: Vec::new(), allow_ou: Vec::new() },
            upstream: self.arguments.upstream.clone(),
        };
        let arguments = NginxConfig {
            source,
            serving,
            revocation: Revocation { crl: None },
            ocsp_responder: None,
            ocsp: "leaf".into(),
        };
        nginx::put(&mut folder, &material, None, &arguments)?;
        folder.write_quietly().map(|_| ())
    }

    fn readme(&self) -> String {
        let listen = &self.arguments.listen;
        let address = match listen.address {
            Some(address) if !address.is_unspecified() => address.to_string(),
            _ => "127.0.0.1".into(),
        };
        let upstream = match &self.arguments.upstream {
            Some(upstream) => format!(" --upstream {upstream}"),
            None => String::new(),
        };
        let plain = self.arguments.insecure_plaintext_keys;
        let client2 = if plain { " --insecure-plaintext-key" } else { "" };
        let (key_pass, p12_pass, how) = if plain {
            let file = format!("client/{}.p12.password", self.file);
            (
                String::new(),
                format!(" --pass \"$(cat {file})\""),
                format!(
                    "The keys are not encrypted: for development only. The password of the PKCS#12 \
                     is in `{file}`."
                ),
            )
        } else {
            let pass = " --pass \"$PROVISION_NEW_KEY_PASSPHRASE\"".to_owned();
            (
                pass.clone(),
                pass,
                "Key and PKCS#12 of the client are under the client's passphrase. Let the shell \
                 know it first, without showing it:\n\n    \
                 read -rs PROVISION_NEW_KEY_PASSPHRASE && export PROVISION_NEW_KEY_PASSPHRASE"
                    .to_owned(),
            )
        };
        README
            .replace("{key_pass}", &key_pass)
            .replace("{p12_pass}", &p12_pass)
            .replace("{how}", &how)
            .replace("{host}", &self.arguments.domain)
            .replace("{port}", &listen.port.to_string())
            .replace("{address}", &address)
            .replace("{listen}", &listen.to_string())
            .replace("{upstream}", &upstream)
            .replace("{client2}", client2)
            .replace("{client}", &self.file)
            .replace("{name}", &self.arguments.client)
    }
}

impl Client {
    fn new(arguments: &Kit) -> Result<Self, Fault> {
        let (profile, values) = for_names(Profile::find("client")?, Some(&arguments.client), &[])?;
        profile.check(&values)?;
        let new = NewKeyPassphrase {
            new_passphrase_file: arguments.new_passphrase_file.clone(),
            insecure_plaintext_key: arguments.insecure_plaintext_keys,
        };
        let protection = secret::for_new_key(&new)?;
        let password_text = hex(&system::bytes::<12>()?);
        let password = Passphrase::new(password_text.clone())
            .map_err(|fault| Fault::Passphrase { of: Of::ANewKey, what: fault.to_string() })?;
        Ok(Self { profile, values, protection, password, password_text })
    }
}

const README: &str = r#"# Mutual TLS for {host}

Made by `provision kit`. All commands are for this directory.

| | |
|---|---|
| `ca/` | root, issuing CA, root of servers, ledger; its keys belong in a safe place |
| `ca/device-ca-bundle.crt` | whom servers trust for clients: root and issuing CA |
| `ca/server-root.crt` | whom clients trust for servers |
| `nginx/` | nginx's configuration, with the server's certificate and key |
| `client/` | certificate, key and PKCS#12 of {name} |

{how}

Start nginx, as anybody, in the foreground:

    nginx -p nginx -c nginx.conf -e error.log -g 'daemon off;'

With the client's certificate, which nginx answers by name:

    curl --resolve {host}:{port}:{address} --cacert ca/server-root.crt --cert client/{client}.crt --key client/{client}.key{key_pass} https://{host}:{port}/

With PKCS#12:

    curl --resolve {host}:{port}:{address} --cacert ca/server-root.crt --cert-type P12 --cert client/{client}.p12{p12_pass} https://{host}:{port}/

Without a certificate, which nginx refuses (400):

    curl --resolve {host}:{port}:{address} --cacert ca/server-root.crt https://{host}:{port}/

Another client, the first one revoked, and nginx told of it (reload it then: its CRLs have to be
renewed in time, too):

    provision client-cert --ca ca --name client2 --out client2{client2}
    provision revoke --ca ca --certificate client/{client}.crt
    provision crl --ca ca --out nginx/crl
    provision config nginx --for ca --certificate nginx/server.crt --key nginx/server.key --listen {listen}{upstream} --crl nginx/crl/all.crl --out nginx --replace
"#;
