#include "core/texts.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *sentence[LANG_COUNT];
};

static const struct text texts[TEXT_COUNT] = {
#define TEXT(id, en, zh) [TEXT_##id] = {{en, zh}},
#include "core/texts.def"
#undef TEXT
};

/* The words that findings carry as values, found by their English. */
static const enum text_id word_ids[] = {
#define TEXT(id, en, zh) TEXT_##id,
#include "core/texts/tokens.def"
#undef TEXT
};

const char *text_get(enum text_id id, enum language language)
{
    assert(id < TEXT_COUNT && language < LANG_COUNT);
    return texts[id].sentence[language];
}

bool text_language_find(const char *name, enum language *out)
{
    static const char *const names[LANG_COUNT] = {"en", "zh"};
    for (unsigned i = 0; i < LANG_COUNT; i++) {
        char after = '\0';
        if (strncasecmp(name, names[i], 2) == 0) {
            after = name[2];
            if (after == '\0' || after == '-' || after == '_' || after == '.') {
                *out = (enum language)i;
                return true;
            }
        }
    }
    return false;
}

static const char *find_word(const char *word, size_t len, enum language language)
{
    for (size_t i = 0; i < sizeof word_ids / sizeof word_ids[0]; i++) {
        const char *english = text_get(word_ids[i], LANG_EN);
        if (strlen(english) == len && memcmp(english, word, len) == 0) {
            return text_get(word_ids[i], language);
        }
    }
    return NULL;
}

const char *text_word(const char *word, enum language language)
{
    const char *found = find_word(word, strlen(word), language);
    return found != NULL ? found : word;
}

/* ---- UTF-8 (RFC 3629) ------------------------------------------------------------------------ */

/* Reads the character at `utf8` (not its NUL) and returns its length in bytes. A byte that starts
 * no valid character is one character, U+FFFD. Reads no byte behind a NUL. */
static size_t read_char(const char *utf8, uint32_t *out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)utf8;
    size_t len = bytes[0] < 0x80 ? 1 : bytes[0] < 0xC2 ? 0 : bytes[0] < 0xE0 ? 2
                                 : bytes[0] < 0xF0 ? 3 : bytes[0] < 0xF5 ? 4 : 0;
    *out = 0xFFFD;
    if (len == 0) {
        return 1;
    }
    if (len == 1) {
        *out = bytes[0];
        return 1;
    }
    uint32_t value = bytes[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 1;
        }
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    if (value < smallest[len] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 1;
    }
    *out = value;
    return len;
}

struct range {
    uint32_t first, last;
};

/* Unicode 15 East Asian Width W and F, by block: enough for text, not for every symbol. */
static const struct range wide_ranges[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},
    {0x2E80, 0x303E},   {0x3041, 0x4DBF},   {0x4E00, 0xA4CF},   {0xA960, 0xA97C},
    {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE10, 0xFE19},   {0xFE30, 0xFE6F},
    {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
    {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
};

/* Controls, combining marks, zero-width and direction characters. */
static const struct range zero_ranges[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD},
    {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF},
    {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x2064}, {0x20D0, 0x20FF},
    {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF},
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t character)
{
    for (size_t i = 0; i < count; i++) {
        if (character >= ranges[i].first && character <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static bool is_wide(uint32_t character)
{
    return in_ranges(wide_ranges, sizeof wide_ranges / sizeof wide_ranges[0], character);
}

static size_t char_width(uint32_t character)
{
    if (in_ranges(zero_ranges, sizeof zero_ranges / sizeof zero_ranges[0], character)) {
        return 0;
    }
    return is_wide(character) ? 2 : 1;
}

size_t text_width(const char *utf8)
{
    size_t width = 0;
    while (*utf8 != '\0') {
        uint32_t character;
        utf8 += read_char(utf8, &character);
        width += char_width(character);
    }
    return width;
}

size_t text_cut(const char *utf8, size_t length)
{
    size_t at = 0;
    while (utf8[at] != '\0') {
        uint32_t character;
        size_t len = read_char(utf8 + at, &character);
        if (at + len > length) {
            break;
        }
        at += len;
    }
    return at;
}

/* ---- Formatting ------------------------------------------------------------------------------ */

/* A bounded string that ends for good with the first character that does not fit. */
struct output {
    char *start;
    size_t size;
    size_t len;
    bool full;
};

static void put(struct output *output, const char *bytes, size_t len)
{
    while (len > 0 && !output->full) {
        uint32_t character;
        size_t step = read_char(bytes, &character);
        if (step > len) {
            step = len;
        }
        if (output->len + step + 1 > output->size) {
            output->full = true;
            break;
        }
        memcpy(output->start + output->len, bytes, step);
        output->len += step;
        bytes += step;
        len -= step;
    }
}

static void put_spaces(struct output *output, size_t count)
{
    for (size_t i = 0; i < count && !output->full; i++) {
        put(output, " ", 1);
    }
}

static size_t finish(struct output *output)
{
    if (output->size > 0) {
        output->start[output->len] = '\0';
    }
    return output->len;
}

/* Returns the length of "{name}" or, with `mark`, "{?name}" or "{+name}" at `pattern`; 0 when it is
 * none of them. */
static size_t placeholder_length(const char *pattern, const char *mark)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t before = 1 + strlen(mark);
    if (pattern[0] != '{' || strncmp(pattern + 1, mark, strlen(mark)) != 0) {
        return 0;
    }
    size_t name_len = strspn(pattern + before, letters);
    return name_len > 0 && pattern[before + name_len] == '}' ? before + name_len + 1 : 0;
}

static const char *find_value(const char *name, size_t len, const struct text_value *values,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(values[i].name) == len && memcmp(values[i].name, name, len) == 0 &&
            values[i].value != NULL) {
            return values[i].value;
        }
    }
    return NULL;
}

