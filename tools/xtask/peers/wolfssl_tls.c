/* wolfSSL as a client of TLS 1.3. */
#include "harness.h"
#include "tls.h"

#include <string.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

static WOLFSSL *ssl;

static int line_send(WOLFSSL *of, char *bytes, int len, void *context)
{
    (void)of, (void)context;
    line_write((const uint8_t *)bytes, (size_t)len);
    return len;
}

/* It asks for what it needs and not for more. */
static int line_receive(WOLFSSL *of, char *out, int len, void *context)
{
    (void)of, (void)context;
    count_stop();
    const int code = line_read((uint8_t *)out, (size_t)len);
    count_start();
    return code ? WOLFSSL_CBIO_ERR_TIMEOUT : len;
}

int tls_open(const struct identity *identity)
{
    const int der = WOLFSSL_FILETYPE_ASN1;
    wolfSSL_Init();
    WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    if (!context)
        return 1;
    if (wolfSSL_CTX_load_verify_buffer(context, identity->anchor, (long)identity->anchor_len, der) != WOLFSSL_SUCCESS)
        return 2;
    if (wolfSSL_CTX_use_certificate_buffer(context, identity->leaf, (long)identity->leaf_len, der) != WOLFSSL_SUCCESS)
        return 3;
    if (wolfSSL_CTX_use_PrivateKey_buffer(context, identity->key, (long)identity->key_len, der) != WOLFSSL_SUCCESS)
        return 4;
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, NULL);
    wolfSSL_CTX_SetIORecv(context, line_receive);
    wolfSSL_CTX_SetIOSend(context, line_send);
    ssl = wolfSSL_new(context);
    if (!ssl)
        return 5;
    const char *name = identity->server_name;
    if (wolfSSL_check_domain_name(ssl, name) != WOLFSSL_SUCCESS)
        return 6;
    if (wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, (unsigned short)strlen(name)) != WOLFSSL_SUCCESS)
        return 7;
    return 0;
}

int tls_connect(void)
{
    /* Else it offers a share for a curve that the server may not take, and is asked again. */
    if (wolfSSL_UseKeyShare(ssl, WOLFSSL_ECC_SECP256R1) != WOLFSSL_SUCCESS)
        return 1;
    const int code = wolfSSL_connect(ssl);
    return code == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(ssl, code);
}

int tls_write(const uint8_t *bytes, size_t len)
{
    return wolfSSL_write(ssl, bytes, (int)len) == (int)len ? 0 : 1;
}

int tls_read(uint8_t *out, size_t len)
{
    while (len) {
        const int got = wolfSSL_read(ssl, out, (int)len);
        if (got <= 0)
            return wolfSSL_get_error(ssl, got);
        out += got;
        len -= (size_t)got;
    }
    return 0;
}
