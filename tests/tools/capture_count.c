/* Prints packets, first and last time, format and state of capture files, one line each, to be set
 * beside what tshark says of them: FILE TAB PACKETS TAB FIRST TAB LAST TAB FORMAT TAB STATE. */
#include "capture/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_time(int64_t ns)
{
    const char *sign = ns < 0 ? "-" : "";
    uint64_t value = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    printf("\t%s%" PRIu64 ".%09" PRIu64, sign, value / 1000000000, value % 1000000000);
}

static void count_file(const char *path, const char *filter)
{
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    const char *name = strrchr(path, '/');
    printf("%s", name != NULL ? name + 1 : path);
    struct source *source = source_open_file(path, 1, &error);
    if (source == NULL || (filter != NULL && !source_set_filter(source, filter, &error))) {
        printf("\t0\t\t\t\tfailed: %s\n", error.text);
        source_close(source);
        return;
    }
    enum source_result result;
    do {
        result = source_next(source, &packet, &error);
    } while (result == SOURCE_PACKET || result == SOURCE_IDLE);
    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    printf("\t%" PRId64, record.packets);
    if (record.packets > 0) {
        print_time(record.first_ns);
        print_time(record.last_ns);
    } else {
        printf("\t\t");
    }
    printf("\t%s", record.format);
    if (result == SOURCE_FAILED)
        printf("\tfailed: %s\n", error.text);
    else if (record.cut)
        printf("\tcut: %s at %" PRId64 "\n", record.cut_reason, record.cut_offset);
    else
        printf("\tok\n");
    intern_free(strings);
    source_close(source);
}

int main(int argc, char **argv)
{
    int first = 1;
    const char *filter = NULL;
    if (argc > 2 && strcmp(argv[1], "-f") == 0) {
        filter = argv[2];
        first = 3;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: %s [-f FILTER] FILE...\n", argv[0]);
        return 2;
    }
    for (int i = first; i < argc; i++)
        count_file(argv[i], filter);
    return 0;
}
