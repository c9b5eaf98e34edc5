#include "cli/run_pipeline.h"

static int run(struct context *context)
{
    const char *interface = context->arguments->text[OPTION_INTERFACE];
    if (interface == NULL) {
        return command_fail_usage(context, TEXT_USAGE_LIVE_INTERFACE, NULL, 0);
    }
    return run_pipeline(context, interface);
}

const struct command command_live = {
    .name = "live",
    .words = "",
    .help = TEXT_COMMAND_LIVE,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 0,
    .most_words = 0,
    .run = run,
};
