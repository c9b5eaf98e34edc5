/* What makes long runs affordable, in the libFuzzer programs alone; the replay of the seeds goes without.
 *
 * OpenSSL's own small allocations (some thousand for a public key) come from pools with the guards of
 * AddressSanitizer: every block ends at its last byte, has 16 poisoned bytes before and at least 8 behind,
 * and what is given back stays poisoned until 64 of its size have been given back after it. What leaks from
 * them shows in the replay.
 *
 * A certificate that was parsed a moment ago, in the same input or the one that this was made of, is not
 * parsed again, save one in 16 (by its bytes), so that its lifetime is under test, too. */
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { STEP = 32, CLASSES = 128, FRONT = 16, BEHIND = 8, HELD = 64, LARGE = CLASSES, SLAB = 1 << 20 };
enum { PARSED = 64, PARSED_BYTES = 8192 };

struct block {
    struct block *next;
    uint32_t kind;
    uint32_t size;
};

/* Given back, oldest first. */
struct pool {
    struct block *first, *last;
    size_t count;
};

static struct pool pools[CLASSES];
static char *slab;
static size_t slab_left;

int LLVMFuzzerInitialize(int *argc, char ***argv);
X509 *__real_d2i_X509(X509 **out, const unsigned char **at, long len);
X509 *__wrap_d2i_X509(X509 **out, const unsigned char **at, long len);

__attribute__((no_sanitize("address"))) static struct block *reuse(struct pool *pool)
{
    struct block *block = pool->first;
    pool->first = block->next;
    pool->count--;
    return block;
}

static struct block *cut(size_t bytes)
{
    if (slab_left < bytes) {
        slab = malloc(SLAB);
        if (slab == NULL)
            abort();
        ASAN_POISON_MEMORY_REGION(slab, SLAB);
        slab_left = SLAB;
    }
    struct block *block = (struct block *)(void *)slab;
    slab += bytes;
    slab_left -= bytes;
    return block;
}

__attribute__((no_sanitize("address"))) static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0)
        return NULL;
    size_t kind = (size + BEHIND + STEP - 1) / STEP;
    if (kind >= CLASSES) {
        struct block *large = malloc(FRONT + size);
        if (large == NULL)
            return NULL;
        large->kind = LARGE;
        large->size = (uint32_t)size;
        return (char *)large + FRONT;
    }
    struct pool *pool = &pools[kind];
    struct block *block = pool->count > HELD ? reuse(pool) : cut(FRONT + kind * STEP);
    block->kind = (uint32_t)kind;
    block->size = (uint32_t)size;
    ASAN_UNPOISON_MEMORY_REGION((char *)block + FRONT, size);
    return (char *)block + FRONT;
}

__attribute__((no_sanitize("address"))) static void give_back(void *bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    if (bytes == NULL)
        return;
    struct block *block = (struct block *)(void *)((char *)bytes - FRONT);
    if (block->kind == LARGE) {
        free(block);
        return;
    }
    if (block->size == 0 || block->kind == 0 || block->kind >= CLASSES)
        abort(); /* given back twice, or not from here */
    ASAN_POISON_MEMORY_REGION(bytes, block->size);
    block->size = 0;
    block->next = NULL;
    struct pool *pool = &pools[block->kind];
    if (pool->count++ == 0)
        pool->first = block;
    else
        pool->last->next = block;
    pool->last = block;
}

__attribute__((no_sanitize("address"))) static void *resize(void *bytes, size_t size, const char *file,
                                                            int line)
{
    void *made = take(size, file, line);
    if (bytes != NULL && (made != NULL || size == 0)) {
        const struct block *block = (const struct block *)(void *)((char *)bytes - FRONT);
        if (made != NULL)
            memcpy(made, bytes, block->size < size ? block->size : size);
        give_back(bytes, file, line);
    }
    return made;
}

X509 *__wrap_d2i_X509(X509 **out, const unsigned char **at, long len)
{
    static struct {
        X509 *certificate; /* NULL: it is none */
        long len, used;
        uint8_t bytes[PARSED_BYTES];
    } parsed[PARSED];
    if (out != NULL || len <= 0 || len > PARSED_BYTES)
        return __real_d2i_X509(out, at, len);
    const unsigned char *start = *at;
    uint64_t hash = XXH3_64bits(start, (size_t)len);
    size_t i = hash % PARSED;
    if (parsed[i].len == len && memcmp(parsed[i].bytes, start, (size_t)len) == 0) {
        *at += parsed[i].used;
        if (parsed[i].certificate != NULL)
            X509_up_ref(parsed[i].certificate);
        return parsed[i].certificate;
    }
    X509 *made = __real_d2i_X509(NULL, at, len);
    if ((hash >> 32) % 16 == 0)
        return made;
    X509_free(parsed[i].certificate);
    parsed[i].certificate = made;
    parsed[i].len = len;
    parsed[i].used = *at - start;
    memcpy(parsed[i].bytes, start, (size_t)len);
    if (made != NULL)
        X509_up_ref(made);
    return made;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (CRYPTO_set_mem_functions(take, resize, give_back) != 1)
        abort();
    return 0;
}