#define CONDITION_END "{/}"

/* "0", "0 bytes", "0.0 %": nothing was there to be told. */
static bool is_nothing(const char *value)
{
    return value[0] == '\0' || (value[0] == '0' && strpbrk(value, "123456789") == NULL);
}

/* Steps over the "{?name}" or "{+name}" at `pattern`, and over its whole part when it is not to be
 * said. */
static size_t skip_condition(const char *pattern, size_t len, const struct text_value *values,
                             size_t count)
{
    const char *value = find_value(pattern + 2, len - 3, values, count);
    bool kept = pattern[1] == '+' ? value != NULL && strcmp(value, "1") != 0
                                  : value != NULL && !is_nothing(value);
    if (kept) {
        return len;
    }
    const char *end = strstr(pattern, CONDITION_END);
    return end != NULL ? (size_t)(end - pattern) + strlen(CONDITION_END) : strlen(pattern);
}

size_t text_format(char *out, size_t size, const char *pattern, const struct text_value *values,
                   size_t count)
{
    struct output output = {out, size, 0, size == 0};
    while (*pattern != '\0' && !output.full) {
        size_t len = placeholder_length(pattern, "");
        size_t condition = placeholder_length(pattern, "?");
        condition = condition > 0 ? condition : placeholder_length(pattern, "+");
        if (len > 0) {
            const char *value = find_value(pattern + 1, len - 2, values, count);
            value = value != NULL ? value : "?";
            put(&output, value, strlen(value));
        } else if (condition > 0) {
            len = skip_condition(pattern, condition, values, count);
        } else if (strncmp(pattern, CONDITION_END, strlen(CONDITION_END)) == 0) {
            len = strlen(CONDITION_END);
        } else {
            len = 1 + strcspn(pattern + 1, "{");
            put(&output, pattern, len);
        }
        pattern += len;
    }
    return finish(&output);
}

/* A word that may be followed by its amount: "TTL 25". */
static void put_word(struct output *output, const char *word, size_t len, enum language language)
{
    const char *found = find_word(word, len, language);
    size_t end = len;
    while (end > 0 && word[end - 1] >= '0' && word[end - 1] <= '9') {
        end--;
    }
    if (found == NULL && end > 1 && end < len && word[end - 1] == ' ') {
        found = find_word(word, --end, language);
    } else {
        end = len;
    }
    if (found == NULL) {
        put(output, word, len);
        return;
    }
    put(output, found, strlen(found));
    if (end < len)
        put(output, word + end, len - end);
}

size_t text_words(char *out, size_t size, const char *words, enum language language)
{
    struct output output = {out, size, 0, size == 0};
    const char *comma = text_get(TEXT_LIST_COMMA, language);
    const char *whole = find_word(words, strlen(words), language);
    if (whole != NULL) {
        put(&output, whole, strlen(whole));
        return finish(&output);
    }
    for (;;) {
        const char *end = strstr(words, ", ");
        size_t len = end != NULL ? (size_t)(end - words) : strlen(words);
        put_word(&output, words, len, language);
        if (end == NULL) {
            return finish(&output);
        }
        put(&output, comma, strlen(comma));
        words = end + 2;
    }
}

