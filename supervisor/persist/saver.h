/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PERSIST_SAVER_H
#define SUPERVISOR_PERSIST_SAVER_H

/*
 * The process that saves (persist.h), as the supervisor sees it: whose word on
 * durable ranges counts while one follows another, and the last save before
 * the daemon ends.
 */

#include <stdbool.h>
#include <stdint.h>

struct super;

struct saver {
	uint64_t number; /* of the configuration that is in force */
	/* the end: it has been told to, after everybody else had ended; how
	 * often it has died since the last of them did */
	bool told;
	unsigned deaths;
};

/* Those of a former supervisor, which may serve other ranges, are believed no
 * more. Before the first birth. */
void saver_begin(struct super *);

/* The configuration that is in force now has other ranges: who saved for the
 * former one tells nobody any more that something has been saved, and those who
 * wait are told by the next. Before anybody is born with it. */
void saver_due(struct super *);

/* The same, and the next one begins as soon as the former one has ended, if one
 * is wanted. */
void saver_restart(struct super *);

/*
 * The former one has ended, after all who had written for the former
 * configuration; nobody has for this one. If nothing is durable any more,
 * nobody is going to tell their successors, who still wait: all that they have
 * is saved, if its end was a good one, and is said to be.
 */
void saver_followed(struct super *);

/* Everybody else has ended: it saves once more, whatever it is at, and ends. */
void saver_last(struct super *);

/* True once that is over, or has come to nothing, which is logged then and is
 * the exit code of the daemon. Looks after it; to be asked at each change of
 * its state. */
bool saver_over(struct super *);

#endif
