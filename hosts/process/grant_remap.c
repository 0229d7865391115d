/* SPDX-License-Identifier: MIT */
/*
 * What was mapped is mapped again with the next broker, so that it knows who has
 * which page: what to do when that ends, and that the grant is in use.
 *
 * It is an ordinary GRANT_MAP of the same references, and the broker grants it if
 * it would grant it to anybody: its owner has shared the page again, for this
 * domain.  If he has not come back yet it is refused, and tried again
 * (grant_again.c).  The memory stays where it is mapped.  So what is there under
 * the reference now must be that memory; if it is another page, somebody else
 * shares it, and it is left alone.  For a notification the broker looks at this
 * before it takes note of it, for the rest we do, from its answer.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grant.h"

int evp_area_see(struct evp_area *a, uint32_t from,
		 const struct evp_grant_ref *r,
		 const struct evp_grant_mapped *m, int fd)
{
	struct stat st;
	uint32_t i;

	if (fstat(fd, &st))
		return evp_fail(-EIO, "cannot look at the memory of a grant");
	for (i = 0; i < m->count; i++)
		a->seen[from + i] = (struct evp_seen){
			.ref = r[i], .file = st.st_ino, .page = m->page[i]};
	return 0;
}

static bool is_same(const struct evp_seen *s, const struct evp_grant_mapped *m,
		    int fd)
{
	struct stat st;
	uint32_t i;

	if (fstat(fd, &st))
		return false;
	for (i = 0; i < m->count; i++) {
		if (s[i].file != st.st_ino || s[i].page != m->page[i])
			return false;
	}
	return true;
}

/* As many as go at once, beginning with the one at *@done. */
static bool remap_some(struct evp_grants *h, struct evp_area *a, uint32_t *done)
{
	const struct evp_seen *s = a->seen + *done;
	const struct evp_how how = {.flags = a->flags,
				    .notify = a->has_notify ? &a->notify : NULL,
				    .only = a->count == 1 ? s : NULL};
	struct evp_grant_ref ref[EVP_GRANTS_PER_MSG];
	struct evp_grant_mapped m;
	uint32_t n = 0;
	bool same;
	int fd = -1;

	while (n < EVP_GRANTS_PER_MSG && n < a->count - *done) {
		ref[n] = s[n].ref;
		n++;
	}
	if (evp_grant_ask(h, ref, n, &how, &m, &fd) || m.status)
		return false;
	a->id[a->nr++] = m.map;
	same = is_same(s, &m, fd);
	(void)close(fd);
	*done += m.count;
	return same;
}

bool evp_area_remap(struct evp_grants *h, struct evp_area *a)
{
	uint32_t done = 0;
	bool same = true;

	while (same && done < a->count)
		same = remap_some(h, a, &done);
	if (!same)
		(void)evp_unmap_numbers(h, a);
	return same;
}