size_t text_clean(char *out, size_t size, const char *utf8)
{
    struct output output = {out, size, 0, size == 0};
    while (*utf8 != '\0' && !output.full) {
        uint32_t character;
        unsigned char first = (unsigned char)*utf8;
        size_t len = read_char(utf8, &character);
        if (first < ' ' || first == 0x7f || (character >= 0x80 && character < 0xa0)) {
            put(&output, "?", 1);
        } else if (len == 1 && first >= 0x80) {
            put(&output, "\xEF\xBF\xBD", 3);
        } else {
            put(&output, utf8, len);
        }
        utf8 += len;
    }
    return finish(&output);
}

/* ---- Columns --------------------------------------------------------------------------------- */

/* Returns the bytes of `utf8` that take at most `columns` columns, and how many they take. */
static size_t take_columns(const char *utf8, size_t columns, size_t *out_width)
{
    size_t at = 0;
    size_t width = 0;
    while (utf8[at] != '\0') {
        uint32_t character;
        size_t len = read_char(utf8 + at, &character);
        size_t more = char_width(character);
        if (width + more > columns) {
            break;
        }
        width += more;
        at += len;
    }
    *out_width = width;
    return at;
}

static size_t fit(char *out, size_t size, const char *utf8, size_t columns, bool right)
{
    struct output output = {out, size, 0, size == 0};
    size_t width;
    size_t len = take_columns(utf8, columns, &width);
    const char *mark = "";
    if (utf8[len] != '\0' && columns > 0) {
        mark = "…";
        len = take_columns(utf8, columns - 1, &width);
        width++;
    }
    if (right) {
        put_spaces(&output, columns - width);
    }
    put(&output, utf8, len);
    put(&output, mark, strlen(mark));
    if (!right) {
        put_spaces(&output, columns - width);
    }
    return finish(&output);
}

size_t text_fit(char *out, size_t size, const char *utf8, size_t columns)
{
    return fit(out, size, utf8, columns, false);
}

size_t text_fit_right(char *out, size_t size, const char *utf8, size_t columns)
{
    return fit(out, size, utf8, columns, true);
}

/* Characters that must not begin a line. */
static bool is_closing(uint32_t character)
{
    static const uint32_t closing[] = {
        ',',    '.',    ';',    ':',    '!',    '?',    ')',    ']',    '}',    '%',    0x2019,
        0x201D, 0x2026, 0x3001, 0x3002, 0x300B, 0x300D, 0x300F, 0x3011, 0xFF01, 0xFF05, 0xFF09,
        0xFF0C, 0xFF0E, 0xFF1A, 0xFF1B, 0xFF1F};
    for (size_t i = 0; i < sizeof closing / sizeof closing[0]; i++) {
        if (character == closing[i]) {
            return true;
        }
    }
    return false;
}

/* Whether a line may end between two characters. */
static bool may_break(uint32_t before, uint32_t after)
{
    static const uint32_t opening[] = {0x2018, 0x201C, 0x300A, 0x300C, 0x300E, 0x3010, 0xFF08};
    for (size_t i = 0; i < sizeof opening / sizeof opening[0]; i++) {
        if (before == opening[i]) {
            return false;
        }
    }
    if (is_closing(after)) {
        return false;
    }
    return after == ' ' || is_wide(before) || is_wide(after);
}

size_t text_break(const char *utf8, size_t columns)
{
    size_t width;
    size_t longest = take_columns(utf8, columns, &width);
    if (utf8[longest] == '\0' || columns == 0) {
        return longest;
    }
    if (longest == 0) { /* not even one wide character fits: still go on */
        uint32_t character;
        return read_char(utf8, &character);
    }
    size_t best = 0;
    size_t at = 0;
    uint32_t before = 0;
    while (at <= longest) {
        uint32_t after;
        size_t len = read_char(utf8 + at, &after);
        bool before_unit = after == ' ' && utf8[at + len] == '%'; /* "7.2 %" stays together */
        if (at > 0 && !before_unit && may_break(before, after)) {
            best = at;
        }
        before = after;
        at += len;
    }
    return best > 0 ? best : longest;
}
