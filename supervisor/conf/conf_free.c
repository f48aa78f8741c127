/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives back what a configuration owns. Runs wherever one was read.
 */
#include <stdlib.h>

#include "supervisor/conf.h"
#include "supervisor/conf/conf_paths.h"
#include "supervisor/conf/conf_range.h"
#include "supervisor/mem.h"

void
conf_device_free(struct conf_device *d)
{
	for (size_t i = 0; i < d->nranges; i++)
		conf_range_free(&d->ranges[i]);
	for (size_t i = 0; i < d->nidentity; i++)
		free(d->identity[i].text);
	free(d->ranges);
	free(d->identity);
	free(d->name);
}

static void
free_transport(struct conf_transport *t)
{
	free(t->name);
	free(t->type_name);
	free(t->listen);
	free(t->folder);
	conf_paths_free(&t->tls.cert);
	conf_paths_free(&t->tls.key);
	conf_paths_free(&t->tls.ocsp);
	conf_paths_free(&t->plugins);
	free(t->plugins_place);
	mem_wipe(t->tls.password);
	free(t->tls.password_file);
	free(t->tls.ca);
	free(t->tls.crl);
	free(t->tls.ciphers);
	conf_roles_free(&t->tls.roles);
	conf_options_free(&t->options);
	free(t->serial.port);
	free(t->shm.prefix);
	free(t->shm.semaphore);
	free(t->framer);
	free(t->allow.at);
	free(t->deny.at);
	free(t->priority.at);
	free(t->user);
	for (size_t i = 0; i < t->nidentity; i++)
		free(t->identity[i].text);
	free(t->identity);
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->ndevices; i++)
		conf_device_free(&conf->devices[i]);
	for (size_t i = 0; i < conf->ntransports; i++)
		free_transport(&conf->transports[i]);
	for (size_t i = 0; i < conf->ncontrol_listen; i++)
		free(conf->control_listen[i]);
	free(conf->devices);
	free(conf->transports);
	free(conf->control_listen);
	free(conf->curve_secret_key);
	free(conf->curve_authorized);
	free(conf->actions.module);
	free(conf->actions.folder);
	free(conf->actions.python);
	free(conf->actions.user);
	free(conf->http.listen);
	free(conf->http.token_file);
	free(conf->http.web_root);
	conf_paths_free(&conf->http.hosts);
	free(conf->snapshot.path);
	free(conf->snapshot.place);
	free(conf->snapshot.user);
	free(conf->store);
	free(conf->notes);
	free(conf->path);
	free(conf);
}
