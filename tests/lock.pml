/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock and the latch of one device, with death possible between any two
 * steps (shm/layout.h has the algorithm, shm/store.c carries it out).
 *
 * WRITERS authors each have one request, "add one to the register and append
 * one event". Any process may be killed, KILLS times in all; whoever replaces
 * a writer carries the same request out again. At the end every request has
 * been executed exactly once and the device is whole and free; a reader never
 * sees the register and the event ring's head disagree.
 *
 * The gate is modelled as glibc has it: value and number of waiters change in
 * one step, the wake-up of a sleeper is a second one, which a kill may prevent;
 * and a killed sleeper takes along the wake-up it had been given.
 *
 * Configurations:
 *	(none)		a supervisor reaps and kicks; nobody's sleep has an end
 *	EARLY		the replacement does not wait for the end of the reaping
 *	NO_HEIR		a killed writer is not replaced
 *	ALONE		no supervisor: sleeps have an end (SLICE, unless NO_SLICE)
 *			and who wakes proves the owner's death by itself
 * Seeded defects, each of which must be found:
 *	NO_KICK		with NO_HEIR: reaping does not post the gate
 *	NO_SLICE	with ALONE: sleeps have no end
 *	NOTED_LATER	the gate gives the right to write; who has it is noted then
 *	NO_REPAIR	a dead owner's device is only released
 *	CREDIT_DEAD	with 2 KILLS: repair credits the dead owner, not the author of the tag
 *	ASK_OUTSIDE	"was my request carried out?" is asked before owning
 *	DONE_LATE	the author's done word is stored after the release
 *	COMMIT_EARLY	readers are sent to side 0 while it is being changed
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define IDS (WRITERS + KILLS + 2) /* identities 1, 2, ..; each used once */
#define SUPERVISOR WRITERS	  /* its slot; the writers' are 0, 1, .. */

byte owner; /* an identity, 0 free */
byte gate = 1, waiters; /* one word in memory: they change together */
byte seq;
byte reg[2], head[2], tag[2]; /* for each side; tag is 1 + author, 0 none */
bool done[WRITERS]; /* the author table */

byte kills, next_id = 1, finished, ended;
byte slot_of[IDS];
bool alive[IDS], declared[IDS], reaped[IDS], asleep[IDS], woken[IDS];
bool all_over;

#define DIE atomic { kills < KILLS -> kills++; goto died }
/* one step of a process, before which it may be killed */
#define STEP(x) if :: x :: DIE fi

/* something done for each identity: IDS is at least 4 */
#if IDS > 4
#define ID4(m) m(4)
#else
#define ID4(m)
#endif
#if IDS > 5
#define ID5(m) m(5)
#else
#define ID5(m)
#endif
#if IDS > 6
#define ID6(m) m(6)
#else
#define ID6(m)
#endif
#define EACH(m) m(1) m(2) m(3) ID4(m) ID5(m) ID6(m)

#define OR_ASLEEP(i) || asleep[i]
#define OR_UNREAPED(i) || (next_id > i && !alive[i] && !reaped[i])
#define WAKE(i) :: asleep[i] -> asleep[i] = 0; woken[i] = 1
#define CHOOSE(i) :: next_id > i && !alive[i] && !reaped[i] -> dead = i

inline futex_wake()
{
	atomic {
		if
		EACH(WAKE)
		:: !(0 EACH(OR_ASLEEP)) -> skip
		fi
	}
}

inline post(seen)
{
	STEP(atomic { seen = waiters; gate = (gate < 3 -> gate + 1 : 3) });
	if
	:: seen > 0 -> seen = 0; STEP(futex_wake())
	:: else
	fi
}

inline release(seen)
{
	STEP(atomic { assert(owner == me); owner = 0 });
	if
	:: gate == 0 -> post(seen)
	:: else
	fi
}

inline credit(author, from)
{
#ifdef CREDIT_DEAD
	if
	:: author && slot_of[from] == author - 1 -> STEP(done[author - 1] = 1)
	:: else
	fi
#else
	if
	:: author -> STEP(done[author - 1] = 1)
	:: else
	fi
#endif
}

/* The side that readers are on is copied over the other one. */
inline repair(from, q, good, author)
{
#ifndef NO_REPAIR
	STEP(atomic { q = seq; good = q % 2 });
	STEP(reg[1 - good] = reg[good]);
	STEP(head[1 - good] = head[good]);
	STEP(tag[1 - good] = tag[good]);
	if
	:: q % 2 -> STEP(seq = q + 1)
	:: else
	fi;
	STEP(author = tag[0]);
	credit(author, from);
	q = 0;
	good = 0;
	author = 0
#else
	skip
#endif
}

inline be_born(slot)
{
	atomic {
		me = next_id;
		next_id++;
		alive[me] = 1;
		slot_of[me] = slot
	}
}

