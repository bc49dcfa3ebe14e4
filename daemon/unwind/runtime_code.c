/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/runtime_code.h"

#include <gelf.h>
#include <string.h>

/* v8::V8::GetVersion(), which every V8 has that others can link with. */
#define V8_FUNCTION "_ZN2v82V810GetVersionEv"

/* The largest programs export 500,000 symbols, of 24 bytes. */
#define SYMBOLS_BYTES_MAX (64UL << 20)

static bool defines(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *name)
{
	Elf_Data *symbols = elf_getdata(section, NULL);
	size_t count = symbols ? symbols->d_size / sizeof(Elf64_Sym) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *found;
		GElf_Sym symbol;

		if (!gelf_getsym(symbols, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF)
			continue;
		found = elf_strptr(elf, header->sh_link, symbol.st_name);
		if (found && strcmp(found, name) == 0)
			return true;
	}
	return false;
}

bool runtime_code_is_v8(Elf *elf)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM &&
		    header.sh_size <= SYMBOLS_BYTES_MAX &&
		    defines(elf, section, &header, V8_FUNCTION))
			return true;
	}
	return false;
}
