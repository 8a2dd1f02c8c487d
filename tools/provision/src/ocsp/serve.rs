//! `provision ocsp serve`: connections, and what is shared by all of them.

use core::convert::Infallible;
use core::future::Future;
use core::pin::pin;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use provision_issuer::inspect::time_text;
use provision_issuer::{Answering, OcspAnswer, OcspOutcome, OcspResponder, OcspStatus, Reason};
use provision_ledger::{CertificateStatus, Certificates as _, SqlLedger};
use provision_station::evidence::CertSerial;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Serve, http};
use crate::fault::Fault;
use crate::report::{Report, hex};
use crate::{ledger, system};

pub(super) fn run(arguments: &Serve, report: &mut Report) -> Result<(), Fault> {
    let responder = OcspResponder::open(&arguments.responder)?;
    let place = &arguments.place;
    let mut ledger = ledger::open_to_read_in(place)?;
    // Who asks would rather hear `tryLater` than wait.
    ledger.set_patience(Duration::from_secs(1))?;
    system::now_after_sleep_s()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()
        .map_err(|cause| listen_fault(arguments, cause))?;
    let answering = responder.answers_for();
    let desk = Desk { responder, ledger, lifetime_s: u64::from(arguments.minutes) * 60 };
    let shared = Arc::new(Shared {
        desk: Mutex::new(desk),
        log: arguments.log,
        json: report.is_json(),
        path: arguments.path.trim_end_matches('/').to_owned(),
        directory: arguments.responder.clone(),
    });
    let answered = runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen)
            .await
            .map_err(|cause| listen_fault(arguments, cause))?;
        let address = listener.local_addr().map_err(|cause| listen_fault(arguments, cause))?;
        // Before anybody knows that it runs: who starts it may end it at once.
        let ended = ended().map_err(|cause| listen_fault(arguments, cause))?;
        tell(&answering, address, report)?;
        listen(listener, shared, ended).await;
        Ok::<_, Fault>(())
    });
    // A look-up that hangs must not keep the program.
    runtime.shutdown_timeout(GRACE);
    answered?;
    report.note("ended")
}

fn listen_fault(arguments: &Serve, cause: std::io::Error) -> Fault {
    Fault::Listen { address: arguments.listen, cause }
}

fn tell(
    answering: &[Answering],
    address: core::net::SocketAddr,
    report: &mut Report,
) -> Result<(), Fault> {
    let now_s = system::now_after_sleep_s()?;
    let cas: Vec<_> = answering
        .iter()
        .map(|ca| json!({ "ca": ca.name, "subject": ca.subject, "not_after_s": ca.not_after_s }))
        .collect();
    let names: Vec<&str> = answering.iter().map(|ca| ca.name.as_str()).collect();
    report.result(
        &format!("answering on http://{address} for {}", names.join(", ")),
        &json!({ "event": "listening", "address": address.to_string(), "answers_for": cas }),
    )?;
    for ca in answering.iter().filter(|ca| ca.not_after_s < now_s + WARN_S) {
        report.warning(&ends(ca), json!({ "ca": ca.name, "not_after_s": ca.not_after_s }))?;
    }
    Ok(())
}

fn ends(ca: &Answering) -> String {
    let until = time_text(ca.not_after_s);
    format!("the responder's certificate for {} ends on {until}: `provision ocsp cert`", ca.name)
}

/// What answers; one at a time. An answer takes well under a millisecond.
pub(super) struct Desk {
    responder: OcspResponder,
    ledger: SqlLedger,
    lifetime_s: u64,
}

impl Desk {
    fn answer(&mut self, request: &[u8]) -> OcspAnswer {
        // A clock that was turned back to 1970 answers nothing that is true.
        let Ok(now_s) = system::now_after_sleep_s() else { return self.responder.try_later() };
        let Self { responder, ledger, lifetime_s } = self;
        responder.answer(request, now_s, *lifetime_s, |issuer_key_id, serial| {
            let status = ledger.status(issuer_key_id, &CertSerial::new(serial))?;
            Ok::<_, provision_ledger::StorageError>(match status {
                CertificateStatus::InForce => OcspStatus::Good,
                CertificateStatus::NotOnRecord => OcspStatus::Unknown,
                CertificateStatus::Revoked(revoked) => OcspStatus::Revoked {
                    at_s: revoked.revoked_at_s,
                    reason: Reason::of_code(revoked.reason).unwrap_or_default(),
                },
            })
        })
    }
}

