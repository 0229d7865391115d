# MO-HANDLER: unbinding does not look whether the handler runs.
# file: guest/bind.c
# model: guest-unbind-while-handled SC
/^int evg_unbind_handler/,/^}/s/^\t\twait_for\(e\);/\t\t(void)wait_for;/
