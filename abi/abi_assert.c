/* SPDX-License-Identifier: MIT */
/*
 * Proof that the ABI headers lay their structures out as Xen does.
 *
 * Compiling this file is the test; it generates no code.  It must pass on
 * every target and with -m32, because a structure is read by builds of both
 * widths.  The numbers are the contract: if one of them fails, the header is
 * wrong, never the number.  tests/abi checks the same, and every constant,
 * against the headers that Xen ships.
 *
 * Holes show up as a gap between a member's end and the next one's offset;
 * they exist in Xen's layouts too and nobody reads them.
 */
#include <stddef.h>
#include <abi/callback.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/hvm.h>
#include <abi/physdev.h>
#include <abi/sched.h>
#include <abi/start_info.h>
#include <abi/types.h>
#include <abi/vcpu.h>
#include <abi/xen.h>

#define IS(a, b)	  _Static_assert((a) == (b), #a " is not " #b)
#define SIZE(tag, size)	  IS(sizeof(struct tag), size)
#define ALIGN(tag, align) IS(_Alignof(struct tag), align)
#define MEMBER(tag, member, offset, size)         \
	IS(offsetof(struct tag, member), offset); \
	IS(sizeof(((struct tag *)0)->member), size)

/* --- types.h ------------------------------------------------------------ */

IS(sizeof(abi_u64), 8);
IS(_Alignof(abi_u64), 8);
IS(sizeof(abi_u64_a4), 8);
IS(_Alignof(abi_u64_a4), 4);

/* --- event_channel.h ---------------------------------------------------- */

IS(sizeof(domid_t), 2);
IS(sizeof(evtchn_port_t), 4);
IS(sizeof(event_word_t), 4);

SIZE(evtchn_alloc_unbound, 8);
MEMBER(evtchn_alloc_unbound, dom, 0, 2);
MEMBER(evtchn_alloc_unbound, remote_dom, 2, 2);
MEMBER(evtchn_alloc_unbound, port, 4, 4);

SIZE(evtchn_bind_interdomain, 12);
MEMBER(evtchn_bind_interdomain, remote_dom, 0, 2);
MEMBER(evtchn_bind_interdomain, remote_port, 4, 4);
MEMBER(evtchn_bind_interdomain, local_port, 8, 4);

SIZE(evtchn_bind_virq, 12);
MEMBER(evtchn_bind_virq, virq, 0, 4);
MEMBER(evtchn_bind_virq, vcpu, 4, 4);
MEMBER(evtchn_bind_virq, port, 8, 4);

SIZE(evtchn_bind_pirq, 12);
MEMBER(evtchn_bind_pirq, pirq, 0, 4);
MEMBER(evtchn_bind_pirq, flags, 4, 4);
MEMBER(evtchn_bind_pirq, port, 8, 4);

SIZE(evtchn_bind_ipi, 8);
MEMBER(evtchn_bind_ipi, vcpu, 0, 4);
MEMBER(evtchn_bind_ipi, port, 4, 4);

SIZE(evtchn_close, 4);
MEMBER(evtchn_close, port, 0, 4);

SIZE(evtchn_send, 4);
MEMBER(evtchn_send, port, 0, 4);

SIZE(evtchn_status, 24);
MEMBER(evtchn_status, dom, 0, 2);
MEMBER(evtchn_status, port, 4, 4);
MEMBER(evtchn_status, status, 8, 4);
MEMBER(evtchn_status, vcpu, 12, 4);
MEMBER(evtchn_status, u, 16, 8);
MEMBER(evtchn_status, u.unbound.dom, 16, 2);
MEMBER(evtchn_status, u.interdomain.dom, 16, 2);
MEMBER(evtchn_status, u.interdomain.port, 20, 4);
MEMBER(evtchn_status, u.pirq, 16, 4);
MEMBER(evtchn_status, u.virq, 16, 4);

SIZE(evtchn_bind_vcpu, 8);
MEMBER(evtchn_bind_vcpu, port, 0, 4);
MEMBER(evtchn_bind_vcpu, vcpu, 4, 4);

SIZE(evtchn_unmask, 4);
MEMBER(evtchn_unmask, port, 0, 4);

