/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about memwatchd and the host. */
#include "serve/encode.h"
#include "serve/handlers.h"
#include "serve/prometheus.h"

void handle_healthy(const struct exchange *exchange, struct response *response)
{
	(void)exchange;
	response->content_type = "text/plain; charset=utf-8";
	text_append_string(&response->body, "ok");
}

void handle_ready(const struct exchange *exchange, struct response *response)
{
	bool is_ready = exchange->is_ready(exchange->ready_context);

	response->status = is_ready ? 200 : 503;
	response->content_type = "text/plain; charset=utf-8";
	text_append_string(&response->body, is_ready ? "ok" : "not ready");
}

void handle_metrics(const struct exchange *exchange, struct response *response)
{
	enum prometheus_format format = prometheus_choose_format(exchange->accept);
	struct answer_metrics *answer;
	int err = view_metrics(exchange->state, &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	response->content_type = prometheus_content_type(format);
	prometheus_write(&response->body, format, answer);
	answer_metrics_free(answer);
}

void handle_status(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_status *answer;
	int err = view_status(exchange->state, &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	json_status(&json, answer);
	answer_status_free(answer);
}

void handle_doctor(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_doctor *answer;
	int err = view_doctor(exchange->state, &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	json_doctor(&json, answer);
	answer_doctor_free(answer);
}
