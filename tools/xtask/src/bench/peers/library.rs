//! The libraries, and how each is compiled.

/// Where a library's sources are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// In a crate that carries them, in this folder of it.
    Crate { name: &'static str, folder: &'static str },
    /// In the upstream archive of a Debian source package, in this folder of it.
    Debian { package: &'static str, folder: &'static str },
}

/// A library as it is set up for a measurement. Paths of its files and headers are seen from its own folder; those of
/// ours are in `tools/xtask/peers`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Library {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    /// For people: its name, version, and what was chosen.
    pub(super) title: &'static str,
    pub(super) source: Source,
    /// For key, signatures and CSR.
    pub(super) p256: Parts,
    /// For the handshake, of those that have TLS 1.3.
    pub(super) tls: Option<Parts>,
}

/// What is compiled of a library, and with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    /// Of the library; a star stands for all names.
    pub(super) files: &'static [&'static str],
    /// Folders with its headers.
    pub(super) headers: &'static [&'static str],
    pub(super) defines: &'static [&'static str],
    /// Ours.
    pub(super) own: &'static [&'static str],
}

impl Library {
    /// The fastest CSR first.
    pub(super) const ALL: &[Self] = &[
        Self {
            name: "p256-cortex-m4",
            title: "P256-Cortex-M4 (p256-cortex-m4-sys 0.1.0)",
            source: Source::Crate { name: "p256-cortex-m4-sys", folder: "P256-Cortex-M4" },
            p256: Parts {
                files: &["p256-cortex-m4.c", "p256-cortex-m4-asm-gcc.S"],
                headers: &["."],
                defines: &[],
                own: &["p256_cortex_m4.c", "csr.c", "sha256.c"],
            },
            tls: None,
        },
        Self {
            name: "wolfssl-uncached",
            title: "wolfSSL 5.9.4, SP assembler, fast, for parts without a cache",
            source: WOLFSSL,
            p256: Parts { defines: &["WOLFSSL_USER_SETTINGS", UNCACHED], ..WOLFCRYPT },
            tls: Some(Parts {
                defines: &["WOLFSSL_USER_SETTINGS", "PEERS_TLS", UNCACHED],
                ..WOLFSSL_TLS
            }),
        },
        Self {
            name: "wolfssl-small",
            title: "wolfSSL 5.9.4, SP assembler, small",
            source: WOLFSSL,
            p256: Parts { defines: &["WOLFSSL_USER_SETTINGS", "PEERS_SMALL"], ..WOLFCRYPT },
            tls: Some(Parts {
                defines: &["WOLFSSL_USER_SETTINGS", "PEERS_TLS", "PEERS_SMALL"],
                ..WOLFSSL_TLS
            }),
        },
        Self {
            name: "wolfssl-fast",
            title: "wolfSSL 5.9.4, SP assembler, fast",
            source: WOLFSSL,
            p256: WOLFCRYPT,
            tls: Some(WOLFSSL_TLS),
        },
        Self {
            name: "micro-ecc",
            title: "micro-ecc (micro-ecc-sys 0.3.2), level 3 and squaring",
            source: Source::Crate { name: "micro-ecc-sys", folder: "micro-ecc" },
            p256: Parts {
                files: &["uECC.c"],
                headers: &["."],
                defines: &[
                    "uECC_OPTIMIZATION_LEVEL=3",
                    "uECC_SQUARE_FUNC=1",
                    "uECC_SUPPORTS_secp160r1=0",
                    "uECC_SUPPORTS_secp192r1=0",
                    "uECC_SUPPORTS_secp224r1=0",
                    "uECC_SUPPORTS_secp256k1=0",
                    "uECC_SUPPORT_COMPRESSED_POINT=0",
                ],
                own: &["micro_ecc.c", "csr.c", "sha256.c"],
            },
            tls: None,
        },
        Self {
            name: "mbedtls",
            title: "mbedTLS 3.6.5, its own curves",
            source: MBEDTLS,
            p256: Parts {
                files: &["library/*.c"],
                headers: &["include", "library"],
                defines: &[MBEDTLS_CONFIG],
                own: &["mbedtls.c"],
            },
            tls: Some(Parts {
                files: &["library/*.c"],
                headers: &["include", "library"],
                defines: &[MBEDTLS_CONFIG, MBEDTLS_PSA, "PEERS_TLS"],
                own: &["mbedtls_tls.c"],
            }),
        },
        Self {
            name: "bearssl",
            title: "BearSSL 0.6, m31 (RFC 6979)",
            source: Source::Debian { package: "bearssl", folder: "bearssl-0.6" },
            p256: Parts {
                files: &[
                    "src/codec/*.c",
                    "src/ec/*.c",
                    "src/hash/*.c",
                    "src/int/*.c",
                    "src/mac/*.c",
                    "src/rand/*.c",
                ],
                headers: &["inc", "src"],
                defines: &[],
                own: &["bearssl.c", "csr.c"],
            },
            tls: None,
        },
        Self {
            name: "p256-m",
            title: "p256-m (mbedTLS 3.6.5)",
            source: MBEDTLS,
            p256: Parts {
                files: &["3rdparty/p256-m/p256-m/p256-m.c"],
                // Its own file asks whether mbedTLS wants it at all.
                headers: &["3rdparty/p256-m/p256-m", "include"],
                defines: &[MBEDTLS_CONFIG, MBEDTLS_PSA, "PEERS_PSA"],
                own: &["p256_m.c", "csr.c", "sha256.c"],
            },
            tls: None,
        },
        Self {
            name: "mbedtls-p256m",
            title: "mbedTLS 3.6.5, PSA over p256-m",
            source: MBEDTLS,
            p256: Parts {
                defines: &[MBEDTLS_CONFIG, MBEDTLS_PSA, "PEERS_PSA"],
                own: &["mbedtls_psa.c"],
                ..MBEDTLS_P256_M
            },
            tls: Some(MBEDTLS_P256_M),
        },
    ];
}

