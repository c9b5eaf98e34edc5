/* FTP, SSH, databases, caches, brokers and what begins TLS in clear, from any bytes: the first byte names the
 * dissector, the rest is as in fuzz_stream.h. */
#include "tests/fuzz/fuzz_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"ftp", "ssh", "mysql", "postgresql", "redis", "amqp", "upgrade", "dns"};
    size_t count = 0, wanted = size > 0 ? data[0] % (sizeof words / sizeof words[0]) : 0;
    const struct dissector *const *all = dissector_list(&count);
    for (size_t i = 0; i < count && size > 0; i++) {
        if (strcmp(all[i]->name, words[wanted]) == 0)
            return fuzz_stream(all[i], data + 1, size - 1);
    }
    return size == 0 ? 0 : -1;
}
