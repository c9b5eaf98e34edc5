/* HTTP/2 from any bytes; see fuzz_stream.h. */
#include "dissectors/h2.h"
#include "tests/fuzz/fuzz_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_stream(&dissector_h2, data, size);
}
