/* What wolfSSL asks of its surroundings. */
#include "harness.h"

#include <wolfssl/wolfcrypt/settings.h>

int peers_random(unsigned char *out, unsigned len)
{
    random_fill(out, len);
    return 0;
}

void *XMALLOC(size_t size, void *heap, int type)
{
    (void)heap, (void)type;
    return heap_take(size);
}

void *XREALLOC(void *block, size_t size, void *heap, int type)
{
    (void)heap, (void)type;
    return heap_resize(block, size);
}

void XFREE(void *block, void *heap, int type)
{
    (void)heap, (void)type;
    heap_free(block);
}
