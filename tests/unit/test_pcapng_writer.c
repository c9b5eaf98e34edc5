/* The writer, read back; frames fetched again; folders. */
#include "capture/fetch.h"
#include "capture/source.h"
#include "capture/writer.h"
#include "tests/unit/test_capture_build.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for each test, and the names in it. */
struct place {
    char folder[64];
    char path[128];
};

static char *place_path(struct place *place, const char *name)
{
    snprintf(place->path, sizeof place->path, "%s/%s", place->folder, name);
    return place->path;
}

static int place_setup(void **state)
{
    static struct place place;
    strcpy(place.folder, "/tmp/invcap-test-XXXXXX");
    *state = &place;
    return mkdtemp(place.folder) != NULL ? 0 : -1;
}

static void remove_all(const char *folder)
{
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (unlink(path) == 0)
            continue;
        char inner[600];
        DIR *below = opendir(path); /* folders are one deep here */
        for (struct dirent *e = readdir(below); e != NULL; e = readdir(below)) {
            snprintf(inner, sizeof inner, "%.300s/%.200s", path, e->d_name);
            (void)unlink(inner);
        }
        closedir(below);
        rmdir(path);
    }
    closedir(dir);
    rmdir(folder);
}

static int place_teardown(void **state)
{
    struct place *place = *state;
    remove_all(place->folder);
    return 0;
}

static size_t files_in(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void write_bytes(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* ---- the writer
 * ----------------------------------------------------------------------------------- */

static const uint8_t payload[300] = {1, 2, 3, [299] = 9};

static const struct packet packets[] = {
    {.data = payload, .caplen = 61, .len = 1500, .time_ns = 1700000000123456789},
    {.data = payload, .caplen = 0, .len = 0, .time_ns = 0},
    {.data = payload, .caplen = 300, .len = 300, .time_ns = 4000000000000000000},
    {.data = payload + 1, .caplen = 2, .len = 2, .time_ns = 5},
};

#define PACKETS (sizeof packets / sizeof packets[0])

static void write_sample(const char *path)
{
    struct error error = {.code = ERROR_NONE};
    uint32_t ethernet, raw;
    struct capture_writer *writer = writer_open(path, "frames of finding 7", &error);
    assert_non_null(writer);
    assert_true(writer_interface(writer, 1, 262144, "eth0", &ethernet));
    assert_true(writer_interface(writer, 101, 0, NULL, &raw));
    assert_int_equal(ethernet, 0);
    assert_int_equal(raw, 1);
    for (size_t i = 0; i < PACKETS; i++)
        assert_true(writer_packet(writer, i % 2 == 0 ? ethernet : raw, &packets[i],
                                  i == 0 ? "SYN, 2nd \u2014 retransmission" : NULL));
    uint64_t bytes = writer_bytes(writer);
    if (!writer_close(writer, &error))
        fail_msg("%s", error.text);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, bytes);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_written_is_read(void **state)
{
    struct place *place = *state;
    struct error error = {.code = ERROR_NONE};
    struct packet packet;
    const char *path = place_path(place, "out.pcapng");
    write_sample(path);
    struct source *source = source_open_file(path, 3, &error);
    assert_non_null(source);
    for (size_t i = 0; i < PACKETS; i++) {
        assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
        assert_int_equal(packet.caplen, packets[i].caplen);
        assert_int_equal(packet.len, packets[i].len);
        assert_int_equal(packet.time_ns, packets[i].time_ns);
        assert_int_equal(packet.link_type, i % 2 == 0 ? 1 : 101);
        assert_int_equal(packet.interface_id, i % 2);
        assert_int_equal(packet.frame, i + 1);
        assert_memory_equal(packet.data, packets[i].data, packet.caplen);
    }
    assert_int_equal(source_next(source, &packet, &error), SOURCE_END);
    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    assert_false(record.cut);
    assert_string_equal(record.comment, "frames of finding 7");
    assert_string_equal(record.interfaces, "eth0");
    assert_int_equal(record.snaplen, 262144);
    assert_int_equal(strlen(record.sha256_head), 64);
    assert_string_equal(record.sha256_head, record.sha256_tail); /* shorter than 64 KiB */
    intern_free(strings);
    source_close(source);
}

static void test_writer_leaves_nothing_behind(void **state)
{
    struct place *place = *state;
    struct error error = {.code = ERROR_NONE};
    const char *path = place_path(place, "out.pcapng");
    write_bytes(path, "old", 3);
    struct capture_writer *writer = writer_open(path, NULL, &error);
    assert_int_equal(files_in(place->folder), 2);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 3); /* the old one stays until the new one is whole */
    writer_abort(writer);
    assert_int_equal(files_in(place->folder), 1);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 3);
    write_sample(path);
    assert_int_equal(files_in(place->folder), 1);
    assert_null(writer_open("/nowhere/out.pcapng", NULL, &error));
    assert_int_equal(error.code, ERROR_RUNTIME);
    assert_non_null(strstr(error.text, "/nowhere/out.pcapng"));
}

static void test_full_disk_is_told(void **state)
{
    (void)state;
    struct error error = {.code = ERROR_NONE};
    uint32_t interface;
    struct capture_writer *writer = writer_open("/dev/full", NULL, &error);
    assert_non_null(writer);
    (void)writer_interface(writer, 1, 0, NULL, &interface);
    assert_false(writer_close(writer, &error));
    assert_int_equal(error.code, ERROR_RUNTIME);
    assert_non_null(strstr(error.text, "/dev/full"));
}

/* ---- fetching
 * ------------------------------------------------------------------------------------- */

