/* wolfSSL, which looks for a file of this name, with P-256 in assembler; no files, no time, no generator but ours.
 *
 * PEERS_SMALL: the smaller of its two ways to multiply. PEERS_TLS: TLS 1.3 for a client with a certificate. */
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define NO_WRITEV
#define NO_MAIN_DRIVER
#define NO_ERROR_STRINGS
#define NO_ASN_TIME
#define USER_TIME
#define WOLFSSL_USER_IO
#define WOLFSSL_NO_SOCK
#define WOLFSSL_GENERAL_ALIGNMENT 4
#define SIZEOF_LONG_LONG 8

#define HAVE_ECC
#define ECC_USER_CURVES
#define ECC_TIMING_RESISTANT
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_MATH
#define WOLFSSL_SP_NO_MALLOC
#define WOLFSSL_SP_ARM_CORTEX_M_ASM
#define SP_WORD_SIZE 32
#if defined(PEERS_SMALL)
#define WOLFSSL_SP_SMALL
#endif

#define WOLFSSL_ASN_TEMPLATE
#define NO_DES3
#define NO_DH
#define NO_DSA
#define NO_MD4
#define NO_MD5
#define NO_OLD_TLS
#define NO_PKCS12
#define NO_PKCS8
#define NO_PWDBASED
#define NO_RC4
#define NO_RSA
#define NO_SHA

#if defined(PEERS_TLS)
#define WOLFSSL_TLS13
#define WOLFSSL_NO_TLS12
#define WOLFSSL_SMALL_CERT_VERIFY
#define HAVE_AESGCM
#define GCM_TABLE_4BIT /* GCM_SMALL is 4 kB less, and three million instructions more in a handshake */
#define HAVE_HKDF
#define HAVE_SNI
#define HAVE_SUPPORTED_CURVES
#define HAVE_TLS_EXTENSIONS
#define NO_AES_192
#define NO_AES_256
#define NO_AES_CBC
#define NO_CHECK_PRIVATE_KEY
#define NO_PSK
#define NO_SESSION_CACHE
#define NO_WOLFSSL_SERVER
#define XTIME(of) (0)
#define TIME_OVERRIDES
#if !defined(PEERS_SMALL)
/* AES and SHA-256 in assembler. In a CSR it makes nothing faster. */
#define WOLFSSL_ARMASM
#define WOLFSSL_ARMASM_INLINE
#define WOLFSSL_ARMASM_NO_HW_CRYPTO
#define WOLFSSL_ARMASM_NO_NEON
#define WOLFSSL_ARMASM_THUMB2
#define WOLFSSL_ARM_ARCH 7
#endif
#else
#define WOLFCRYPT_ONLY
#define NO_AES
#define WOLFSSL_CERT_GEN
#define WOLFSSL_CERT_REQ
#endif

#define WC_NO_HASHDRBG
#define CUSTOM_RAND_GENERATE_BLOCK peers_random
#define XMALLOC_USER
#include <stddef.h>
int peers_random(unsigned char *out, unsigned len);
void *XMALLOC(size_t size, void *heap, int type);
void *XREALLOC(void *block, size_t size, void *heap, int type);
void XFREE(void *block, void *heap, int type);
