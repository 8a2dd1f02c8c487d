/* micro-ecc, with nonces from the generator. */
#include "csr.h"
#include "harness.h"
#include "peer.h"

#include <string.h>

#include "uECC.h"

static uint8_t key[SCALAR_LEN], public[POINT_LEN] = { 4 };

static int random(uint8_t *out, unsigned len)
{
    random_fill(out, len);
    return 1;
}

int peer_open(void)
{
    uECC_set_rng(random);
    return 0;
}

int peer_make_key(void)
{
    return !uECC_make_key(public + 1, key, uECC_secp256r1());
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
    return !uECC_sign(key, digest, DIGEST_LEN, signature->at, uECC_secp256r1());
}

int peer_take_point(const uint8_t point[POINT_LEN])
{
    memcpy(public, point, sizeof public);
    return !uECC_valid_public_key(public + 1, uECC_secp256r1());
}

int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len)
{
    (void)der, (void)der_len;
    return !uECC_verify(public + 1, digest, DIGEST_LEN, raw, uECC_secp256r1());
}

static size_t sign_in_der(const uint8_t digest[DIGEST_LEN], uint8_t der[DER_SIGNATURE_LEN_MAX])
{
    uint8_t raw[SIGNATURE_LEN];
    return uECC_sign(key, digest, DIGEST_LEN, raw, uECC_secp256r1()) ? csr_signature(raw, der) : 0;
}

int peer_make_csr(const char *common_name, struct bytes *csr)
{
    return peer_make_key() ? 1 : csr_write(common_name, public, sign_in_der, csr);
}
