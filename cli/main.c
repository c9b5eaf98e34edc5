#include "cli/command.h"
#include "cli/signals.h"

int main(int argc, char **argv)
{
    signals_install();
    return cli_run(argc, argv);
}
