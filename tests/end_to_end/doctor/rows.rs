//! The table: what is wrong with a server or with us, and what the doctor has to call it.

use super::server::{Serve, Then};

/// One setup and what the doctor says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// In words, for messages.
    pub(super) setup: &'static str,
    pub(super) serve: Serve,
    /// What the doctor is told besides where the server is.
    pub(super) with: &'static str,
    /// The cause it names; `ok` if there is none.
    pub(super) cause: &'static str,
    pub(super) exit_code: i32,
    /// What its message has to contain.
    pub(super) says: &'static str,
}

const fn row(
    setup: &'static str,
    serve: Serve,
    with: &'static str,
    (cause, exit_code): (&'static str, i32),
    says: &'static str,
) -> Row {
    Row { setup, serve, with, cause, exit_code, says }
}

use Serve::{
    At, Full, HangsUp, Mosquitto, Nginx, Nobody, Openssl, OpensslSays, PlainNginx, Says, WrongKey,
};

/// The server that is as it should be, and we with our certificate.
const GOOD_NGINX: Serve = Nginx(
    "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
     ssl_client_certificate ca/device-ca-bundle.crt; ssl_verify_client on; return 200 hello;",
);
const GOOD_MOSQUITTO: Serve = Mosquitto(
    "certfile DIR/server/server.crt; keyfile DIR/server/server.key; \
     cafile DIR/ca/device-ca-bundle.crt; require_certificate true; \
     use_identity_as_username true; allow_anonymous false",
);
const GOOD_OPENSSL: Serve = Openssl(
    "-cert server/server.crt -key server/server.key -CAfile ca/device-ca-bundle.crt \
     -Verify 2 -verify_return_error",
);
const HANGS_UP: Serve = HangsUp("server/server.crt", "server/server.key", "ca/device-root.crt");
const TRUST: &str = "--ca ca/server-root.crt";
const ALICE: &str = "--ca ca/server-root.crt --cert alice/client.crt --key alice/client.key";
const OK: (&str, i32) = ("ok", 0);

/// What is healthy, and has to be called so: else every other row could be a doctor who always
/// complains.
pub(super) const HEALTHY: &[Row] = &[
    row("nginx that verifies", GOOD_NGINX, ALICE, OK, "HTTP 200"),
    row(
        "nginx with TLS 1.2 alone",
        Nginx(
            "ssl_protocols TLSv1.2; ssl_certificate server/server.crt; \
             ssl_certificate_key server/server.key; \
             ssl_client_certificate ca/device-ca-bundle.crt; ssl_verify_client on; return 200 hi;",
        ),
        ALICE,
        OK,
        "TLS 1.2",
    ),
    row(
        "nginx with RSA, and TLS 1.3 demanded",
        Nginx(
            "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate rsa/server.crt; ssl_certificate_key rsa/server.key; return 200 hi;",
        ),
        "--ca ca/server-root.crt --tls1_3",
        OK,
        "TLS 1.3",
    ),
    row(
        "nginx that asks nobody",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; return 200 hi;",
        ),
        ALICE,
        OK,
        "did not ask for a client certificate",
    ),
    row(
        "nginx that only wishes for a certificate, and gets none",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
             ssl_client_certificate ca/device-ca-bundle.crt; ssl_verify_client optional; return 200 hi;",
        ),
        TRUST,
        OK,
        "asked-not-sent",
    ),
    row(
        "nginx that takes certificates of any CA",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
             ssl_client_certificate ca/device-ca-bundle.crt; ssl_verify_client optional_no_ca; return 200 hi;",
        ),
        "--ca ca/server-root.crt --cert stranger/client.crt --key stranger/client.key",
        OK,
        "\"cause\":\"client-issuer-not-named\"",
    ),
    row(
        "nginx without the page that is asked for",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; return 404;",
        ),
        TRUST,
        OK,
        "HTTP 404",
    ),
    row("mosquitto that verifies", GOOD_MOSQUITTO, ALICE, OK, "CONNACK 0"),
    row(
        "mosquitto, and MQTT asked for",
        GOOD_MOSQUITTO,
        "--ca ca/server-root.crt --cert alice/client.crt --key alice/client.key --speak mqtt --client-id a",
        OK,
        "CONNACK 0",
    ),
    row("openssl that verifies", GOOD_OPENSSL, ALICE, OK, "HTTP 200"),
    row(
        "openssl that answers something else than HTTP",
        Openssl("-cert server/server.crt -key server/server.key -rev"),
        TRUST,
        OK,
        "neither HTTP nor MQTT",
    ),
    row(
        "openssl that answers nothing, and TLS is all that is asked",
        Openssl(
            "-cert server/server.crt -key server/server.key -CAfile ca/device-ca-bundle.crt -Verify 2 -verify_return_error -quiet",
        ),
        "--ca ca/server-root.crt --cert alice/client.crt --key alice/client.key --speak tls",
        OK,
        "a word of TLS",
    ),
    row(
        "an issuing CA that is sent",
        SITE,
        "--ca root.crt",
        OK,
        "\"path\":[\"/O=Acme/CN=site\",\"/O=Acme/CN=issuing\",\"/O=Acme/CN=Root\"]",
    ),
    row(
        "ALPN in common",
        Openssl("-cert server/server.crt -key server/server.key -alpn http/1.1"),
        "--ca ca/server-root.crt --alpn h9 --alpn http/1.1",
        OK,
        "\"alpn\":\"http/1.1\"",
    ),
    row(
        "CRLs of root and issuing CA that are good",
        SITE,
        "--ca root.crt --crl all-good.crl --speak tls",
        OK,
        "",
    ),
    row(
        "CRLs that are good",
        GOOD_NGINX,
        "--ca ca/server-root.crt --cert alice/client.crt --key alice/client.key \
         --crl crl/all.crl --client-ca ca/device-ca-bundle.crt",
        OK,
        "HTTP 200",
    ),
];

