/* What each TLS library's file offers to handshake.c. All return 0 if they went well. */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>
#include <stdint.h>

/* What a device was delivered; DER, and the key as RFC 5915 has it. */
struct identity {
    const uint8_t *anchor, *leaf, *key;
    size_t anchor_len, leaf_len, key_len;
    const char *server_name;
};

/* Takes what was delivered. Not counted. */
int tls_open(const struct identity *identity);
/* A whole handshake. */
int tls_connect(void);
/* Sends all of it. */
int tls_write(const uint8_t *bytes, size_t len);
/* Waits until so many bytes have come. */
int tls_read(uint8_t *out, size_t len);

#endif
