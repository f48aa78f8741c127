/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a snapshot: put together, checked, walked through. What is read
 * comes from outside: nothing is believed before all of it has been checked.
 */

#include "shm/snap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/crc32c.h"

static const char file_magic[8] = "HOLDSNAP", device_magic[4] = "DEVI";

enum {
	VERSION = 2,
	AT_NAME = 32,
	AT_DEVICE_NAME = 24,
	AT_CRC = 76,
	AT_SEQUENCE = 80,
	AT_RUN = 88,
	AT_BASE = 96,
	AT_CRC_2 = 108,
};

/* ---- numbers ---- */

static void
put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t
get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = bytes; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

/* ---- putting together ---- */

/* Room for so many bytes behind what there is, zeroed; NULL without memory. */
static uint8_t *
room(struct snap *s, size_t len)
{
	uint8_t *at;

	if (!s->failed && len > s->size - s->len) {
		size_t size = 2 * s->size + len;
		uint8_t *grown = realloc(s->data, size);

		s->failed = grown == NULL;
		if (grown != NULL) {
			s->data = grown;
			s->size = size;
		}
	}
	if (s->failed)
		return NULL;
	at = s->data + s->len;
	memset(at, 0, len);
	s->len += len;
	return at;
}

static void
put_name(uint8_t *at, const char *name)
{
	memcpy(at, name, strnlen(name, SNAP_NAME - 1));
}

/* The checksum of a header, over all that is before it. */
static void
seal(uint8_t *head)
{
	put(head + AT_CRC, crc32c(0, head, AT_CRC), 4);
}

void
snap_begin(struct snap *s, const char *store, uint64_t at_ms,
    const struct snap_place *place)
{
	uint8_t *head = room(s, SNAP_FILE_HEAD);

	if (head == NULL)
		return;
	memcpy(head, file_magic, sizeof(file_magic));
	put(head + 8, VERSION, 4);
	put(head + 24, at_ms, 8);
	put_name(head + AT_NAME, store);
	if (place == NULL)
		return;
	put(head + AT_SEQUENCE, place->sequence, 8);
	put(head + AT_RUN, place->run, 8);
	put(head + AT_BASE, place->base, 8);
}

static void
add_block(struct snap *s, const struct store_picture *p, struct snap_run run)
{
	size_t bytes = store_bytes(run.table, run.count);
	uint8_t *block = room(s, SNAP_BLOCK + bytes);

	if (block == NULL)
		return;
	put(block, run.table, 4);
	put(block + 4, run.addr, 4);
	put(block + 8, run.count, 4);
	put(block + 12, bytes, 4);
	/* the segment says so itself: if it has been spoilt since it was
	 * opened, these stay zeros */
	store_picture_read(
	    p, run.table, run.addr, run.count, block + SNAP_BLOCK);
}

/* The header of a device, at `at`, and before all that follows there. */
static void
end_device(struct snap *s, size_t at, const char *device,
    const struct store_picture *p, uint32_t blocks)
{
	size_t from = at + SNAP_HEAD;
	uint8_t *head = s->data + at;

	if (s->failed)
		return;
	memcpy(head, device_magic, sizeof(device_magic));
	put(head + 4, blocks, 4);
	put(head + 8, s->len - from, 8);
	put(head + 16, p->seq, 8);
	put_name(head + AT_DEVICE_NAME, device);
	put(head + 72, crc32c(0, s->data + from, s->len - from), 4);
	seal(head);
	put(s->data + 12, get(s->data + 12, 4) + 1, 4);
}

void
snap_add(struct snap *s, const char *device, const struct store_picture *p)
{
	const struct store *st = p->store;
	size_t at = s->len;
	uint32_t blocks = 0;

	if (room(s, SNAP_HEAD) == NULL)
		return;
	for (unsigned t = 0; t < SHM_TABLES; t++)
		for (uint32_t i = 0; i < st->nextents[t]; i++, blocks++) {
			struct shm_extent e =
			    st->extents[st->extents_at[t] + i];

			add_block(s, p,
			    (struct snap_run){
				(enum store_table)t, e.addr, e.count });
		}
	end_device(s, at, device, p, blocks);
}

