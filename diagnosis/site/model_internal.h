/* Shared by diagnosis/site/model*.c and coverage.c only. */
#ifndef INVCAP_DIAGNOSIS_SITE_MODEL_INTERNAL_H
#define INVCAP_DIAGNOSIS_SITE_MODEL_INTERNAL_H

#include "diagnosis/site/model.h"

/* Services, pairs and what goes on at a time, from the sorted lists; false when memory is out. */
bool site_build_groups(struct site *site);
/* The periods of site->coverage (coverage.c); false when memory is out. */
bool site_build_coverage(struct site *site);

/* model_find.c: the orders of site.by_server and site.paths. */
int site_compare_server(const struct site_flow *a, const struct site_flow *b);
int site_compare_paths(const struct path_sample_record *a, const struct path_sample_record *b);

#endif
