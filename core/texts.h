/* Every sentence a user sees, in English and Chinese (zh-CN), and the means to print it.
 *
 * core/texts.def lists TEXT(id, "English", "Chinese"). A pattern holds named values in braces:
 * "no answer from {server} after {attempts} attempts". A value string already carries its unit
 * ("7.0 s", "1,460 bytes"), so that no pattern writes one. What stands between "{?name}" and "{/}"
 * is left out when that value is not known, empty or zero; what stands between "{+name}" and "{/}"
 * when the value is 1 ("{n} packet{+n}s{/}"); such parts do not nest.
 * All strings are UTF-8. Nothing here asks the locale. */
#ifndef INVCAP_CORE_TEXTS_H
#define INVCAP_CORE_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

enum language { LANG_EN, LANG_ZH, LANG_COUNT };

enum text_id {
#define TEXT(id, en, zh) TEXT_##id,
#include "core/texts.def"
#undef TEXT
    TEXT_COUNT
};

/* A named value of a pattern; borrows both strings. */
struct text_value {
    const char *name;
    const char *value;
};

/* Returns the sentence `id` in `language`: constant, never NULL, "" where it is left empty. */
const char *text_get(enum text_id id, enum language language);

/* Finds a language by its stable word ("en", "zh", also "zh-CN", "zh_CN.UTF-8", in capitals or
 * not); false, `out` untouched, when it is neither. */
bool text_language_find(const char *name, enum language *out);

/* Returns the translation of one stable English word that a finding carries as a value ("server",
 * "client", "ServerHello"), or `word` itself when it is not a word of the list. */
const char *text_word(const char *word, enum language language);

/* Writes the words of a list joined by ", ", each translated where text_word() knows it. Bounded
 * and cut like text_format(); returns the bytes written without the NUL. */
size_t text_words(char *out, size_t size, const char *words, enum language language);

/* Writes `pattern` with every {name} replaced by the value of that name ("?" when there is none or
 * it is NULL; a brace that encloses no name stays as it is). Always ends `out` with NUL when
 * size > 0, cuts at the start of a character, and returns the bytes written without the NUL. */
size_t text_format(char *out, size_t size, const char *pattern, const struct text_value *values,
                   size_t count);

/* Returns the terminal columns of `utf8`: 2 for CJK and full-width characters, 0 for combining
 * marks and control characters, 1 otherwise. A byte that is not UTF-8 counts 1. */
size_t text_width(const char *utf8);

/* Writes `utf8` cut and padded with spaces to exactly `columns` terminal columns; what is cut ends
 * in "…". Returns the bytes written without the NUL. `size` should be 4 * columns + 4 or more; a
 * smaller buffer cuts earlier and is never overrun. */
size_t text_fit(char *out, size_t size, const char *utf8, size_t columns);

/* The same, with the spaces in front (numbers). */
size_t text_fit_right(char *out, size_t size, const char *utf8, size_t columns);

/* Copies `utf8` as something that a terminal may show: control characters become '?', bytes that are
 * no UTF-8 U+FFFD. Bounded and cut like text_format(); returns the bytes written without the NUL. */
size_t text_clean(char *out, size_t size, const char *utf8);

/* Returns the byte length of the longest start of `utf8` that a line of `columns` columns takes:
 * up to a space for words, between any two CJK characters, never before a closing mark. A word
 * longer than the line is cut. Zero only for "" or zero columns. Skip leading spaces of the rest
 * before the next line. */
size_t text_break(const char *utf8, size_t columns);

/* Returns the largest n <= length with no character of `utf8` cut in two. */
size_t text_cut(const char *utf8, size_t length);

#endif
