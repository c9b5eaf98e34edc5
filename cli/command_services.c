#include "cli/run_table.h"

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    bool minutes = arguments->given[OPTION_MINUTES];
    if (minutes && arguments->given[OPTION_ENDPOINTS]) {
        return command_fail_usage(context, TEXT_USAGE_ONE_TABLE, NULL, 0);
    }
    return run_table(context, minutes                              ? TABLE_SERVICE_MINUTES
                              : arguments->given[OPTION_ENDPOINTS] ? TABLE_ENDPOINTS
                                                                   : TABLE_SERVICES);
}

const struct command command_services = {
    .name = "services",
    .words = "[DB]",
    .help = TEXT_COMMAND_SERVICES,
    .detail = TEXT_COMMAND_SERVICES_DETAIL,
    .least_words = 0,
    .most_words = 1,
    .run = run,
};
