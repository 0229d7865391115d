/* SPDX-License-Identifier: MIT */
/* The commands of evtchn: one function each, called by main.c's table. */
#ifndef EVTCHN_COMMANDS_H
#define EVTCHN_COMMANDS_H

/*
 * A command gets its own name in argv[0] and returns the exit status:
 * 0, EXIT_NOTHING, EXIT_MISUSE, or what its --help says.  It answers --help
 * itself, on stdout, with at least one line that begins with "Example".
 */
int cmd_run(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_debug_key(int argc, char **argv);
int cmd_delegate(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_alloc(int argc, char **argv);
int cmd_bind(int argc, char **argv);
int cmd_notify(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_close(int argc, char **argv);
int cmd_replay(int argc, char **argv);

#define EXIT_NOTHING 1	 /* asked properly, but it failed or nothing is there */
#define EXIT_MISUSE  2	 /* the command line is wrong */
#define EXIT_TIME    124 /* --timeout is over, as with timeout(1) */

#endif /* EVTCHN_COMMANDS_H */
