/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_WIDGET_H
#define HTTP_SIM_WIDGET_H

/* Pieces of the simulator's pages. All text is written out for HTML. */

#include "control/http/sim.h"
#include "control/http/sim_text.h"

/* A member of JSON as text: of a string itself, of a number its digits, else
 * "". Good until the next call but one. */
const char *widget_member(const json_t *, const char *name);

/* <th> or <td> with a member's text. */
void widget_cell(struct text *, const json_t *row, const char *name);

/* The beginning of a form of a page, with what was chosen as its server and
 * device; and the end, with buttons whose words follow, NULL behind them. */
void widget_form(const struct sim_call *, struct text *, const char *legend);
void widget_form_end(struct text *, const char *button, ...);

/* A number or text with its label; value may be "". */
void widget_input(struct text *, const char *name, const char *label,
    const char *value, const char *attributes);
void widget_tick(
    struct text *, const char *name, const char *label, bool ticked);
void widget_radio(
    struct text *, const char *name, int value, const char *label, bool chosen);

/* A list to choose from. */
void widget_select(struct text *, const char *name, const char *label);
void widget_option(
    struct text *, const char *value, const char *label, bool chosen);
void widget_select_end(struct text *);

/* Which of several devices, or servers; nothing where there is one. */
void widget_choice(const struct sim_call *, struct text *, const char *field,
    const char *label);

/* A table's beginning: the columns' names follow, NULL behind them. */
void widget_table(struct text *, const char *caption, ...);
void widget_table_end(struct text *);

/* "registers" and "Registers" */
extern const char *const sim_page_names[SIM_PAGES];
extern const char *const sim_page_titles[SIM_PAGES];

#endif
