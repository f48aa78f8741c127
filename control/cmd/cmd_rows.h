/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CMD_ROWS_H
#define CONTROL_CMD_ROWS_H

/*
 * The functions behind the rows of cmd.c's table, each in the file of its
 * topic. What each takes and answers: holdfast-control(7).
 */

struct cmd_call;

void cmd_system_ping(struct cmd_call *);
void cmd_system_info(struct cmd_call *);
void cmd_system_methods(struct cmd_call *);
void cmd_system_reload(struct cmd_call *);
void cmd_system_upgrade(struct cmd_call *);
void cmd_system_shutdown(struct cmd_call *);

void cmd_registers_read(struct cmd_call *);
void cmd_registers_write(struct cmd_call *);
void cmd_registers_transaction(struct cmd_call *);

void cmd_registers_counts(struct cmd_call *);
void cmd_registers_describe(struct cmd_call *);
void cmd_devices_list(struct cmd_call *);

void cmd_transports_list(struct cmd_call *);
void cmd_transports_start(struct cmd_call *);
void cmd_transports_stop(struct cmd_call *);
void cmd_transports_restart(struct cmd_call *);

void cmd_connections_list(struct cmd_call *);
void cmd_connections_close(struct cmd_call *);

void cmd_quarantine_list(struct cmd_call *);
void cmd_quarantine_lift(struct cmd_call *);

void cmd_faults_add(struct cmd_call *);
void cmd_faults_list(struct cmd_call *);
void cmd_faults_clear(struct cmd_call *);
void cmd_config_get(struct cmd_call *);
void cmd_config_check(struct cmd_call *);

void cmd_snapshot_save(struct cmd_call *);
void cmd_snapshot_load(struct cmd_call *);

void cmd_stats_get(struct cmd_call *);
void cmd_trace_read(struct cmd_call *);
void cmd_trace_set(struct cmd_call *);
void cmd_log_read(struct cmd_call *);

#endif
