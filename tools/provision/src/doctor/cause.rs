//! The causes a connection can fail for: their names, exit codes, and what to do next.

use thiserror::Error;

/// Why a server does not take us, or why it should not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct Diagnosis {
    /// One of the known causes.
    pub cause: Cause,
    /// What was seen.
    pub message: String,
}

impl Diagnosis {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into() }
    }
}

/// There is no connection, or no TLS on it.
const NO_TLS: u8 = 19;
/// The two have nothing in common.
const NOTHING_IN_COMMON: u8 = 20;
/// A certificate is not to be believed, or files do not match.
const NOT_BELIEVED: u8 = 18;
/// The server does not take us.
const NOT_TAKEN: u8 = 21;

macro_rules! causes {
    ($($cause:ident, $code:literal, $exit:ident, $what:literal, $next:literal;)*) => {
        /// One word for each cause. The names are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Cause {
            $(#[doc = $what] $cause,)*
        }

        impl Cause {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$cause,)*];

            /// Its name, for programs.
            pub(crate) const fn code(self) -> &'static str {
                match self { $(Self::$cause => $code,)* }
            }

            /// The exit code of the program.
            pub(crate) const fn exit_code(self) -> u8 {
                match self { $(Self::$cause => $exit,)* }
            }

            /// What it is, in words.
            pub(crate) const fn what(self) -> &'static str {
                match self { $(Self::$cause => $what,)* }
            }

            /// What to do next.
            pub(crate) const fn next_step(self) -> &'static str {
                match self { $(Self::$cause => $next,)* }
            }
        }
    };
}

