/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/usdt_argument.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <asm/ptrace.h>

/* Longer than any operand that names two registers and a number. */
#define OPERAND_BYTES_MAX 64

#define FLAWED   "an argument is written in a way that is not known here"
#define FLOATING "an argument is a floating-point number"
#define SYMBOLIC "an argument is found through a symbol or the instruction pointer"
#define SEGMENT  "an argument is found through a segment register"
#define REGISTER "an argument is in a register that is not known here"
#define MISSING  "it has fewer arguments than it should have"
#define MACHINE  "arguments of USDT probes can be read on x86-64 alone"

#if defined(__x86_64__)

/* General registers by the names of their 8, 4, 2 bytes and lowest byte. */
static const struct {
	const char *names[4];
	uint8_t offset; /* in struct pt_regs */
} registers[] = {
	{{"rax", "eax", "ax", "al"}, offsetof(struct pt_regs, rax)},
	{{"rbx", "ebx", "bx", "bl"}, offsetof(struct pt_regs, rbx)},
	{{"rcx", "ecx", "cx", "cl"}, offsetof(struct pt_regs, rcx)},
	{{"rdx", "edx", "dx", "dl"}, offsetof(struct pt_regs, rdx)},
	{{"rsi", "esi", "si", "sil"}, offsetof(struct pt_regs, rsi)},
	{{"rdi", "edi", "di", "dil"}, offsetof(struct pt_regs, rdi)},
	{{"rbp", "ebp", "bp", "bpl"}, offsetof(struct pt_regs, rbp)},
	{{"rsp", "esp", "sp", "spl"}, offsetof(struct pt_regs, rsp)},
	{{"r8", "r8d", "r8w", "r8b"}, offsetof(struct pt_regs, r8)},
	{{"r9", "r9d", "r9w", "r9b"}, offsetof(struct pt_regs, r9)},
	{{"r10", "r10d", "r10w", "r10b"}, offsetof(struct pt_regs, r10)},
	{{"r11", "r11d", "r11w", "r11b"}, offsetof(struct pt_regs, r11)},
	{{"r12", "r12d", "r12w", "r12b"}, offsetof(struct pt_regs, r12)},
	{{"r13", "r13d", "r13w", "r13b"}, offsetof(struct pt_regs, r13)},
	{{"r14", "r14d", "r14w", "r14b"}, offsetof(struct pt_regs, r14)},
	{{"r15", "r15d", "r15w", "r15b"}, offsetof(struct pt_regs, r15)},
};

static int register_find(const char *name, size_t width, uint8_t *offset)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		if (strcmp(registers[i].names[width], name) != 0)
			continue;
		*offset = registers[i].offset;
		return 0;
	}
	return -EINVAL;
}

/* Takes a number off *text. It may be as large as 64 bits hold, with a sign or without. */
static bool take_number(const char **text, int64_t *number)
{
	char *end;

	/* strtoull() would take blanks too. */
	if (!isdigit((unsigned char)(*text)[**text == '-' || **text == '+']))
		return false;
	errno = 0;
	*number = (int64_t)strtoull(*text, &end, 0);
	*text = end;
	return errno == 0;
}

static bool begins_name(const char *text)
{
	return isalpha((unsigned char)*text) || *text == '_' || *text == '.';
}

/* An address register, up to one of the characters that may follow it. */
static const char *take_base(const char **text, uint8_t *offset)
{
	char name[8];
	size_t length;

	if (*(*text)++ != '%')
		return FLAWED;
	length = strcspn(*text, ",)");
	if (length >= sizeof(name))
		return REGISTER;
	memcpy(name, *text, length);
	name[length] = '\0';
	*text += length;
	if (!strcmp(name, "rip") || !strcmp(name, "eip"))
		return SYMBOLIC;
	return register_find(name, 0, offset) ? REGISTER : NULL;
}

static const char *take_scale(const char **text, struct record_usdt_argument *argument)
{
	int64_t scale;

	if (!take_number(text, &scale))
		return FLAWED;
	switch (scale) {
	case 1:
	case 2:
	case 4:
	case 8:
		argument->scale_shift = (uint8_t)__builtin_ctzll((uint64_t)scale);
		return NULL;
	default:
		return FLAWED;
	}
}

