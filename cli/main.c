#include "cli/command.h"
#include "cli/signals.h"
#include "core/heap.h"

int main(int argc, char **argv)
{
    heap_start();
    signals_install();
    return cli_run(argc, argv);
}
