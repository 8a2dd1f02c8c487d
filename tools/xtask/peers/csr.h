/* A CSR for libraries that have no X.509: what one writes by hand. */
#ifndef CSR_H
#define CSR_H

#include "peer.h"

/* SEQUENCE { r, s }, each with a zero before its first bit. */
#define DER_SIGNATURE_LEN_MAX 72

/* Puts r and s into DER; returns the length. */
size_t csr_signature(const uint8_t raw[SIGNATURE_LEN], uint8_t der[DER_SIGNATURE_LEN_MAX]);

/* Writes a signature in DER and returns its length; 0 if it could not. */
typedef size_t csr_sign(const uint8_t digest[DIGEST_LEN], uint8_t der[DER_SIGNATURE_LEN_MAX]);

/* A CSR with a common name of at most 64 bytes, over this point. 0 if all went well. */
int csr_write(const char *common_name, const uint8_t point[POINT_LEN], csr_sign *sign, struct bytes *csr);

#endif
