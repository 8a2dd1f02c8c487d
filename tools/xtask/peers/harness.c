/* Start-up, log, counting and memory on QEMU's mps2-an386, without a runtime and without interrupts.
 *
 * QEMU runs with `-icount shift=0`: an instruction takes one nanosecond of the board's time, and timer 0 runs at 25 MHz,
 * so a tick is 40 instructions. Registers: Cortex-M System Design Kit TRM, Arm DDI 0479, sections 4.2 and 4.3; their
 * addresses: Arm AN386, table 3-1. Semihosting: Arm IHI 0100 (Semihosting for AArch32 and AArch64). */
#include "harness.h"

#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

int main(void);
static _Noreturn void end(void);

/* From link.ld. */
extern uint32_t data_start, data_end, data_in_flash, bss_start, bss_end, stack_bottom, stack_top;
extern uint8_t heap_start, heap_end;

/* ---- start-up ---- */

static void on_fault(void)
{
    fail("a fault of the processor", 0);
}

_Noreturn void on_reset(void)
{
    memcpy(&data_start, &data_in_flash, (size_t)((uint8_t *)&data_end - (uint8_t *)&data_start));
    memset(&bss_start, 0, (size_t)((uint8_t *)&bss_end - (uint8_t *)&bss_start));
    REGISTER(0xE000ED88) |= 0xFu << 20; /* CPACR: the floating point unit, which the ABI takes for granted */
    __asm__ volatile("dsb\n isb");
    REGISTER(0x40004008) = 1; /* UART 0: transmit */
    REGISTER(0x40004010) = 16; /* the smallest divider that is allowed */
    REGISTER(0x40000008) = UINT32_MAX; /* timer 0: reload */
    REGISTER(0x40000004) = UINT32_MAX;
    REGISTER(0x40000000) = 1;
    main();
    end();
}

__attribute__((section(".vectors"), used)) static const void *const VECTORS[16] = {
    &stack_top, on_reset, on_fault, on_fault, on_fault, on_fault, on_fault,
};

/* ---- semihosting ---- */

static int semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int)r0;
}

static _Noreturn void end(void)
{
    const uint32_t application_exit = 0x20026;
    semihosting(0x18, (const void *)application_exit); /* SYS_EXIT */
    for (;;) {
    }
}

size_t host_file(const char *name, uint8_t *out, size_t capacity)
{
    const uint32_t open[3] = { (uint32_t)name, 1 /* rb */, strlen(name) };
    const int handle = semihosting(0x01, open); /* SYS_OPEN */
    if (handle < 0)
        fail(name, handle);
    const uint32_t read[3] = { (uint32_t)handle, (uint32_t)out, capacity };
    const int not_read = semihosting(0x06, read); /* SYS_READ */
    if (not_read <= 0)
        fail(name, not_read); /* unreadable, or so long that there may be more */
    return capacity - (size_t)not_read;
}

/* ---- log ---- */

static void send(uint32_t port, uint8_t byte)
{
    while (REGISTER(port + 4) & 1) { /* STATE: transmit buffer full */
    }
    REGISTER(port) = byte;
}

void log_text(const char *text)
{
    while (*text)
        send(0x40004000, (uint8_t)*text++);
}

void log_number(uint64_t number)
{
    char digits[21], *at = digits + 20;
    for (*at = 0; at == digits + 20 || number; number /= 10)
        *--at = (char)('0' + number % 10);
    log_text(at);
}

static void log_hex(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        send(0x40004000, (uint8_t) "0123456789abcdef"[bytes[i] >> 4]);
        send(0x40004000, (uint8_t) "0123456789abcdef"[bytes[i] & 15]);
    }
}

void log_result(const uint8_t *first, size_t first_len, const uint8_t *second, size_t second_len)
{
    log_text("result ");
    log_hex(first, first_len);
    log_hex(second, second_len);
    log_text("\n");
}

_Noreturn void fail(const char *what, int code)
{
    log_text("failed ");
    log_text(what);
    log_text(code < 0 ? " -" : " ");
    log_number((uint64_t)(code < 0 ? -(int64_t)code : code));
    log_text("\n");
    end();
}

/* ---- line ---- */

#define LINE 0x40005000

/* Half a minute of the host's, about: a server that went away does not hold the emulator for ever. */
static const uint32_t PATIENCE = 100000000;

