/* SPDX-License-Identifier: MIT */
/*
 * say.h -- a sentence for the person who runs kvd, on stderr.
 *
 * One write(2) per sentence, so that those of several threads do not mix.
 * Any thread; does not suspend.
 */
#ifndef KVD_SAY_H
#define KVD_SAY_H

/* "kvd: " and the end of the line are added; at most 1,000 bytes. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
