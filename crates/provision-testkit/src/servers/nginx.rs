//! nginx with `ssl_verify_client on`, which answers each request with the name of who asks.

use core::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use std::{fs, io, path::Path, time::Instant};

use super::{CHAIN, CRLS, DEVICE_CAS, KEY, POLL, Running, ServerFiles, executable};

/// A running nginx.
pub struct Nginx(Running);

/// One request, as the access log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLine {
    /// `$status`: 200, or 400 for a client whose certificate was refused.
    pub status: u16,
    /// `$ssl_client_verify`: `SUCCESS`, `FAILED:reason` or `NONE`.
    pub verify: String,
    /// `$ssl_client_serial`, in hexadecimal.
    pub serial: String,
    /// `$ssl_client_s_dn`: the subject, as RFC 2253 writes it.
    pub subject: String,
}

impl Nginx {
    /// Starts on a free port of `bind`: the loopback interface, or another that a board reaches.
    ///
    /// # Errors
    ///
    /// If it is not installed or does not come up.
    pub fn start(bind: Ipv4Addr, files: &ServerFiles) -> io::Result<Self> {
        Running::start("nginx", bind, files, |directory, address| {
            fs::write(directory.join(CONFIG), configuration(directory, address, files))?;
            let directory = directory.display().to_string();
            Ok(vec![
                "-p".to_owned(),
                directory,
                "-c".to_owned(),
                CONFIG.to_owned(),
                // Before the configuration is read, too, nothing outside the directory is written.
                "-e".to_owned(),
                ERRORS.to_owned(),
            ])
        })
        .map(Self)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The requests answered so far, at least `count` of them: a line is written a little after
    /// its answer. Fewer are returned only when no more come for seconds.
    #[must_use]
    pub fn access_log(&self, count: usize) -> Vec<AccessLine> {
        let deadline = Instant::now() + LINES_WITHIN;
        loop {
            let lines: Vec<AccessLine> = fs::read_to_string(self.0.path(ACCESS))
                .unwrap_or_default()
                .lines()
                .filter_map(AccessLine::parse)
                .collect();
            if lines.len() >= count || Instant::now() > deadline {
                return lines;
            }
            std::thread::sleep(POLL);
        }
    }

    /// The command that has it read its certificates and revocation lists again.
    #[must_use]
    pub fn reload_command(&self) -> String {
        let directory = self.0.directory.path().display();
        let program = executable("nginx").unwrap_or_else(|| "nginx".into());
        let program = program.display();
        format!("{program} -p {directory} -c {CONFIG} -e {ERRORS} -s reload")
    }

    /// The error log so far, for messages of failing tests.
    #[must_use]
    pub fn errors(&self) -> String {
        fs::read_to_string(self.0.path(ERRORS)).unwrap_or_default()
    }
}

impl AccessLine {
    /// The fields of [`configuration`]'s `log_format`, tabs between them.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        Some(Self {
            status: fields.next()?.parse().ok()?,
            verify: fields.next()?.to_owned(),
            serial: fields.next()?.to_owned(),
            subject: fields.next()?.to_owned(),
        })
    }
}

/// In the foreground, and one process unless it is to reload; every path in `directory`.
fn configuration(directory: &Path, address: SocketAddr, files: &ServerFiles) -> String {
    let crl = match &files.crl_file {
        Some(file) => format!("ssl_crl {};", file.display()),
        None if files.crls_pem.is_some() => format!("ssl_crl {CRLS};"),
        None => String::new(),
    };
    // Only a master can reload; without one there is a process less to wait for.
    let master = if files.crl_file.is_some() { "on" } else { "off" };
    let ocsp = files
        .ocsp_responder
        .as_ref()
        .map_or_else(String::new, |url| format!("ssl_ocsp on; ssl_ocsp_responder {url};"));
    let directory = directory.display();
    format!(
        "daemon off;
master_process {master};
pid nginx.pid;
error_log {ERRORS} info;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    log_format device '$status\t$ssl_client_verify\t$ssl_client_serial\t$ssl_client_s_dn';
    access_log {ACCESS} device;
    server {{
        listen {address} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {directory}/{CHAIN};
        ssl_certificate_key {directory}/{KEY};
        ssl_verify_client on;
        ssl_verify_depth 2;
        ssl_client_certificate {directory}/{DEVICE_CAS};
        {crl}
        {ocsp}
        location / {{ return 200 'hello $ssl_client_s_dn\\n'; }}
    }}
}}
"
    )
}

const CONFIG: &str = "nginx.conf";
const ERRORS: &str = "error.log";
const ACCESS: &str = "access.log";

const LINES_WITHIN: Duration = Duration::from_secs(5);
