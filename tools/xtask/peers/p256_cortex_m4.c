/* P256-Cortex-M4: the assembler that this project has under its own rules, here by itself and with random nonces. Its
 * numbers are words, the least first. */
#include "csr.h"
#include "harness.h"
#include "peer.h"

#include "p256-cortex-m4.h"

static uint32_t key[8], x[8], y[8];

int peer_open(void)
{
    return 0;
}

int peer_make_key(void)
{
    do
        random_fill(key, sizeof key);
    while (!p256_keygen(x, y, key));
    return 0;
}

int peer_show_key(uint8_t secret[SCALAR_LEN], uint8_t point[POINT_LEN])
{
    p256_convert_endianness(secret, key, SCALAR_LEN);
    p256_point_to_octet_string_uncompressed(point, x, y);
    return 0;
}

int peer_take_key(const uint8_t secret[SCALAR_LEN], const uint8_t point[POINT_LEN])
{
    (void)point;
    p256_convert_endianness(key, secret, SCALAR_LEN);
    return 0;
}

static void sign(const uint8_t digest[DIGEST_LEN], uint8_t raw[SIGNATURE_LEN])
{
    uint32_t nonce[8], r[8], s[8];
    do
        random_fill(nonce, sizeof nonce);
    while (!p256_sign(r, s, digest, DIGEST_LEN, key, nonce));
    p256_convert_endianness(raw, r, SCALAR_LEN);
    p256_convert_endianness(raw + SCALAR_LEN, s, SCALAR_LEN);
}

int peer_sign(const uint8_t digest[DIGEST_LEN], struct bytes *signature)
{
    sign(digest, signature->at);
    signature->len = SIGNATURE_LEN;
    return 0;
}

int peer_take_point(const uint8_t point[POINT_LEN])
{
    return !p256_octet_string_to_point(x, y, point, POINT_LEN);
}

int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len)
{
    (void)der, (void)der_len;
    uint32_t r[8], s[8];
    p256_convert_endianness(r, raw, SCALAR_LEN);
    p256_convert_endianness(s, raw + SCALAR_LEN, SCALAR_LEN);
    return !p256_verify(x, y, digest, DIGEST_LEN, r, s);
}

static size_t sign_in_der(const uint8_t digest[DIGEST_LEN], uint8_t der[DER_SIGNATURE_LEN_MAX])
{
    uint8_t raw[SIGNATURE_LEN];
    sign(digest, raw);
    return csr_signature(raw, der);
}

int peer_make_csr(const char *common_name, struct bytes *csr)
{
    uint8_t point[POINT_LEN];
    peer_make_key();
    p256_point_to_octet_string_uncompressed(point, x, y);
    return csr_write(common_name, point, sign_in_der, csr);
}
