#include "reports/view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define COLUMNS_DEFAULT 100
#define COLUMNS_LEAST 60
#define COLUMNS_MOST 160
#define PIECE_SIZE 1024
#define WRAP_SIZE 16384

static bool wants_colour(FILE *out)
{
    const char *refused = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    if (refused != NULL && refused[0] != '\0') {
        return false;
    }
    return isatty(fileno(out)) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

static size_t columns_of(FILE *out)
{
    struct winsize size;
    if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return COLUMNS_DEFAULT;
    }
    size_t columns = size.ws_col;
    return columns < COLUMNS_LEAST  ? COLUMNS_LEAST
           : columns > COLUMNS_MOST ? COLUMNS_MOST
                                    : columns;
}

struct view view_of(FILE *out, enum language language)
{
    return (struct view){out, language, wants_colour(out), columns_of(out)};
}

const char *view_tone(const struct view *view, enum view_tone tone)
{
    static const char *const sequences[TONE_COUNT] = {
        [TONE_PLAIN] = "\033[0m", [TONE_STRONG] = "\033[1m", [TONE_DIM] = "\033[2m",
        [TONE_GOOD] = "\033[32m", [TONE_WARN] = "\033[33m",  [TONE_BAD] = "\033[31m"};
    return view->colour ? sequences[tone] : "";
}

const char *view_plain(const struct view *view)
{
    return view_tone(view, TONE_PLAIN);
}

void view_say(const struct view *view, enum text_id id, const struct text_value *values,
              size_t count)
{
    char text[PIECE_SIZE];
    text_format(text, sizeof(text), text_get(id, view->language), values, count);
    fputs(text, view->out);
}

void view_wrap(const struct view *view, const char *text, size_t indent, size_t used)
{
    char clean[WRAP_SIZE]; /* names of files and hosts are whatever somebody chose */
    (void)text_clean(clean, sizeof(clean), text);
    const char *at = clean;
    while (*at != '\0') {
        if (used < indent) {
            fprintf(view->out, "%*s", (int)(indent - used), "");
            used = indent;
        }
        size_t room = view->columns > used + 20 ? view->columns - used : 20;
        size_t len = text_break(at, room);
        if (len == 0) {
            break;
        }
        fprintf(view->out, "%.*s", (int)len, at);
        at += len;
        at += strspn(at, " ");
        if (*at != '\0') {
            fputc('\n', view->out);
            used = 0;
        }
    }
    fputc('\n', view->out);
}

void view_labelled(const struct view *view, const char *label, size_t columns, const char *text)
{
    char padded[256];
    text_fit(padded, sizeof(padded), label, columns);
    fprintf(view->out, "%s%s%s", view_tone(view, TONE_DIM), padded, view_plain(view));
    view_wrap(view, text, columns, columns);
}

static void local_of(int64_t time_ns, struct tm *out)
{
    time_t seconds = (time_t)(time_ns / NS_PER_S);
    memset(out, 0, sizeof(*out));
    (void)localtime_r(&seconds, out);
}

static char *print_time(int64_t time_ns, const char *format, char out[VIEW_TIME_SIZE])
{
    struct tm local;
    out[0] = '\0';
    if (time_ns < 0) {
        return out;
    }
    local_of(time_ns, &local);
    size_t len = strftime(out, VIEW_TIME_SIZE, format, &local);
    snprintf(out + len, VIEW_TIME_SIZE - len, ".%03d", (int)(time_ns % NS_PER_S / 1000000));
    return out;
}

char *view_time(int64_t time_ns, char out[VIEW_TIME_SIZE])
{
    return print_time(time_ns, "%Y-%m-%d %H:%M:%S", out);
}

char *view_clock(int64_t time_ns, char out[VIEW_TIME_SIZE])
{
    return print_time(time_ns, "%H:%M:%S", out);
}

