/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_CRC32C_H
#define SHM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, as iSCSI and ext4 have it) of len bytes, going on from
 * that of what came before; 0 to begin with. */
uint32_t crc32c(uint32_t before, const void *data, size_t len);

#endif
