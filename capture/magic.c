#include "capture/magic.h"

#include "core/bytes.h"
#include "core/digest.h"

#include <string.h>

/* Bytes that are looked at for a guess. */
#define MAGIC_LOOK_BYTES 256
#define MAGIC_TO_PCAPNG "convert it with: editcap -F pcapng IN OUT.pcapng"

static const struct {
    const char *bytes;
    size_t len;
    const char *what;
    const char *remedy;
} magic_known[] = {
    {"snoop\0\0\0", 8, "a Solaris snoop capture", MAGIC_TO_PCAPNG},
    {"GMBU", 4, "a Microsoft Network Monitor capture", MAGIC_TO_PCAPNG},
    {"RTSS", 4, "a Microsoft Network Monitor 1 capture", MAGIC_TO_PCAPNG},
    {"TRSNIFF data", 12, "a Sniffer capture", MAGIC_TO_PCAPNG},
    {"XCP\0", 4, "a NetXRay or Sniffer capture", MAGIC_TO_PCAPNG},
    {"btsnoop\0", 8, "a Bluetooth snoop log", "capture the network interface instead"},
    {"SQLite format 3", 15, "a SQLite database", "if invcap wrote it: invcap report FILE"},
    {"PK\x03\x04", 4, "a ZIP archive", "unpack it first: unzip FILE"},
    {"7z\xbc\xaf\x27\x1c", 6, "a 7-Zip archive", "unpack it first: 7z x FILE"},
    {"Rar!", 4, "a RAR archive", "unpack it first"},
    {"\177ELF", 4, "a program", "name the capture file"},
    {"%PDF", 4, "a PDF document", "name the capture file"},
    {"MZ", 2, "a Windows program", "name the capture file"},
};

/* ETL begins with a WMI buffer: its size, a multiple of 1 KiB up to 1 MiB, then the used part. */
static bool magic_is_etl(const uint8_t *bytes, size_t len)
{
    struct cursor c = cur_of(bytes, len);
    uint32_t size = cur_u32le(&c);
    uint32_t used = cur_u32le(&c);
    return cur_ok(&c) && size >= 1024 && size <= 1024 * 1024 && size % 1024 == 0 && used > 0 &&
           used <= size;
}

/* Printable ASCII and UTF-8, loosely: what continues a character stands behind what begins one. */
static bool magic_is_text(const uint8_t *bytes, size_t len)
{
    uint8_t before = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = bytes[i];
        bool space = byte == '\n' || byte == '\r' || byte == '\t';
        bool continues = byte >= 0x80 && byte < 0xc0;
        if ((byte < 0x20 && !space) || byte == 0x7f || (continues && before < 0x80))
            return false;
        before = byte;
    }
    return true;
}

static bool magic_is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static void magic_guess(const uint8_t *bytes, size_t len, const char **what, const char **remedy)
{
    for (size_t i = 0; i < sizeof magic_known / sizeof magic_known[0]; i++) {
        if (len < magic_known[i].len ||
            memcmp(bytes, magic_known[i].bytes, magic_known[i].len) != 0)
            continue;
        *what = magic_known[i].what;
        *remedy = magic_known[i].remedy;
        return;
    }
    *what = "nothing known here";
    *remedy = "pcap and pcapng are read, also compressed; convert others with: "
              "editcap -F pcapng IN OUT.pcapng";
    if (magic_is_zero(bytes, len)) {
        *what = "zeros";
        *remedy = "the space was reserved and never written (full disk, crash): copy it again "
                  "from where it was made";
    } else if (magic_is_text(bytes, len)) {
        *what = "text";
        *remedy = "what tcpdump prints is not enough: write packets with: tcpdump -w FILE; a hex "
                  "dump is converted with: text2pcap";
    } else if (magic_is_etl(bytes, len)) {
        *what = "a Windows ETL trace";
        *remedy = "convert it on Windows with: pktmon etl2pcap FILE, or with etl2pcapng";
    }
}

bool magic_refuse(const char *path, const uint8_t *bytes, size_t len, struct error *error)
{
    if (len == 0)
        return error_set(error, ERROR_INPUT,
                         "%s: the file is empty, not even a capture header was written: capture "
                         "again, and let the capture program end by itself",
                         path);
    if (len > MAGIC_LOOK_BYTES)
        len = MAGIC_LOOK_BYTES;
    char hex[2 * 8 + 1];
    hex_from_bytes(bytes, len < 8 ? len : 8, hex);
    if (len < 4)
        return error_set(error, ERROR_INPUT,
                         "%s: the file ends at byte %zu (%s), too short for a capture: copy it "
                         "again from where it was made",
                         path, len, hex);
    const char *what;
    const char *remedy;
    magic_guess(bytes, len, &what, &remedy);
    return error_set(error, ERROR_INPUT,
                     "%s: no capture file: at byte 0 stands %s, this looks like %s; %s", path, hex,
                     what, remedy);
}
