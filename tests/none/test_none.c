/* SPDX-License-Identifier: MIT */
/*
 * A core linked without FIFO event channels: what the rest of the core calls
 * does nothing, or refuses.  Run by scripts/check-coverage.
 */
#include "tests/lib/fake_host.h"

#include <string.h>

#include "core/fifo.h"
#include "core/image.h"

static void nothing_happens_to_a_domain(void **unused)
{
	struct evtchn_init_control c = {0};
	struct evc_image im = {0};
	struct evc_domain *d, before;

	(void)unused;
	fake_start(false);
	d = fake_domain(1);
	memcpy(&before, d, sizeof(before));
	assert_int_equal(evc_init_control(d, &c), -XEN_EOPNOTSUPP);
	assert_int_equal(evc_expand_array(d, 1), -XEN_EOPNOTSUPP);
	evc_fifo_measure_locked(d, &im);
	assert_false(evc_fifo_is_used(d));
	assert_int_equal(im.nr_pages, 0);
	evc_fifo_save_locked(d, &im);
	assert_int_equal(evc_fifo_prepare_locked(d, &im), 0);
	evc_fifo_enter_locked(d, &im);
	evc_fifo_unmap_locked(d);
	evc_fifo_leave_locked(d);
	assert_memory_equal(&before, d, sizeof(before));
	fake_end();
}

static void image_of_a_fifo_domain_is_refused(void **unused)
{
	struct evc_image im = {.fifo = true};

	(void)unused;
	assert_int_equal(evc_fifo_check(&im), -XEN_EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_happens_to_a_domain),
		cmocka_unit_test(image_of_a_fifo_domain_is_refused),
	};

	return cmocka_run_group_tests_name("core none", tests, NULL, NULL);
}
