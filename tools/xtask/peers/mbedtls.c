/* mbedTLS by its own elliptic curves; nonces are from the generator. */
#include "harness.h"
#include "peer.h"

#include <string.h>

#include "mbedtls/ecp.h"
#include "mbedtls/pk.h"
#include "mbedtls/x509_csr.h"

static mbedtls_pk_context key;

static int random(void *context, unsigned char *out, size_t len)
{
    (void)context;
    random_fill(out, len);
    return 0;
}

int peer_open(void)
{
    return 0;
}

/* Empty, for a key on this curve. */
static int renew(void)
{
    mbedtls_pk_free(&key);
    mbedtls_pk_init(&key);
    return mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
}

int peer_make_key(void)
{
    const int code = renew();
    return code ? code : mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random, NULL);
}

int peer_show_key(uint8_t secret[SCALAR_LEN], uint8_t point[POINT_LEN])
{
    size_t len;
    const int code = mbedtls_ecp_write_key_ext(mbedtls_pk_ec(key), &len, secret, SCALAR_LEN);
    if (code)
        return code;
    return mbedtls_ecp_write_public_key(mbedtls_pk_ec(key), MBEDTLS_ECP_PF_UNCOMPRESSED, &len, point, POINT_LEN);
}

int peer_take_key(const uint8_t secret[SCALAR_LEN], const uint8_t point[POINT_LEN])
{
    (void)point;
    const int code = renew();
    return code ? code : mbedtls_ecp_read_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), secret, SCALAR_LEN);
}

int peer_sign(const uint8_t digest[DIGEST_LEN], struct bytes *signature)
{
    return mbedtls_pk_sign(&key, MBEDTLS_MD_SHA256, digest, DIGEST_LEN, signature->at, sizeof signature->at,
                           &signature->len, random, NULL);
}

int peer_take_point(const uint8_t point[POINT_LEN])
{
    mbedtls_ecp_group curve;
    mbedtls_ecp_point taken;
    mbedtls_ecp_group_init(&curve);
    mbedtls_ecp_point_init(&taken);
    int code = renew();
    if (!code)
        code = mbedtls_ecp_group_load(&curve, MBEDTLS_ECP_DP_SECP256R1);
    if (!code)
        code = mbedtls_ecp_point_read_binary(&curve, &taken, point, POINT_LEN);
    if (!code)
        code = mbedtls_ecp_set_public_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), &taken);
    mbedtls_ecp_point_free(&taken);
    mbedtls_ecp_group_free(&curve);
    return code;
}

int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len)
{
    (void)raw;
    return mbedtls_pk_verify(&key, MBEDTLS_MD_SHA256, digest, DIGEST_LEN, der, der_len);
}

int peer_make_csr(const char *common_name, struct bytes *csr)
{
    char subject[80] = "CN=";
    strcat(subject, common_name);
    mbedtls_x509write_csr request;
    mbedtls_x509write_csr_init(&request);
    int code = peer_make_key();
    if (!code) {
        mbedtls_x509write_csr_set_key(&request, &key);
        mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
        code = mbedtls_x509write_csr_set_subject_name(&request, subject);
    }
    if (!code)
        code = mbedtls_x509write_csr_der(&request, csr->at, sizeof csr->at, random, NULL);
    mbedtls_x509write_csr_free(&request);
    if (code <= 0)
        return code ? code : 1;
    /* It writes at the end of the room. */
    csr->len = (size_t)code;
    memmove(csr->at, csr->at + sizeof csr->at - csr->len, csr->len);
    return 0;
}