const MBEDTLS: Source = Source::Crate { name: "mbedtls-rs-sys", folder: "mbedtls" };
const MBEDTLS_CONFIG: &str = "MBEDTLS_CONFIG_FILE=\"mbedtls.h\"";
const MBEDTLS_PSA: &str = "MBEDTLS_PSA_CRYPTO_CONFIG_FILE=\"mbedtls_psa.h\"";

const MBEDTLS_P256_M: Parts = Parts {
    files: &[
        "library/*.c",
        "3rdparty/p256-m/p256-m_driver_entrypoints.c",
        "3rdparty/p256-m/p256-m/p256-m.c",
    ],
    headers: &[
        "include",
        "library",
        "3rdparty/p256-m",
        "3rdparty/p256-m/p256-m",
        "3rdparty/p256-m/p256-m/include",
    ],
    defines: &[MBEDTLS_CONFIG, MBEDTLS_PSA, "PEERS_PSA", "PEERS_TLS"],
    own: &["mbedtls_tls.c"],
};

const WOLFSSL: Source = Source::Crate { name: "wolfssl-sys", folder: "wolfssl-src" };

/// Its tables are looked up by secret index, as those of this project's assembler are, where by default it reads all of
/// them each time.
const UNCACHED: &str = "WC_NO_CACHE_RESISTANT";

const WOLFCRYPT: Parts = Parts {
    files: &[
        "wolfcrypt/src/asn.c",
        "wolfcrypt/src/coding.c",
        "wolfcrypt/src/cpuid.c",
        "wolfcrypt/src/ecc.c",
        "wolfcrypt/src/error.c",
        "wolfcrypt/src/hash.c",
        "wolfcrypt/src/hmac.c",
        "wolfcrypt/src/logging.c",
        "wolfcrypt/src/memory.c",
        "wolfcrypt/src/misc.c",
        "wolfcrypt/src/random.c",
        "wolfcrypt/src/sha256.c",
        "wolfcrypt/src/sp_cortexm.c",
        "wolfcrypt/src/sp_int.c",
        "wolfcrypt/src/wc_port.c",
        "wolfcrypt/src/wolfmath.c",
    ],
    headers: &["."],
    defines: &["WOLFSSL_USER_SETTINGS"],
    own: &["wolfssl.c", "wolfssl_port.c"],
};

const WOLFSSL_TLS: Parts = Parts {
    files: &[
        "wolfcrypt/src/aes.c",
        "wolfcrypt/src/asn.c",
        "wolfcrypt/src/coding.c",
        "wolfcrypt/src/cpuid.c",
        "wolfcrypt/src/ecc.c",
        "wolfcrypt/src/error.c",
        "wolfcrypt/src/hash.c",
        "wolfcrypt/src/hmac.c",
        "wolfcrypt/src/kdf.c",
        "wolfcrypt/src/logging.c",
        "wolfcrypt/src/memory.c",
        "wolfcrypt/src/misc.c",
        "wolfcrypt/src/random.c",
        "wolfcrypt/src/sha256.c",
        "wolfcrypt/src/signature.c",
        "wolfcrypt/src/sp_cortexm.c",
        "wolfcrypt/src/sp_int.c",
        "wolfcrypt/src/wc_encrypt.c",
        "wolfcrypt/src/wc_port.c",
        "wolfcrypt/src/wolfmath.c",
        "wolfcrypt/src/port/arm/thumb2-aes-asm_c.c",
        "wolfcrypt/src/port/arm/thumb2-sha256-asm_c.c",
        "src/internal.c",
        "src/keys.c",
        "src/ssl.c",
        "src/tls.c",
        "src/tls13.c",
        "src/wolfio.c",
    ],
    headers: &["."],
    defines: &["WOLFSSL_USER_SETTINGS", "PEERS_TLS"],
    own: &["wolfssl_tls.c", "wolfssl_port.c"],
};
