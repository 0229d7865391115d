# SPDX-License-Identifier: MIT
# What `make install` puts beside the programs: manual pages, completion.
define install_cli
	scripts/man $(BUILD) && \
	install -d "$(DESTDIR)$(PREFIX)/share/man/man1" \
		"$(DESTDIR)$(PREFIX)/share/man/man8" && \
	install -m 644 $(BUILD)/man/*.1 "$(DESTDIR)$(PREFIX)/share/man/man1" && \
	install -m 644 $(BUILD)/man/*.8 "$(DESTDIR)$(PREFIX)/share/man/man8" && \
	install -D -m 644 completions/evtchn.bash \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/evtchn" && \
	install -D -m 644 completions/_evtchn \
		"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_evtchn"
endef
