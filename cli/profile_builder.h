/* Building a profile: memory, complaints with their place, and the parts. Private to
 * cli/profile_build*.c. */
#ifndef INVCAP_CLI_PROFILE_BUILDER_H
#define INVCAP_CLI_PROFILE_BUILDER_H

#include "cli/profile_build.h"
#include "cli/profile_place.h"
#include "core/intern.h"

#define BUILDER_MS_MOST 86400000u /* a day */
#define BUILDER_NS_PER_MS 1000000LL
#define BUILDER_NS_PER_S 1000000000LL

/* The profile with what it points to. */
struct built {
    struct profile profile; /* first: the caller's pointer */
    struct intern *strings;
    void **lists;
    size_t list_count, list_capacity;
};

struct builder {
    struct built *built;
    const struct profile_file *file;
    struct error *error;
    struct profile_path at; /* the mapping that is being built */
};

/* Into a mapping, and out again by one step. */
void builder_enter(struct builder *b, const char *key);
void builder_enter_entry(struct builder *b, size_t index);
void builder_leave(struct builder *b);

#define BUILDER_NO_ENTRY ((size_t)-1)
/* The error about the value of `key` (its entry, unless BUILDER_NO_ENTRY) in the mapping at hand;
 * returns false. */
bool builder_complain(const struct builder *b, const char *key, size_t entry, const char *value,
                      const char *expected);

/* A zeroed list that lives as long as the profile; NULL with the error set. */
void *builder_list(struct builder *b, size_t count, size_t size);
/* NULL stays NULL. */
const char *builder_keep(struct builder *b, const char *text);
/* Lists of texts as written, of host names and of SHA-256 digests (in lower case). */
bool builder_texts(struct builder *b, char **from, unsigned count, const char *const **out,
                   size_t *out_count);
bool builder_names(struct builder *b, const char *key, char **from, unsigned count,
                   const char *const **out, size_t *out_count);
bool builder_digests(struct builder *b, const char *key, const char *what, char **from,
                     unsigned count, const char *const **out, size_t *out_count);
/* Sets *out when milliseconds are given; complains above a day. */
bool builder_milliseconds(struct builder *b, const char *key, uint64_t milliseconds, int64_t *out);

/* The parts. */
bool build_objectives(struct builder *b, const struct yaml_objectives *raw,
                      struct profile_objectives *out);
bool build_ceilings(struct builder *b, const struct yaml_ceilings *raw,
                    struct profile_objectives *out);
/* Services, then dependencies: both become services of the profile. */
bool build_services(struct builder *b, const struct yaml_profile *raw);
bool build_environments(struct builder *b, const struct yaml_profile *raw);
bool build_quiet_hours(struct builder *b, const struct yaml_profile *raw);
bool build_hosts(struct builder *b, const struct yaml_profile *raw);

#endif
