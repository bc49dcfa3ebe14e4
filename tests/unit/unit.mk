# Unit tests: tests/unit/test_*.c, one program each, cmocka, built under ASan and UBSan together with
# the rooms they test.
UNIT_SOURCES  := $(wildcard tests/unit/test_*.c)
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%)
UNIT_CFLAGS   := -std=c11 $(WARN) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
UNIT_ROOM_OBJECTS := $(ROOM_SOURCES:%.c=$(BUILD)/unit/obj/%.o)

$(BUILD)/unit/obj/daemon/probe/object.o: $(SKELETON)
$(BUILD)/unit/obj/daemon/probe/trial.o: $(TRIAL_SKELETON)

$(BUILD)/unit/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(UNIT_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/unit/libmemwatch.a: $(UNIT_ROOM_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/unit/test_%: tests/unit/test_%.c $(BUILD)/unit/libmemwatch.a
	$(CC) $(CPPFLAGS) $(UNIT_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/unit/libmemwatch.a \
		-lcmocka $(DAEMON_LIBS)

.PHONY: unit
unit: $(UNIT_PROGRAMS)
	@for test in $(UNIT_PROGRAMS); do echo "== $$test"; $$test || exit 1; done
