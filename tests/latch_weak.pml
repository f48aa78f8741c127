/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two-sided latch of a device on a machine that reorders memory accesses
 * (as ARMv8 does: a store becomes visible to all others at once, but not in
 * program order unless something demands it).
 *
 * The writer makes two commits, of the values 1 and 2, each to two registers.
 * Its stores wait in a set and reach memory in any order that the C11 orders
 * of store.c allow; the reader's loads are performed in any order that those
 * of store_read() allow. An accepted picture must be one commit, and the one
 * that its seq names.
 *
 * Seeded defects, each of which must be found:
 *	SEQ_RELAXED	seq is stored without release
 *	NO_FENCE	no release fence between a seq store and the data
 *	FIRST_RELAXED	the reader's first load of seq is no acquire
 *	NO_RECHECK_FENCE no acquire fence before its second load of seq
 */

/*
 * Program order, three stores to a phase:
 *	0: seq = 1	1: side 0, a	2: side 0, b
 *	3: seq = 2	4: side 1, a	5: side 1, b	(the first commit)
 *	6: seq = 3	7: side 0, a	8: side 0, b
 *	9: seq = 4	10: side 1, a	11: side 1, b	(the second)
 */
#define STORES 12
#define IS_SEQ(s) ((s) % 3 == 0)
#define CELL(s) ((s) / 3 % 2 * 2 + (s) % 3 - 1)
#define VALUE(s) (IS_SEQ(s) -> (s) / 3 + 1 : (s) / 6 + 1)
/* the last seq store before s, behind which a fence stands; s > 0 */
#define FENCED(s) (((s) - 1) / 3 * 3)
#define SAME_PLACE(s, t) \
	(IS_SEQ(s) == IS_SEQ(t) && (IS_SEQ(s) || CELL(s) == CELL(t)))

byte seq, data[4]; /* memory; data: side * 2 + register */
bool landed[STORES]; /* has reached memory */
byte t;
bool free_to_go;

/* May store s land now, given what has not landed yet? */
inline may_land(s)
{
	free_to_go = !landed[s];
	t = 0;
	do
	:: t < s && !landed[t] ->
		if
		:: SAME_PLACE(s, t) -> free_to_go = 0
#ifndef SEQ_RELAXED
		:: IS_SEQ(s) -> free_to_go = 0
#endif
#ifndef NO_FENCE
		:: t <= FENCED(s) -> free_to_go = 0
#endif
		:: else -> skip
		fi;
		t++
	:: t < s && landed[t] -> t++
	:: t >= s -> break
	od;
	t = 0
}

active proctype Writer()
{
	byte n = 0, s;

	do
	:: n < STORES ->
		atomic {
			select(s : 0 .. 11);
			may_land(s);
			if
			:: free_to_go && IS_SEQ(s) ->
				seq = VALUE(s); landed[s] = 1; n++
			:: free_to_go && !IS_SEQ(s) ->
				data[CELL(s)] = VALUE(s); landed[s] = 1; n++
			:: else -> skip
			fi;
			free_to_go = 0;
			s = 0
		}
	:: n == STORES -> break
	od
}

active proctype Reader()
{
	byte q, again, side, a, b;
	bool has_q, has_again, has_a, has_b;

#ifdef FIRST_RELAXED
	/* it may guess the side, load from there, and only then look */
	if
	:: side = 0
	:: side = 1
	fi;
#else
	atomic { q = seq; side = q % 2; has_q = 1 };
#endif
	do
	:: atomic { !has_q -> q = seq; has_q = 1 }
	:: atomic { !has_a -> a = data[side * 2]; has_a = 1 }
	:: atomic { !has_b -> b = data[side * 2 + 1]; has_b = 1 }
	/* two loads of one place are never exchanged */
#ifdef NO_RECHECK_FENCE
	:: atomic { !has_again && has_q -> again = seq; has_again = 1 }
#else
	:: atomic {
			!has_again && has_q && has_a && has_b ->
			again = seq; has_again = 1
		}
#endif
	:: has_q && has_again && has_a && has_b -> break
	od;
	if
	:: q == again && q % 2 == side -> assert(a == b && a == q / 2)
	:: else
	fi
}
