//! `provision config iis`.

use clap::Args;
use provision_issuer::inspect::CertificateValues;

use super::words::{Listen, one_line};
use super::{Crls, Demand, Folder, Material, Revocation, Source, stores};
use crate::fault::Fault;
use crate::files;
use crate::report::Report;

const EXAMPLES: &str = "\
Example:
  provision config iis --for ca --site 'Default Web Site' --out iis
      makes install.ps1, server.p12 and store.password, and a file for each CA and CRL. Copy the
      directory to the server and run install.ps1 there in an administrator's PowerShell; then
      delete server.p12 and store.password.

Windows lets in whom any CA among its trusted roots has certified: the script confines the site to
this CA's by a list of its own. --verify-client optional_no_ca is not for Windows.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct IisConfig {
    #[command(flatten)]
    pub source: Source,

    /// Where it listens.
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "443")]
    pub listen: Listen,

    /// The site in IIS.
    #[arg(long, value_name = "NAME", default_value = "Default Web Site")]
    pub site: String,

    /// What is asked of a client.
    #[arg(long, value_name = "DEMAND", value_enum, default_value = "on")]
    pub verify_client: Demand,

    #[command(flatten)]
    pub revocation: Revocation,
}

pub(super) fn run(arguments: &IisConfig, report: &mut Report) -> Result<(), Fault> {
    let flags = match arguments.verify_client {
        Demand::On => "Ssl,SslNegotiateCert,SslRequireCert",
        Demand::Optional => "Ssl,SslNegotiateCert",
        Demand::OptionalNoCa => {
            return Err(Fault::Usage("IIS has no optional_no_ca: on or optional".into()));
        }
    };
    one_line("name of a site", &arguments.site)?;
    let crls = Crls::read(&arguments.revocation)?;
    let material = Material::read(&arguments.source)?;
    let mut folder = Folder::of(&arguments.source, "iis")?;
    stores::put(&mut folder, &material)?;
    for (at, der) in material.device_cas.iter().enumerate() {
        let values = CertificateValues::of(der)
            .map_err(|error| files::document(&arguments.source.ca, &error))?;
        let kind = if values.subject == values.issuer { "root" } else { "issuing" };
        folder.put(&format!("{kind}-{}.cer", at + 1), der.as_slice());
    }
    if let Some(crls) = crls {
        for (at, der) in crls.of_every_ca(&material)?.into_iter().enumerate() {
            folder.put(&format!("ca-{}.crl", at + 1), der);
        }
    }
    let address = match arguments.listen.address {
        Some(address) => address.to_string(),
        None => "0.0.0.0".into(),
    };
    let script = SCRIPT
        .replace("'{address}'", &format!("'{address}'"))
        .replace("{port}", &arguments.listen.port.to_string())
        .replace("{flags}", flags)
        .replace(
            "{revocation}",
            if arguments.revocation.crl.is_some() { "Enable" } else { "Disable" },
        )
        // Last: what stands in a name is no place for another value.
        .replace("{site}", &arguments.site.replace('\'', "''"));
    // PowerShell 5 takes a file without this mark for one in the local code page.
    folder.put("install.ps1", format!("\u{feff}{}", script.replace('\n', "\r\n")));
    folder.write(report)
}

const SCRIPT: &str = r#"# Written by `provision config iis`. Run it in an administrator's PowerShell, in this directory.
# It may be run again. Windows Server 2019 or later, for the encryption of server.p12.

#Requires -RunAsAdministrator
$ErrorActionPreference = 'Stop'
Import-Module WebAdministration

$site = '{site}'
$address = '{address}'
$port = {port}

# The server's key and certificate. The key cannot be taken out of the store again.
$text = (Get-Content -Path "$PSScriptRoot\store.password" -TotalCount 1)
$password = ConvertTo-SecureString -String $text -AsPlainText -Force
$server = Import-PfxCertificate -FilePath "$PSScriptRoot\server.p12" -Password $password `
    -CertStoreLocation Cert:\LocalMachine\My | Where-Object HasPrivateKey | Select-Object -First 1

# The CAs of the clients. Root and issuing CA both: devices send their own certificate alone, and
# Windows looks for what is between in the store CA.
foreach ($file in Get-ChildItem -Path "$PSScriptRoot\root-*.cer") {
    Import-Certificate -FilePath $file.FullName -CertStoreLocation Cert:\LocalMachine\Root | Out-Null
    # Of all roots in this machine, only these are good for a client of this site: the list that is
    # bound to it below. A root in it is not sent to clients unless SendTrustedIssuerList is set.
    Import-Certificate -FilePath $file.FullName `
        -CertStoreLocation Cert:\LocalMachine\ClientAuthIssuer | Out-Null
}
foreach ($file in Get-ChildItem -Path "$PSScriptRoot\issuing-*.cer") {
    Import-Certificate -FilePath $file.FullName -CertStoreLocation Cert:\LocalMachine\CA | Out-Null
    Import-Certificate -FilePath $file.FullName `
        -CertStoreLocation Cert:\LocalMachine\ClientAuthIssuer | Out-Null
}

# CRLs of every CA, if there are any here. Past the nextUpdate of any of them nobody is taken: put
# new ones here in time, and run this again.
foreach ($file in Get-ChildItem -Path "$PSScriptRoot\ca-*.crl") {
    & certutil.exe -f -addstore CA $file.FullName | Out-Null
    if ($LASTEXITCODE -ne 0) { throw "certutil did not take $($file.Name)" }
}

# HTTPS for the site.
if (-not (Get-WebBinding -Name $site -Protocol https -Port $port)) {
    New-WebBinding -Name $site -Protocol https -Port $port -IPAddress $(
        if ($address -eq '0.0.0.0') { '*' } else { $address })
}

# Which certificate, and how clients are verified. netsh, because WebAdministration cannot say the
# last two. An earlier binding of this address goes first.
$binding = if ($address.Contains(':')) { "[$address]:$port" } else { "${address}:$port" }
& netsh.exe http delete sslcert ipport=$binding 2>&1 | Out-Null
& netsh.exe http add sslcert ipport=$binding certhash=$($server.Thumbprint) `
    'appid={4dc3e181-e14b-4a21-b022-59fc669b0914}' certstorename=MY `
    verifyclientcertrevocation={revocation} clientcertnegotiation=Enable `
    sslctlstorename=ClientAuthIssuer
if ($LASTEXITCODE -ne 0) { throw "netsh did not bind the certificate to $binding" }

# What the site asks of a client.
Set-WebConfigurationProperty -PSPath 'MACHINE/WEBROOT/APPHOST' -Location $site `
    -Filter 'system.webServer/security/access' -Name 'sslFlags' -Value '{flags}'

# Only verified clients get as far as the application, which finds who it is in the server variables
# CERT_SUBJECT, CERT_ISSUER and CERT_SERIALNUMBER, or in Request.ClientCertificate.
Write-Host "$site takes clients of this CA on $binding."
Write-Host "Now delete server.p12 and store.password: the key is in the machine's store."
"#;
