/* SPDX-License-Identifier: MIT */
/*
 * The messages of grants, as the input says: part of fuzz_broker.c, which has
 * the peers.
 */
#ifndef FUZZ_GRANTS_H
#define FUZZ_GRANTS_H

static void become_session(struct peer *p)
{
	struct evp_hello hello;
	struct evp_reserve m = {.domid = (uint16_t)(p - peers + 1)};

	disconnect(p);
	connect_peer(p);
	evp_hdr_init(&hello.hdr, EVP_HELLO, sizeof(hello), 1);
	post(NULL, p, &hello, sizeof(hello), 0);
	evp_hdr_init(&m.hdr, EVP_RESERVE, sizeof(m), 2);
	post(NULL, p, &m, sizeof(m), 0);
	p->is_session = true;
}

static void send_region(struct tape *t, struct peer *p)
{
	uint8_t b = tape_u8(t);
	struct evp_grant_region m = {.nr_pages = b % 4 + 1,
				     .domid = tape_u8(t) % NR_PEERS + 1,
				     .flags = b / 4 % 8};
	int fd = memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (ftruncate(fd, (m.nr_pages + (b > 240)) * EVP_PAGE_SIZE) ||
	    fcntl(fd, F_ADD_SEALS,
		  b > 250 ? F_SEAL_GROW : F_SEAL_GROW | F_SEAL_SHRINK))
		abort();
	evp_hdr_init(&m.hdr, EVP_GRANT_REGION, sizeof(m), 3);
	(void)evp_send_packet(p->fd, &m, sizeof(m), &fd, 1, MSG_DONTWAIT);
	/* Sealed for good, mostly, as soon as the broker has it. */
	run_broker();
	(void)fcntl(fd, F_ADD_SEALS,
		    tape_u8(t) < 8 ? F_SEAL_FUTURE_WRITE
				   : F_SEAL_SEAL | F_SEAL_FUTURE_WRITE *
							   !(m.flags & 1));
	(void)close(fd);
}

static void take_notify(struct tape *t, struct evp_grant_notify *n)
{
	uint8_t b = tape_u8(t);

	n->what = b < 100 ? 0 : b % 4;
	n->offset = b % 32 * 133;
	n->port = b / 4 % 8;
}

static void send_share(struct tape *t, struct peer *p)
{
	uint8_t b = tape_u8(t);
	struct evp_grant_share m = {.region = p->region,
				    .page = b % 4,
				    .count = b / 4 % 4 + (b < 250),
				    .at = EVP_GRANT_ANY};

	if (b % 8 == 7)
		m.at = tape_u8(t) % 9;
	take_notify(t, &m.notify);
	if (b > 252)
		m.region++;
	evp_hdr_init(&m.hdr, EVP_GRANT_SHARE, sizeof(m), 4);
	post(NULL, p, &m, sizeof(m), 0);
}

static uint32_t take_ref(struct tape *t)
{
	uint8_t b = tape_u8(t);

	return b < 250 ? b % 24 : b < 253 ? UINT32_MAX : EVP_GRANT_GFN + 8;
}

static void send_unshare(struct tape *t, struct peer *p)
{
	struct evp_grant_unshare m = {.count = tape_u8(t) % 3 + 1};
	size_t len = offsetof(struct evp_grant_unshare, ref);
	uint32_t i;

	for (i = 0; i < m.count; i++)
		m.ref[i] = take_ref(t);
	len += m.count * sizeof(m.ref[0]);
	evp_hdr_init(&m.hdr, EVP_GRANT_UNSHARE, len, 5);
	post(NULL, p, &m, len, 0);
}

static void send_map(struct tape *t, struct peer *p)
{
	uint8_t b = tape_u8(t), f = tape_u8(t);
	struct evp_grant_map m = {.file = f / 8 % 8 == 7 ? f : 0,
				  .domid = b / 32 % 7,
				  .count = b % 4 + 1,
				  .flags = f % 8};
	size_t len = offsetof(struct evp_grant_map, ref);
	uint32_t i;

	for (i = 0; i < m.count; i++)
		m.ref[i] = take_ref(t);
	if (m.count == 1)
		take_notify(t, &m.notify);
	len += m.count * sizeof(m.ref[0]) + (b == 255);
	evp_hdr_init(&m.hdr, EVP_GRANT_MAP, len, 6);
	post(NULL, p, &m, len, 0);
}

static void send_unmap(struct tape *t, struct peer *p)
{
	struct evp_grant_unmap m = {.map = tape_u8(t) % 12};

	evp_hdr_init(&m.hdr, EVP_GRANT_UNMAP, sizeof(m), 7);
	post(NULL, p, &m, sizeof(m), 0);
}

/* Connected, a session, with something shared; or one message more. */
static void use_grants(struct tape *t, struct peer *p)
{
	uint8_t b = tape_u8(t);

	if (!p->is_session)
		become_session(p);
	switch (b % 8) {
	case 0:
	case 1:
		send_region(t, p);
		run_broker();
		read_messages(p, 16);
		send_share(t, p);
		break;
	case 2:
		send_share(t, p);
		break;
	case 3:
		send_unshare(t, p);
		break;
	case 4:
	case 5:
	case 6:
		read_messages(p, 16);
		send_map(t, p);
		break;
	default: /* a number, not a state */
		send_unmap(t, p);
		break;
	}
}

#endif /* FUZZ_GRANTS_H */
