/* mbedTLS as a client of TLS 1.3, over its own elliptic curves or over p256-m. */
#include "harness.h"
#include "tls.h"

#include "mbedtls/pk.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"

static mbedtls_ssl_context ssl;
static mbedtls_ssl_config config;
static mbedtls_x509_crt anchor, leaf;
static mbedtls_pk_context key;

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context, uint8_t *out, size_t size,
                                             size_t *len)
{
    (void)context;
    random_fill(out, size);
    *len = size;
    return PSA_SUCCESS;
}

static int random(void *context, unsigned char *out, size_t len)
{
    (void)context;
    random_fill(out, len);
    return 0;
}

static int line_send(void *context, const unsigned char *bytes, size_t len)
{
    (void)context;
    line_write(bytes, len);
    return (int)len;
}

/* It asks for what it needs and not for more. */
static int line_receive(void *context, unsigned char *out, size_t len)
{
    (void)context;
    count_stop();
    const int code = line_read(out, len);
    count_start();
    return code ? MBEDTLS_ERR_SSL_TIMEOUT : (int)len;
}

int tls_open(const struct identity *identity)
{
    int code = psa_crypto_init();
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&anchor);
    mbedtls_x509_crt_init(&leaf);
    mbedtls_pk_init(&key);
    if (!code)
        code = mbedtls_x509_crt_parse_der_nocopy(&anchor, identity->anchor, identity->anchor_len);
    if (!code)
        code = mbedtls_x509_crt_parse_der_nocopy(&leaf, identity->leaf, identity->leaf_len);
    if (!code)
        code = mbedtls_pk_parse_key(&key, identity->key, identity->key_len, NULL, 0, random, NULL);
    if (!code)
        code = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                           MBEDTLS_SSL_PRESET_DEFAULT);
    if (code)
        return code;
    mbedtls_ssl_conf_rng(&config, random, NULL);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &anchor, NULL);
    code = mbedtls_ssl_conf_own_cert(&config, &leaf, &key);
    if (!code)
        code = mbedtls_ssl_setup(&ssl, &config);
    if (!code)
        code = mbedtls_ssl_set_hostname(&ssl, identity->server_name);
    mbedtls_ssl_set_bio(&ssl, NULL, line_send, line_receive, NULL);
    return code;
}

int tls_connect(void)
{
    return mbedtls_ssl_handshake(&ssl);
}

int tls_write(const uint8_t *bytes, size_t len)
{
    return mbedtls_ssl_write(&ssl, bytes, len) == (int)len ? 0 : 1;
}

int tls_read(uint8_t *out, size_t len)
{
    while (len) {
        const int got = mbedtls_ssl_read(&ssl, out, len);
        if (got <= 0)
            return got ? got : 1;
        out += got;
        len -= (size_t)got;
    }
    return 0;
}
