/* SPDX-License-Identifier: MIT */
/*
 * Operations as lines of text:
 *
 *   send dom=1 vcpu=0 port=5 at=0x11000 env=ry
 *
 * A kind, then its numbers by name, decimal or 0x; what is missing is 0.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/ops.h"

/* Letters of env, in the order of the ENV_ bits. */
static const char env_letters[] = "nryuibm";

void op_print(FILE *f, const struct op *o)
{
	const struct op_kind_info *k = &op_kinds[o->kind];
	uint32_t i;

	fputs(k->name, f);
	for (i = 0; i < OP_ARGS; i++) {
		if (k->arg[i])
			fprintf(f, o->arg[i] > 9999 ? " %s=0x%x" : " %s=%u",
				k->arg[i], o->arg[i]);
	}
	if (o->env)
		fputs(" env=", f);
	for (i = 0; env_letters[i]; i++) {
		if (o->env >> i & 1)
			fputc(env_letters[i], f);
	}
	fputc('\n', f);
}

/* --- reading --------------------------------------------------------------- */

static bool find_kind(const char *name, struct op *o)
{
	for (o->kind = 0; o->kind < OP_KINDS; o->kind++) {
		if (!strcmp(op_kinds[o->kind].name, name))
			return true;
	}
	return false;
}

static bool parse_env(const char *letters, struct op *o)
{
	const char *at;

	for (; *letters; letters++) {
		at = strchr(env_letters, *letters);
		if (!at)
			return false;
		o->env |= 1u << (at - env_letters);
	}
	return true;
}

static bool parse_arg(char *word, struct op *o)
{
	const struct op_kind_info *k = &op_kinds[o->kind];
	char *value = strchr(word, '='), *end;
	uint32_t i;

	if (!value)
		return false;
	*value++ = 0;
	if (!strcmp(word, "env"))
		return parse_env(value, o);
	for (i = 0; i < OP_ARGS; i++) {
		if (!k->arg[i] || strcmp(k->arg[i], word) != 0)
			continue;
		o->arg[i] = (uint32_t)strtoul(value, &end, 0);
		return *value && !*end;
	}
	return false;
}

bool op_parse(const char *line, struct op *o)
{
	char copy[256], *word, *rest = NULL;

	memset(o, 0, sizeof(*o));
	if (strlen(line) >= sizeof(copy))
		return false;
	strcpy(copy, line);
	word = strtok_r(copy, " \t\n", &rest);
	if (!word || !find_kind(word, o))
		return false;
	while ((word = strtok_r(NULL, " \t\n", &rest))) {
		if (!parse_arg(word, o))
			return false;
	}
	return true;
}

/* --- results ------------------------------------------------------------------- */

const char *op_code_name(int rc)
{
	static const struct {
		int rc;
		const char *name;
	} names[] = {
		{0, "0"},
		{MODEL_BLOCK, "BLOCK"},
		{OP_SKIPPED, "skipped"},
		{-XEN_EPERM, "EPERM"},
		{-XEN_ENOENT, "ENOENT"},
		{-XEN_ESRCH, "ESRCH"},
		{-XEN_EAGAIN, "EAGAIN"},
		{-XEN_ENOMEM, "ENOMEM"},
		{-XEN_EACCES, "EACCES"},
		{-XEN_EFAULT, "EFAULT"},
		{-XEN_EBUSY, "EBUSY"},
		{-XEN_EEXIST, "EEXIST"},
		{-XEN_EINVAL, "EINVAL"},
		{-XEN_ENOSPC, "ENOSPC"},
		{-XEN_ENOSYS, "ENOSYS"},
		{-XEN_ERESTART, "ERESTART"},
		{-XEN_EOPNOTSUPP, "EOPNOTSUPP"},
		{-XEN_ENOBUFS, "ENOBUFS"},
	};
	uint32_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].rc == rc)
			return names[i].name;
	}
	return NULL;
}
