/* Environments, quiet hours and host names of a profile. */
#include "cli/profile_builder.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MINUTES_PER_HOUR 60
#define OFFSET_MOST (14 * MINUTES_PER_HOUR) /* of any zone: +14:00 */
#define EVERY_DAY 0x7fu

/* ---- environments -------------------------------------------------------------------------------
 */
static bool build_networks(struct builder *b, const struct yaml_environment *raw,
                           struct profile_environment *out)
{
    struct profile_network *list = builder_list(b, raw->networks_count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; i < raw->networks_count; i++) {
        if (!profile_network_from_text(raw->networks[i], &list[i])) {
            return builder_complain(b, "networks", i, raw->networks[i],
                                    "an address or a network, such as 10.1.0.0/16");
        }
    }
    out->networks = list;
    out->network_count = raw->networks_count;
    return true;
}

static bool build_environment(struct builder *b, const struct yaml_environment *raw,
                              struct profile_environment *list, size_t index)
{
    struct profile_environment *out = &list[index];
    for (size_t i = 0; i < index; i++) {
        if (strcmp(list[i].name, raw->name) == 0) {
            return builder_complain(b, "name", BUILDER_NO_ENTRY, raw->name,
                                    "a name that no other environment has");
        }
    }
    if (raw->networks_count + raw->names_count + raw->certificates_count + raw->issuers_count ==
        0) {
        return builder_complain(b, "name", BUILDER_NO_ENTRY, raw->name,
                                "networks, names, certificates or issuers beside it");
    }
    out->name = builder_keep(b, raw->name);
    return build_networks(b, raw, out) &&
           builder_names(b, "names", raw->names, raw->names_count, &out->names, &out->name_count) &&
           builder_digests(b, "certificates", "the SHA-256 of a certificate: 64 hexadecimal digits",
                           raw->certificates, raw->certificates_count, &out->certificates,
                           &out->certificate_count) &&
           builder_texts(b, raw->issuers, raw->issuers_count, &out->issuers, &out->issuer_count);
}

bool build_environments(struct builder *b, const struct yaml_profile *raw)
{
    struct profile_environment *list = builder_list(b, raw->environments_count, sizeof(*list));
    bool good = list != NULL;
    builder_enter(b, "environments");
    for (size_t i = 0; good && i < raw->environments_count; i++) {
        builder_enter_entry(b, i);
        good = build_environment(b, &raw->environments[i], list, i);
        builder_leave(b);
    }
    builder_leave(b);
    b->built->profile.environments = list;
    b->built->profile.environment_count = raw->environments_count;
    return good;
}

/* ---- quiet hours --------------------------------------------------------------------------------
 */
/* "22:30" in minutes; at most `most`. */
static bool read_clock(const char *text, int most, int *out)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) || text[2] != ':' ||
        !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]) || text[5] != '\0') {
        return false;
    }
    int hours = (text[0] - '0') * 10 + text[1] - '0',
        minutes = (text[3] - '0') * 10 + text[4] - '0';
    *out = hours * MINUTES_PER_HOUR + minutes;
    return minutes < MINUTES_PER_HOUR && *out <= most;
}

static bool read_offset(const char *text, int16_t *out)
{
    int minutes = 0;
    if ((text[0] != '+' && text[0] != '-') || !read_clock(text + 1, OFFSET_MOST, &minutes)) {
        return false;
    }
    *out = (int16_t)(text[0] == '-' ? -minutes : minutes);
    return true;
}

static bool build_days(struct builder *b, const struct yaml_quiet *raw, struct profile_quiet *out)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    out->days = raw->days_count == 0 ? EVERY_DAY : 0;
    for (size_t i = 0; i < raw->days_count; i++) {
        size_t day = 0;
        while (day < sizeof(names) / sizeof(names[0]) && strcmp(names[day], raw->days[i]) != 0) {
            day++;
        }
        if (day == sizeof(names) / sizeof(names[0])) {
            return builder_complain(b, "days", i, raw->days[i],
                                    "mon, tue, wed, thu, fri, sat or sun");
        }
        out->days |= (uint8_t)(1u << day);
    }
    return true;
}

static bool build_window(struct builder *b, const struct yaml_quiet *raw, struct profile_quiet *out)
{
    int from = 0, to = 0;
    if (!read_clock(raw->from, 24 * MINUTES_PER_HOUR - 1, &from)) {
        return builder_complain(b, "from", BUILDER_NO_ENTRY, raw->from,
                                "a time of day, 00:00 to 23:59");
    }
    if (!read_clock(raw->to, 24 * MINUTES_PER_HOUR, &to)) {
        return builder_complain(b, "to", BUILDER_NO_ENTRY, raw->to,
                                "a time of day, 00:00 to 24:00");
    }
    if (!read_offset(raw->utc_offset, &out->offset_min)) {
        return builder_complain(b, "utc_offset", BUILDER_NO_ENTRY, raw->utc_offset,
                                "an offset of that clock, such as +08:00");
    }
    out->from_min = (uint16_t)from;
    out->to_min = (uint16_t)to;
    return build_days(b, raw, out);
}

bool build_quiet_hours(struct builder *b, const struct yaml_profile *raw)
{
    struct profile_quiet *list = builder_list(b, raw->quiet_hours_count, sizeof(*list));
    bool good = list != NULL;
    builder_enter(b, "quiet_hours");
    for (size_t i = 0; good && i < raw->quiet_hours_count; i++) {
        builder_enter_entry(b, i);
        good = build_window(b, &raw->quiet_hours[i], &list[i]);
        builder_leave(b);
    }
    builder_leave(b);
    b->built->profile.quiet = list;
    b->built->profile.quiet_count = raw->quiet_hours_count;
    return good;
}

/* ---- hosts --------------------------------------------------------------------------------------
 */
static int compare_hosts(const void *a, const void *b)
{
    const struct profile_host *x = a, *y = b;
    return address_compare(&x->address, &y->address);
}

static bool build_host(struct builder *b, const struct yaml_host *raw, struct profile_host *list,
                       size_t index)
{
    if (!address_from_text(raw->address, &list[index].address)) {
        return builder_complain(b, "address", BUILDER_NO_ENTRY, raw->address, "an IP address");
    }
    for (size_t i = 0; i < index; i++) {
        if (address_equal(&list[i].address, &list[index].address)) {
            return builder_complain(b, "address", BUILDER_NO_ENTRY, raw->address,
                                    "an address that no other host has");
        }
    }
    list[index].name = builder_keep(b, raw->name);
    return true;
}

bool build_hosts(struct builder *b, const struct yaml_profile *raw)
{
    struct profile_host *list = builder_list(b, raw->hosts_count, sizeof(*list));
    bool good = list != NULL;
    builder_enter(b, "hosts");
    for (size_t i = 0; good && i < raw->hosts_count; i++) {
        builder_enter_entry(b, i);
        good = build_host(b, &raw->hosts[i], list, i);
        builder_leave(b);
    }
    builder_leave(b);
    if (good) {
        qsort(list, raw->hosts_count, sizeof(*list), compare_hosts);
    }
    b->built->profile.hosts = list;
    b->built->profile.host_count = good ? raw->hosts_count : 0;
    return good;
}
