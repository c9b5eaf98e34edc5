#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes a half UTF-8 sequence off the end of a text that was cut at its capacity. */
static void trim_partial_utf8(char *text)
{
    size_t len = strlen(text);
    size_t back = 0;
    while (back < 3 && back < len && ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back == len)
        return;
    unsigned char lead = (unsigned char)text[len - 1 - back];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (need > back + 1)
        text[len - 1 - back] = '\0';
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (error == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    if (written >= (int)sizeof error->text)
        trim_partial_utf8(error->text);
    return false;
}
