#include "dissectors/datagram.h"

#define DATAGRAM(symbol) extern const struct datagram_dissector symbol;
#include "dissectors/datagrams.def"
#undef DATAGRAM

const struct datagram_dissector *const *datagram_dissector_list(void)
{
    static const struct datagram_dissector *const list[] = {
#define DATAGRAM(symbol) &symbol,
#include "dissectors/datagrams.def"
#undef DATAGRAM
        NULL};
    return list;
}
