/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_OWN_H
#define HTTP_SIM_OWN_H

/* Between the files of the simulator's pages: what the buttons do. Each fails
 * the request if it cannot. */

#include "control/http/sim.h"
#include "control/http/sim_text.h"

#define SIM_MISSING_REGISTER "Missing register"
/* What the rules are called that the Simulate form makes. */
#define SIM_NOTE "pymodbus simulate"

enum sim_response { SIM_NORMAL, SIM_ERROR, SIM_EMPTY, SIM_JUNK };

void sim_filter_add(struct sim_call *);
void sim_filter_clear(struct sim_call *);
void sim_set(struct sim_call *);
void sim_monitor(struct sim_call *);
void sim_stop(struct sim_call *);
void sim_simulate(struct sim_call *);
void sim_reset(struct sim_call *);

/* The name of the server that the request names, or of the first; its row of
 * transports.list, a new reference, too. NULL after a failure. */
const char *sim_server_of(struct sim_call *, json_t **row);

/* Call rows of what the session monitors, the newest first; none after a
 * failure. */
json_t *sim_monitor_rows(struct sim_call *);

/* Names of function codes: the standard's, "Read Holding Registers", and the
 * one that pymodbus documents, "read_holding_registers". */
struct sim_function {
	int code;
	const char *name;
	const char *documented;
};
extern const struct sim_function sim_functions[];
enum { SIM_FUNCTIONS = 19 };
const char *sim_function_name(int code); /* NULL: none of these */

/* What the Simulate form of a server shows: adds the keys to out. */
void sim_simulate_show(struct sim_call *, const char *server);

/* The page that shows call->out, as HTML; and the table and forms of each. */
void sim_html(struct sim_call *, struct text *);
void sim_html_registers(const struct sim_call *, struct text *);
void sim_html_calls(const struct sim_call *, struct text *);
void sim_html_log(const struct sim_call *, struct text *);
void sim_html_server(const struct sim_call *, struct text *);

/* The log as a file, the oldest first. */
void sim_log_text(const struct sim_call *, struct text *);

/* "2026-01-31T12:00:00.123Z" of a Unix time. */
void sim_time(double at, char *text, size_t size);

/* What the session of this id has chosen; of those without one, if there is
 * none. Those that were not used for an hour are ended. */
struct sim_session *sim_session_of(struct sim_call *, const char *id);

/* Makes a session that begins as that one is; its id, or NULL. */
const char *sim_session_new(struct sim_call *);

#endif
