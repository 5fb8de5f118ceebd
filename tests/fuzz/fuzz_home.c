/* Whatever an end point accepts, home answers, and its answer is one that an end point accepts: of
 * the same command and session, with one result. What it sends by itself passes its own row too. */
#include "home/feed.h"
#include "home/s6a.h"
#include "home/swx.h"
#include "wire/dia.h"
#include <stdlib.h>
#include <sys/mman.h>

#define WALL 1800000000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint8_t room[2][256 * 1024], bytes[DIA_FRAME_MAX * 2];
static struct sub_row sub = {.profile = 1, .life = LIFE_ACTIVE, .alg = ALG_MILENAGE};
static struct profile_row profile = {.id = 1,
				     .apn_n = 1,
				     .rats = 63,
				     .services = SERVICE_WIFI,
				     .tau_s = 3600,
				     .apn = {{.name = "a.iot", .context = 1, .qci = 9, .arp = 15}}};
static struct equip_row equip = {.colour = GREY};
static struct aka_key key;

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	(void)ctx;
	sub.imsi = imsi;
	return imsi & 0x10 ? &sub : NULL; /* every other digit: unknown */
}

static const struct profile_row *find_profile(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == profile.id ? &profile : NULL;
}

static const struct equip_row *find_equip(void *ctx, uint64_t imei, uint64_t now_s)
{
	(void)ctx;
	(void)now_s;
	equip.imei = imei;
	return imei & 0x1000 ? &equip : NULL;
}

static const struct book book = {.sub = find_sub, .profile = find_profile, .equip = find_equip};
static const struct home_self self = {.own_plmn = 0x99970fffffffffff, .vector_max = 5};
static const struct dia_node_conf me = {
    .host = VIEW_INIT("home.x.org"), .realm = VIEW_INIT("x.org"), .state_id = 1};

static struct auth_means means(void)
{
	static struct auth_means m;
	int fd;

	if (m.aka)
		return m;
	fd = memfd_create("sqn", 0);
	m.wall_ms = WALL;
	m.aka = aka_new();
	if (fd < 0 || !m.aka || sqn_open(&m.sqn, fd, WALL))
		abort();
	return m;
}

static void must_parse(const struct wr *w, const struct msg *request)
{
	struct arena mem = {room[1], 0, sizeof room[1]};
	struct dia_header h;
	struct msg m;

	if (w->err || dia_parse(&m, &h, wr_done(w), DIA_END, &mem))
		abort();
	if (!request)
		return;
	if (h.code != request->shape->code || (h.flags & DIA_FLAG_REQUEST) ||
	    !view_eq(tab_get(&m, AVP_SESSION_ID), tab_get(request, AVP_SESSION_ID)))
		abort();
	if (!tab_slot(&m, AVP_RESULT_CODE) == !tab_slot(&m, AVP_EXPERIMENTAL_RESULT))
		abort();
}

/* Registered in whichever node asks, so that every branch behind that is reached. */
static struct reg_row registration(const struct msg *m)
{
	struct reg_row r = {.flags = REG_MME, .told = 1};

	r.imsi = s6a_imsi(m);
	if (!view_text(tab_get(m, AVP_ORIGIN_HOST), r.mme.host, sizeof r.mme.host))
		r.flags = 0;
	return r;
}

static void auth(const struct s6a_in *in, const struct home_rows *rows, struct wr *w)
{
	struct auth_means with = means();
	struct auth_request q;
	struct auth_result a;

	s6a_air_read(in->m, &q);
	authenticate(&self, &with, rows, &key, &q, &a);
	s6a_aia_write(w, in, &a);
}

static void update(const struct s6a_in *in, const struct home_rows *rows, struct wr *w)
{
	struct update_request q;
	struct update_result u;

	s6a_ulr_read(in->m, &q);
	update_location(&self, rows, &q, WALL, &u);
	if (u.cancel_n > 2)
		abort();
	s6a_ula_write(w, in, &q, &u, rows, q.flags & 1);
}

