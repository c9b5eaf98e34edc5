/* Joining what tells one story of somebody in the middle. */
#ifndef INVCAP_DIAGNOSIS_SITE_INCIDENTS_H
#define INVCAP_DIAGNOSIS_SITE_INCIDENTS_H

#include "diagnosis/site/judge.h"

/* A finding that matters, and who vouches for the server in it. */
struct incident_part {
    struct finding_record finding;
    const char *issuer; /* NULL: it names none */
    uint32_t group;     /* the first part of its group */
};

/* A sink that passes everything on to `out` and remembers the findings that matter. */
struct incident_maker {
    const struct sink *out;
    struct incident_part *parts;
    size_t count, capacity;
    bool failed; /* memory ran out */
};

struct sink incidents_sink(struct incident_maker *maker);
/* Puts the incidents of what was remembered, numbered from first_id, and frees it. */
bool incidents_put(struct incident_maker *maker, struct judge *judge, int64_t first_id);

#endif
