//! The same work as scripts do it: a process for each certificate.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::process::{Fault, While as _};

const EXTENSIONS: &str = "basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// `openssl x509 -req` over the first of the CSRs.
pub(super) fn per_second(csrs: &[Vec<u8>], ca: &Path, dir: &Path) -> Result<f64, Fault> {
    let sample = &csrs[..csrs.len().min(SAMPLE)];
    fs::write(dir.join("client.ext"), EXTENSIONS).while_doing("a file")?;
    for (at, csr) in sample.iter().enumerate() {
        fs::write(dir.join(format!("{at}.csr")), csr).while_doing("a file")?;
    }
    let started = Instant::now();
    for at in 0..sample.len() {
        let (input, output) = (format!("{at}.csr"), format!("{at}.crt"));
        let output = Command::new("openssl")
            .args(["x509", "-req", "-inform", "der", "-in", &input, "-days", "825"])
            .args(["-CA", "device-issuing.crt", "-CAkey", "device-issuing.key"].map(|word| {
                if word.starts_with('-') { word.into() } else { ca.join(word).into_os_string() }
            }))
            .args(["-extfile", "client.ext", "-out", &output])
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .while_doing("openssl")?;
        if !output.status.success() {
            return Err(Fault::new(String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok((sample.len() as f64 / started.elapsed().as_secs_f64()).round())
}

const SAMPLE: usize = 200;
