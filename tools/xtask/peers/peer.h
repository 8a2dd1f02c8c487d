/* What each library's file offers to main.c, in the same words for all.
 *
 * An image measures one of these operations and links no other. All return 0 if they went well. What has to be at hand
 * before is given by the `take` functions, which are not counted. */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>

#define SCALAR_LEN 32
#define POINT_LEN 65 /* 04, x, y */
#define DIGEST_LEN 32
#define SIGNATURE_LEN 64 /* r, s */

/* What an operation gives, for the host to check. */
struct bytes {
    uint8_t at[512];
    size_t len;
};

/* Opens the library. Not counted. */
int peer_open(void);

/* A new key, with both its halves, in the library's own form. */
int peer_make_key(void);
/* The key that was made: secret, then point. Not counted. */
int peer_show_key(uint8_t secret[SCALAR_LEN], uint8_t point[POINT_LEN]);

/* A key to sign with. Not counted. */
int peer_take_key(const uint8_t secret[SCALAR_LEN], const uint8_t point[POINT_LEN]);
/* A signature over a digest, as the library writes it: in DER, or r and s. */
int peer_sign(const uint8_t digest[DIGEST_LEN], struct bytes *signature);

/* A key to verify with. Not counted. */
int peer_take_point(const uint8_t point[POINT_LEN]);
/* Whether the signature, of which both forms are given, is good. */
int peer_verify(const uint8_t digest[DIGEST_LEN], const uint8_t raw[SIGNATURE_LEN], const uint8_t *der, size_t der_len);

/* A new key and the CSR over it. */
int peer_make_csr(const char *common_name, struct bytes *csr);

#endif