SIZE(evtchn_reset, 2);
MEMBER(evtchn_reset, dom, 0, 2);

SIZE(evtchn_op, 28);
MEMBER(evtchn_op, cmd, 0, 4);
MEMBER(evtchn_op, u, 4, 24);
MEMBER(evtchn_op, u.alloc_unbound, 4, 8);
MEMBER(evtchn_op, u.bind_interdomain, 4, 12);
MEMBER(evtchn_op, u.bind_virq, 4, 12);
MEMBER(evtchn_op, u.bind_pirq, 4, 12);
MEMBER(evtchn_op, u.bind_ipi, 4, 8);
MEMBER(evtchn_op, u.close, 4, 4);
MEMBER(evtchn_op, u.send, 4, 4);
MEMBER(evtchn_op, u.status, 4, 24);
MEMBER(evtchn_op, u.bind_vcpu, 4, 8);
MEMBER(evtchn_op, u.unmask, 4, 4);

SIZE(evtchn_fifo_control_block, 72);
MEMBER(evtchn_fifo_control_block, ready, 0, 4);
MEMBER(evtchn_fifo_control_block, _rsvd, 4, 4);
MEMBER(evtchn_fifo_control_block, head, 8, 64);

SIZE(evtchn_init_control, 24);
MEMBER(evtchn_init_control, control_gfn, 0, 8);
MEMBER(evtchn_init_control, offset, 8, 4);
MEMBER(evtchn_init_control, vcpu, 12, 4);
MEMBER(evtchn_init_control, link_bits, 16, 1);
MEMBER(evtchn_init_control, _pad, 17, 7);

SIZE(evtchn_expand_array, 8);
MEMBER(evtchn_expand_array, array_gfn, 0, 8);

SIZE(evtchn_set_priority, 8);
MEMBER(evtchn_set_priority, port, 0, 4);
MEMBER(evtchn_set_priority, priority, 4, 4);

IS(EVTCHN_2L_NR_CHANNELS_64, 64 * 64);
IS(EVTCHN_2L_NR_CHANNELS_32, 32 * 32);
IS(EVTCHN_FIFO_LINK_MASK, 0x1ffff);
IS(EVTCHN_FIFO_NR_CHANNELS, 131072);
IS(EVTCHN_FIFO_NR_CHANNELS, 128 * (4096 / sizeof(event_word_t)));
IS(EVTCHN_FIFO_MAX_QUEUES, 16);

/* --- xen.h: parts common to all layouts --------------------------------- */

SIZE(vcpu_time_info, 32);
MEMBER(vcpu_time_info, version, 0, 4);
MEMBER(vcpu_time_info, pad0, 4, 4);
MEMBER(vcpu_time_info, tsc_timestamp, 8, 8);
MEMBER(vcpu_time_info, system_time, 16, 8);
MEMBER(vcpu_time_info, tsc_to_system_mul, 24, 4);
MEMBER(vcpu_time_info, tsc_shift, 28, 1);
MEMBER(vcpu_time_info, flags, 29, 1);
MEMBER(vcpu_time_info, pad1, 30, 2);

/* --- xen.h: x86, 64-bit guest ------------------------------------------- */

SIZE(arch_vcpu_info, 16);
MEMBER(arch_vcpu_info, cr2, 0, 8);
MEMBER(arch_vcpu_info, pad, 8, 8);

SIZE(vcpu_info, 64);
ALIGN(vcpu_info, 8);
MEMBER(vcpu_info, evtchn_upcall_pending, 0, 1);
MEMBER(vcpu_info, evtchn_upcall_mask, 1, 1);
MEMBER(vcpu_info, evtchn_pending_sel, 8, 8);
MEMBER(vcpu_info, arch, 16, 16);
MEMBER(vcpu_info, time, 32, 32);

SIZE(arch_shared_info, 48);
MEMBER(arch_shared_info, max_pfn, 0, 8);
MEMBER(arch_shared_info, pfn_to_mfn_frame_list_list, 8, 8);
MEMBER(arch_shared_info, nmi_reason, 16, 8);
MEMBER(arch_shared_info, p2m_cr3, 24, 8);
MEMBER(arch_shared_info, p2m_vaddr, 32, 8);
MEMBER(arch_shared_info, p2m_generation, 40, 8);

