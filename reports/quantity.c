#include "reports/quantity.h"

#include "reports/view.h"

#include <math.h>
#include <stdio.h>

static char *counted(double number, enum text_id one, enum text_id many, enum language language,
                     char out[QUANTITY_SIZE])
{
    char digits[VIEW_TIME_SIZE];
    bool whole = number == 1.0;
    snprintf(out, QUANTITY_SIZE, "%s %s", view_number((int64_t)llround(number), digits),
             text_get(whole ? one : many, language));
    return out;
}

static char *duration(double ns, enum language language, char out[QUANTITY_SIZE])
{
    char text[VIEW_TIME_SIZE];
    snprintf(out, QUANTITY_SIZE, "%s%s", ns < 0 ? "-" : "",
             view_duration((int64_t)llround(fabs(ns)), language, text));
    return out;
}

char *quantity_text(enum value_unit unit, double number, enum language language,
                    char out[QUANTITY_SIZE])
{
    char digits[VIEW_TIME_SIZE];
    if (!(fabs(number) < 9e15)) { /* no honest value: also NaN */
        snprintf(out, QUANTITY_SIZE, "?");
        return out;
    }
    switch (unit) {
    case UNIT_MS:
        return duration(number * 1e6, language, out);
    case UNIT_S:
        return duration(number < 9e6 ? number * 1e9 : 9e15, language, out);
    case UNIT_BYTES:
    case UNIT_MTU:
        return counted(number, TEXT_UNIT_BYTE, TEXT_UNIT_BYTES, language, out);
    case UNIT_DAYS:
        return counted(number, TEXT_UNIT_DAY, TEXT_UNIT_DAYS, language, out);
    case UNIT_PERCENT:
        snprintf(out, QUANTITY_SIZE, number != floor(number) && number < 10 ? "%.1f %%" : "%.0f %%",
                 number);
        return out;
    case UNIT_RATIO:
        snprintf(out, QUANTITY_SIZE, "%.1f %s", number, text_get(TEXT_UNIT_TIMES, language));
        return out;
    case UNIT_PORT:
    case UNIT_TTL:
        snprintf(out, QUANTITY_SIZE, "%.0f", number);
        return out;
    case UNIT_COUNT:
    case UNIT_TEXT:
    case UNIT_IP:
    case UNIT_KINDS:
        break;
    }
    snprintf(out, QUANTITY_SIZE, "%s", view_number((int64_t)llround(number), digits));
    return out;
}
