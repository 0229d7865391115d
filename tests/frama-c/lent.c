/* SPDX-License-Identifier: MIT */
/*
 * Entries (see entries.c) of calls that get a structure of the host's: a new
 * domain, an image, a table of static channels.
 */
#include "world.h"

#include "core/image.h"

/* --- a new machine and a new domain ----------------------------------------- */

static struct evc_machine new_machine;
static struct evc_domain new_domain;
static struct evc_vcpu new_vcpu[NR_VCPUS];
static struct evc_channel *new_bucket[NR_BUCKETS];
static uint64_t new_map[EVC_MAP_WORDS(NR_BUCKETS)];
static evb_u32 new_pirq[NR_LINES];
static struct evc_fifo new_fifo;
static struct evc_fifo_vcpu new_fifo_vcpu[NR_VCPUS];
static struct evc_limit new_limit;
static uint32_t new_next[NR_PORTS];

static struct evc_domain_config any_config(bool fifo, bool limit)
{
	return (struct evc_domain_config){
		.machine = anything ? &new_machine : NULL,
		.domid = (domid_t)anything,
		.width = (enum evc_width)BETWEEN(0, 2),
		.shared_info = anything ? PICK(pages) + BETWEEN(0, 8) : NULL,
		.vcpu = anything ? new_vcpu : NULL,
		.nr_vcpus = NR_VCPUS,
		.bucket = anything ? new_bucket : NULL,
		.nr_buckets = NR_BUCKETS,
		.map = anything ? new_map : NULL,
		.pirq_port = anything ? new_pirq : NULL,
		.nr_pirqs = NR_LINES,
		.max_port = anything,
		.privileged = anything,
		.check_send = anything,
		.generation = anything,
		.fifo = fifo ? &new_fifo : NULL,
		.fifo_vcpu = fifo ? new_fifo_vcpu : NULL,
		.limit = limit ? &new_limit : NULL,
		.limit_next = limit ? new_next : NULL,
	};
}

static void begin(void)
{
	make_world(LENT);
	evc_machine_init(&new_machine, anything, NULL);
	new_bucket[0] = anything ? buckets[0] : NULL;
}

void entry_domain_init(void)
{
	struct evc_domain_config c = any_config(true, true);

	begin();
	(void)evc_domain_init(&new_domain, &c);
}

void entry_domain_init_poor(void)
{
	struct evc_domain_config c = any_config(false, false);

	begin();
	c.nr_vcpus = 1;
	c.nr_buckets = 1;
	c.nr_pirqs = 0;
	c.pirq_port = NULL;
	(void)evc_domain_init(&new_domain, &c);
}

/* Numbers and pointers that are refused. */
void entry_domain_init_refused(void)
{
	struct evc_domain_config c = any_config(true, false);

	begin();
	c.nr_vcpus = anything ? 0 : BETWEEN(8193, UINT32_MAX);
	c.nr_buckets = anything;
	(void)evc_domain_init(&new_domain, &c);
	c.nr_vcpus = NR_VCPUS;
	c.nr_buckets = anything ? 0 : BETWEEN(2049, UINT32_MAX);
	(void)evc_domain_init(&new_domain, &c);
}

/* --- save and restore ---------------------------------------------------- */

/* The largest image a domain of two vCPUs and two buckets has. */
#define IMAGE_MAX                                                             \
	(IMAGE_HEADER + NR_VCPUS * (IMAGE_VCPU + IMAGE_FIFO_VCPU) +           \
	 EVC_FIFO_MAX_PAGES * IMAGE_FIFO_PAGE + (NR_PORTS - 1) * IMAGE_PORT + \
	 IMAGE_CRC)

static unsigned char image[IMAGE_MAX];

void entry_save(void)
{
	size_t len;

	make_world(LENT);
	(void)evc_save_size(PICK(domains));
	(void)evc_save(PICK(domains), image, sizeof(image), &len);
	check_world(LENT);
}

/*
 * An image whose header is right and says that it has these parts; what is in
 * them is up to the caller.  It ends where the memory ends.
 */
static struct evc_image make_image(bool fifo, uint32_t nr_vcpus,
				   uint32_t nr_pages, uint32_t nr_ports)
{
	struct evc_image im = {.fifo = fifo,
			       .nr_vcpus = nr_vcpus,
			       .nr_valid = NR_PORTS,
			       .nr_pages = nr_pages,
			       .nr_ports = nr_ports};
	uint32_t len = image_length(&im);

	Frama_C_make_unknown((char *)image, sizeof(image));
	im.byte = image + sizeof(image) - len;
	image_put32(im.byte, IMAGE_MAGIC);
	image_put16(im.byte + 4, EVC_SNAPSHOT_VERSION);
	im.byte[6] = fifo;
	im.byte[7] = (uint8_t)BETWEEN(EVC_WIDTH_32, EVC_WIDTH_64);
	image_put32(im.byte + 8, len);
	image_put32(im.byte + 16, nr_vcpus);
	image_put32(im.byte + 20, NR_PORTS);
	image_put32(im.byte + 24, nr_ports);
	image_put32(im.byte + 28, nr_pages);
	return im;
}

static void open_image(const struct evc_image *im)
{
	struct evc_image got;

	(void)evc_image_open(&got, im->byte, image_length(im));
}

/* Anything at all in the records. */
void entry_image_open(void)
{
	struct evc_image im = make_image(false, 1, 0, 3);

	open_image(&im);
	im = make_image(true, 2, 2, 2);
	open_image(&im);
}

