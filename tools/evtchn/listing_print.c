/* SPDX-License-Identifier: MIT */
/*
 * Two forms of one listing: a table to read, and JSON for programs.
 *
 * Names come from other users' processes by way of the broker.  The broker
 * takes printable ones only; this file does not rely on it.
 */
#include <stdio.h>
#include <string.h>

#include <abi/event_channel.h>

#include "json.h"
#include "listing.h"

static const char *state_name(uint32_t status)
{
	switch (status) {
	case EVTCHNSTAT_closed:
		return "closed";
	case EVTCHNSTAT_unbound:
		return "unbound";
	case EVTCHNSTAT_interdomain:
		return "interdomain";
	case EVTCHNSTAT_pirq:
		return "pirq";
	case EVTCHNSTAT_virq:
		return "virq";
	case EVTCHNSTAT_ipi:
		return "ipi";
	default:
		return "unknown";
	}
}

/* --- Table --------------------------------------------------------------- */

/* PEER/SOURCE: the other end, or the number of the interrupt source. */
static void format_source(const struct evp_port_entry *p, char *text,
			  size_t size)
{
	switch (p->status) {
	case EVTCHNSTAT_unbound:
		snprintf(text, size, "%u:-", p->peer_domid);
		break;
	case EVTCHNSTAT_interdomain:
		snprintf(text, size, "%u:%u", p->peer_domid, p->peer);
		break;
	case EVTCHNSTAT_virq:
	case EVTCHNSTAT_pirq:
		snprintf(text, size, "%u", p->peer);
		break;
	default:
		snprintf(text, size, "-");
		break;
	}
}

void listing_clean_name(const char name[EVP_NAME_MAX], char text[EVP_NAME_MAX])
{
	memcpy(text, name, EVP_NAME_MAX);
	text[EVP_NAME_MAX - 1] = '\0';
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

static int name_width(const struct listing *l)
{
	int width = (int)strlen("NAME");

	for (size_t i = 0; i < l->nr_domains; i++) {
		int n = (int)strnlen(l->domain[i].name, EVP_NAME_MAX - 1);

		width = n > width ? n : width;
	}

	return width;
}

/*
 * Whose the port is: nobody's, if it is the domain's own, or no process of the
 * domain is there yet.
 */
static void print_owner(const struct evp_port_entry *p)
{
	char name[EVP_NAME_MAX];

	listing_clean_name(p->name, name);
	if (p->pid)
		printf(" %7u %s\n", p->pid, name);
	else
		printf(" %7s %s\n", "-", name[0] ? name : "-");
}

static void print_domain(const struct listing *l, size_t i, int width)
{
	const struct evp_port_entry *p;
	char name[EVP_NAME_MAX], source[32];
	size_t count;

	listing_clean_name(l->domain[i].name, name);
	p = listing_ports(l, i, &count);
	if (!count)
		printf("%-5u %-*s %6s %-11s %-12s %-4s %7s -\n",
		       l->domain[i].domid, width, name, "-", "-", "-", "-",
		       "-");
	for (; count; count--, p++) {
		format_source(p, source, sizeof(source));
		printf("%-5u %-*s %6u %-11s %-12s %-4u", p->domid, width, name,
		       p->port, state_name(p->status), source, p->vcpu);
		print_owner(p);
	}
}

void listing_print_table(const struct listing *l, bool colour)
{
	int width = name_width(l);

	printf("%s%-5s %-*s %6s %-11s %-12s %s %7s %s%s\n",
	       colour ? "\033[1m" : "", "DOM", width, "NAME", "PORT", "STATE",
	       "PEER/SOURCE", "VCPU", "PID", "PROGRAM",
	       colour ? "\033[0m" : "");
	for (size_t i = 0; i < l->nr_domains; i++)
		print_domain(l, i, width);
}

/* --- JSON ---------------------------------------------------------------- */

static void print_json_source(const struct evp_port_entry *p)
{
	switch (p->status) {
	case EVTCHNSTAT_unbound:
		printf(", \"peer_domain\": %u", p->peer_domid);
		break;
	case EVTCHNSTAT_interdomain:
		printf(", \"peer_domain\": %u, \"peer_port\": %u, "
		       "\"direct\": %s",
		       p->peer_domid, p->peer, p->linked ? "true" : "false");
		break;
	case EVTCHNSTAT_virq:
	case EVTCHNSTAT_pirq:
		printf(", \"%s\": %u", state_name(p->status), p->peer);
		break;
	default:
		break;
	}
}

static void print_json_owner(const struct evp_port_entry *p)
{
	if (p->kept)
		printf(", \"kept\": true, \"name\": ");
	else if (p->pid)
		printf(", \"pid\": %u, \"program\": ", p->pid);
	else
		return;
	json_string(p->name, EVP_NAME_MAX);
}

static void print_json_ports(const struct listing *l, size_t i)
{
	const struct evp_port_entry *p;
	size_t count;

	p = listing_ports(l, i, &count);
	printf("\"ports\": [");
	for (size_t k = 0; k < count; k++) {
		printf("%s\n    {\"port\": %u, \"state\": \"%s\", \"vcpu\": %u",
		       k ? "," : "", p[k].port, state_name(p[k].status),
		       p[k].vcpu);
		print_json_source(&p[k]);
		print_json_owner(&p[k]);
		putchar('}');
	}
	putchar(']');
}

void listing_print_json(const struct listing *l)
{
	printf("{\"broker_pid\": %u, \"domains\": [", l->broker_pid);
	for (size_t i = 0; i < l->nr_domains; i++) {
		const struct evp_domain_entry *d = &l->domain[i];

		printf("%s\n  {\"domain\": %u, \"name\": ", i ? "," : "",
		       d->domid);
		json_string(d->name, EVP_NAME_MAX);
		printf(", \"privileged\": %s, \"attached\": %u, \"pid\": %u,\n"
		       "   ",
		       d->privileged ? "true" : "false", d->nr_attached,
		       d->pid);
		print_json_ports(l, i);
		putchar('}');
	}
	puts("]}");
}
