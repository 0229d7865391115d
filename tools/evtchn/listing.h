/* SPDX-License-Identifier: MIT */
/* What the broker knows: its domains and their open ports. */
#ifndef EVTCHN_LISTING_H
#define EVTCHN_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hosts/process/control.h"

/* Sorted by domain, then by port. */
struct listing {
	uint32_t broker_pid;
	struct evp_domain_entry *domain;
	size_t nr_domains;
	struct evp_port_entry *port;
	size_t nr_ports;
};

/*
 * Fill @l, which is empty but for the pid, with what the broker at @fd says.
 * 0, or -errno with a line left in evp_error().  listing_free() also after a
 * failure.
 *
 * Domains come first: a port of a domain that was born between the two
 * questions is left out.
 */
int listing_fetch(int fd, struct listing *l);

/* The same, of the broker on @socket.  False, with a message printed. */
bool listing_get(const char *command, const char *socket, struct listing *l);
void listing_free(struct listing *l);

/* A domain by its number, or NULL. */
struct evp_domain_entry *listing_domain(const struct listing *l,
					uint32_t domid);

/* Keep only one domain.  False: there is no such domain. */
bool listing_select(struct listing *l, uint16_t domid);

/* The ports of domain number @i, of which there are *@count. */
const struct evp_port_entry *listing_ports(const struct listing *l, size_t i,
					   size_t *count);

/* A copy of a name, as wide as it is, that cannot steer a terminal. */
void listing_clean_name(const char name[EVP_NAME_MAX], char text[EVP_NAME_MAX]);

/* Both print the whole listing to stdout. */
void listing_print_table(const struct listing *l, bool colour);
void listing_print_json(const struct listing *l);

#endif /* EVTCHN_LISTING_H */
