/* SPDX-License-Identifier: Apache-2.0 */
#include "control/link_config.h"
#include "krmirror/cli.h"

static void tell(struct cli *cli, const struct secret_key *key, int changed, int already)
{
	json_t *document = json_object();

	output_say(&cli->output, "%d links are encrypted and signed with the new key (%s); %d were before.", changed + already,
		   key->id, already);
	output_say(&cli->output, "Now set secret.key.file=%s in krmirror.properties of every host, and restart the workers or "
		   "send them SIGHUP: until then they run on the settings that they have.",
		   cli->args.values[OPT_NEW_KEY_FILE]);
	json_object_set_new(document, "key_id", json_text(key->id));
	json_object_set_new(document, "links_changed", json_integer(changed));
	json_object_set_new(document, "links_already", json_integer(already));
	output_document(&cli->output, document);
}

enum outcome cmd_link_rekey(struct cli *cli)
{
	const char *path = cli->args.values[OPT_NEW_KEY_FILE];
	struct secret_key *key = NULL;
	struct notes notes = { 0 };
	struct err err = { 0 };
	enum outcome outcome = OUTCOME_USAGE;
	int changed, already;

	if (path == NULL)
		err_set(&err, RC_USAGE, "the new key was not given: --new-key-file FILE");
	else if (secret_key_load(&key, path, &notes, &err) == RC_OK)
		outcome = OUTCOME_DONE;
	else
		err_wrap(&err, "--new-key-file");
	cli_print_notes(cli, &notes);
	if (outcome != OUTCOME_DONE)
		return cli_fail(cli, outcome, &err);
	outcome = cli_connect(cli);
	if (outcome == OUTCOME_DONE) {
		outcome = link_rekey(&cli->session, key, &changed, &already, &err);
		if (outcome == OUTCOME_DONE)
			tell(cli, key, changed, already);
		else
			cli_fail(cli, outcome, &err);
	}
	secret_key_free(key);
	return outcome;
}