/// No connection, or no TLS.
pub(super) const REACH: &[Row] = &[
    row(
        "no such name",
        At("no-such-host.invalid:443"),
        "",
        ("name-not-resolved", 19),
        "no-such-host",
    ),
    row("a closed port", Nobody, "", ("nothing-listening", 19), "nothing listens on 127.0.0.1:"),
    row(
        "an address without a way to it",
        At("255.255.255.255:443"),
        "",
        ("unreachable", 19),
        "255.255.255.255",
    ),
    row("packets are dropped", Full, "", ("connect-timeout", 19), "did not answer for 2 s"),
    row("nginx without TLS", PlainNginx, TRUST, ("plain-http", 19), "HTTP/1.1 400"),
    row(
        "mosquitto without TLS",
        Mosquitto("allow_anonymous true"),
        TRUST,
        ("plain-mqtt", 19),
        "MQTT without TLS",
    ),
    row(
        "an SSH server",
        Says(b"SSH-2.0-OpenSSH_9.2p1\r\n", Then::Waits),
        "",
        ("not-tls", 19),
        "SSH-2.0-OpenSSH_9.2p1",
    ),
    row(
        "a mail server",
        Says(b"220 mail.acme.com ESMTP\r\n", Then::Waits),
        "",
        ("not-tls", 19),
        "STARTTLS",
    ),
    row("a server that is silent", Says(b"", Then::Waits), "", ("silent", 19), "nothing for 2 s"),
    row("a server that closes", Says(b"", Then::Closes), "", ("closed", 19), "without a word"),
    row(
        "a server that sends a byte now and then",
        Says(b"\x16\x03\x03\x40\x00\x02", Then::Drips),
        "",
        ("tls-broken", 19),
        "stops in the middle",
    ),
    row(
        "a broken ServerHello",
        Says(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00", Then::Closes),
        "",
        ("tls-broken", 19),
        "the server begins TLS, but",
    ),
];

/// Nothing in common.
pub(super) const AGREEMENT: &[Row] = &[
    row(
        "openssl with TLS 1.1 alone",
        Openssl("-cert rsa/server.crt -key rsa/server.key -tls1_1 -cipher ALL:@SECLEVEL=0"),
        TRUST,
        ("no-common-version", 20),
        "TLS 1.1 at best",
    ),
    row(
        "openssl with TLS 1.0 alone",
        Openssl("-cert rsa/server.crt -key rsa/server.key -tls1 -cipher ALL:@SECLEVEL=0"),
        TRUST,
        ("no-common-version", 20),
        "TLS 1.0 at best",
    ),
    row(
        "nginx with TLS 1.2 alone, and TLS 1.3 demanded",
        Nginx(
            "ssl_protocols TLSv1.2; ssl_certificate server/server.crt; ssl_certificate_key server/server.key; return 200 hi;",
        ),
        "--ca ca/server-root.crt --tls1_3",
        ("no-common-version", 20),
        "TLS 1.2 at best; we offer TLS 1.3 alone",
    ),
    row(
        "openssl with RSA key exchange alone",
        Openssl("-cert rsa/server.crt -key rsa/server.key -tls1_2 -cipher AES128-SHA"),
        TRUST,
        ("no-common-cipher", 20),
        "TLS_RSA_WITH_AES_128_CBC_SHA",
    ),
    row(
        "openssl with AES-CCM alone, TLS 1.3",
        Openssl(
            "-cert server/server.crt -key server/server.key -tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256",
        ),
        TRUST,
        ("no-common-cipher", 20),
        "TLS_AES_128_CCM_SHA256",
    ),
    row(
        "openssl with X448 alone, TLS 1.3",
        Openssl("-cert server/server.crt -key server/server.key -tls1_3 -groups X448"),
        TRUST,
        ("no-common-group", 20),
        "X448",
    ),
    row(
        "openssl with X448 alone, TLS 1.2",
        Openssl(
            "-cert server/server.crt -key server/server.key -tls1_2 -groups X448 -cipher ECDHE",
        ),
        TRUST,
        ("no-common-group", 20),
        "X448",
    ),
    row(
        "openssl with an Ed448 key",
        Openssl("-cert ed448.crt -key ed448.key"),
        TRUST,
        ("no-common-signature", 20),
        "its key is of a kind that we do not accept",
    ),
    row(
        "openssl with another ALPN",
        Openssl("-cert server/server.crt -key server/server.key -alpn h2"),
        "--ca ca/server-root.crt --alpn x-amzn-mqtt-ca",
        ("no-common-alpn", 20),
        "x-amzn-mqtt-ca",
    ),
    row(
        "nginx without a site of that name",
        Nginx("ssl_reject_handshake on;"),
        "--ca ca/server-root.crt --name www.example.org",
        ("name-unrecognized", 20),
        "www.example.org",
    ),
    row(
        "openssl without a certificate",
        Openssl("-nocert"),
        TRUST,
        ("handshake-refused", 20),
        "handshake_failure (40)",
    ),
];

/// The server's certificate.
pub(super) const SERVER: &[Row] = &[
    row(
        "a CA that is not ours",
        GOOD_NGINX,
        "--ca other/server-root.crt",
        ("server-unknown-issuer", 18),
        "/CN=Test Server Root CA",
    ),
    row(
        "no CA given: those of the system",
        GOOD_NGINX,
        "",
        ("server-unknown-issuer", 18),
        "/CN=Test Server Root CA",
    ),
    row(
        "a CA of that name with another key",
        GOOD_NGINX,
        "--ca forger.crt",
        ("server-unknown-issuer", 18),
        "has another key",
    ),
    row(
        "self-signed",
        Openssl("-cert alone.crt -key alone.key"),
        TRUST,
        ("server-self-signed", 18),
        "is self-signed",
    ),
    row(
        "the issuing CA is not sent; it has the root's organization",
        Openssl("-cert site.crt -key site.key"),
        "--ca root.crt",
        ("server-incomplete-chain", 18),
        "not that of /O=Acme/CN=issuing",
    ),
    row(
        "the issuing CA is not sent; we have it",
        Openssl("-cert site.crt -key site.key"),
        "--ca root.crt --untrusted issuing.crt",
        ("server-incomplete-chain", 18),
        "with it, which we have, the path is good",
    ),
    row(
        "expired",
        Openssl("-cert expired.crt -key expired.key"),
        TRUST,
        ("server-expired", 18),
        "ended on 2021-01-01T00:00:00Z",
    ),
    row(
        "expired, and another name as well",
        Openssl("-cert expired.crt -key expired.key"),
        "--ca ca/server-root.crt --name www.acme.com",
        ("server-expired", 18),
        "\"cause\":\"server-wrong-name\"",
    ),
    row(
        "not yet valid, and no clock to compare",
        Openssl("-cert early.crt -key early.key -rev"),
        TRUST,
        ("server-not-yet-valid", 18),
        "not known",
    ),
    row(
        "not yet valid, and the server's clock is ahead",
        Openssl("-cert early.crt -key early.key -HTTP"),
        "--ca ca/server-root.crt --path /tomorrow",
        ("server-not-yet-valid", 18),
        "The server's clock shows 2041-01-01T12:00:00Z",
    ),
    row(
        "another name",
        GOOD_NGINX,
        "--ca ca/server-root.crt --name www.acme.com",
        ("server-wrong-name", 18),
        "it is for localhost, 127.0.0.1",
    ),
    row(
        "a client's certificate on the server",
        Openssl("-cert alice/client.crt -key alice/client.key"),
        "--ca ca/device-ca-bundle.crt --name alice.example",
        ("server-wrong-purpose", 18),
        "it is for clientAuth",
    ),
    row(
        "revoked",
        Openssl("-cert fallen/server.crt -key fallen/server.key"),
        "--ca ca/server-root.crt --crl crl/all.crl",
        ("server-revoked", 18),
        "superseded",
    ),
    row(
        "another key than the certificate's",
        WrongKey("server/server.crt", "fallen/server.key"),
        TRUST,
        ("server-bad-signature", 18),
        "signature",
    ),
    row(
        "signed by one that is no CA",
        Openssl("-cert minion.crt -key minion.key -cert_chain minion-and-middleman.crt"),
        "--ca root.crt",
        ("server-bad-chain", 18),
        "is not a CA's",
    ),
    row(
        "a CRL that has ended",
        GOOD_NGINX,
        "--ca ca/server-root.crt --crl old-server-root.crl",
        ("crl-expired", 18),
        "ended on 2024-02-01",
    ),
    row(
        "the CA that signed it is revoked",
        SITE,
        "--ca root.crt --crl all-revoked.crl",
        ("server-revoked", 18),
        "its issuer /O=Acme/CN=issuing: was revoked",
    ),
    row(
        "the CA that signed it is revoked, and trusted beside the root that revoked it",
        SITE,
        "--ca root.crt --ca issuing.crt --crl all-revoked.crl",
        ("server-revoked", 18),
        "its issuer /O=Acme/CN=issuing: was revoked",
    ),
    row(
        "the root's CRL has ended",
        SITE,
        "--ca root.crt --crl all-old.crl",
        ("crl-expired", 18),
        "the CRL of /O=Acme/CN=Root ended on 2024-02-01",
    ),
    row(
        "a CRL by somebody else",
        GOOD_NGINX,
        "--ca ca/server-root.crt --crl forged.crl",
        ("crl-unusable", 18),
        "is not signed by it",
    ),
];

/// Our certificate.
pub(super) const CLIENT: &[Row] = &[
    row(
        "a key of another certificate",
        GOOD_NGINX,
        "--ca ca/server-root.crt --cert alice/client.crt --key lost/client.key",
        ("client-key-mismatch", 18),
        "is not the key of",
    ),
    row(
        "none, nginx",
        GOOD_NGINX,
        TRUST,
        ("client-missing", 21),
        "No required SSL certificate was sent",
    ),
    row(
        "none, mosquitto",
        GOOD_MOSQUITTO,
        TRUST,
        ("client-missing", 21),
        "certificate_required (116)",
    ),
    row(
        "none, openssl with TLS 1.3 and no tickets",
        Openssl(
            "-cert server/server.crt -key server/server.key -tls1_3 -num_tickets 0 \
             -CAfile ca/device-ca-bundle.crt -Verify 2 -verify_return_error",
        ),
        TRUST,
        ("client-missing", 21),
        "certificate_required (116)",
    ),
    row(
        "none, openssl with TLS 1.2",
        Openssl(
            "-cert server/server.crt -key server/server.key -tls1_2 -CAfile ca/device-ca-bundle.crt -Verify 2 -verify_return_error",
        ),
        TRUST,
        ("client-missing", 21),
        "handshake_failure (40)",
    ),
    row("none, and the server hangs up", HANGS_UP, TRUST, ("client-missing", 21), "hangs up"),
    row(
        "expired, rustls",
        HANGS_UP,
        "--ca ca/server-root.crt --cert client-expired.crt --key client-expired.key",
        ("client-expired", 21),
        "certificate_expired (45)",
    ),
    row(
        "expired, nginx",
        GOOD_NGINX,
        "--ca ca/server-root.crt --cert client-expired.crt --key client-expired.key",
        ("client-expired", 21),
        "The SSL certificate error",
    ),
    row(
        "expired, mosquitto",
        GOOD_MOSQUITTO,
        "--ca ca/server-root.crt --cert client-expired.crt --key client-expired.key",
        ("client-expired", 21),
        "certificate_expired (45)",
    ),
    row(
        "not yet valid, nginx",
        GOOD_NGINX,
        "--ca ca/server-root.crt --cert client-early.crt --key client-early.key",
        ("client-not-yet-valid", 21),
        "The server's clock shows the same time",
    ),
    row(
        "for servers, nginx",
        GOOD_NGINX,
        "--ca ca/server-root.crt --cert client-for-servers.crt --key client-for-servers.key",
        ("client-wrong-purpose", 21),
        "it is for serverAuth",
    ),
    row(
        "for servers, mosquitto",
        GOOD_MOSQUITTO,
        "--ca ca/server-root.crt --cert client-for-servers.crt --key client-for-servers.key",
        ("client-wrong-purpose", 21),
        "unsupported_certificate (43)",
    ),
    row(
        "of a kind that the server does not accept",
        Openssl(
            "-cert server/server.crt -key server/server.key -CAfile ca/device-ca-bundle.crt -Verify 2 -verify_return_error -client_sigalgs RSA-PSS+SHA256",
        ),
        ALICE,
        ("client-key-kind", 21),
        "none of the signatures",
    ),
    row(
        "by a CA of others, nginx",
        GOOD_NGINX,
        "--ca ca/server-root.crt --cert stranger/client.crt --key stranger/client.key",
        ("client-issuer-not-named", 21),
        "/CN=Other Device Issuing CA",
    ),
    row(
        "by a CA of others, mosquitto (which names none)",
        GOOD_MOSQUITTO,
        "--ca ca/server-root.crt --cert stranger/client.crt --key stranger/client.key",
        ("client-unknown-issuer", 21),
        "unknown_ca (48)",
    ),
    row(
        "by a CA of others, openssl",
        GOOD_OPENSSL,
        "--ca ca/server-root.crt --cert stranger/client.crt --key stranger/client.key",
        ("client-issuer-not-named", 21),
        "unknown_ca (48)",
    ),
    row(
        "the server has the issuing CA without its root",
        Openssl(
            "-cert server/server.crt -key server/server.key -CAfile ca/device-issuing.crt -Verify 2 -verify_return_error",
        ),
        ALICE,
        ("client-unknown-issuer", 21),
        "unknown_ca (48)",
    ),
    row(
        "revoked, mosquitto",
        Mosquitto(
            "certfile DIR/server/server.crt; keyfile DIR/server/server.key; \
             cafile DIR/ca/device-ca-bundle.crt; crlfile DIR/crl/all.crl; \
             require_certificate true; use_identity_as_username true; allow_anonymous false",
        ),
        "--ca ca/server-root.crt --cert lost/client.crt --key lost/client.key",
        ("client-revoked", 21),
        "certificate_revoked (44)",
    ),
    row(
        "revoked, nginx, and we have the CRL",
        NGINX_WITH_CRL,
        "--ca ca/server-root.crt --cert lost/client.crt --key lost/client.key --client-ca ca/device-ca-bundle.crt --crl crl/all.crl",
        ("client-revoked", 21),
        "keyCompromise",
    ),
    row(
        "revoked, nginx, and we cannot know",
        NGINX_WITH_CRL,
        "--ca ca/server-root.crt --cert lost/client.crt --key lost/client.key",
        ("client-refused", 21),
        "The SSL certificate error",
    ),
    row(
        "the CA of our certificate is revoked, nginx",
        NGINX_WITHOUT_DEVICES,
        "--ca ca/server-root.crt --cert alice/client.crt --key alice/client.key --client-ca ca/device-ca-bundle.crt --crl devices-revoked.crl",
        ("client-revoked", 21),
        "was revoked",
    ),
    row(
        "the root's CRL has ended, nginx",
        NGINX_WITH_OLD_CRL,
        "--ca ca/server-root.crt --cert alice/client.crt --key alice/client.key --client-ca ca/device-ca-bundle.crt --crl devices-old.crl",
        ("crl-expired", 18),
        "Device Root",
    ),
    row(
        "the server's CRL has ended",
        Openssl(
            "-cert server/server.crt -key server/server.key -CAfile ca/device-ca-bundle.crt -CRL old-device-issuing.crl -crl_check -Verify 2 -verify_return_error",
        ),
        ALICE,
        ("server-clock-or-crl", 21),
        "by our clock",
    ),
];

/// A server below an issuing CA, whose root is not sent.
const SITE: Serve = Openssl("-cert site.crt -key site.key -cert_chain site-and-issuing.crt");
const NGINX_WITHOUT_DEVICES: Serve = Nginx(
    "ssl_protocols TLSv1.3; ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
     ssl_client_certificate ca/device-ca-bundle.crt; ssl_crl devices-revoked.crl; ssl_verify_client on; \
     return 200 hello;",
);
const NGINX_WITH_OLD_CRL: Serve = Nginx(
    "ssl_protocols TLSv1.3; ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
     ssl_client_certificate ca/device-ca-bundle.crt; ssl_crl devices-old.crl; ssl_verify_client on; \
     return 200 hello;",
);
const NGINX_WITH_CRL: Serve = Nginx(
    "ssl_protocols TLSv1.3; ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
     ssl_client_certificate ca/device-ca-bundle.crt; ssl_crl crl/all.crl; ssl_verify_client on; \
     return 200 hello;",
);

/// What the application says.
pub(super) const ANSWERS: &[Row] = &[
    row(
        "nginx that forbids",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
             ssl_client_certificate ca/device-ca-bundle.crt; ssl_verify_client optional; \
             if ($ssl_client_verify != SUCCESS) { return 403; } return 200 hi;",
        ),
        TRUST,
        ("http-forbidden", 21),
        "asked for a client certificate, and got none",
    ),
    row(
        "the same nginx, with our certificate",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; \
             ssl_client_certificate ca/device-ca-bundle.crt; ssl_verify_client optional; \
             if ($ssl_client_verify != SUCCESS) { return 403; } return 200 hi;",
        ),
        ALICE,
        OK,
        "HTTP 200",
    ),
    row(
        "nginx that is another site",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; return 421;",
        ),
        TRUST,
        ("http-refused", 21),
        "HTTP 421",
    ),
    row(
        "nginx that fails",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; return 503;",
        ),
        TRUST,
        ("http-server-error", 21),
        "HTTP 503",
    ),
    row(
        "nginx that hangs up",
        Nginx(
            "ssl_certificate server/server.crt; ssl_certificate_key server/server.key; return 444;",
        ),
        TRUST,
        ("closed-without-answer", 21),
        "hangs up without an answer",
    ),
    row(
        "a server that takes our certificate and hangs up",
        HANGS_UP,
        "--ca ca/server-root.crt --cert alice-and-issuing.crt --key alice/client.key",
        ("closed-without-answer", 21),
        "hangs up without an answer",
    ),
    row(
        "mosquitto that wants a password",
        Mosquitto(
            "certfile DIR/server/server.crt; keyfile DIR/server/server.key; \
             cafile DIR/ca/device-ca-bundle.crt; require_certificate true; allow_anonymous false",
        ),
        ALICE,
        ("mqtt-not-authorized", 21),
        "CONNACK 5",
    ),
    row(
        "a broker that is not available",
        OpensslSays("-cert server/server.crt -key server/server.key", b"\x20\x02\x00\x03"),
        "--ca ca/server-root.crt --speak mqtt",
        ("mqtt-refused", 21),
        "CONNACK 3",
    ),
    row(
        "openssl that says nothing, and sends no tickets either",
        Openssl("-cert server/server.crt -key server/server.key -tls1_3 -num_tickets 0 -quiet"),
        "--ca ca/server-root.crt --speak tls",
        ("no-answer", 21),
        "It is not known whether it took us",
    ),
    row(
        "openssl that says nothing",
        Openssl("-cert server/server.crt -key server/server.key -quiet"),
        TRUST,
        ("no-answer", 21),
        "By TLS it took us",
    ),
];

/// All of them.
pub(super) const TABLES: [&[Row]; 6] = [HEALTHY, REACH, AGREEMENT, SERVER, CLIENT, ANSWERS];
