/* SPDX-License-Identifier: MIT */
/*
 * What the broker knows, fetched page by page.
 *
 * Everything is fetched before anything is printed, so a broker that dies in
 * between costs the listing but leaves no half of it.
 */
#include <errno.h>
#include <stdlib.h>

#include <unistd.h>

#include <evp/evp.h>

#include "cli.h"
#include "listing.h"
#include "socket.h"

/* Make room for @more entries behind the @used ones. */
static void *grow(void *array, size_t used, size_t more, size_t size)
{
	void *larger = reallocarray(array, used + more, size);

	if (!larger)
		evp_fail(-ENOMEM, "no memory for the listing");

	return larger;
}

static int fetch_domains(int fd, struct listing *l)
{
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		void *larger = grow(l->domain, l->nr_domains,
				    EVP_DOMAINS_PER_PAGE, sizeof(*l->domain));
		int rc;

		if (!larger)
			return -ENOMEM;
		l->domain = larger;
		rc = evp_control_domains(fd, &cursor, l->domain + l->nr_domains,
					 EVP_DOMAINS_PER_PAGE);
		if (rc < 0)
			return rc;
		l->nr_domains += (size_t)rc;
	}

	return 0;
}

static int fetch_ports(int fd, struct listing *l)
{
	uint32_t domid = 0, port = 0;

	while (domid != UINT32_MAX) {
		void *larger = grow(l->port, l->nr_ports, EVP_PORTS_PER_PAGE,
				    sizeof(*l->port));
		int rc;

		if (!larger)
			return -ENOMEM;
		l->port = larger;
		rc = evp_control_list(fd, &domid, &port, l->port + l->nr_ports,
				      EVP_PORTS_PER_PAGE);
		if (rc < 0)
			return rc;
		l->nr_ports += (size_t)rc;
	}

	return 0;
}

int listing_fetch(int fd, struct listing *l)
{
	int rc = fetch_domains(fd, l);

	if (!rc)
		rc = fetch_ports(fd, l);

	return rc;
}

bool listing_get(const char *command, const char *socket, struct listing *l)
{
	int fd, rc;

	*l = (struct listing){.broker_pid = 0};
	if (!socket_open(command, socket, &fd, &l->broker_pid))
		return false;
	rc = listing_fetch(fd, l);
	close(fd);
	if (rc)
		cli_error(command, "%s", evp_error());

	return !rc;
}

void listing_free(struct listing *l)
{
	free(l->domain);
	free(l->port);
}

static int compare_domain(const void *domid, const void *entry)
{
	const struct evp_domain_entry *e = entry;
	uint32_t wanted = *(const uint32_t *)domid;

	return (wanted > e->domid) - (wanted < e->domid);
}

struct evp_domain_entry *listing_domain(const struct listing *l, uint32_t domid)
{
	if (!l->nr_domains)
		return NULL;

	return bsearch(&domid, l->domain, l->nr_domains, sizeof(*l->domain),
		       compare_domain);
}

bool listing_select(struct listing *l, uint16_t domid)
{
	struct evp_domain_entry *d = listing_domain(l, domid);

	if (!d)
		return false;
	l->domain[0] = *d;
	l->nr_domains = 1;

	return true;
}

/* The first port of a domain from @domid on: a binary search. */
static size_t first_port(const struct listing *l, uint32_t domid)
{
	size_t low = 0, high = l->nr_ports, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (l->port[middle].domid < domid)
			low = middle + 1;
		else
			high = middle;
	}

	return low;
}

const struct evp_port_entry *listing_ports(const struct listing *l, size_t i,
					   size_t *count)
{
	uint32_t domid = l->domain[i].domid;
	size_t first = first_port(l, domid);

	*count = first_port(l, domid + 1) - first;

	return l->port + first;
}
