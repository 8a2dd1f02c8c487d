/* mbedTLS by its PSA interface over p256-m, the small choice; nonces are from the generator. */
#include "harness.h"
#include "peer.h"

#include <string.h>

#include "mbedtls/pk.h"
#include "mbedtls/x509_csr.h"
#include "psa/crypto.h"

static psa_key_id_t key;
/* PSA keeps the secret alone, so a key is not done before its other half was computed. */
static uint8_t public[POINT_LEN];

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context, uint8_t *out, size_t size,
                                             size_t *len)
{
    (void)context;
    random_fill(out, size);
    *len = size;
    return PSA_SUCCESS;
}

int peer_open(void)
{
    return psa_crypto_init();
}

static psa_key_attributes_t attributes(psa_key_type_t type, psa_key_usage_t usage)
{
    psa_key_attributes_t made = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&made, type);
    psa_set_key_bits(&made, 256);
    psa_set_key_usage_flags(&made, usage);
    psa_set_key_algorithm(&made, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    return made;
}

static psa_key_attributes_t pair(void)
{
    return attributes(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_EXPORT);
}

static int make_secret(void)
{
    const psa_key_attributes_t wanted = pair();
    psa_destroy_key(key);
    return psa_generate_key(&wanted, &key);
}

int peer_make_key(void)
{
    size_t len;
    const int code = make_secret();
    return code ? code : psa_export_public_key(key, public, sizeof public, &len);
}

int peer_show_key(uint8_t secret[SCALAR_LEN], uint8_t point[POINT_LEN])
{
    size_t len;
    memcpy(point, public, sizeof public);
    return psa_export_key(key, secret, SCALAR_LEN, &len);
}

int peer_take_key(const uint8_t secret[SCALAR_LEN], const uint8_t point[POINT_LEN])
{
    (void)point;
    const psa_key_attributes_t wanted = pair();
    return psa_import_key(&wanted, secret, SCALAR_LEN, &key);
}

int peer_sign(const uint8_t digest[DIGEST_LEN], struct bytes *signature)
{
    return psa_sign_hash(key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, DIGEST_LEN, signature->at, sizeof signature->at,
                         &signature->len);
}

int peer_take_point(const uint8_t point[POINT_LEN])
{
    const psa_key_attributes_t wanted =
        attributes(PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1), PSA_KEY_USAGE_VERIFY_HASH);
    return psa_import_key(&wanted, point, POINT_LEN, &key);
}

int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len)
{
    (void)der, (void)der_len;
    return psa_verify_hash(key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, DIGEST_LEN, raw, SIGNATURE_LEN);
}

int peer_make_csr(const char *common_name, struct bytes *csr)
{
    char subject[80] = "CN=";
    strcat(subject, common_name);
    mbedtls_pk_context pk;
    mbedtls_x509write_csr request;
    mbedtls_pk_init(&pk);
    mbedtls_x509write_csr_init(&request);
    int code = make_secret(); /* writing asks for the other half itself */
    if (!code)
        code = mbedtls_pk_setup_opaque(&pk, key);
    if (!code) {
        mbedtls_x509write_csr_set_key(&request, &pk);
        mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
        code = mbedtls_x509write_csr_set_subject_name(&request, subject);
    }
    if (!code)
        code = mbedtls_x509write_csr_der(&request, csr->at, sizeof csr->at, NULL, NULL);
    mbedtls_x509write_csr_free(&request);
    mbedtls_pk_free(&pk);
    if (code <= 0)
        return code ? code : 1;
    /* It writes at the end of the room. */
    csr->len = (size_t)code;
    memmove(csr->at, csr->at + sizeof csr->at - csr->len, csr->len);
    return 0;
}
