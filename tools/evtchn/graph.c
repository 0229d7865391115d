/* SPDX-License-Identifier: MIT */
/*
 * evtchn graph - who is connected to whom, for Graphviz.
 *
 * A domain is a cluster, a port a node, a connection an edge.  An unbound port
 * has a dashed edge to the domain that may bind it, if that is there.
 */
#include <errno.h>
#include <getopt.h>
#include <unistd.h>

#include <abi/event_channel.h>
#include <evp/evp.h>

#include "cli.h"
#include "commands.h"
#include "json.h"
#include "listing.h"
#include "socket.h"

static const char command[] = "graph";

static int print_help(void)
{
	puts("Usage: evtchn graph [OPTION]...\n"
	     "\n"
	     "Draw the domains, their ports and the connections between them,\n"
	     "in the language of Graphviz.\n"
	     "\n"
	     "Options:\n"
	     "  -s, --socket PATH  the broker's socket\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0; 1 if there is no broker; 2 if the command line\n"
	     "is wrong.\n"
	     "\n"
	     "Examples:\n"
	     "  evtchn graph\n"
	     "  evtchn graph | dot -Tsvg >graph.svg");

	return cli_flush(command) ? 0 : EXIT_NOTHING;
}

static const struct option options[] = {
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* -1 when @path is known, else the exit status to leave with. */
static int parse(int argc, char **argv, char path[SOCKET_PATH_MAX])
{
	const char *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":s:h", options, NULL)) >= 0) {
		if (c == 's')
			socket = optarg;
		else if (c == 'h')
			return print_help();
		else
			return cli_bad_option(command, options, c, argv);
	}
	if (!cli_no_more(command, argv[optind]))
		return EXIT_MISUSE;

	return socket_path(command, socket, path) ? EXIT_MISUSE : -1;
}

/* --- Drawing -------------------------------------------------------------- */

/* Quoted for Graphviz, where a backslash has a meaning even in quotes. */
static void print_label(const char *format, uint32_t number,
			const char name[EVP_NAME_MAX])
{
	char text[EVP_NAME_MAX];

	listing_clean_name(name, text);
	printf(format, number);
	for (const char *c = text; *c; c++)
		printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
}

static const char *state_of(const struct evp_port_entry *p)
{
	switch (p->status) {
	case EVTCHNSTAT_virq:
		return "virq";
	case EVTCHNSTAT_pirq:
		return "pirq";
	case EVTCHNSTAT_ipi:
		return "ipi";
	default:
		return NULL;
	}
}

static void print_port(const struct evp_port_entry *p)
{
	const char *source = state_of(p);

	printf("    p%u_%u [label=\"", p->domid, p->port);
	print_label("%u ", p->port, p->name);
	if (source)
		printf("\\n%s", source);
	if (source && p->status != EVTCHNSTAT_ipi)
		printf(" %u", p->peer);
	puts("\"];");
}

static void print_domain(const struct listing *l, size_t i)
{
	size_t nr;
	const struct evp_port_entry *p = listing_ports(l, i, &nr);
	uint32_t domid = l->domain[i].domid;

	printf("  subgraph cluster_%u {\n    label=\"", domid);
	print_label("%u ", domid, l->domain[i].name);
	printf("\";\n    d%u [shape=point, style=invis];\n", domid);
	for (; nr; nr--, p++)
		print_port(p);
	puts("  }");
}

/* An edge is drawn from one of its ends. */
static bool is_first_end(const struct evp_port_entry *p)
{
	return p->domid != p->peer_domid ? p->domid < p->peer_domid
					 : p->port <= p->peer;
}

static void print_edge(const struct listing *l, const struct evp_port_entry *p)
{
	if (!listing_domain(l, p->domid) || !listing_domain(l, p->peer_domid))
		return;
	if (p->status == EVTCHNSTAT_interdomain && is_first_end(p))
		printf("  p%u_%u -- p%u_%u%s;\n", p->domid, p->port,
		       p->peer_domid, p->peer,
		       p->linked ? "" : " [label=\"broker\"]");
	else if (p->status == EVTCHNSTAT_unbound)
		printf("  p%u_%u -- d%u [style=dashed, lhead=cluster_%u];\n",
		       p->domid, p->port, p->peer_domid, p->peer_domid);
}

static void print_graph(const struct listing *l)
{
	puts("graph evtchn {\n"
	     "  compound=true;\n"
	     "  rankdir=LR;\n"
	     "  node [shape=box];");
	for (size_t i = 0; i < l->nr_domains; i++)
		print_domain(l, i);
	for (size_t i = 0; i < l->nr_ports; i++)
		print_edge(l, &l->port[i]);
	puts("}");
}

int cmd_graph(int argc, char **argv)
{
	char path[SOCKET_PATH_MAX];
	struct listing l = {0};
	int status;
	bool ok;

	opterr = 0;
	status = parse(argc, argv, path);
	if (status >= 0)
		return status;
	ok = listing_get(command, path, &l);
	if (ok) {
		print_graph(&l);
		ok = cli_flush(command);
	}
	listing_free(&l);

	return ok ? 0 : EXIT_NOTHING;
}
