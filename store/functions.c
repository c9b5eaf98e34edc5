/* SQL functions over the sketches of services, service_minutes and endpoints, for free SQL:
 * sketch_quantile(sketch, 0.99) in ns, sketch_count(sketch), and the aggregate
 * sketch_merge(sketch). */
#include "store/private.h"

#include "core/sketch.h"

#include <sqlite3.h>
#include <string.h>

/* False: the argument is no sketch (NULL too), and the answer is NULL. */
static bool read_sketch(sqlite3_value *value, struct sketch *out)
{
    const void *bytes = sqlite3_value_blob(value);
    int len = sqlite3_value_bytes(value);
    return sqlite3_value_type(value) == SQLITE_BLOB && len > 0 &&
           sketch_unpack(bytes, (size_t)len, out);
}

static void quantile(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct sketch sketch;
    double q = sqlite3_value_double(values[1]);
    (void)count;
    if (read_sketch(values[0], &sketch) && sketch.count > 0 && q >= 0 && q <= 1) {
        sqlite3_result_int64(context, sketch_quantile(&sketch, q));
    }
}

static void count_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct sketch sketch;
    (void)count;
    if (read_sketch(values[0], &sketch)) {
        sqlite3_result_int64(context, (sqlite3_int64)sketch.count);
    }
}

static void merge_one(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct sketch sketch;
    (void)count;
    if (!read_sketch(values[0], &sketch)) {
        return;
    }
    struct sketch *sum = sqlite3_aggregate_context(context, (int)sizeof *sum);
    if (sum == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    sketch_merge(sum, &sketch);
}

static void merge_end(sqlite3_context *context)
{
    unsigned char packed[SKETCH_PACKED_MAX];
    const struct sketch *sum = sqlite3_aggregate_context(context, 0);
    if (sum != NULL) {
        size_t len = sketch_pack(sum, packed);
        sqlite3_result_blob64(context, packed, len, SQLITE_TRANSIENT);
    }
}

bool functions_add(const struct store *store, struct sqlite3 *db, struct error *error)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = sqlite3_create_function_v2(db, "sketch_quantile", 2, flags, NULL, quantile, NULL, NULL,
                                        NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function_v2(db, "sketch_count", 1, flags, NULL, count_of, NULL, NULL,
                                        NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function_v2(db, "sketch_merge", 1, flags, NULL, NULL, merge_one,
                                        merge_end, NULL);
    }
    return rc == SQLITE_OK || sql_fail(store, db, rc, "open", error);
}
