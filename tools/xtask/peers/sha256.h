/* SHA-256 for libraries that have none. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(const uint8_t *message, size_t len, uint8_t digest[32]);

#endif
