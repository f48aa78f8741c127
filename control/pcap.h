/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PCAP_H
#define CONTROL_PCAP_H

/*
 * Frames as trace.read tells them, for Wireshark: a pcap file of LINKTYPE 252,
 * "exported PDUs", whose records name the dissector, so that nothing has to be
 * set there and all transports fit into one file.
 *
 *	socket, tls	mbtcp, over UDP mbudp
 *	rtu, ascii	mbrtu; it knows no ASCII, so the same as RTU has it
 *	no frame	data
 *
 * Our side is port 502 of 192.0.2.1, or 2001:db8::1, whatever it is really:
 * by that port Wireshark tells requests from replies. Peers without an address
 * get one of 198.18.0.0/15, for each connection its own.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PCAP_HEAD = 24,
	PCAP_ADU_MAX = 4096,
	PCAP_RECORD_MAX = 16 + 128 + PCAP_ADU_MAX,
};

/* What a file begins with. */
void pcap_head(uint8_t head[PCAP_HEAD]);

/* A frame as a record; its length, 0 if what was told is no frame. */
size_t pcap_record(const json_t *frame, uint8_t record[PCAP_RECORD_MAX]);

#endif
