#include "dissectors/sct.h"

#include "core/limits.h"

/* version 1 | log id 32 | timestamp 8 | extensions 2.. | signature: algorithm 2, 2.. */
enum { LOG_ID_LEN = 32, TIMESTAMP_LEN = 8, ALGORITHM_LEN = 2, VERSION_1 = 0 };

/* The id of its log; NULL when it is not whole. */
static const uint8_t *read_one(struct cursor sct)
{
    uint8_t version = cur_u8(&sct);
    const uint8_t *log_id = cur_take(&sct, LOG_ID_LEN);
    cur_skip(&sct, TIMESTAMP_LEN);
    cur_skip(&sct, cur_u16(&sct));
    cur_skip(&sct, ALGORITHM_LEN);
    cur_skip(&sct, cur_u16(&sct));
    return cur_ok(&sct) && version == VERSION_1 ? log_id : NULL;
}

const char *sct_list_read(struct cursor list, struct intern *strings, uint32_t *count)
{
    static const char hex[] = "0123456789abcdef";
    char text[LIMIT_SCT_LOGS * (2 * LOG_ID_LEN + 1)];
    size_t len = 0;
    struct cursor items = cur_cut(&list, cur_u16(&list));
    *count = 0;
    while (cur_left(&items) > 0) {
        struct cursor sct = cur_cut(&items, cur_u16(&items));
        const uint8_t *log_id = cur_ok(&items) ? read_one(sct) : NULL;
        if (log_id == NULL)
            break;
        if (*count < LIMIT_SCT_LOGS) {
            if (len > 0)
                text[len++] = ',';
            for (size_t i = 0; i < LOG_ID_LEN; i++) {
                text[len++] = hex[log_id[i] >> 4];
                text[len++] = hex[log_id[i] & 15];
            }
        }
        ++*count;
    }
    return len > 0 ? intern_bytes(strings, text, len) : NULL;
}