SIZE(shared_info, 3136);
ALIGN(shared_info, 8);
MEMBER(shared_info, vcpu_info, 0, 2048);
MEMBER(shared_info, vcpu_info[1], 64, 64);
MEMBER(shared_info, evtchn_pending, 2048, 512);
MEMBER(shared_info, evtchn_pending[1], 2056, 8);
MEMBER(shared_info, evtchn_mask, 2560, 512);
MEMBER(shared_info, evtchn_mask[1], 2568, 8);
MEMBER(shared_info, wc_version, 3072, 4);
MEMBER(shared_info, wc_sec, 3076, 4);
MEMBER(shared_info, wc_nsec, 3080, 4);
MEMBER(shared_info, wc_sec_hi, 3084, 4);
MEMBER(shared_info, arch, 3088, 48);

/* --- xen.h: x86, 32-bit guest ------------------------------------------- */

SIZE(vcpu_time_info_32, 32);
MEMBER(vcpu_time_info_32, version, 0, 4);
MEMBER(vcpu_time_info_32, pad0, 4, 4);
MEMBER(vcpu_time_info_32, tsc_timestamp, 8, 8);
MEMBER(vcpu_time_info_32, system_time, 16, 8);
MEMBER(vcpu_time_info_32, tsc_to_system_mul, 24, 4);
MEMBER(vcpu_time_info_32, tsc_shift, 28, 1);
MEMBER(vcpu_time_info_32, flags, 29, 1);
MEMBER(vcpu_time_info_32, pad1, 30, 2);

SIZE(arch_vcpu_info_32, 24);
MEMBER(arch_vcpu_info_32, cr2, 0, 4);
MEMBER(arch_vcpu_info_32, pad, 4, 20);

SIZE(vcpu_info_32, 64);
ALIGN(vcpu_info_32, 4);
MEMBER(vcpu_info_32, evtchn_upcall_pending, 0, 1);
MEMBER(vcpu_info_32, evtchn_upcall_mask, 1, 1);
MEMBER(vcpu_info_32, evtchn_pending_sel, 4, 4);
MEMBER(vcpu_info_32, arch, 8, 24);
MEMBER(vcpu_info_32, time, 32, 32);

SIZE(arch_shared_info_32, 28);
MEMBER(arch_shared_info_32, max_pfn, 0, 4);
MEMBER(arch_shared_info_32, pfn_to_mfn_frame_list_list, 4, 4);
MEMBER(arch_shared_info_32, nmi_reason, 8, 4);
MEMBER(arch_shared_info_32, p2m_cr3, 12, 4);
MEMBER(arch_shared_info_32, p2m_vaddr, 16, 4);
MEMBER(arch_shared_info_32, p2m_generation, 20, 4);
MEMBER(arch_shared_info_32, wc_sec_hi, 24, 4);

SIZE(shared_info_32, 2344);
ALIGN(shared_info_32, 4);
MEMBER(shared_info_32, vcpu_info, 0, 2048);
MEMBER(shared_info_32, vcpu_info[1], 64, 64);
MEMBER(shared_info_32, evtchn_pending, 2048, 128);
MEMBER(shared_info_32, evtchn_pending[1], 2052, 4);
MEMBER(shared_info_32, evtchn_mask, 2176, 128);
MEMBER(shared_info_32, evtchn_mask[1], 2180, 4);
MEMBER(shared_info_32, wc_version, 2304, 4);
MEMBER(shared_info_32, wc_sec, 2308, 4);
MEMBER(shared_info_32, wc_nsec, 2312, 4);
MEMBER(shared_info_32, arch, 2316, 28);

/* --- xen.h: Arm --------------------------------------------------------- */

SIZE(vcpu_info_arm, 48);
ALIGN(vcpu_info_arm, 8);
MEMBER(vcpu_info_arm, evtchn_upcall_pending, 0, 1);
MEMBER(vcpu_info_arm, pad0, 1, 1);
MEMBER(vcpu_info_arm, evtchn_pending_sel, 8, 8);
MEMBER(vcpu_info_arm, time, 16, 32);

