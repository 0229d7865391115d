# The process host: the broker, and the library a program becomes a domain
# with.  EVP_CONTROL_SRCS alone is enough to talk to the broker.
EVP_CONTROL_SRCS := \
	hosts/process/control.c \
	hosts/process/control_sources.c \
	hosts/process/control_port.c \
	hosts/process/counts.c \
	hosts/process/paths.c \
	hosts/process/resume.c \
	hosts/process/session.c

EVP_SRCS := $(EVP_CONTROL_SRCS) \
	hosts/process/ask.c \
	hosts/process/attach.c \
	hosts/process/deliver.c \
	hosts/process/fifo.c \
	hosts/process/claims.c \
	hosts/process/guarded.c \
	hosts/process/guest_trap.c \
	hosts/process/kick.c \
	hosts/process/lane.c \
	hosts/process/lane_set.c \
	hosts/process/port_lane.c \
	hosts/process/lent.c \
	hosts/process/news.c \
	hosts/process/grant.c \
	hosts/process/grant_again.c \
	hosts/process/grant_copy.c \
	hosts/process/grant_gone.c \
	hosts/process/grant_map.c \
	hosts/process/grant_remap.c \
	hosts/process/grant_share.c \
	hosts/process/notice.c \
	hosts/process/part.c \
	hosts/process/rejoin.c \
	hosts/process/pirq.c \
	hosts/process/sched.c \
	hosts/process/storm.c \
	hosts/process/takeover.c \
	hosts/process/thread.c \
	hosts/process/timer.c \
	hosts/process/trace.c \
	hosts/process/upcall.c \
	hosts/process/vcpu.c \
	hosts/process/wait.c

EVTCHND_SRCS := \
	hosts/process/broker/accept.c \
	hosts/process/broker/adopt.c \
	hosts/process/broker/account.c \
	hosts/process/broker/bury.c \
	hosts/process/broker/conn.c \
	hosts/process/broker/console.c \
	hosts/process/broker/counts.c \
	hosts/process/broker/deliver_lane.c \
	hosts/process/broker/domain.c \
	hosts/process/broker/dominfo.c \
	hosts/process/broker/evc_host.c \
	hosts/process/broker/evtchnd.c \
	hosts/process/broker/grant_table.c \
	hosts/process/broker/grants.c \
	hosts/process/broker/hold.c \
	hosts/process/broker/hypercall.c \
	hosts/process/broker/kept.c \
	hosts/process/broker/lanes.c \
	hosts/process/broker/restrict.c \
	hosts/process/broker/link.c \
	hosts/process/broker/listen.c \
	hosts/process/broker/listing.c \
	hosts/process/broker/log.c \
	hosts/process/broker/mapping.c \
	hosts/process/broker/loop.c \
	hosts/process/broker/notice.c \
	hosts/process/broker/owner.c \
	hosts/process/broker/policy.c \
	hosts/process/broker/policy_file.c \
	hosts/process/broker/reattach.c \
	hosts/process/broker/reshare.c \
	hosts/process/broker/recall.c \
	hosts/process/broker/state.c \
	hosts/process/broker/relink.c \
	hosts/process/broker/share.c \
	hosts/process/broker/pirq.c \
	hosts/process/broker/pirq_again.c \
	hosts/process/broker/place.c \
	hosts/process/broker/requests.c \
	hosts/process/broker/takeover.c \
	hosts/process/broker/virq.c \
	hosts/process/broker/width.c \
	hosts/process/kick.c \
	hosts/process/lane.c \
	hosts/process/port_lane.c \
	hosts/process/paths.c \
	hosts/process/counts.c \
	hosts/process/control.c
