/* SPDX-License-Identifier: MIT */
/*
 * compare LABEL OURS THEIRS: compares two tables entry by entry.
 *
 * Prints one TAP line without number per group, and below a failing one a
 * diagnostic for each item that differs.  Exits 0 if nothing differs, 1 if
 * something does, 2 if there was nothing to compare.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "table.h"

#define MAX_ENTRIES	4096
#define MAX_DIFFERENCES 256
#define MAX_NAME	((int)sizeof(((struct table_entry *)0)->name))

struct table {
	struct table_entry entry[MAX_ENTRIES];
	size_t count;
};

struct group {
	const struct table_entry *head;
	unsigned int items;
	unsigned int absent;
	unsigned int differences;
	size_t difference[MAX_DIFFERENCES];
};

static struct table ours, theirs;

static void die(const char *path, const char *why)
{
	printf("Bail out! %s: %s\n", path, why);
	exit(2);
}

static void load_table(struct table *table, const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size = sizeof(table->entry[0]);

	if (!file)
		die(path, "cannot open");
	table->count = fread(table->entry, size, MAX_ENTRIES, file);
	if (ferror(file) || fgetc(file) != EOF || ftell(file) % (long)size)
		die(path, "not a table");
	fclose(file);
	if (!table->count || table->entry[0].kind != TABLE_GROUP)
		die(path, "empty");
}

/* Do both tables ask the same questions? */
static void check_names(const char *path)
{
	if (ours.count != theirs.count)
		die(path, "the tables differ in length");
	for (size_t i = 0; i < ours.count; i++)
		if (strncmp(ours.entry[i].name, theirs.entry[i].name,
			    (size_t)MAX_NAME) ||
		    ours.entry[i].kind != theirs.entry[i].kind)
			die(path, "the tables differ in order");
}

static void print_group(const char *label, const struct group *group)
{
	printf("%sok - %s: %.*s, %u items\n", group->differences ? "not " : "",
	       label, MAX_NAME, group->head->name, group->items);
	if (group->absent)
		printf("# %u not in these Xen headers\n", group->absent);
	for (unsigned int i = 0; i < group->differences; i++) {
		size_t at = group->difference[i];

		printf("# %.*s: ours %" PRIu64 ", Xen's %" PRIu64 "\n",
		       MAX_NAME, ours.entry[at].name, ours.entry[at].value,
		       theirs.entry[at].value);
	}
}

/* Compares the group whose head is at @first; returns the next head. */
static size_t compare_group(size_t first, struct group *group)
{
	size_t at = first + 1;

	memset(group, 0, sizeof(*group));
	group->head = &ours.entry[first];
	for (; at < ours.count && ours.entry[at].kind == TABLE_ITEM; at++) {
		if (theirs.entry[at].value == TABLE_ABSENT) {
			group->absent++;
			continue;
		}
		group->items++;
		if (ours.entry[at].value == theirs.entry[at].value)
			continue;
		if (group->differences == MAX_DIFFERENCES)
			die(group->head->name, "too many differences");
		group->difference[group->differences++] = at;
	}
	if (!group->items)
		die(group->head->name, "nothing to compare");
	return at;
}

int main(int argc, char **argv)
{
	struct group group;
	bool differ = false;

	if (argc != 4) {
		fprintf(stderr, "usage: compare LABEL OURS THEIRS\n");
		return 2;
	}
	load_table(&ours, argv[2]);
	load_table(&theirs, argv[3]);
	check_names(argv[2]);
	for (size_t at = 0; at < ours.count;) {
		at = compare_group(at, &group);
		print_group(argv[1], &group);
		differ |= group.differences;
	}
	return differ;
}
