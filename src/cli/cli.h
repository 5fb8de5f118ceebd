/* The commands of merlon(1). Each returns an exit code of args.h. */
#pragma once
#include "cli/args.h"

int cmd_run(int argc, char **argv);
int cmd_prepare(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_delete(int argc, char **argv);
int cmd_approve(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_alarms(int argc, char **argv);
int cmd_job(int argc, char **argv);
int cmd_duties(int argc, char **argv);
int cmd_may(int argc, char **argv);
int cmd_subject(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_sourcing(int argc, char **argv);
int cmd_vault(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_reference(int argc, char **argv);
void print_api(void); /* the page "api" */

extern const struct command commands[];
extern const size_t command_n;