SIZE(shared_info_arm, 1088);
ALIGN(shared_info_arm, 8);
MEMBER(shared_info_arm, vcpu_info, 0, 48);
MEMBER(shared_info_arm, evtchn_pending, 48, 512);
MEMBER(shared_info_arm, evtchn_pending[1], 56, 8);
MEMBER(shared_info_arm, evtchn_mask, 560, 512);
MEMBER(shared_info_arm, evtchn_mask[1], 568, 8);
MEMBER(shared_info_arm, wc_version, 1072, 4);
MEMBER(shared_info_arm, wc_sec, 1076, 4);
MEMBER(shared_info_arm, wc_nsec, 1080, 4);
MEMBER(shared_info_arm, wc_sec_hi, 1084, 4);

/* --- sched.h ------------------------------------------------------------ */

SIZE(sched_shutdown, 4);
MEMBER(sched_shutdown, reason, 0, 4);

SIZE(sched_poll, 24);
MEMBER(sched_poll, ports, 0, 8);
MEMBER(sched_poll, nr_ports, 8, 4);
MEMBER(sched_poll, timeout, 16, 8);

SIZE(sched_poll_32, 16);
MEMBER(sched_poll_32, ports, 0, 4);
MEMBER(sched_poll_32, nr_ports, 4, 4);
MEMBER(sched_poll_32, timeout, 8, 8);

SIZE(sched_remote_shutdown, 8);
MEMBER(sched_remote_shutdown, domain_id, 0, 2);
MEMBER(sched_remote_shutdown, reason, 4, 4);

SIZE(sched_watchdog, 8);
MEMBER(sched_watchdog, id, 0, 4);
MEMBER(sched_watchdog, timeout, 4, 4);

/* --- vcpu.h ------------------------------------------------------------- */

SIZE(vcpu_set_periodic_timer, 8);
MEMBER(vcpu_set_periodic_timer, period_ns, 0, 8);

SIZE(vcpu_set_singleshot_timer, 16);
MEMBER(vcpu_set_singleshot_timer, timeout_abs_ns, 0, 8);
MEMBER(vcpu_set_singleshot_timer, flags, 8, 4);

SIZE(vcpu_set_singleshot_timer_32, 12);
MEMBER(vcpu_set_singleshot_timer_32, timeout_abs_ns, 0, 8);
MEMBER(vcpu_set_singleshot_timer_32, flags, 8, 4);

SIZE(vcpu_register_vcpu_info, 16);
MEMBER(vcpu_register_vcpu_info, mfn, 0, 8);
MEMBER(vcpu_register_vcpu_info, offset, 8, 4);
MEMBER(vcpu_register_vcpu_info, rsvd, 12, 4);

/* --- hvm.h -------------------------------------------------------------- */

SIZE(xen_hvm_param, 16);
MEMBER(xen_hvm_param, domid, 0, 2);
MEMBER(xen_hvm_param, pad, 2, 2);
MEMBER(xen_hvm_param, index, 4, 4);
MEMBER(xen_hvm_param, value, 8, 8);

SIZE(xen_hvm_evtchn_upcall_vector, 8);
MEMBER(xen_hvm_evtchn_upcall_vector, vcpu, 0, 4);
MEMBER(xen_hvm_evtchn_upcall_vector, vector, 4, 1);

SIZE(xen_feature_info, 8);
MEMBER(xen_feature_info, submap_idx, 0, 4);
MEMBER(xen_feature_info, submap, 4, 4);

IS(HVM_PARAM_CALLBACK_IRQ_TYPE_MASK, UINT64_C(0xff) << ABI_CALLBACK_TYPE_SHIFT);
IS(ABI_CALLBACK_VIA_NONE, ABI_CALLBACK_VIA_GSI(0));
IS(ABI_CALLBACK_VIA_GSI(9), 9);
IS(ABI_CALLBACK_VIA_INTX(1, 2, 3 << 3 | 1, 2), UINT64_C(0x0100000100021902));
IS(ABI_CALLBACK_VIA_VECTOR(0xf3), UINT64_C(0x02000000000000f3));

/* --- callback.h --------------------------------------------------------- */

