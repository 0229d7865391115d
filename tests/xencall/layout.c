/* SPDX-License-Identifier: MIT */
/*
 * The control interface, as user/xenctl.h has it, or (THEIRS) as Xen's headers
 * do: prints numbers, sizes and offsets.  run.sh compares the two outputs.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef THEIRS
#define __XEN_TOOLS__
#include <xen/xen.h>

#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/version.h>
#define PICK(ours, theirs) theirs
#else
#include "user/xenctl.h"
#define PICK(ours, theirs) ours
#endif

#define NUMBER(name, ours, theirs) \
	printf("%s %lu\n", name, (unsigned long)PICK(ours, theirs))
#define SIZE(ours, theirs)                                     \
	printf("struct %s %zu %zu\n", #theirs,                 \
	       sizeof(PICK(struct ours, struct xen_##theirs)), \
	       _Alignof(PICK(struct ours, struct xen_##theirs)))
#define MEMBER(ours, theirs, our, their)                               \
	printf("%s.%s %zu %zu\n", #theirs, #their,                     \
	       offsetof(PICK(struct ours, struct xen_##theirs),        \
			PICK(our, their)),                             \
	       sizeof(((PICK(struct ours, struct xen_##theirs) *)NULL) \
			      ->PICK(our, their)))

static void numbers(void)
{
	NUMBER("sysctl", CTL_HYPERVISOR_SYSCTL, __HYPERVISOR_sysctl);
	NUMBER("domctl", CTL_HYPERVISOR_DOMCTL, __HYPERVISOR_domctl);
	NUMBER("domctl version", CTL_DOMCTL_VERSION,
	       XEN_DOMCTL_INTERFACE_VERSION);
	NUMBER("sysctl version", CTL_SYSCTL_VERSION,
	       XEN_SYSCTL_INTERFACE_VERSION);
	NUMBER("getdomaininfo", CTL_DOMCTL_GETDOMAININFO,
	       XEN_DOMCTL_getdomaininfo);
	NUMBER("physinfo", CTL_SYSCTL_PHYSINFO, XEN_SYSCTL_physinfo);
	NUMBER("getdomaininfolist", CTL_SYSCTL_GETDOMAININFOLIST,
	       XEN_SYSCTL_getdomaininfolist);
	NUMBER("dying", CTL_DYING, XEN_DOMINF_dying);
	NUMBER("blocked", CTL_BLOCKED, XEN_DOMINF_blocked);
	NUMBER("running", CTL_RUNNING, XEN_DOMINF_running);
}

static void versions(void)
{
	NUMBER("version", CTL_VERSION_NUMBER, XENVER_version);
	NUMBER("extra", CTL_VERSION_EXTRA, XENVER_extraversion);
	NUMBER("compile", CTL_VERSION_COMPILE_INFO, XENVER_compile_info);
	NUMBER("capabilities", CTL_VERSION_CAPABILITIES, XENVER_capabilities);
	NUMBER("changeset", CTL_VERSION_CHANGESET, XENVER_changeset);
	NUMBER("platform", CTL_VERSION_PLATFORM, XENVER_platform_parameters);
	NUMBER("pagesize", CTL_VERSION_PAGESIZE, XENVER_pagesize);
	NUMBER("handle", CTL_VERSION_GUEST_HANDLE, XENVER_guest_handle);
	NUMBER("commandline", CTL_VERSION_COMMANDLINE, XENVER_commandline);
	NUMBER("extra size", CTL_EXTRA_LEN, sizeof(xen_extraversion_t));
	NUMBER("compile size", CTL_COMPILE_INFO_LEN,
	       sizeof(xen_compile_info_t));
	NUMBER("capabilities size", CTL_CAPABILITIES_LEN,
	       sizeof(xen_capabilities_info_t));
	NUMBER("changeset size", CTL_CHANGESET_LEN,
	       sizeof(xen_changeset_info_t));
	NUMBER("platform size", CTL_PLATFORM_LEN,
	       sizeof(xen_platform_parameters_t));
	NUMBER("handle size", CTL_HANDLE_LEN, sizeof(xen_domain_handle_t));
	NUMBER("commandline size", CTL_COMMANDLINE_LEN,
	       sizeof(xen_commandline_t));
}

#define DOMAIN(our, their) MEMBER(ctl_domain, domctl_getdomaininfo, our, their)

static void domain(void)
{
	SIZE(ctl_domain, domctl_getdomaininfo);
	DOMAIN(domid, domain);
	DOMAIN(flags, flags);
	DOMAIN(pages, tot_pages);
	DOMAIN(max_pages, max_pages);
	DOMAIN(claimed_pages, outstanding_pages);
	DOMAIN(shared_pages, shr_pages);
	DOMAIN(paged_pages, paged_pages);
	DOMAIN(shared_info_frame, shared_info_frame);
	DOMAIN(cpu_ns, cpu_time);
	DOMAIN(nr_vcpus, nr_online_vcpus);
	DOMAIN(last_vcpu, max_vcpu_id);
	DOMAIN(security_id, ssidref);
	DOMAIN(handle, handle);
	DOMAIN(cpu_pool, cpupool);
	DOMAIN(address_bits, gpaddr_bits);
	DOMAIN(arch, arch_config);
}

#define MACHINE(our, their) MEMBER(ctl_machine, sysctl_physinfo, our, their)

static void machine(void)
{
	SIZE(ctl_machine, sysctl_physinfo);
	MACHINE(threads_per_core, threads_per_core);
	MACHINE(cores_per_socket, cores_per_socket);
	MACHINE(nr_cpus, nr_cpus);
	MACHINE(last_cpu, max_cpu_id);
	MACHINE(nr_nodes, nr_nodes);
	MACHINE(last_node, max_node_id);
	MACHINE(cpu_khz, cpu_khz);
	MACHINE(capabilities, capabilities);
	MACHINE(arch_capabilities, arch_capabilities);
	MACHINE(total_pages, total_pages);
	MACHINE(free_pages, free_pages);
	MACHINE(scrub_pages, scrub_pages);
	MACHINE(claimed_pages, outstanding_pages);
	MACHINE(last_frame, max_mfn);
	MACHINE(hw_cap, hw_cap);
}

static void calls(void)
{
	SIZE(ctl_domctl, domctl);
	MEMBER(ctl_domctl, domctl, cmd, cmd);
	MEMBER(ctl_domctl, domctl, version, interface_version);
	MEMBER(ctl_domctl, domctl, domid, domain);
	MEMBER(ctl_domctl, domctl, u.info, u.getdomaininfo);
	SIZE(ctl_sysctl, sysctl);
	MEMBER(ctl_sysctl, sysctl, cmd, cmd);
	MEMBER(ctl_sysctl, sysctl, version, interface_version);
	MEMBER(ctl_sysctl, sysctl, u.list, u.getdomaininfolist);
	MEMBER(ctl_sysctl, sysctl, u.list.first,
	       u.getdomaininfolist.first_domain);
	MEMBER(ctl_sysctl, sysctl, u.list.max, u.getdomaininfolist.max_domains);
	MEMBER(ctl_sysctl, sysctl, u.list.buffer, u.getdomaininfolist.buffer);
	MEMBER(ctl_sysctl, sysctl, u.list.count,
	       u.getdomaininfolist.num_domains);
	MEMBER(ctl_sysctl, sysctl, u.machine, u.physinfo);
}

int main(void)
{
	numbers();
	versions();
	domain();
	machine();
	calls();
	return 0;
}
