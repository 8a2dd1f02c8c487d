/* RFC 2986, section 4, with an empty set of attributes. What is signed is written from its end to its start, so that each
 * length is known when it is due, and in the middle of the room, so that what follows it has its place. */
#include "csr.h"

#include "sha256.h"

#include <string.h>

/* SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING: RFC 5480, section 2. */
static const uint8_t PUBLIC_KEY[] = {
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
};
/* SEQUENCE { ecdsa-with-SHA256 }: RFC 5758, section 3.2. */
static const uint8_t ALGORITHM[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
static const uint8_t COMMON_NAME[] = { 0x06, 0x03, 0x55, 0x04, 0x03 };
static const uint8_t VERSION[] = { 0x02, 0x01, 0x00 };
static const uint8_t NO_ATTRIBUTES[] = { 0xa0, 0x00 };

static uint8_t *before(uint8_t *at, const void *bytes, size_t len)
{
    return memcpy(at - len, bytes, len);
}

/* Tag and length of what is from here to the end. */
static uint8_t *header(uint8_t *at, uint8_t tag, const uint8_t *end)
{
    const size_t len = (size_t)(end - at);
    *--at = (uint8_t)len;
    if (len >= 0x100)
        *--at = (uint8_t)(len >> 8);
    if (len >= 0x80)
        *--at = len < 0x100 ? 0x81 : 0x82;
    *--at = tag;
    return at;
}

static uint8_t *integer(uint8_t *at, const uint8_t number[32])
{
    const uint8_t *end = at;
    size_t zeros = 0;
    while (zeros < 31 && number[zeros] == 0)
        zeros++;
    at = before(at, number + zeros, 32 - zeros);
    if (*at & 0x80)
        *--at = 0; /* or it would be negative */
    return header(at, 0x02, end);
}

size_t csr_signature(const uint8_t raw[SIGNATURE_LEN], uint8_t der[DER_SIGNATURE_LEN_MAX])
{
    const uint8_t *end = der + DER_SIGNATURE_LEN_MAX;
    const uint8_t *start = header(integer(integer(der + DER_SIGNATURE_LEN_MAX, raw + 32), raw), 0x30, end);
    const size_t len = (size_t)(end - start);
    memmove(der, start, len);
    return len;
}

/* CertificationRequestInfo, up to `end`. */
static uint8_t *info(uint8_t *end, const char *common_name, const uint8_t point[POINT_LEN])
{
    uint8_t *at = before(end, NO_ATTRIBUTES, sizeof NO_ATTRIBUTES);
    const uint8_t *key_end = at;
    at = header(before(before(at, point, POINT_LEN), PUBLIC_KEY, sizeof PUBLIC_KEY), 0x30, key_end);
    const uint8_t *name_end = at;
    at = header(before(at, common_name, strlen(common_name)), 0x0c, name_end); /* UTF8String */
    at = header(before(at, COMMON_NAME, sizeof COMMON_NAME), 0x30, name_end);
    at = header(header(at, 0x31, name_end), 0x30, name_end);
    return header(before(at, VERSION, sizeof VERSION), 0x30, end);
}

int csr_write(const char *common_name, const uint8_t point[POINT_LEN], csr_sign *sign, struct bytes *csr)
{
    uint8_t digest[DIGEST_LEN];
    uint8_t *const info_end = csr->at + sizeof csr->at - sizeof ALGORITHM - 3 - DER_SIGNATURE_LEN_MAX;
    uint8_t *start = info(info_end, common_name, point);
    sha256(start, (size_t)(info_end - start), digest);

    uint8_t *const bits = info_end + sizeof ALGORITHM;
    const size_t len = sign(digest, bits + 3);
    if (!len)
        return 1;
    memcpy(info_end, ALGORITHM, sizeof ALGORITHM);
    bits[0] = 0x03; /* BIT STRING, shorter than 128 bytes, no unused bits */
    bits[1] = (uint8_t)(len + 1);
    bits[2] = 0;
    const uint8_t *end = bits + 3 + len;
    start = header(start, 0x30, end);
    csr->len = (size_t)(end - start);
    memmove(csr->at, start, csr->len);
    return 0;
}
