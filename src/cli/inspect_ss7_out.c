/* merlon inspect --answers: what would have been answered to the MAP requests refused, as a capture of
 * SCCP. */
#include "cli/inspect.h"

#include <pcap/pcap.h>
#include <stdio.h>

#define LINK_SCCP 142 /* LINKTYPE_SCCP */
#define SNAP      65535

bool inspect_open_answers(struct inspect *in)
{
	if (!in->answers)
		return true;
	in->answers_pcap = pcap_open_dead(LINK_SCCP, SNAP);
	in->answers_out = in->answers_pcap ? pcap_dump_open(in->answers_pcap, in->answers) : NULL;
	if (!in->answers_out)
		fprintf(stderr, "merlon inspect: %s: cannot be written\n", in->answers);
	return in->answers_out != NULL;
}

void inspect_answer(struct inspect *in, const struct judged_map *j)
{
	struct wr w = {.p = in->out, .cap = sizeof in->out};
	struct pcap_pkthdr head = {0};

	if (!in->answers_out || j->v->act != ACT_REJECT)
		return;
	map_reject(&w, j->seen, j->ask, j->v);
	if (w.err || w.n == 0)
		return;
	head.ts.tv_sec = (time_t)(in->at_ms / 1000);
	head.ts.tv_usec = (suseconds_t)(in->at_ms % 1000 * 1000);
	head.caplen = head.len = (bpf_u_int32)w.n;
	pcap_dump((u_char *)in->answers_out, &head, in->out);
}

void inspect_close_answers(struct inspect *in)
{
	if (in->answers_out)
		pcap_dump_close(in->answers_out);
	if (in->answers_pcap)
		pcap_close(in->answers_pcap);
	in->answers_out = NULL;
	in->answers_pcap = NULL;
}
