/* Stage steering: an update in a network we would rather not use is refused a few times, so that the
 * device tries another (R-5.6.2.a). Never a lock-out: attempts are capped for each network and in all
 * (R-5.6.c), and nothing is steered whose count could not be kept. */
#include "judge/admission.h"
#include "judge/stage.h"

#define WEIGHT_ALL      1000
#define STEER_ALL_MAX   8
#define STEER_FORGET_S  (24 * 3600)

static uint32_t tried(const struct sighting *seen, uint32_t plmn)
{
	if (seen->steer_plmn[0] == plmn)
		return seen->steer_n[0];
	return seen->steer_plmn[1] == plmn ? seen->steer_n[1] : 0;
}

static bool may_try(const struct ask *a, const struct sighting *seen)
{
	uint32_t plmn = sightings_plmn(a->f->visited_plmn);

	if (!seen)
		return true;
	if (seen->plmn == plmn && (seen->host != 0 || seen->host_sgsn != 0 || seen->host_vlr != 0))
		return false; /* registered there already: an update, no choice of network */
	if (a->f->now_ms / 1000 > (uint64_t)seen->steer_s + STEER_FORGET_S)
		return true;
	return tried(seen, plmn) < a->peer->steer_attempts && seen->steer_all < STEER_ALL_MAX;
}

enum finding find_STEERING(struct ask *a)
{
	const struct admission *target;

	if (a->f->direction != DIR_TO_HOME || a->f->op != OP_UPDATE_LOCATION || !a->j->seen || !a->peer)
		return FIND_NOTHING;
	if (a->peer->trust == TRUST_OWN || a->peer->steer_weight >= WEIGHT_ALL ||
	    a->peer->steer_attempts == 0)
		return FIND_NOTHING;
	if (hash_u64(a->j->key, a->f->imsi, a->peer->plmn) % WEIGHT_ALL < a->peer->steer_weight)
		return FIND_NOTHING;
	target = ask_target(a);
	/* The retries that steering causes would feed a storm. */
	if (ask_prio(a) == PRIO_CRITICAL || (target && admission_stormy(target)))
		return FIND_NOTHING;
	if (!may_try(a, ask_seen(a)) || !learn_steered(a->j, a->f))
		return FIND_NOTHING;
	return FIND_BAD;
}
