/* SPDX-License-Identifier: MIT */
/* Two forms of what all ports have counted: a table, and JSON. */
#include <stdlib.h>

#include "json.h"
#include "sample.h"

/* --- Table ---------------------------------------------------------------- */

struct row {
	size_t domain, port; /* port: SIZE_MAX for the domain's line */
	const struct sums *sums;
};

/* A total, or per second. */
static double value(const struct sample *s, uint64_t n)
{
	return s->interval_ns ? (double)n * 1e9 / (double)s->interval_ns
			      : (double)n;
}

static void print_sums(const struct sample *s, const struct sums *n)
{
	printf(" %11.0f %10.0f %9.0f %11.0f", value(s, n->sent),
	       value(s, n->merged), value(s, n->rang), value(s, n->events));
}

static void print_row(const struct sample *s, const struct row *r)
{
	const struct evp_domain_entry *d = &s->l.domain[r->domain];
	char name[EVP_NAME_MAX];

	if (r->port == SIZE_MAX) {
		listing_clean_name(d->name, name);
		printf("%-5u %6s", d->domid, "all");
		print_sums(s, r->sums);
		printf(" %10.0f %9.0f %9.0f %s\n",
		       value(s, r->sums->hypercalls), value(s, r->sums->sleeps),
		       value(s, r->sums->storms), name);
		return;
	}
	listing_clean_name(s->l.port[r->port].name, name);
	printf("%-5u %6u", d->domid, s->l.port[r->port].port);
	print_sums(s, r->sums);
	printf(" %10s %9s %9s %s\n", "-", "-", "-", name[0] ? name : "-");
}

/* In the order of domains and ports; each domain's line first. */
static size_t make_rows(const struct sample *s, struct row *row)
{
	size_t i, k, nr, n = 0;

	for (i = 0; i < s->l.nr_domains; i++) {
		const struct evp_port_entry *p = listing_ports(&s->l, i, &nr);
		size_t first = (size_t)(p - s->l.port);

		row[n++] = (struct row){i, SIZE_MAX, &s->domain[i]};
		for (k = first; k < first + nr; k++)
			row[n++] = (struct row){i, k, &s->port[k]};
	}

	return n;
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	uint64_t m = x->sums->sent + x->sums->events;
	uint64_t n = y->sums->sent + y->sums->events;

	if (m != n)
		return m < n ? 1 : -1;

	return x < y ? -1 : 1;
}

void sample_print_table(const struct sample *s, bool colour, bool sorted,
			size_t max)
{
	struct row *row =
		calloc(s->l.nr_domains + s->l.nr_ports + 1, sizeof(*row));
	size_t i, n = row ? make_rows(s, row) : 0;
	const char *unit = s->interval_ns ? "/s" : "";

	if (sorted)
		qsort(row, n, sizeof(*row), compare);
	printf("%s%-5s %6s %9s%-2s %8s%-2s %7s%-2s %9s%-2s %8s%-2s %7s%-2s "
	       "%7s%-2s "
	       "%s%s\n",
	       colour ? "\033[1m" : "", "DOM", "PORT", "SENT", unit, "MERGED",
	       unit, "RINGS", unit, "EVENTS", unit, "HYPERC", unit, "SLEEPS",
	       unit, "STORMS", unit, "NAME", colour ? "\033[0m" : "");
	for (i = 0; i < n && i < max; i++)
		print_row(s, &row[i]);
	free(row);
}

/* --- JSON ----------------------------------------------------------------- */

static void print_json_sums(const struct sums *n)
{
	printf("\"sent\": %llu, \"merged\": %llu, \"rings\": %llu, "
	       "\"events\": %llu",
	       (unsigned long long)n->sent, (unsigned long long)n->merged,
	       (unsigned long long)n->rang, (unsigned long long)n->events);
}

static void print_json_ports(const struct sample *s, size_t domain)
{
	size_t nr, k;
	const struct evp_port_entry *p = listing_ports(&s->l, domain, &nr);
	size_t first = (size_t)(p - s->l.port);

	printf(", \"ports\": [");
	for (k = first; k < first + nr; k++) {
		printf("%s\n    {\"port\": %u, \"name\": ",
		       k > first ? "," : "", s->l.port[k].port);
		json_string(s->l.port[k].name, EVP_NAME_MAX);
		printf(", ");
		print_json_sums(&s->port[k]);
		putchar('}');
	}
	putchar(']');
}

void sample_print_json(const struct sample *s)
{
	/* Counts are exact, so not per second: who reads it can divide. */
	printf("{\"seconds\": %.6f, \"domains\": [",
	       (double)s->interval_ns / 1e9);
	for (size_t i = 0; i < s->l.nr_domains; i++) {
		const struct sums *n = &s->domain[i];

		printf("%s\n  {\"domain\": %u, \"name\": ", i ? "," : "",
		       s->l.domain[i].domid);
		json_string(s->l.domain[i].name, EVP_NAME_MAX);
		printf(", ");
		print_json_sums(n);
		printf(", \"hypercalls\": %llu, \"upcalls\": %llu, "
		       "\"sleeps\": %llu, \"storms\": %llu",
		       (unsigned long long)n->hypercalls,
		       (unsigned long long)n->upcalls,
		       (unsigned long long)n->sleeps,
		       (unsigned long long)n->storms);
		print_json_ports(s, i);
		putchar('}');
	}
	puts("]}");
}