proctype Writer(byte author)
{
	byte me, was, q, good, seen, v, a;
	bool token, mine;

again:
	be_born(author);
#ifdef ASK_OUTSIDE
	if
	:: done[author] -> goto out
	:: else
	fi;
#endif
	STEP(atomic {
		if
		:: gate > 0 -> gate--; token = 1
		:: else -> token = 0
		fi
	});
#ifdef NOTED_LATER
	if
	:: token -> STEP(owner = me); goto owning
	:: else -> goto sleep
	fi;
#endif
take:
	STEP(atomic {
		was = owner;
		if
		:: was == 0 -> owner = me
		:: else
		fi
	});
	if
	:: was == 0 -> goto owning
	:: else
	fi;
#ifdef ALONE
	if
	:: !alive[was] -> STEP(declared[was] = 1)
	:: else
	fi;
#endif
	if
	:: declared[was] ->
		STEP(atomic {
			if
			:: owner == was -> owner = me; mine = 1
			:: else -> mine = 0
			fi
		});
		if
		:: mine -> repair(was, q, good, a); goto owning
		:: else
		fi
	:: else
	fi;
sleep:
	STEP(waiters++);
look:
	if
	:: atomic { gate == 0 -> asleep[me] = 1 };
		if
		:: atomic { woken[me] -> woken[me] = 0 }; goto look
#if defined(ALONE) && !defined(NO_SLICE)
		:: atomic { asleep[me] -> asleep[me] = 0; waiters-- };
			goto take
#endif
		:: DIE
		fi
	:: atomic { gate > 0 -> gate--; waiters-- };
#ifdef NOTED_LATER
		STEP(owner = me);
		goto owning
#else
		goto take
#endif
	:: DIE
	fi;
owning:
	assert(owner == me);
	was = 0;
	token = 0;
	mine = 0;
#ifndef ASK_OUTSIDE
	if
	:: done[author] -> goto leave
	:: else
	fi;
#endif
	STEP(v = reg[0] + 1);
#ifndef COMMIT_EARLY
	STEP(seq++);
#endif
	STEP(reg[0] = v);
	STEP(head[0] = v);
	STEP(tag[0] = author + 1);
#ifdef COMMIT_EARLY
	STEP(seq++);
#endif
	STEP(seq++); /* the commit */
	STEP(reg[1] = v);
	STEP(head[1] = v);
	v = 0;
	STEP(tag[1] = author + 1);
#ifndef DONE_LATE
	STEP(done[author] = 1);
#endif
leave:
	release(seen);
#ifdef DONE_LATE
	STEP(done[author] = 1);
#endif
	goto out;
died:
	atomic {
		alive[me] = 0;
		asleep[me] = 0;
		woken[me] = 0;
		was = me;
		me = 0;
		q = 0;
		good = 0;
		seen = 0;
		v = 0;
		a = 0;
		token = 0;
		mine = 0
	};
#ifdef ALONE
	goto gone; /* nobody starts it again */
#else
#ifdef NO_HEIR
	finished++;
	was = 0;
	goto gone;
#endif
#ifdef EARLY
	declared[was];
#else
	reaped[was];
#endif
	was = 0;
	goto again;
#endif
out:
	atomic { finished++; alive[me] = 1 };
gone:
	ended++
}

proctype Supervisor()
{
	byte me, dead, q, good, seen, a;
	bool mine;

again:
	be_born(SUPERVISOR);
	do
	:: finished == WRITERS -> break
	:: atomic {
			(0 EACH(OR_UNREAPED)) ->
			if
			EACH(CHOOSE)
			fi
		};
		STEP(declared[dead] = 1);
		STEP(atomic {
			if
			:: owner == dead -> owner = me; mine = 1
			:: else -> mine = 0
			fi
		});
		if
		:: mine -> repair(dead, q, good, a); release(seen)
		:: else
		fi;
#if !defined(NO_KICK) && !defined(NOTED_LATER)
		post(seen);
#endif
		STEP(reaped[dead] = 1);
		dead = 0;
		mine = 0
	od;
	goto out;
died:
	atomic {
		alive[me] = 0;
		dead = 0;
		q = 0;
		good = 0;
		seen = 0;
		a = 0;
		mine = 0;
		goto again
	};
out:
#ifndef NO_HEIR
	assert(reg[0] == WRITERS && reg[1] == WRITERS);
	assert(head[0] == WRITERS && head[1] == WRITERS);
	assert(tag[0] == tag[1] && seq % 2 == 0);
#endif
	assert(owner == 0 || declared[owner] || !alive[owner])
}

proctype Reader()
{
	byte q, v, h;

	q = seq;
	v = reg[q % 2];
	h = head[q % 2];
	if
	:: q == seq -> assert(v == h)
	:: else
	fi;
	q = 0;
	v = 0;
	h = 0;
	ended++
}

init {
	byte i = 0;

	atomic {
		do
		:: i < WRITERS -> run Writer(i); i++
		:: else -> break
		od;
		run Reader();
#ifndef ALONE
		run Supervisor()
#endif
	}
#ifdef ALONE
	(ended == WRITERS + 1);
	all_over = 1;
	assert(finished + kills >= WRITERS);
	assert(reg[0] >= finished && reg[0] <= finished + kills)
#endif
}

#ifdef ALONE
/* whoever is not killed gets through */
ltl gets_through { <> all_over }
#endif
