/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_data.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* xz -9 asks for 65 MiB, of which it touches what it unpacks; the default for 9. */
#define DECODER_MAX_BYTES  (80u << 20)
#define UNPACKED_MAX_BYTES (64u << 20)
#define BUFFER_BYTES       65536

struct unpacking {
	lzma_stream stream;
	int fd;          /* of the packed bytes ... */
	uint64_t offset; /* ... from here ... */
	uint64_t left;   /* ... so many */
	struct symbol_file *file;
	uint64_t bytes_max;
	uint8_t input[BUFFER_BYTES], output[BUFFER_BYTES];
};

static int read_input(struct unpacking *unpacking)
{
	size_t wanted = unpacking->left < BUFFER_BYTES ? unpacking->left : BUFFER_BYTES;
	int error = elf_file_read(unpacking->fd, unpacking->input, wanted, unpacking->offset);

	unpacking->offset += wanted;
	unpacking->left -= wanted;
	unpacking->stream.next_in = unpacking->input;
	unpacking->stream.avail_in = wanted;
	return error;
}

static int write_output(struct unpacking *unpacking)
{
	size_t size = BUFFER_BYTES - unpacking->stream.avail_out;
	int error;

	if (size > unpacking->bytes_max - unpacking->file->bytes)
		return -EFBIG;
	error = elf_file_write(unpacking->file->fd, unpacking->output, size);
	unpacking->file->bytes += size;
	unpacking->stream.next_out = unpacking->output;
	unpacking->stream.avail_out = BUFFER_BYTES;
	return error;
}

static int error_of(lzma_ret result)
{
	switch (result) {
	case LZMA_OK:
	case LZMA_STREAM_END:
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	default:
		return -ENOEXEC;
	}
}

static int run_decoder(struct unpacking *unpacking)
{
	lzma_ret result = LZMA_OK;
	int error = 0;

	unpacking->stream.next_out = unpacking->output;
	unpacking->stream.avail_out = BUFFER_BYTES;
	while (!error && result != LZMA_STREAM_END) {
		if (!unpacking->stream.avail_in && unpacking->left)
			error = read_input(unpacking);
		if (error)
			break;
		result = lzma_code(&unpacking->stream, unpacking->left ? LZMA_RUN : LZMA_FINISH);
		error = error_of(result);
		if (!error)
			error = write_output(unpacking);
	}
	return error;
}

static int unpack(struct unpacking *unpacking)
{
	int error = error_of(lzma_stream_decoder(&unpacking->stream, DECODER_MAX_BYTES, 0));

	if (error)
		return error;
	unpacking->file->fd = memfd_create("memwatch-debug-data", MFD_CLOEXEC);
	error = unpacking->file->fd < 0 ? -errno : run_decoder(unpacking);
	lzma_end(&unpacking->stream);
	return error;
}

int debug_data_unpack(const struct symbol_file *packed, uint64_t bytes_max,
		      struct symbol_file *file)
{
	struct unpacking *unpacking;
	struct elf_section section;
	int error;

	*file = (struct symbol_file){.fd = -1};
	error = elf_file_find_section(packed, ".gnu_debugdata", &section);
	if (error)
		return error;
	unpacking = calloc(1, sizeof(*unpacking));
	if (!unpacking)
		return -ENOMEM;
	unpacking->fd = packed->fd;
	unpacking->offset = section.offset;
	unpacking->left = section.bytes;
	unpacking->file = file;
	unpacking->bytes_max = bytes_max < UNPACKED_MAX_BYTES ? bytes_max : UNPACKED_MAX_BYTES;
	error = unpack(unpacking);
	free(unpacking);
	if (error && file->fd >= 0) {
		close(file->fd);
		*file = (struct symbol_file){.fd = -1};
	}
	return error;
}
