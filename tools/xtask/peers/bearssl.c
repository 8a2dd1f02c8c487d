/* BearSSL with its 31 bit P-256, the faster one on a Cortex-M4. Its nonces are those of RFC 6979, always. */
#include "csr.h"
#include "harness.h"
#include "peer.h"
#include "sha256.h"

#include <string.h>

#include "bearssl.h"

#define CURVE (&br_ec_p256_m31)

static uint8_t secret_bytes[BR_EC_KBUF_PRIV_MAX_SIZE], public_bytes[BR_EC_KBUF_PUB_MAX_SIZE];
static br_ec_private_key key = { .curve = BR_EC_secp256r1, .x = secret_bytes, .xlen = SCALAR_LEN };
static br_ec_public_key public = { .curve = BR_EC_secp256r1, .q = public_bytes, .qlen = POINT_LEN };

static void generate(const br_prng_class **context, void *out, size_t len)
{
    (void)context;
    random_fill(out, len);
}

static const br_prng_class RANDOM = { .context_size = sizeof(br_prng_class *), .generate = generate };

/* For the CSR. */
void sha256(const uint8_t *message, size_t len, uint8_t digest[32])
{
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, message, len);
    br_sha256_out(&context, digest);
}

int peer_open(void)
{
    return 0;
}

int peer_make_key(void)
{
    const br_prng_class *random = &RANDOM;
    if (!br_ec_keygen(&random, CURVE, &key, secret_bytes, BR_EC_secp256r1))
        return 1;
    return !br_ec_compute_pub(CURVE, &public, public_bytes, &key);
}

int peer_show_key(uint8_t secret[SCALAR_LEN], uint8_t point[POINT_LEN])
{
    if (key.xlen != SCALAR_LEN || public.qlen != POINT_LEN)
        return 1;
    memcpy(secret, key.x, SCALAR_LEN);
    memcpy(point, public.q, POINT_LEN);
    return 0;
}

int peer_take_key(const uint8_t secret[SCALAR_LEN], const uint8_t point[POINT_LEN])
{
    (void)point;
    memcpy(secret_bytes, secret, SCALAR_LEN);
    return 0;
}

static size_t sign_in_der(const uint8_t digest[DIGEST_LEN], uint8_t der[DER_SIGNATURE_LEN_MAX])
{
    return br_ecdsa_i31_sign_asn1(CURVE, &br_sha256_vtable, digest, &key, der);
}

int peer_sign(const uint8_t digest[DIGEST_LEN], struct bytes *signature)
{
    signature->len = sign_in_der(digest, signature->at);
    return signature->len == 0;
}

int peer_take_point(const uint8_t point[POINT_LEN])
{
    memcpy(public_bytes, point, POINT_LEN);
    return 0;
}

int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len)
{
    (void)raw;
    return !br_ecdsa_i31_vrfy_asn1(CURVE, digest, DIGEST_LEN, &public, der, der_len);
}

int peer_make_csr(const char *common_name, struct bytes *csr)
{
    return peer_make_key() ? 1 : csr_write(common_name, public.q, sign_in_der, csr);
}