SIZE(callback_register, 16);
MEMBER(callback_register, type, 0, 2);
MEMBER(callback_register, flags, 2, 2);
MEMBER(callback_register, address, 8, 8);

SIZE(callback_register_32, 12);
MEMBER(callback_register_32, type, 0, 2);
MEMBER(callback_register_32, flags, 2, 2);
MEMBER(callback_register_32, address, 4, 8);
MEMBER(callback_register_32, address.cs, 4, 4);
MEMBER(callback_register_32, address.eip, 8, 4);

SIZE(callback_unregister, 4);
MEMBER(callback_unregister, type, 0, 2);
MEMBER(callback_unregister, _unused, 2, 2);

/* --- physdev.h ---------------------------------------------------------- */

SIZE(physdev_eoi, 4);
MEMBER(physdev_eoi, irq, 0, 4);

SIZE(physdev_irq_status_query, 8);
MEMBER(physdev_irq_status_query, irq, 0, 4);
MEMBER(physdev_irq_status_query, flags, 4, 4);

SIZE(physdev_pirq_eoi_gmfn, 8);
MEMBER(physdev_pirq_eoi_gmfn, gmfn, 0, 8);

SIZE(physdev_pirq_eoi_gmfn_32, 4);
MEMBER(physdev_pirq_eoi_gmfn_32, gmfn, 0, 4);

SIZE(physdev_map_pirq, 40);
MEMBER(physdev_map_pirq, domid, 0, 2);
MEMBER(physdev_map_pirq, type, 4, 4);
MEMBER(physdev_map_pirq, index, 8, 4);
MEMBER(physdev_map_pirq, pirq, 12, 4);
MEMBER(physdev_map_pirq, bus, 16, 4);
MEMBER(physdev_map_pirq, devfn, 20, 4);
MEMBER(physdev_map_pirq, entry_nr, 24, 4);
MEMBER(physdev_map_pirq, table_base, 32, 8);

SIZE(physdev_map_pirq_32, 36);
MEMBER(physdev_map_pirq_32, domid, 0, 2);
MEMBER(physdev_map_pirq_32, type, 4, 4);
MEMBER(physdev_map_pirq_32, index, 8, 4);
MEMBER(physdev_map_pirq_32, pirq, 12, 4);
MEMBER(physdev_map_pirq_32, bus, 16, 4);
MEMBER(physdev_map_pirq_32, devfn, 20, 4);
MEMBER(physdev_map_pirq_32, entry_nr, 24, 4);
MEMBER(physdev_map_pirq_32, table_base, 28, 8);

SIZE(physdev_unmap_pirq, 8);
MEMBER(physdev_unmap_pirq, domid, 0, 2);
MEMBER(physdev_unmap_pirq, pirq, 4, 4);

SIZE(physdev_get_free_pirq, 8);
MEMBER(physdev_get_free_pirq, type, 0, 4);
MEMBER(physdev_get_free_pirq, pirq, 4, 4);

/* --- start_info.h ------------------------------------------------------- */

SIZE(start_info, 1168);
MEMBER(start_info, magic, 0, 32);
MEMBER(start_info, nr_pages, 32, 8);
MEMBER(start_info, shared_info, 40, 8);
MEMBER(start_info, flags, 48, 4);
MEMBER(start_info, store_mfn, 56, 8);
MEMBER(start_info, store_evtchn, 64, 4);
MEMBER(start_info, console, 72, 16);
MEMBER(start_info, console.domU.mfn, 72, 8);
MEMBER(start_info, console.domU.evtchn, 80, 4);
MEMBER(start_info, console.dom0.info_off, 72, 4);
MEMBER(start_info, console.dom0.info_size, 76, 4);
MEMBER(start_info, pt_base, 88, 8);
MEMBER(start_info, nr_pt_frames, 96, 8);
MEMBER(start_info, mfn_list, 104, 8);
MEMBER(start_info, mod_start, 112, 8);
MEMBER(start_info, mod_len, 120, 8);
MEMBER(start_info, cmd_line, 128, 1024);
MEMBER(start_info, first_p2m_pfn, 1152, 8);
MEMBER(start_info, nr_p2m_frames, 1160, 8);