char *view_offset(int64_t time_ns, char out[VIEW_TIME_SIZE])
{
    struct tm local;
    local_of(time_ns < 0 ? 0 : time_ns, &local);
    long offset = local.tm_gmtoff;
    unsigned minutes = (unsigned)(offset < 0 ? -offset : offset) / 60u;
    snprintf(out, VIEW_TIME_SIZE, "%c%02u:%02u", offset < 0 ? '-' : '+', minutes / 60u,
             minutes % 60u);
    return out;
}

char *view_number(int64_t number, char out[VIEW_TIME_SIZE])
{
    char digits[24];
    uint64_t size = number < 0 ? 0u - (uint64_t)number : (uint64_t)number;
    int count = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)size);
    size_t len = 0;
    if (number < 0) {
        out[len++] = '-';
    }
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) {
            out[len++] = ',';
        }
        out[len++] = digits[i];
    }
    out[len] = '\0';
    return out;
}

char *view_duration(int64_t ns, enum language language, char out[VIEW_TIME_SIZE])
{
    int64_t seconds = ns / NS_PER_S;
    const char *second = text_get(TEXT_UNIT_SHORT_S, language);
    const char *minute = text_get(TEXT_UNIT_SHORT_MIN, language);
    const char *hour = text_get(TEXT_UNIT_SHORT_H, language);
    const char *day = text_get(TEXT_UNIT_SHORT_D, language);
    if (ns < 0) {
        out[0] = '\0';
    } else if (ns < NS_PER_S) {
        snprintf(out, VIEW_TIME_SIZE, "%.*f %s", ns < 10000000 ? 2 : 0, (double)ns / 1e6,
                 text_get(TEXT_UNIT_SHORT_MS, language));
    } else if (seconds < 60) {
        snprintf(out, VIEW_TIME_SIZE, "%.1f %s", (double)ns / 1e9, second);
    } else if (seconds < 3600) {
        snprintf(out, VIEW_TIME_SIZE, "%lld %s %lld %s", (long long)(seconds / 60), minute,
                 (long long)(seconds % 60), second);
    } else if (seconds < 86400) {
        snprintf(out, VIEW_TIME_SIZE, "%lld %s %lld %s", (long long)(seconds / 3600), hour,
                 (long long)(seconds / 60 % 60), minute);
    } else {
        snprintf(out, VIEW_TIME_SIZE, "%lld %s %lld %s", (long long)(seconds / 86400), day,
                 (long long)(seconds / 3600 % 24), hour);
    }
    return out;
}

/* "+08:00" becomes "<+0800>-08:00": POSIX counts westwards. */
static bool set_offset(const char *zone)
{
    char posix[32];
    unsigned hours, minutes;
    char tail;
    if (sscanf(zone + 1, "%2u:%2u%c", &hours, &minutes, &tail) != 2 || hours > 14 || minutes > 59) {
        return false;
    }
    snprintf(posix, sizeof(posix), "<%c%02u%02u>%c%02u:%02u", zone[0], hours, minutes,
             zone[0] == '+' ? '-' : '+', hours, minutes);
    setenv("TZ", posix, 1);
    return true;
}

static bool zone_exists(const char *zone)
{
    char path[256];
    struct stat status;
    int len = snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
    return len > 0 && (size_t)len < sizeof(path) && strstr(zone, "..") == NULL && zone[0] != '\0' &&
           stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool view_set_zone(const char *zone)
{
    bool good = true;
    if (zone == NULL || strcmp(zone, "local") == 0) {
        tzset();
        return true;
    }
    if (zone[0] == '+' || zone[0] == '-') {
        good = set_offset(zone);
    } else if (strcmp(zone, "UTC") == 0 || strcmp(zone, "Z") == 0) {
        setenv("TZ", "UTC0", 1);
    } else if (zone_exists(zone)) {
        setenv("TZ", zone, 1);
    } else {
        good = false;
    }
    tzset();
    return good;
}
