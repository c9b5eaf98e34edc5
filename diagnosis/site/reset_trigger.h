/* Names the trigger of injected resets, where it is the same for three and more. */
#ifndef INVCAP_DIAGNOSIS_SITE_RESET_TRIGGER_H
#define INVCAP_DIAGNOSIS_SITE_RESET_TRIGGER_H

#include "diagnosis/site/judge.h"

/* After the verdicts: the claims of tcp-reset-injected get their "trigger" value. */
void reset_name_triggers(struct judge *judge);

#endif