pub(super) struct Shared {
    desk: Mutex<Desk>,
    log: bool,
    json: bool,
    /// Without the last slash.
    pub(super) path: String,
    directory: PathBuf,
}

impl Shared {
    /// Answers on a thread that may wait for the disk.
    pub(super) async fn answer(self: Arc<Self>, request: Vec<u8>) -> Option<Vec<u8>> {
        let work = move || {
            // What a panic left behind is whole: nothing is changed by answering.
            let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = desk.answer(&request);
            drop(desk);
            if self.log {
                self.tell(&answer.outcome);
            }
            answer.der
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    fn tell(&self, outcome: &OcspOutcome) {
        let certificates: &[_] =
            if let OcspOutcome::Answered(certificates) = outcome { certificates } else { &[] };
        let word = |status: OcspStatus| match status {
            OcspStatus::Good => "good",
            OcspStatus::Revoked { .. } => "revoked",
            OcspStatus::Unknown => "unknown",
        };
        let mut report = Report::new(self.json);
        let pairs = certificates.iter().map(|(serial, status)| (hex(serial), word(*status)));
        let list: Vec<String> =
            pairs.clone().map(|(serial, word)| format!(" {serial} {word}")).collect();
        let event = json!({
            "event": "answer",
            "status": outcome.name(),
            "certificates": pairs
                .map(|(serial, word)| json!({ "cert_serial": serial, "status": word }))
                .collect::<Vec<_>>(),
        });
        // Whoever read this has gone; answering goes on.
        let _ = report.result(&format!("{}{}", outcome.name(), list.join(",")), &event);
    }

    /// Reads key and certificates again; what cannot be read does not replace what could be.
    fn read_again(&self, warned: &mut Vec<Answering>) {
        let mut report = Report::new(self.json);
        match OcspResponder::open(&self.directory) {
            Ok(responder) => {
                let now_s = system::now_after_sleep_s().unwrap_or_default();
                let mut ending = responder.answers_for();
                ending.retain(|ca| ca.not_after_s < now_s + WARN_S);
                if ending != *warned {
                    for ca in &ending {
                        let facts = json!({ "ca": ca.name, "not_after_s": ca.not_after_s });
                        let _ = report.warning(&ends(ca), facts);
                    }
                    *warned = ending;
                }
                self.desk.lock().unwrap_or_else(PoisonError::into_inner).responder = responder;
            }
            Err(fault) => {
                let text = format!("going on with the certificates that were read first: {fault}");
                let _ = report.warning(&text, json!({}));
            }
        }
    }
}

/// Takes connections until it is told to end.
async fn listen(listener: TcpListener, shared: Arc<Shared>, ended: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut ended = pin!(ended);
    let mut warned = Vec::new();
    let mut again = tokio::time::interval(READ_AGAIN);
    again.tick().await;
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            () = &mut ended => break,
            _ = again.tick() => {
                // A file or two, once a minute.
                shared.read_again(&mut warned);
            }
            (permit, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let (shared, stopping) = (Arc::clone(&shared), stopping.clone());
                    connections.spawn(async move {
                        let _permit = permit;
                        connection(stream, shared, stopping).await;
                    });
                }
                // No more files may be open, or the peer has gone: neither is over at once.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            // So that those that have ended are forgotten.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    drop(stop);
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut stopping: watch::Receiver<()>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(http::respond(request, shared).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_WITHIN).max_buf_size(BUFFER_LEN);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let over = async {
        tokio::select! {
            () = sleep(CONNECTION_WITHIN) => {}
            // Fails when the sender is gone, which is the sign.
            _ = stopping.changed() => {}
        }
    };
    tokio::select! {
        _ = connection.as_mut() => return,
        () = over => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}

/// Ctrl-C, or what a service manager sends.
#[cfg(unix)]
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ctrl-C.
#[cfg(not(unix))]
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// More wait in the system's queue; a common limit of open files is 1024.
const CONNECTIONS_MAX: usize = 512;
/// For the head of a request, from the last answer on.
const HEADER_WITHIN: Duration = Duration::from_secs(5);
/// For all of a connection, however many requests: whoever sends or reads a byte a minute is gone
/// by then.
const CONNECTION_WITHIN: Duration = Duration::from_secs(30);
/// For what is being answered when it is to end.
const GRACE: Duration = Duration::from_secs(2);
/// Of a head with a request by GET in it, three bytes for one at worst.
const BUFFER_LEN: usize = 64 * 1024;
const READ_AGAIN: Duration = Duration::from_secs(60);
/// A week.
const WARN_S: u64 = 7 * 86_400;
