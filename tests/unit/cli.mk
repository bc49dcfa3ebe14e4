# Unit tests of memwatchctl: tests/unit/cli_test_*.c, one program each, cmocka, built under ASan and
# UBSan together with all of cli/ but its main.
CLI_UNIT_SOURCES  := $(wildcard tests/unit/cli_test_*.c)
CLI_UNIT_PROGRAMS := $(CLI_UNIT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%)
CLI_UNIT_OBJECTS  := $(patsubst %.c,$(BUILD)/unit/obj/%.o,$(filter-out cli/main.c,$(CLI_SOURCES)) \
	$(PLAN_SOURCES) $(GROUP_SOURCES))
# What the tests of observing replace: the daemon, and time.
CLI_UNIT_WRAP     := -Wl,--wrap=client_request,--wrap=interrupt_wait,--wrap=clock_gettime

$(BUILD)/unit/libmemwatchctl.a: $(CLI_UNIT_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/unit/cli_test_observe: UNIT_LDFLAGS := $(CLI_UNIT_WRAP)

$(BUILD)/unit/cli_test_%: tests/unit/cli_test_%.c $(BUILD)/unit/libmemwatchctl.a
	$(CC) -Icli $(CPPFLAGS) $(UNIT_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(UNIT_LDFLAGS) \
		$(BUILD)/unit/libmemwatchctl.a -lcmocka $(CLI_LIBS)

UNIT_PROGRAMS += $(CLI_UNIT_PROGRAMS)
unit: $(CLI_UNIT_PROGRAMS)
