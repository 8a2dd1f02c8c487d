/* mbedTLS with P-256 and what a CSR takes; no PEM, no files, no time, no generator but ours.
 *
 * PEERS_PSA: keys by PSA over p256-m, instead of its own curves. PEERS_TLS: TLS 1.3 for a client with a certificate. */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_PLATFORM_CALLOC_MACRO heap_take_cleared
#define MBEDTLS_PLATFORM_FREE_MACRO heap_free

#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_MD_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C

#if defined(PEERS_PSA) || defined(PEERS_TLS)
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_CONFIG
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_USE_PSA_CRYPTO
#endif

#if defined(PEERS_PSA)
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
#else
#define MBEDTLS_ECP_NIST_OPTIM
#if !defined(PEERS_TLS)
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECDSA_C
#endif
#endif

#if defined(PEERS_TLS)
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_IN_CONTENT_LEN 2048
#define MBEDTLS_SSL_OUT_CONTENT_LEN 2048
#else
#define MBEDTLS_SHA256_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CSR_WRITE_C
#endif

#include <stddef.h>
void *heap_take_cleared(size_t count, size_t size);
void heap_free(void *block);
