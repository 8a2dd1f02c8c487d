/* wolfSSL's wolfCrypt with P-256 in assembler; nonces are from the generator. */
#include "harness.h"
#include "peer.h"

#include <string.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

static WC_RNG rng;
static ecc_key key;

int peer_open(void)
{
    const int code = wc_InitRng(&rng);
    return code ? code : wc_ecc_init(&key);
}

static int renew(void)
{
    wc_ecc_free(&key);
    return wc_ecc_init(&key);
}

int peer_make_key(void)
{
    const int code = renew();
    return code ? code : wc_ecc_make_key_ex(&rng, SCALAR_LEN, &key, ECC_SECP256R1);
}

int peer_show_key(uint8_t secret[SCALAR_LEN], uint8_t point[POINT_LEN])
{
    word32 len = SCALAR_LEN;
    const int code = wc_ecc_export_private_only(&key, secret, &len);
    len = POINT_LEN;
    return code ? code : wc_ecc_export_x963(&key, point, &len);
}

int peer_take_key(const uint8_t secret[SCALAR_LEN], const uint8_t point[POINT_LEN])
{
    return wc_ecc_import_private_key_ex(secret, SCALAR_LEN, point, POINT_LEN, &key, ECC_SECP256R1);
}

int peer_sign(const uint8_t digest[DIGEST_LEN], struct bytes *signature)
{
    word32 len = sizeof signature->at;
    const int code = wc_ecc_sign_hash(digest, DIGEST_LEN, signature->at, &len, &rng, &key);
    signature->len = len;
    return code;
}

int peer_take_point(const uint8_t point[POINT_LEN])
{
    return wc_ecc_import_x963_ex(point, POINT_LEN, &key, ECC_SECP256R1);
}

int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len)
{
    (void)raw;
    int good = 0;
    const int code = wc_ecc_verify_hash(der, (word32)der_len, digest, DIGEST_LEN, &good, &key);
    return code ? code : !good;
}

int peer_make_csr(const char *common_name, struct bytes *csr)
{
    static Cert request; /* five kilobytes: static RAM here, and not stack */
    int code = peer_make_key();
    if (!code)
        code = wc_InitCert(&request);
    if (code)
        return code;
    strcpy(request.subject.commonName, common_name);
    request.sigType = CTC_SHA256wECDSA;
    request.version = 0;
    code = wc_MakeCertReq_ex(&request, csr->at, sizeof csr->at, ECC_TYPE, &key);
    if (code >= 0)
        code = wc_SignCert_ex(request.bodySz, request.sigType, csr->at, sizeof csr->at, ECC_TYPE, &key, &rng);
    if (code < 0)
        return code;
    csr->len = (size_t)code;
    return 0;
}
