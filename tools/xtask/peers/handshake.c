/* A whole mutual handshake with a server on the other end of the line, until its first answer. */
#include "harness.h"
#include "tls.h"

#include <string.h>

static uint8_t anchor[1024], leaf[1024], key[256];

static int operation(void)
{
    static const uint8_t QUESTION[] = "hello\n", ANSWER[] = "olleh\n";
    uint8_t answer[sizeof ANSWER - 1];
    int code = tls_connect();
    if (!code)
        code = tls_write(QUESTION, sizeof QUESTION - 1);
    /* Until it answers, the server may not have taken the device. */
    if (!code)
        code = tls_read(answer, sizeof answer);
    return code ? code : memcmp(answer, ANSWER, sizeof answer);
}

int main(void)
{
    const struct identity identity = {
        .anchor = anchor,
        .anchor_len = host_file("anchor", anchor, sizeof anchor),
        .leaf = leaf,
        .leaf_len = host_file("leaf", leaf, sizeof leaf),
        .key = key,
        .key_len = host_file("key", key, sizeof key),
        .server_name = "cloud.example",
    };
    line_open();
    const int code = tls_open(&identity);
    if (code)
        fail("taking the identity", code);
    measure(operation, 1);
    log_text("result answered\n");
    return 0;
}
