/* One operation of one library, chosen by -DMEASURE_…, so that the size of the image is that operation's. */
#include "harness.h"
#include "peer.h"
#include "vectors.h"

#include <string.h>

/* As many as our own images are run. */
#define RUNS 16

/* For the host; where it is, is written in link.ld, so that it counts as nobody's memory. */
extern struct bytes given;

#if defined(MEASURE_KEY)

static int operation(void)
{
    return peer_make_key();
}

static void prepare(void)
{
}

static void show(void)
{
    uint8_t secret[SCALAR_LEN], point[POINT_LEN];
    const int code = peer_show_key(secret, point);
    if (code)
        fail("showing the key", code);
    log_result(secret, sizeof secret, point, sizeof point);
}

#elif defined(MEASURE_SIGN)

static uint8_t digest[DIGEST_LEN];

static int operation(void)
{
    digest[0] += 7; /* another one each time */
    given.len = 0;
    return peer_sign(digest, &given);
}

static void prepare(void)
{
    memcpy(digest, DIGEST, sizeof digest);
    const int code = peer_take_key(SECRET, POINT);
    if (code)
        fail("taking the key", code);
}

static void show(void)
{
    log_result(digest, sizeof digest, given.at, given.len);
}

#elif defined(MEASURE_VERIFY)

static uint8_t digest[DIGEST_LEN], raw[SIGNATURE_LEN];

static int operation(void)
{
    return peer_verify(digest, raw, SIGNATURE, sizeof SIGNATURE);
}

static void prepare(void)
{
    memcpy(digest, DIGEST, sizeof digest);
    memcpy(raw, SIGNATURE + 5, 32);
    memcpy(raw + 32, SIGNATURE + 40, 32);
    const int code = peer_take_point(POINT);
    if (code)
        fail("taking the point", code);
}

/* One that says yes to everything is fast. */
static void show(void)
{
    digest[31] ^= 1;
    if (operation() == 0)
        fail("a bad signature passed", 0);
    log_text("result refused\n");
}

#elif defined(MEASURE_CSR)

/* As long as that of our own image. */
#define COMMON_NAME "nrf-351358811124772"

static int operation(void)
{
    return peer_make_csr(COMMON_NAME, &given);
}

static void prepare(void)
{
}

static void show(void)
{
    log_result(given.at, given.len, NULL, 0);
}

#else /* nothing: what all images have in common */

int peer_open(void)
{
    return 0;
}

static int operation(void)
{
    return 0;
}

static void prepare(void)
{
}

static void show(void)
{
    log_result(NULL, 0, NULL, 0);
}

#endif

int main(void)
{
    const int code = peer_open();
    if (code)
        fail("opening the library", code);
    prepare();
    measure(operation, RUNS);
    show();
    return 0;
}