/* Registered in the AAA server that asks, in another, or in none, as the IMSI has it. */
static struct reg_row aaa_registration(const struct msg *m, uint64_t imsi)
{
	struct reg_row r = {.flags = imsi & 0x100 ? REG_AAA : 0, .told = 1};

	r.imsi = reg_aaa(imsi);
	if ((imsi & 0x200) || !view_text(tab_get(m, AVP_ORIGIN_HOST), r.mme.host, sizeof r.mme.host))
		memcpy(r.mme.host, "aaa.x.org", 10);
	return r;
}

static void vectors(const struct s6a_in *in, struct wr *w)
{
	struct auth_means with = means();
	struct auth_result r = {0};
	struct reg_row reg = {0}, aaa;
	struct home_rows rows = {.profile = &profile, .reg = &reg};
	struct swx_ask q;

	swx_mar_read(in->m, &q);
	aaa = aaa_registration(in->m, q.wifi.imsi);
	reg.imsi = q.wifi.imsi;
	rows.sub = find_sub(NULL, q.wifi.imsi);
	r.result = q.result ? q.result : aaa_check(&aaa, tab_get(in->m, AVP_ORIGIN_HOST), q.failed);
	if (!r.result)
		authenticate_wifi(&self, &with, &rows, &key, &q.wifi, &r);
	if (!r.result && (r.utran_n < 1 || r.utran_n > VECTOR_MAX))
		abort();
	r.result = swx_result(r.result);
	swx_maa_write(w, in, &q, &r, reg_aaa_node(&aaa));
}

static void assign(const struct s6a_in *in, struct wr *w)
{
	struct assign_request q;
	struct assign_result r;
	struct reg_row aaa;
	struct home_rows rows = {.profile = &profile, .reg = &aaa};

	swx_sar_read(in->m, &q);
	aaa = aaa_registration(in->m, q.imsi);
	rows.sub = find_sub(NULL, q.imsi);
	assign_server(&rows, &q, WALL, &r);
	if ((r.data || r.store) && r.result)
		abort();
	r.result = swx_result(r.result);
	swx_saa_write(w, in, &r, &rows);
}

static void answer(const struct s6a_in *in, const struct home_rows *rows, struct wr *w)
{
	struct purge_result p;
	struct notify_result n;
	struct check_result c;

	switch (in->m->shape->id) {
	case S6A_AIR:
		auth(in, rows, w);
		break;
	case S6A_ULR:
		update(in, rows, w);
		break;
	case S6A_PUR:
		purge(rows, tab_get(in->m, AVP_ORIGIN_HOST), s6a_pur_flags(in->m), &p);
		s6a_pua_write(w, in, &p);
		break;
	case S6A_NOR:
		notify(rows, tab_get(in->m, AVP_ORIGIN_HOST), s6a_imei(in->m), &n);
		s6a_noa_write(w, in, &n);
		break;
	case S13_ECR:
		check_device(&self, &book, s6a_imei(in->m), s6a_imsi(in->m), WALL, &c);
		s13_eca_write(w, in, &c);
		break;
	case SWX_MAR:
		vectors(in, w);
		break;
	case SWX_SAR:
		assign(in, w);
		break;
	default:
		return;
	}
	must_parse(w, in->m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct home_load load = {.value = 9, .sequence = 1, .report = true, .reduction = 10};
	struct arena mem = {room[0], 0, sizeof room[0]};
	struct wr w = {.p = bytes, .cap = sizeof bytes};
	struct dia_header h;
	struct msg m;
	struct s6a_in in = {&m, &h, &me, &load};
	struct home_rows rows;
	struct reg_row reg;

	if (dia_parse(&m, &h, (struct view){data, n}, DIA_END, &mem))
		return 0;
	reg = registration(&m);
	rows = (struct home_rows){.sub = find_sub(NULL, reg.imsi), .profile = &profile, .reg = &reg};
	answer(&in, &rows, &w);
	return 0;
}
