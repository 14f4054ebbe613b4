/* SPDX-License-Identifier: MIT */
/* Allocation of the program under test, counted; the n-th one can be made to fail. Only what happens between
 * memory_enter and memory_leave is the program's; memory_pause and memory_resume bracket what the player does in
 * between. One thread. */
#ifndef PLAYER_MEMORY_H
#define PLAYER_MEMORY_H

void memory_enter(void);
void memory_leave(void);
void memory_pause(void);
void memory_resume(void);

/* The N-th allocation from now on fails; 0: none. */
void memory_fail_at(unsigned long n);
/* Whether it came to that. */
int memory_has_failed(void);
/* Blocks taken and not yet freed, by program and player. */
long memory_live(void);

#endif