causes! {
    NameNotResolved, "name-not-resolved", NO_TLS, "The host name has no address.",
        "check the spelling and the DNS of this machine (`getent hosts NAME`); with an address in its place, `--name` says which name the server has";
    NothingListening, "nothing-listening", NO_TLS, "The connection is refused: no program listens on that port.",
        "is the server running, on this port, and on this address (not on 127.0.0.1 alone)? On the server: `ss -ltn`";
    ConnectTimeout, "connect-timeout", NO_TLS, "Nobody answers to the attempt to connect.",
        "a firewall drops the packets, or the address is wrong or its machine is off; `--timeout` gives it longer";
    Unreachable, "unreachable", NO_TLS, "There is no way to that address.",
        "is this machine on the network, and is the address right?";
    PlainHttp, "plain-http", NO_TLS, "HTTP without TLS is spoken on that port.",
        "use the port with TLS, or give this one TLS (nginx: `listen 443 ssl;`)";
    PlainMqtt, "plain-mqtt", NO_TLS, "MQTT without TLS is spoken on that port.",
        "use the port with TLS (8883 as a rule), or give this listener `certfile`, `keyfile` and `cafile`";
    NotTls, "not-tls", NO_TLS, "Something else than TLS is spoken on that port.",
        "is this the right port?";
    Silent, "silent", NO_TLS, "The connection is taken, and then nothing comes.",
        "the program behind the port hangs or does not speak TLS; a proxy may wait for a backend; `--timeout` gives it longer";
    Closed, "closed", NO_TLS, "The connection is taken, and closed without a word.",
        "the program behind the port does not speak TLS, refuses this address, or a proxy has no backend; its log says more";
    TlsBroken, "tls-broken", NO_TLS, "What comes looks like TLS and breaks its rules.",
        "something between changes what is sent, or the server is faulty; try from the server itself";

    NoCommonVersion, "no-common-version", NOTHING_IN_COMMON, "The server speaks no version of TLS that we may use.",
        "let the server speak TLS 1.3 (nginx: `ssl_protocols TLSv1.2 TLSv1.3;`); TLS 1.1 and older are broken (RFC 8996)";
    NoCommonCipher, "no-common-cipher", NOTHING_IN_COMMON, "The server has no cipher suite that we offer.",
        "let the server have the suites of TLS 1.3, or ECDHE with AES-GCM or ChaCha20; delete its `ssl_ciphers`";
    NoCommonGroup, "no-common-group", NOTHING_IN_COMMON, "The server has no key exchange group that we offer.",
        "let the server have X25519 and P-256 (nginx: `ssl_ecdh_curve auto;`)";
    NoCommonSignature, "no-common-signature", NOTHING_IN_COMMON, "The server's key signs in no way that we accept.",
        "give the server a key on P-256 (`provision server-cert`) or of RSA with 2048 bits or more";
    NoCommonAlpn, "no-common-alpn", NOTHING_IN_COMMON, "The server has no application protocol that we offer by ALPN.",
        "`--alpn` gives the names (AWS IoT on port 443: x-amzn-mqtt-ca)";
    NameUnrecognized, "name-unrecognized", NOTHING_IN_COMMON, "The server has no site of the name we ask for (SNI).",
        "`--name` says which site is meant; nginx: `server_name`, and `ssl_reject_handshake`";
    HandshakeRefused, "handshake-refused", NOTHING_IN_COMMON, "The server refuses the handshake, and does not say why.",
        "the server's log says more (nginx: `error_log … info;`); a server of many sites wants one of their names (`--name`)";

    ServerUnknownIssuer, "server-unknown-issuer", NOT_BELIEVED, "The server's certificate was issued by a CA that is not trusted.",
        "give the CA that issued it with `--ca` (a server of `provision`: ca/server-root.crt), or the server a certificate of the CA that clients trust";
    ServerIncompleteChain, "server-incomplete-chain", NOT_BELIEVED, "The server does not send the certificate of its issuing CA.",
        "put the missing certificate behind the server's own, in one file: `provision fullchain server.crt issuing.crt`; nginx: `ssl_certificate` names that file";
    ServerSelfSigned, "server-self-signed", NOT_BELIEVED, "The server's certificate vouches for itself.",
        "give the server a certificate of a CA (`provision server-cert`); to trust this one certificate alone, `--ca` may name it";
    ServerExpired, "server-expired", NOT_BELIEVED, "The server's certificate, or a CA's above it, has ended.",
        "renew it, and reload the server: many go on with the old one until then; `provision check-end` warns in time";
    ServerNotYetValid, "server-not-yet-valid", NOT_BELIEVED, "The server's certificate, or a CA's above it, is not valid yet.",
        "one of the clocks is wrong: this machine's, or that of the CA when it signed; `date -u` on both";
    ServerWrongName, "server-wrong-name", NOT_BELIEVED, "The server's certificate is for other names.",
        "connect by a name it has, or make one with this name (`provision server-cert --dns … --ip …`); an address must stand there as an IP, and the common name does not count";
    ServerWrongPurpose, "server-wrong-purpose", NOT_BELIEVED, "The server's certificate is not for servers.",
        "the server needs a certificate with serverAuth: `provision server-cert`; was a client's or a device's put there?";
    ServerRevoked, "server-revoked", NOT_BELIEVED, "The server's certificate, or a CA's above it, was revoked.",
        "make a new key and certificate for the server (`provision server-cert`), of another CA if it is the CA that was revoked";
    ServerBadSignature, "server-bad-signature", NOT_BELIEVED, "The server does not prove that it holds the key of its certificate.",
        "believe nothing of it; if it is yours, are certificate and key of one pair? `provision match`";
    ServerBadChain, "server-bad-chain", NOT_BELIEVED, "The server's path of certificates breaks a rule.",
        "`provision verify` and `provision inspect` show what each certificate says";
    CrlExpired, "crl-expired", NOT_BELIEVED, "The CRL that was given has ended, or has not begun.",
        "get a new one (`provision crl`); a server that uses this one takes nobody";
    CrlUnusable, "crl-unusable", NOT_BELIEVED, "The CRL that was given cannot be used.",
        "`provision inspect` shows what it is";

    ClientKeyMismatch, "client-key-mismatch", NOT_BELIEVED, "Our key is not that of our certificate.",
        "`provision match client.key client.crt` tells which files fit; nothing was sent";
    ClientMissing, "client-missing", NOT_TAKEN, "The server demands a client certificate, and we have none.",
        "give one with `--cert` and `--key` (`provision client-cert`)";
    ClientExpired, "client-expired", NOT_TAKEN, "Our certificate has ended.",
        "make a new one; `provision check-end` warns in time";
    ClientNotYetValid, "client-not-yet-valid", NOT_TAKEN, "Our certificate is not valid yet.",
        "one of the clocks is wrong: this machine's, the server's, or that of the CA when it signed";
    ClientWrongPurpose, "client-wrong-purpose", NOT_TAKEN, "Our certificate is not for clients.",
        "a client needs a certificate with clientAuth: `provision client-cert`; was a server's given?";
    ClientKeyKind, "client-key-kind", NOT_TAKEN, "The server accepts no signature that our key can make.",
        "make a key of a kind the server accepts (`provision client-cert --key-type …`), or loosen the server (openssl: -client_sigalgs)";
    ClientIssuerNotNamed, "client-issuer-not-named", NOT_TAKEN, "Our certificate is by none of the CAs that the server names.",
        "is this the certificate for this server? Else put its root and its issuing CA, both, into the server's list (nginx: `ssl_client_certificate`; `provision`: ca/device-ca-bundle.crt), and reload";
    ClientUnknownIssuer, "client-unknown-issuer", NOT_TAKEN, "The server finds no path from our certificate to a CA it trusts.",
        "root and issuing CA must both be in the server's list, since clients often send their own certificate alone; a server with CRLs needs one of every CA too, and is silent about which";
    ClientRevoked, "client-revoked", NOT_TAKEN, "Our certificate, or a CA's above it, was revoked.",
        "make a new one, of another CA if it is the CA that was revoked; `provision ledger list` shows what was revoked";
    ServerClockOrCrl, "server-clock-or-crl", NOT_TAKEN, "The server calls our certificate ended, and it is not.",
        "the CRL of the server has ended (`provision crl`, then reload), a CA in its list has, or its clock is wrong";
    ClientRefused, "client-refused", NOT_TAKEN, "The server refuses our certificate, and does not say why.",
        "the server's log says why (nginx: `error_log … info;`, mosquitto: `log_type all`); `--client-ca` with its list of CAs, and `--crl` with its CRLs, let us judge as it does";

    HttpForbidden, "http-forbidden", NOT_TAKEN, "The TLS is good, and HTTP says 401, 403 or 407.",
        "the server knows who we are and does not let us in, or wants a certificate that we did not send; look at its rules by name";
    HttpRefused, "http-refused", NOT_TAKEN, "The TLS is good, and HTTP refuses the request.",
        "`--path` says what to ask for, `--name` which site";
    HttpServerError, "http-server-error", NOT_TAKEN, "The TLS is good, and the server fails by itself.",
        "what stands behind the server is down; its log says more";
    MqttNotAuthorized, "mqtt-not-authorized", NOT_TAKEN, "The TLS is good, and the broker does not let us in.",
        "mosquitto: `use_identity_as_username true`, and the ACL; AWS: is a policy attached to the certificate, and does it allow this `--client-id`?";
    MqttRefused, "mqtt-refused", NOT_TAKEN, "The TLS is good, and the broker refuses the connection.",
        "`--client-id` may be what it does not like; its log says more";
    ClosedWithoutAnswer, "closed-without-answer", NOT_TAKEN, "The handshake went well, and the server hangs up without an answer.",
        "it may refuse our certificate in silence, or want another protocol (`--speak`), client identifier or policy; its log says more";
    NoAnswer, "no-answer", NOT_TAKEN, "The handshake went well, and no answer comes.",
        "whether it took us nobody can tell: in TLS 1.3 a refusal comes after the handshake; `--speak` says which protocol it wants";
}