/* "(%rsp)", "(%rsp,%rcx,8)", "(,%rax,8)", behind the opening parenthesis. */
static const char *parse_address(const char *text, struct record_usdt_argument *argument)
{
	const char *reason = NULL;

	if (*text != ',')
		reason = take_base(&text, &argument->base);
	if (!reason && *text == ',') {
		text++;
		reason = take_base(&text, &argument->index);
		if (!reason && *text == ',') {
			text++;
			reason = take_scale(&text, argument);
		}
	}
	if (!reason && strcmp(text, ")") != 0)
		reason = FLAWED;
	return reason;
}

static const char *parse_memory(const char *text, struct record_usdt_argument *argument)
{
	int64_t displacement = 0;

	argument->is_memory = 1;
	if (*text != '(' && !take_number(&text, &displacement))
		return begins_name(text) ? SYMBOLIC : FLAWED;
	argument->constant = displacement;
	if (!*text)
		return NULL; /* an absolute address */
	if (*text != '(')
		return FLAWED;
	return parse_address(text + 1, argument);
}

static const char *parse_register(const char *text, struct record_usdt_argument *argument)
{
	if (strchr(text, ':'))
		return SEGMENT;
	if (!strncmp(text, "xmm", 3) || !strncmp(text, "ymm", 3) || !strncmp(text, "st", 2))
		return FLOATING;
	/* The name follows the size, which need not be that of the operand's type. */
	for (size_t width = 0; width < 4; width++)
		if (!register_find(text, width, &argument->base))
			return NULL;
	return REGISTER;
}

static const char *parse_constant(const char *text, struct record_usdt_argument *argument)
{
	int64_t value;

	if (!take_number(&text, &value))
		return begins_name(text) ? SYMBOLIC : FLAWED;
	argument->constant = value;
	return *text ? FLAWED : NULL;
}

static const char *parse_operand(const char *text, struct record_usdt_argument *argument)
{
	switch (*text) {
	case '$':
		return parse_constant(text + 1, argument);
	case '%':
		return parse_register(text + 1, argument);
	default:
		return parse_memory(text, argument);
	}
}

/* "-4@": size and sign. Before version 3 there was none: then it is a machine word. */
static const char *take_size(const char **text, struct record_usdt_argument *argument)
{
	const char *at = strchr(*text, '@');

	argument->size_bytes = sizeof(uint64_t);
	if (!at)
		return NULL;
	if (**text == '-') {
		argument->is_signed = 1;
		(*text)++;
	}
	if (at == *text + 2 && (*text)[1] == 'f')
		return FLOATING;
	if (at != *text + 1 || !strchr("1248", **text))
		return FLAWED;
	argument->size_bytes = (uint8_t)(**text - '0');
	*text = at + 1;
	return NULL;
}

static const char *parse_argument(const char *text, struct record_usdt_argument *argument)
{
	const char *reason = take_size(&text, argument);

	argument->base = RECORD_REGISTER_NONE;
	argument->index = RECORD_REGISTER_NONE;
	return reason ? reason : parse_operand(text, argument);
}

static const char *parse_arguments(const char *text, unsigned count,
				   struct record_usdt_arguments *arguments)
{
	const char *reason = NULL;

	for (unsigned i = 0; i < count && !reason; i++) {
		char operand[OPERAND_BYTES_MAX];
		size_t length;

		text += strspn(text, " ");
		length = strcspn(text, " ");
		if (!length)
			return MISSING;
		if (length >= sizeof(operand))
			return FLAWED;
		memcpy(operand, text, length);
		operand[length] = '\0';
		text += length;
		reason = parse_argument(operand, &arguments->arguments[i]);
	}
	return reason;
}

#else

static const char *parse_arguments(const char *text, unsigned count,
				   struct record_usdt_arguments *arguments)
{
	(void)text;
	(void)count;
	(void)arguments;
	return MACHINE;
}

#endif

int usdt_arguments_parse(const char *text, unsigned count, struct record_usdt_arguments *arguments,
			 const char **reason)
{
	memset(arguments, 0, sizeof(*arguments));
	*reason = count > RECORD_USDT_ARGUMENTS_MAX ? FLAWED
						    : parse_arguments(text, count, arguments);
	return *reason ? -EINVAL : 0;
}
