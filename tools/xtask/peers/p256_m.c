/* p256-m as it stands in mbedTLS, by itself; its nonces are from the generator. */
#include "csr.h"
#include "harness.h"
#include "peer.h"

#include <string.h>

#include "p256-m.h"

static uint8_t key[SCALAR_LEN], public[POINT_LEN] = { 4 };

/* What it takes from the library around it. */
int psa_generate_random(uint8_t *out, size_t len)
{
    random_fill(out, len);
    return 0;
}

void mbedtls_platform_zeroize(void *at, size_t len)
{
    for (volatile uint8_t *byte = at; len--; byte++)
        *byte = 0;
}

int peer_open(void)
{
    return 0;
}

int peer_make_key(void)
{
    return p256_gen_keypair(key, public + 1);
}

int peer_show_key(uint8_t secret[SCALAR_LEN], uint8_t point[POINT_LEN])
{
    memcpy(secret, key, sizeof key);
    memcpy(point, public, sizeof public);
    return 0;
}

int peer_take_key(const uint8_t secret[SCALAR_LEN], const uint8_t point[POINT_LEN])
{
    memcpy(key, secret, sizeof key);
    return peer_take_point(point);
}

int peer_sign(const uint8_t digest[DIGEST_LEN], struct bytes *signature)
{
    signature->len = SIGNATURE_LEN;
    return p256_ecdsa_sign(signature->at, key, digest, DIGEST_LEN);
}

int peer_take_point(const uint8_t point[POINT_LEN])
{
    memcpy(public, point, sizeof public);
    return p256_validate_pubkey(public + 1);
}

int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len)
{
    (void)der, (void)der_len;
    return p256_ecdsa_verify(raw, public + 1, digest, DIGEST_LEN);
}

static size_t sign_in_der(const uint8_t digest[DIGEST_LEN], uint8_t der[DER_SIGNATURE_LEN_MAX])
{
    uint8_t raw[SIGNATURE_LEN];
    return p256_ecdsa_sign(raw, key, digest, DIGEST_LEN) ? 0 : csr_signature(raw, der);
}

int peer_make_csr(const char *common_name, struct bytes *csr)
{
    const int code = peer_make_key();
    return code ? code : csr_write(common_name, public, sign_in_der, csr);
}