struct taken {
    uint64_t frames[8];
    size_t count, stop_after;
};

static bool take(void *self, const struct packet *packet, const char *interface)
{
    struct taken *taken = self;
    assert_string_equal(interface, packet->interface_id == 0 ? "eth0" : "");
    assert_memory_equal(packet->data, packets[packet->frame - 1].data, packet->caplen);
    taken->frames[taken->count++] = packet->frame;
    return taken->count != taken->stop_after;
}

static void test_fetch(void **state)
{
    struct place *place = *state;
    struct error error = {.code = ERROR_NONE};
    const char *path = place_path(place, "out.pcapng");
    write_sample(path);
    struct source *source = source_open_file(path, 1, &error);
    struct packet packet;
    int64_t offsets[PACKETS];
    for (size_t i = 0; i < PACKETS; i++) {
        assert_int_equal(source_next(source, &packet, &error), SOURCE_PACKET);
        offsets[i] = (int64_t)packet.offset;
    }
    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    source_close(source);

    struct fetch_source known = {path, record.size, record.sha256_head, record.sha256_tail};
    struct fetch_frame frames[] = {{2, offsets[1]}, {3, -1}};
    struct taken taken = {.count = 0};
    assert_true(capture_fetch(&known, frames, 2, take, &taken, &error));
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.frames[0], 2);
    assert_int_equal(taken.frames[1], 3);
    taken = (struct taken){.stop_after = 1};
    assert_true(capture_fetch(&known, frames, 2, take, &taken, &error));
    assert_int_equal(taken.count, 1);

    frames[1] = (struct fetch_frame){4, offsets[3] + 4}; /* not where it was */
    taken = (struct taken){.count = 0};
    assert_false(capture_fetch(&known, frames, 2, take, &taken, &error));
    assert_non_null(strstr(error.text, "frame 4"));
    frames[1] = (struct fetch_frame){99, -1};
    taken = (struct taken){.count = 0};
    assert_false(capture_fetch(&known, frames, 2, take, &taken, &error));
    assert_non_null(strstr(error.text, "frame 99"));

    int fd = open(path, O_WRONLY); /* one byte of a packet changes */
    assert_int_equal(pwrite(fd, "X", 1, offsets[0] + 28), 1);
    close(fd);
    taken = (struct taken){.count = 0};
    assert_false(capture_fetch(&known, frames, 1, take, &taken, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.text, "64 KiB"));
    assert_int_equal(taken.count, 0);
    assert_int_equal(truncate(path, 100), 0);
    assert_false(capture_fetch(&known, frames, 1, take, &taken, &error));
    assert_non_null(strstr(error.text, "bytes"));
    unlink(path);
    assert_false(capture_fetch(&known, frames, 1, take, &taken, &error));
    assert_non_null(strstr(error.text, "cannot open"));
    intern_free(strings);
}

/* ---- folders
 * -------------------------------------------------------------------------------------- */

static void test_folders(void **state)
{
    struct place *place = *state;
    static struct build b;
    b = (struct build){0};
    build_pcap(&b, 0xa1b2c3d4, 1);
    static const char *const files[] = {"b.dmp", "a.pcap10", "a.pcap2", "sub/c.pcap",
                                        ".sub/d.pcap"};
    assert_int_equal(mkdir(place_path(place, "sub"), 0700), 0);
    assert_int_equal(mkdir(place_path(place, ".sub"), 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        write_bytes(place_path(place, files[i]), b.bytes, b.len);
    write_bytes(place_path(place, "notes.txt"), "hello", 5);
    write_bytes(place_path(place, "log.gz"), "\x1f\x8b...", 5);
    write_bytes(place_path(place, "e.pcap.gz"), "\x1f\x8b...", 5); /* named so: told when opened */
    write_bytes(place_path(place, "empty.pcap"), "", 0);
    assert_int_equal(mkfifo(place_path(place, "pipe.pcap"), 0600), 0);

    char last[] = "z.pcap", first[] = "-";
    char *paths[] = {first, place->folder, last};
    static const char *const expected[] = {"a.pcap10",  "a.pcap2",    "b.dmp",
                                           "e.pcap.gz", "empty.pcap", "sub/c.pcap"};
    char **out;
    size_t count;
    struct error error = {.code = ERROR_NONE};
    assert_true(source_paths_expand(paths, 3, &out, &count, &error));
    assert_int_equal(count, 8);
    assert_string_equal(out[0], "-");
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(out[i + 1], place_path(place, expected[i]));
    assert_string_equal(out[7], "z.pcap"); /* missing: told when it is opened */
    source_paths_free(out, count);
    char *nothing[] = {place_path(place, ".sub")};
    unlink(place_path(place, ".sub/d.pcap"));
    place_path(place, ".sub");
    assert_false(source_paths_expand(nothing, 1, &out, &count, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.text, "no capture file"));
}

/* ---- interfaces
 * ----------------------------------------------------------------------------------- */

static void test_no_interface(void **state)
{
    (void)state;
    struct error error = {.code = ERROR_NONE};
    assert_null(source_open_live("nosuch0", NULL, 1, &error));
    assert_int_equal(error.code, ERROR_RUNTIME);
    assert_non_null(strstr(error.text, "nosuch0"));
    bool lists = strstr(error.text, "there are: ") != NULL;
    bool denied = strstr(error.text, "setcap") != NULL;
    assert_true(lists || denied);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_written_is_read),   TEST(test_writer_leaves_nothing_behind),
        TEST(test_full_disk_is_told), TEST(test_fetch),
        TEST(test_folders),           TEST(test_no_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