void line_open(void)
{
    REGISTER(LINE + 0x10) = 16;
    REGISTER(LINE + 8) = 3; /* transmit and receive */
}

int line_read(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        for (uint32_t tries = 0; !(REGISTER(LINE + 4) & 2); tries++)
            if (tries == PATIENCE)
                return 1;
        out[i] = (uint8_t)REGISTER(LINE);
    }
    return 0;
}

void line_write(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        send(LINE, bytes[i]);
}

/* ---- random numbers ---- */

void random_fill(void *out, size_t len)
{
    static uint64_t state = 0x9E3779B97F4A7C15;
    uint8_t *at = out;
    while (len) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const size_t now = len < sizeof state ? len : sizeof state;
        memcpy(at, &state, now);
        at += now;
        len -= now;
    }
}

/* ---- heap ---- */

/* A block is found again by its own size; no library here asks for enough different ones to need more. */
struct block {
    uint32_t size;
    struct block *next;
};

static struct block *freed;
static uint8_t *never_used;
static uint32_t heap_used, heap_peak;

void *heap_take(size_t size)
{
    const uint32_t wanted = ((uint32_t)size + 7u) & ~7u;
    struct block **at = &freed;
    while (*at && ((*at)->size < wanted || (*at)->size > wanted + 64))
        at = &(*at)->next;
    struct block *block = *at;
    if (block) {
        *at = block->next;
    } else {
        if (!never_used)
            never_used = &heap_start;
        if ((size_t)(&heap_end - never_used) < wanted + sizeof *block)
            return NULL;
        block = (struct block *)never_used;
        never_used += wanted + sizeof *block;
        block->size = wanted;
    }
    heap_used += block->size + sizeof *block;
    if (heap_used > heap_peak)
        heap_peak = heap_used;
    return block + 1;
}

void *heap_take_cleared(size_t count, size_t size)
{
    void *at = heap_take(count * size);
    return at ? memset(at, 0, count * size) : NULL;
}

void heap_free(void *at)
{
    if (!at)
        return;
    struct block *block = (struct block *)at - 1;
    heap_used -= block->size + sizeof *block;
    block->next = freed;
    freed = block;
}

void *heap_resize(void *at, size_t size)
{
    void *grown = heap_take(size);
    if (at && grown) {
        const size_t had = ((struct block *)at - 1)->size;
        memcpy(grown, at, had < size ? had : size);
        heap_free(at);
    }
    return grown;
}

/* ---- counting ---- */

static uint32_t started_at;
static uint64_t ticks;

void count_start(void)
{
    started_at = REGISTER(0x40000004);
}

void count_stop(void)
{
    ticks += started_at - REGISTER(0x40000004); /* it counts down, modulo 2^32 */
}

uint64_t count_instructions(void)
{
    return ticks * 40;
}

/* The stack is painted from its far end up to here, less the frame of `paint` itself; what is not in that colour any
 * more afterwards was used. */
static const uint32_t PAINT = 0xC5C5C5C5;

__attribute__((noinline)) static void paint(uint32_t *top)
{
    for (volatile uint32_t *at = &stack_bottom; at < top - 16; at++)
        *at = PAINT;
}

__attribute__((noinline)) static uint32_t *deepest(void)
{
    uint32_t *at = &stack_bottom;
    while (*at == PAINT)
        at++;
    return at;
}

static void log_field(const char *name, uint64_t number)
{
    log_text(name);
    log_number(number);
}

__attribute__((noinline)) void measure(int (*operation)(void), unsigned runs)
{
    uint64_t sum = 0, min = UINT64_MAX, max = 0, stack = 0;
    for (unsigned i = 0; i < runs; i++) {
        uint32_t *top;
        __asm__ volatile("mov %0, sp" : "=r"(top));
        paint(top);
        ticks = 0;
        count_start();
        const int code = operation();
        count_stop();
        if (code)
            fail("the operation", code);
        const uint64_t count = count_instructions();
        const uint64_t used = (uint64_t)((uint8_t *)top - (uint8_t *)deepest());
        sum += count;
        min = count < min ? count : min;
        max = count > max ? count : max;
        stack = used > stack ? used : stack;
    }
    log_field("measured instructions=", sum / runs);
    log_field(" min=", min);
    log_field(" max=", max);
    log_field(" stack=", stack);
    /* Since reset: what stays allocated between operations is memory that others have not. */
    log_field(" heap=", heap_peak);
    log_text("\n");
}
