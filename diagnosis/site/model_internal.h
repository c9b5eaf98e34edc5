/* Shared by diagnosis/site/model*.c and coverage.c only. */
#ifndef INVCAP_DIAGNOSIS_SITE_MODEL_INTERNAL_H
#define INVCAP_DIAGNOSIS_SITE_MODEL_INTERNAL_H

#include "diagnosis/site/model.h"

/* The lists of flows and of what belongs to them, in their orders; hosts are numbered. False when memory is
 * out. */
bool site_sort(struct site *site);
/* Services, pairs and what goes on at a time, from the sorted lists; false when memory is out. */
bool site_build_groups(struct site *site);
/* The periods of site->coverage (coverage.c); false when memory is out. */
bool site_build_coverage(struct site *site);

/* model_find.c: the order of site.paths. */
int site_compare_paths(const struct path_sample_record *a, const struct path_sample_record *b);

#endif
