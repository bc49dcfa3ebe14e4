/* SPDX-License-Identifier: Apache-2.0 */
/* What the routes lead to: each asks one view and writes its answer, or its error. */
#ifndef MEMWATCH_SERVE_HANDLERS_H
#define MEMWATCH_SERVE_HANDLERS_H

#include "serve/routes.h"

void handle_healthy(const struct exchange *exchange, struct response *response);
void handle_ready(const struct exchange *exchange, struct response *response);
void handle_metrics(const struct exchange *exchange, struct response *response);
void handle_status(const struct exchange *exchange, struct response *response);
void handle_doctor(const struct exchange *exchange, struct response *response);

void handle_processes(const struct exchange *exchange, struct response *response);
void handle_process(const struct exchange *exchange, struct response *response);
void handle_leaks(const struct exchange *exchange, struct response *response);
void handle_stacks(const struct exchange *exchange, struct response *response);
void handle_lines(const struct exchange *exchange, struct response *response);
void handle_watch(const struct exchange *exchange, struct response *response);
void handle_unwatch(const struct exchange *exchange, struct response *response);
void handle_targets(const struct exchange *exchange, struct response *response);
void handle_ooms(const struct exchange *exchange, struct response *response);
void handle_oom(const struct exchange *exchange, struct response *response);

#endif
