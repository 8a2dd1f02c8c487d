/* The emulated board, as little of it as measuring takes. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stddef.h>
#include <stdint.h>

/* Writes to the log, which is the first serial port. */
void log_text(const char *text);
void log_number(uint64_t number);
/* Something for the host to check, in hexadecimal; the second part may be missing. */
void log_result(const uint8_t *first, size_t first_len, const uint8_t *second, size_t second_len);
/* Says what went wrong, and ends the emulator. */
_Noreturn void fail(const char *what, int code);

/* xorshift64 from the same seed each run, as our own images have it: what is measured is not the source. */
void random_fill(void *out, size_t len);

/* The counter stands still while a device waits. */
void count_start(void);
void count_stop(void);
uint64_t count_instructions(void);

/* Measures one operation that is run so many times, and logs the result. */
void measure(int (*operation)(void), unsigned runs);

/* What libraries allocate from. Counted: eight bytes a block besides what was asked for. */
void *heap_take(size_t size);
void *heap_take_cleared(size_t count, size_t size);
void *heap_resize(void *block, size_t size);
void heap_free(void *block);

/* The second serial port. Reading waits until all bytes are there, and gives up, not 0, if they never come. */
void line_open(void);
int line_read(uint8_t *out, size_t len);
void line_write(const uint8_t *bytes, size_t len);

/* Reads a file of the host that is beside the emulator; returns its length. */
size_t host_file(const char *name, uint8_t *out, size_t capacity);

#endif
