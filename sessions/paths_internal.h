/* Shared by paths.c (which pairs there are, and their ended flows) and paths_packet.c. */
#ifndef INVCAP_SESSIONS_PATHS_INTERNAL_H
#define INVCAP_SESSIONS_PATHS_INTERNAL_H

#include "sessions/paths.h"

/* The paths from one network of clients to a server: what no pair of hosts alone tells. */
struct trunk {
    struct address net, server;
    struct path *first;
    struct heard heard; /* since there is a second one */
};

/* A silence that lives as long as the paths; NULL when memory is out. */
RARE
struct silence *paths_take_silence(struct paths *paths);
/* What a packet with that TTL started with: p0f and Linux, Windows, routers. 0 for 0. */
RARE
uint8_t path_initial_ttl(uint8_t ttl);

#endif
