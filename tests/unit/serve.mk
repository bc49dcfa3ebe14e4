# Unit tests of serve/: tests/unit/serve_test_*.c, over fake views (serve_fake.c) in place of the
# daemon's own, and therefore linked with the objects of serve/ alone.
SERVE_UNIT_SOURCES  := $(wildcard tests/unit/serve_test_*.c)
SERVE_UNIT_PROGRAMS := $(SERVE_UNIT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%)
SERVE_UNIT_OBJECTS  := $(patsubst %.c,$(BUILD)/unit/obj/%.o,$(wildcard daemon/serve/*.c) \
	daemon/view/answer.c $(GROUP_SOURCES) tests/unit/serve_fake.c tests/unit/serve_client.c)

$(BUILD)/unit/serve_test_%: tests/unit/serve_test_%.c $(SERVE_UNIT_OBJECTS)
	$(CC) $(CPPFLAGS) $(UNIT_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(SERVE_UNIT_OBJECTS) \
		-lcmocka -lmicrohttpd -lcjson -lpthread -lm

.SECONDARY: $(SERVE_UNIT_OBJECTS)
UNIT_PROGRAMS += $(SERVE_UNIT_PROGRAMS)
unit: $(SERVE_UNIT_PROGRAMS)