void
snap_add_some(struct snap *s, const char *device, const struct store_picture *p,
    const struct snap_run *runs, size_t n)
{
	size_t at = s->len;

	if (room(s, SNAP_HEAD) == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		add_block(s, p, runs[i]);
	end_device(s, at, device, p, (uint32_t)n);
}

int
snap_end(struct snap *s)
{
	if (s->failed) {
		errno = ENOMEM;
		return -1;
	}
	put(s->data + 16, s->len, 8);
	seal(s->data);
	put(s->data + AT_CRC_2, crc32c(0, s->data, AT_CRC_2), 4);
	return 0;
}

void
snap_free(struct snap *s)
{
	free(s->data);
	*s = (struct snap){ 0 };
}

/* ---- checking ---- */

static int
refuse(char *why, const char *what, size_t at)
{
	snprintf(why, SNAP_WHY, "%s, at byte %zu", what, at);
	return -1;
}

static bool
is_sealed(const uint8_t *head)
{
	return get(head + AT_CRC, 4) == crc32c(0, head, AT_CRC);
}

static bool
is_name(const uint8_t *at)
{
	return at[0] != '\0' && memchr(at, '\0', SNAP_NAME) != NULL;
}

/* The blocks of a device fill exactly len bytes from at on. */
static int
check_blocks(const struct snap *s, size_t at, size_t len, uint32_t n, char *why)
{
	while (n-- > 0) {
		const uint8_t *block = s->data + at;
		uint64_t table, count, bytes;

		if (len < SNAP_BLOCK)
			return refuse(why, "a block is missing", at);
		table = get(block, 4);
		count = get(block + 8, 4);
		bytes = get(block + 12, 4);
		if (table >= SHM_TABLES || count == 0 ||
		    get(block + 4, 4) + count > (uint64_t)UINT32_MAX + 1 ||
		    bytes !=
			store_bytes((enum store_table)table, (uint32_t)count) ||
		    bytes > len - SNAP_BLOCK)
			return refuse(why, "a block that cannot be", at);
		at += SNAP_BLOCK + bytes;
		len -= SNAP_BLOCK + bytes;
	}
	return len == 0 ? 0 : refuse(why, "bytes behind the last block", at);
}

/* One device at *at, which moves behind it. */
static int
check_device(const struct snap *s, size_t *at, char *why)
{
	const uint8_t *head = s->data + *at;
	uint64_t len;
	int rc;

	if (s->len - *at < SNAP_HEAD)
		return refuse(why, "a device is missing", *at);
	if (memcmp(head, device_magic, sizeof(device_magic)) != 0 ||
	    !is_sealed(head) || !is_name(head + AT_DEVICE_NAME))
		return refuse(why, "a device's header is damaged", *at);
	len = get(head + 8, 8);
	if (len > s->len - *at - SNAP_HEAD)
		return refuse(why, "a device is longer than the file", *at);
	if (get(head + 72, 4) != crc32c(0, head + SNAP_HEAD, (size_t)len))
		return refuse(why, "the values of a device are damaged", *at);
	rc = check_blocks(
	    s, *at + SNAP_HEAD, (size_t)len, (uint32_t)get(head + 4, 4), why);
	*at += SNAP_HEAD + (size_t)len;
	return rc;
}

/* Bytes of the file's header, by its version. */
static size_t
head_of(const struct snap *s)
{
	return get(s->data + 8, 4) == 1 ? SNAP_HEAD : SNAP_FILE_HEAD;
}

static int
check_head(const struct snap *s, char *why)
{
	uint64_t version;

	if (s->len < sizeof(file_magic) ||
	    memcmp(s->data, file_magic, sizeof(file_magic)) != 0)
		return refuse(why, "this is no snapshot", 0);
	if (s->len < SNAP_HEAD || !is_sealed(s->data) ||
	    !is_name(s->data + AT_NAME))
		return refuse(why, "the header is damaged", 0);
	version = get(s->data + 8, 4);
	if (version != 1 && version != VERSION)
		return refuse(why, "written by another version", 8);
	if (get(s->data + 16, 8) != s->len)
		return refuse(why, "the file is cut off, or too long", 16);
	if (s->len < head_of(s) ||
	    (version == VERSION &&
		get(s->data + AT_CRC_2, 4) != crc32c(0, s->data, AT_CRC_2)))
		return refuse(why, "the header is damaged", SNAP_HEAD);
	return 0;
}

int
snap_check(const struct snap *s, char why[SNAP_WHY])
{
	uint64_t devices;
	size_t at;

	if (check_head(s, why) == -1)
		return -1;
	at = head_of(s);
	devices = get(s->data + 12, 4);
	while (devices-- > 0)
		if (check_device(s, &at, why) == -1)
			return -1;
	return at == s->len ? 0
			    : refuse(why, "bytes behind the last device", at);
}

/* ---- walking ---- */

uint64_t
snap_time_ms(const struct snap *s)
{
	return get(s->data + 24, 8);
}

struct snap_place
snap_place(const struct snap *s)
{
	struct snap_place p = { 0 };

	if (head_of(s) != SNAP_HEAD) {
		p.sequence = get(s->data + AT_SEQUENCE, 8);
		p.run = get(s->data + AT_RUN, 8);
		p.base = get(s->data + AT_BASE, 8);
	}
	return p;
}

void
snap_store(const struct snap *s, char name[SNAP_NAME])
{
	memcpy(name, s->data + AT_NAME, SNAP_NAME);
}

bool
snap_next_device(const struct snap *s, size_t *at, struct snap_device *d)
{
	const uint8_t *head;

	if (*at == 0)
		*at = head_of(s);
	if (*at >= s->len)
		return false;
	head = s->data + *at;
	*d = (struct snap_device){
		.seq = get(head + 16, 8),
		.blocks = (uint32_t)get(head + 4, 4),
		.at = *at + SNAP_HEAD,
	};
	memcpy(d->name, head + AT_DEVICE_NAME, SNAP_NAME);
	*at += SNAP_HEAD + (size_t)get(head + 8, 8);
	return true;
}

bool
snap_next_block(
    const struct snap *s, struct snap_device *d, struct snap_block *b)
{
	const uint8_t *block = s->data + d->at;

	if (d->blocks == 0)
		return false;
	*b = (struct snap_block){
		.table = (enum store_table)get(block, 4),
		.addr = (uint32_t)get(block + 4, 4),
		.count = (uint32_t)get(block + 8, 4),
		.values = block + SNAP_BLOCK,
	};
	d->at += SNAP_BLOCK + (size_t)get(block + 12, 4);
	d->blocks--;
	return true;
}
