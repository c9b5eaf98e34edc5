/* The tables services, service_minutes and endpoints. */
#ifndef INVCAP_DIAGNOSIS_SITE_SERVICES_H
#define INVCAP_DIAGNOSIS_SITE_SERVICES_H

#include "core/limits.h"
#include "core/sketch.h"
#include "diagnosis/site/exchanges.h"

/* What is measured of one row of services: one server port, or those that found no row. */
struct service_row {
    struct site_service *const *members;
    size_t count;
    int64_t number;
    bool joined; /* several */
};

/* Durations while they are collected. */
struct service_sketch {
    struct sketch *sketch;
    int64_t sum_ns, max_ns;
};

/* The services of the site, most connections first, in rows that do not depend on the order of
 * anything. *out is the site's. Returns how many rows. */
size_t services_rank(struct judge *judge, struct service_row **out);

/* Puts RECORD_SERVICE, RECORD_SERVICE_MINUTE and RECORD_ENDPOINT. False when memory is out. */
bool services_put(struct judge *judge, const struct sink *out);

#define SERVICE_MINUTE_NS (60 * FACTS_SECOND)

/* Something of a service at a time, folded into rows. */
enum point_kind { POINT_FLOW, POINT_EXCHANGE, POINT_AMOUNT };
struct service_point {
    int64_t start_ns;      /* of its minute */
    int64_t first, second; /* connect, tls; think, total; bytes, retransmissions */
    uint16_t group;        /* of clients; 0 the largest */
    uint8_t kind;
    uint8_t counts; /* bits of enum point_count */
};
enum point_count {
    POINT_OPEN_BEFORE = 1,
    POINT_OK = 2,
    POINT_FAILED = 4,
    POINT_TCP = 8,
    POINT_TCP_OK = 16,
    POINT_TLS = 32,
    POINT_TLS_OK = 64,
    POINT_ERROR = 1,
    POINT_WAITS = 2 /* of an exchange */
};

/* What the service moved, one POINT_AMOUNT per minute with any, by time. *out is to be freed;
 * returns how many. */
size_t services_amounts(struct judge *judge, const struct site_service *service,
                        struct service_point **out);

/* What clients called the service most (SNI, Host); of several the first by alphabet. NULL:
 * nothing. */
const char *service_usual_name(const struct site_service *service);

/* ---- within services*.c ---- */

/* Adds a duration; negative ones are unknown and left out. */
void service_sketch_add(struct service_sketch *s, int64_t value_ns);
/* Fills *out; packed (SKETCH_PACKED_MAX bytes) is where its sketch goes. */
void service_sketch_finish(const struct service_sketch *s, uint8_t *packed,
                           struct service_times *out);
void service_sketch_clear(struct service_sketch *s);

/* What the rows of a service share while they are made. */
struct service_fold {
    struct judge *judge;
    const struct sink *out;
    const struct service_row *row;
    struct service_record *record; /* counts of the whole are added to it */
    const struct claim **outages;  /* the findings service-outage */
    size_t outage_count;
    struct service_sketch whole[SERVICE_TIME_KINDS], part[SERVICE_TIME_KINDS];
    uint8_t *packed[SERVICE_TIME_KINDS]; /* SKETCH_PACKED_MAX each */
    struct service_point *points;
    size_t point_count;
    const char *groups[LIMIT_CLIENT_GROUPS + 1]; /* their names */
    size_t row_limit;                            /* rows of service_minutes that it may have */
    int64_t minute_number, endpoint_number;      /* of the last ones put */
};

/* Names the groups, counts the clients and fills fold->points, by minute and group; to be freed. */
void services_take_points(struct service_fold *fold, const struct exchange *asked,
                          size_t asked_count);
/* Puts the minutes of the points and adds them to the whole. */
void services_put_minutes(struct service_fold *fold);
/* Puts the endpoints of the exchanges, at most `limit` and one more for the rest. */
void services_put_endpoints(struct service_fold *fold, const struct exchange *exchanges,
                            size_t count, size_t limit);

#endif
