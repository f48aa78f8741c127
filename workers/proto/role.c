/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles as they stand in certificates. Runs in the workers of type tls, once a
 * handshake, on bytes that an authority of ours has signed, which does not make
 * them well-formed; and in the command line. No state.
 */
#include "workers/proto/role.h"

#include <string.h>

enum { DER_UTF8STRING = 12, DER_HEAD = 2, DER_LONG = 0x80 };

/* How many bytes the character at s has, 0 if it is none (RFC 3629: neither
 * longer than needed, nor half of a surrogate pair, nor above 10FFFF). */
static size_t
utf8_char(const uint8_t *s, size_t len)
{
	static const struct {
		uint8_t first, last; /* of the first byte */
		uint8_t low, high; /* of the second */
		uint8_t more; /* bytes */
	} rows[] = {
		{ 0x01, 0x7f, 0, 0, 0 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
		{ 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 },
		{ 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (s[0] >= rows[i].first && s[0] <= rows[i].last)
			break;
	if (i == sizeof(rows) / sizeof(rows[0]) || len <= rows[i].more)
		return 0;
	for (k = 1; k <= rows[i].more; k++)
		if (s[k] < (k == 1 ? rows[i].low : 0x80) ||
		    s[k] > (k == 1 ? rows[i].high : 0xbf))
			return 0;
	return (size_t)rows[i].more + 1;
}

const char *
mb_role_parse(const uint8_t *der, size_t len, char role[MB_ROLE_MAX + 1])
{
	const uint8_t *text = der + DER_HEAD;
	size_t n, at = 0;

	role[0] = '\0';
	if (len < DER_HEAD)
		return "its role is cut off";
	if (der[0] != DER_UTF8STRING)
		return "its role is no UTF8String";
	/* what needs the long form of the length is too long for us, and what
	 * does not must not have it */
	if ((der[1] & DER_LONG) != 0 || der[1] > MB_ROLE_MAX)
		return "its role is too long";
	n = der[1];
	if (n != len - DER_HEAD)
		return "its role is not one UTF8String";
	if (n == 0)
		return "its role is empty";
	while (at < n) {
		size_t bytes = utf8_char(text + at, n - at);

		if (bytes == 0)
			return "its role is no UTF-8";
		at += bytes;
	}
	memcpy(role, text, n);
	role[n] = '\0';
	return NULL;
}

size_t
mb_role_put(uint8_t der[MB_ROLE_DER_MAX], const char *role)
{
	size_t n = strnlen(role, MB_ROLE_MAX + 1);
	char same[MB_ROLE_MAX + 1];

	if (n > MB_ROLE_MAX)
		return 0;
	der[0] = DER_UTF8STRING;
	der[1] = (uint8_t)n;
	memcpy(der + DER_HEAD, role, n);
	return mb_role_parse(der, DER_HEAD + n, same) == NULL ? DER_HEAD + n
							      : 0;
}
