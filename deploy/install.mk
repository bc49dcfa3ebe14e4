# make install, make uninstall: DESTDIR= stages into a folder, PREFIX= is where it will live.
# /etc/memwatch does not follow PREFIX: memwatchd looks there.
INSTALL ?= install
BINDIR     := $(PREFIX)/bin
SBINDIR    := $(PREFIX)/sbin
MANDIR     := $(PREFIX)/share/man
DOCDIR     := $(PREFIX)/share/doc/memwatch
UNITDIR    := $(PREFIX)/lib/systemd/system
SYSUSERS   := $(PREFIX)/lib/sysusers.d/memwatch.conf
TMPFILES   := $(PREFIX)/lib/tmpfiles.d/memwatch.conf
SYSCONFDIR ?= /etc
CONFIG     := $(SYSCONFDIR)/memwatch/memwatchd.conf

MAN_PAGES := $(wildcard deploy/man/*.1 deploy/man/*.5 deploy/man/*.8)
DOC_FILES := README.md LICENSE $(wildcard docs/*.md)
EXAMPLES  := $(wildcard deploy/prometheus/*.yml deploy/grafana/*.json)

# $(call man_path,deploy/man/memwatchd.8): where a man page goes
man_path = $(MANDIR)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

.PHONY: install
install: all
	$(INSTALL) -D -m 755 $(BUILD)/memwatchd $(DESTDIR)$(SBINDIR)/memwatchd
	$(INSTALL) -D -m 755 $(BUILD)/memwatchctl $(DESTDIR)$(BINDIR)/memwatchctl
	$(foreach page,$(MAN_PAGES),$(INSTALL) -D -m 644 $(page) $(DESTDIR)$(call man_path,$(page)) &&) :
	$(INSTALL) -d $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(UNITDIR)
	$(INSTALL) -m 644 $(DOC_FILES) $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 644 deploy/memwatchd.conf $(EXAMPLES) $(DESTDIR)$(DOCDIR)/examples
	sed 's|/usr/local/sbin|$(SBINDIR)|' deploy/systemd/memwatchd.service \
		> $(DESTDIR)$(UNITDIR)/memwatchd.service
	chmod 644 $(DESTDIR)$(UNITDIR)/memwatchd.service
	$(INSTALL) -D -m 644 deploy/systemd/memwatch.sysusers.conf $(DESTDIR)$(SYSUSERS)
	$(INSTALL) -D -m 644 deploy/systemd/memwatch.tmpfiles.conf $(DESTDIR)$(TMPFILES)
	@# A configuration that is there is its owner's.
	[ -e $(DESTDIR)$(CONFIG) ] || $(INSTALL) -D -m 644 deploy/memwatchd.conf $(DESTDIR)$(CONFIG)
	@[ -n "$(DESTDIR)" ] || echo 'Now: systemd-sysusers && systemd-tmpfiles --create' \
		'&& systemctl daemon-reload && systemctl enable --now memwatchd'

# Removes what install wrote. A configuration that was edited stays. Of folders only those of a
# staging folder go, and only empty ones: on a real system /usr/local/bin is not ours to remove.
INSTALLED := $(SBINDIR)/memwatchd $(BINDIR)/memwatchctl $(UNITDIR)/memwatchd.service $(SYSUSERS) \
	$(TMPFILES) $(foreach page,$(MAN_PAGES),$(call man_path,$(page)))
INSTALL_FOLDERS := $(sort $(dir $(INSTALLED)) $(dir $(CONFIG)) $(dir $(DOCDIR)))

.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	rm -rf $(DESTDIR)$(DOCDIR)
	@if cmp -s deploy/memwatchd.conf $(DESTDIR)$(CONFIG); then rm -f $(DESTDIR)$(CONFIG); \
	elif [ -e $(DESTDIR)$(CONFIG) ]; then echo "kept, for it was edited: $(DESTDIR)$(CONFIG)"; fi
	@[ -z "$(DESTDIR)" ] || { cd $(DESTDIR) && for folder in $(INSTALL_FOLDERS); do \
		[ ! -d .$$folder ] || rmdir -p --ignore-fail-on-non-empty $${folder#/}; \
	done; }
	@[ -n "$(DESTDIR)" ] || rmdir $(dir $(CONFIG)) 2>/dev/null || :
