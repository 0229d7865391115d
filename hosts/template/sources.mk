# Every hook with an empty body: compiled so that it cannot rot, linked nowhere.
TEMPLATE_SRCS := hosts/template/evc_host.c hosts/template/evg_platform.c
