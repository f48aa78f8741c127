/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Describing a store by the devices of a configuration, from a file or a text.
 * Runs in the program's own process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/api/api.h"

/* Takes the devices over. */
static int
take_devices(struct hf_store *s, struct conf *conf)
{
	for (size_t i = 0; i < conf->ndevices; i++) {
		int unit = conf->ndevices == 1 ? HF_EVERY_UNIT : (int)i + 1;
		struct hf_device *d;

		d = api_device_new(s, conf->devices[i].name, unit);
		if (d == NULL)
			return -1;
		free(d->conf.name);
		d->conf = conf->devices[i];
		memset(&conf->devices[i], 0, sizeof(conf->devices[i]));
	}
	return 0;
}

static struct hf_store *
load(const char *path, const char *name, const char *json)
{
	struct hf_store *s = NULL;
	char *told = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&told, &len);
	struct conf *conf;
	int saved;

	if (err == NULL) {
		api_fail(ENOMEM, "out of memory");
		return NULL;
	}
	conf = conf_load_devices(path, json, err);
	saved = errno;
	fclose(err);
	if (conf == NULL) {
		while (len > 0 && told[len - 1] == '\n')
			told[--len] = '\0';
		api_fail(saved, "%s", told != NULL ? told : "out of memory");
	} else {
		s = hf_store_new(name != NULL ? name : conf->store);
	}
	if (s != NULL && take_devices(s, conf) < 0) {
		hf_store_free(s);
		s = NULL;
	}
	saved = errno;
	conf_free(conf);
	free(told);
	errno = saved;
	return s;
}

struct hf_store *
hf_store_load(const char *path)
{
	if (path == NULL)
		return api_null(EINVAL, "there is no path (NULL)");
	return load(path, NULL, NULL);
}

struct hf_store *
hf_store_parse(const char *name, const char *json)
{
	if (json == NULL)
		return api_null(EINVAL, "there is no configuration (NULL)");
	return load("text", name, json);
}