/* Not even a header. */
void entry_image_open_short(void)
{
	struct evc_image got;
	uint32_t len = BETWEEN(0, IMAGE_HEADER + IMAGE_CRC - 1);

	Frama_C_make_unknown((char *)image, sizeof(image));
	(void)evc_image_open(&got, image + sizeof(image) - len, len);
}

/*
 * What evc_image_open() lets through: a state, with the numbers it may have,
 * @from to @to.
 */
static void make_record(const struct evc_image *im, uint32_t i, uint8_t state,
			uint32_t from, uint32_t to)
{
	uint8_t *p = image_port(im, i);

	image_put32(p, BETWEEN(1, NR_PORTS - 1));
	p[4] = state;
	p[5] = (uint8_t)BETWEEN(0, IMAGE_FLAGS);
	p[6] = (uint8_t)BETWEEN(0, EVTCHN_FIFO_PRIORITY_MIN);
	p[7] = (uint8_t)BETWEEN(0, EVC_NR_CONSUMERS);
	image_put32(p + 8, BETWEEN(0, NR_VCPUS - 1));
	image_put16(p + 14, 0);
	image_put32(p + 16, BETWEEN(from, to));
}

/* A control block somewhere below 3840: a limit the analyser sees in bytes. */
static void make_queues(const struct evc_image *im, uint32_t vcpu)
{
	uint8_t *p = image_fifo_vcpu(im, vcpu);
	uint32_t prio;

	image_put32(p + 8, 8 * BETWEEN(0, 3839 / 8));
	image_put32(p + 12, BETWEEN(0, IMAGE_HAS_CONTROL));
	/*@ loop unroll EVTCHN_FIFO_MAX_QUEUES; */
	for (prio = 0; prio < EVTCHN_FIFO_MAX_QUEUES; prio++)
		image_put32(p + 16 + prio * 4, BETWEEN(0, NR_PORTS - 1));
}

static void restore(const struct evc_image *im)
{
	(void)evc_restore(PICK(domains), im->byte, image_length(im));
}

/* One byte of the number is enough for the analyser. */
static void name_no_line(const struct evc_image *im, uint32_t i)
{
	image_port(im, i)[17] = 1;
}

void entry_restore_sources(void)
{
	struct evc_image im = make_image(false, 2, 0, 2);

	make_world(LENT);
	make_record(&im, 0, EVTCHNSTAT_virq, 0, NR_VIRQS - 1);
	make_record(&im, 1, EVTCHNSTAT_pirq, 0, NR_LINES - 1);
	restore(&im);
	check_world(LENT);
}

/* A line that does not exist: what was reserved is released. */
void entry_restore_refused(void)
{
	struct evc_image im = make_image(false, 1, 0, 2);

	make_world(LENT);
	make_record(&im, 0, EVTCHNSTAT_virq, 0, NR_VIRQS - 1);
	make_record(&im, 1, EVTCHNSTAT_pirq, 0, UINT32_MAX);
	name_no_line(&im, 1);
	restore(&im);
	check_world(LENT);
}

void entry_restore_fifo(void)
{
	struct evc_image im = make_image(true, 2, 1, 2);

	make_world(LENT);
	make_queues(&im, 0);
	make_queues(&im, 1);
	make_record(&im, 0, EVTCHNSTAT_interdomain, 1, UINT32_MAX);
	make_record(&im, 1, EVTCHNSTAT_ipi, 0, 0);
	restore(&im);
	check_world(LENT);
}

/* No memory for FIFO; and callbacks that nobody registered. */
void entry_restore_poor(void)
{
	struct evc_image im = make_image(true, 1, 1, 1);

	make_world(ROOM);
	make_queues(&im, 0);
	make_record(&im, 0, EVTCHNSTAT_unbound, 0, 0);
	restore(&im);
	check_world(0);
}

/* --- static channels ------------------------------------------------------- */

static struct evc_static_end any_end(void)
{
	return (struct evc_static_end){
		.domid = (domid_t)BETWEEN(0, DOMID_FIRST_RESERVED - 1),
		.port = BETWEEN(1, NR_PORTS - 1),
		.vcpu = BETWEEN(0, NR_VCPUS - 1),
	};
}

/* Every name in the table names something. */
void entry_static_connect(void)
{
	struct evc_static_channel row[2];

	make_world(LENT);
	all_are_found = true;
	row[0] = (struct evc_static_channel){any_end(), any_end()};
	row[1] = (struct evc_static_channel){any_end(), any_end()};
	(void)evc_static_connect(PICK(machines), row, 2);
	check_world(LENT);
}

/* One does not; one after the other. */
void entry_static_refused(void)
{
	uint32_t what = BETWEEN(0, 7);
	struct evc_static_channel row = {any_end(), any_end()};

	make_world(LENT);
	all_are_found = true;
	/*@ split what; */
	switch (what) {
	case 0:
		row.a.port = 0;
		break;
	case 1:
		row.b.port = 0;
		break;
	case 2:
		row.a.port = BETWEEN(NR_PORTS, UINT32_MAX);
		break;
	case 3:
		row.b.port = BETWEEN(NR_PORTS, UINT32_MAX);
		break;
	case 4:
		row.a.vcpu = BETWEEN(NR_VCPUS, UINT32_MAX);
		break;
	case 5:
		row.b.vcpu = BETWEEN(NR_VCPUS, UINT32_MAX);
		break;
	case 6:
		row.a.domid = (domid_t)BETWEEN(DOMID_FIRST_RESERVED, 0xffff);
		break;
	case 7:
		row.b.domid = (domid_t)BETWEEN(DOMID_FIRST_RESERVED, 0xffff);
		break;
	}
	(void)evc_static_connect(PICK(machines), &row, 1);
	check_world(LENT);
}
