// The storm console: what is refused and why, when the refused come back, and the levers.
import { Button, Modal, NativeSelect, TextInput } from "@mantine/core";
import { useMemo, useState } from "react";
import { api, call, type Row } from "../api";
import { to } from "../route";
import { useCan } from "../session";
import { s } from "../strings";
import { Card, count, Figure, Level, Note, Page, State, Wrong } from "../ui/bits";
import { Chart } from "../ui/chart";
import { classes, useEach, useLive, useSeconds } from "../ui/live";
import { Rows } from "../ui/table";
import { usePartners } from "./networks";

const t = s.storm;

function useRefusals(): Row[] {
  const [rows, setRows] = useState<Row[]>([]);
  useEach(2000, async () => {
    const { items } = await api<{ items: Row[] }>("GET /events", { query: { event: "edge.refused", limit: "200" } });
    const by = new Map<string, Row>();
    for (const e of items) {
      const key = `${e.check} ${e.network} ${e.class}`;
      const row = by.get(key) ?? { check: e.check, network: e.network, class: e.class, clause: e.clause, n: 0 };
      row.n = Number(row.n) + Number(e.n ?? 1);
      by.set(key, row);
    }
    setRows([...by.values()].sort((a, b) => Number(b.n) - Number(a.n)).slice(0, 20));
  });
  return rows;
}

/** A lever is a change of one partner's record: how far it is trusted, how much it may send. */
function Levers() {
  const can = useCan();
  const partners = usePartners();
  const [plmn, setPlmn] = useState("");
  const [trust, setTrust] = useState("");
  const [rate, setRate] = useState("");
  const [asking, setAsking] = useState(false);
  const [said, setSaid] = useState("");
  const [error, setError] = useState<unknown>(null);
  if (!can("PATCH /networks/{id}")) return null;
  const pull = async () => {
    setError(null);
    try {
      await call("PATCH /networks/{id}", { id: plmn, body: { ...(trust ? { trust } : {}), ...(rate ? { rate: Number(rate) } : {}) } as never });
      setSaid(t.pulled(plmn));
      setAsking(false);
    } catch (e) {
      setError(e);
    }
  };
  return (
    <Card title={t.levers}>
      {said ? <Note tone="good">{said}</Note> : null}
      <form className="row" onSubmit={(e) => { e.preventDefault(); setSaid(""); setAsking(true); }}>
        <NativeSelect label={t.partner} value={plmn} onChange={(e) => setPlmn(e.currentTarget.value)} required data={[{ value: "", label: "" }, ...partners.filter((p) => p.trust !== "own").map((p) => ({ value: String(p.plmn), label: `${p.name || ""} ${p.plmn}` }))]} />
        <NativeSelect label={t.trust} value={trust} onChange={(e) => setTrust(e.currentTarget.value)} data={[{ value: "", label: t.asIs }, "trusted", "throttled", "blocked"]} />
        <TextInput label={t.rate} value={rate} onChange={(e) => setRate(e.currentTarget.value)} inputMode="numeric" pattern="[0-9]*" placeholder={t.asIs} />
        <Button type="submit" color="red" variant="outline" disabled={!plmn || (!trust && !rate)}>{t.pull}</Button>
      </form>
      <Modal opened={asking} onClose={() => setAsking(false)} title={t.pull} closeButtonProps={{ "aria-label": s.close }}>
        <div className="stack">
          <p>{t.means(plmn, trust, rate)}</p>
          <Wrong error={error} />
          <Button color="red" onClick={() => void pull()} data-autofocus>{s.danger.sure}</Button>
        </div>
      </Modal>
    </Card>
  );
}

export default function Storm() {
  const can = useCan();
  const seconds = useSeconds();
  const roles = useLive();
  const refusals = useRefusals();
  const edge = roles.find((r) => r.role === "edge");
  const wave = useMemo(() => [{ name: t.returning, points: (edge?.wave ?? []).map((n, i) => [Date.now() + i * (edge?.wave_slot_ms ?? 0), n] as [number, number]) }], [edge]);
  const byClass = useMemo(() => classes.map((c, i) => ({ name: c, points: seconds.map((x) => [x.at_s * 1000, x.counts.refused[i]] as [number, number]) })), [seconds]);
  const expected = (edge?.wave ?? []).reduce((a, b) => a + b, 0);
  const last = seconds[seconds.length - 1]?.counts;
  return (
    <Page title={t.title} lead={t.lead}>
      <div className="cards">
        <Figure k={t.limit} v={count(edge?.limit)} more={<Level part={edge?.in_flight ?? 0} whole={edge?.limit ?? 0} label={t.inFlight} tone={edge && edge.in_flight > 0.8 * edge.limit ? "bad" : "good"} />} />
        <Figure k={t.inFlight} v={count(edge?.in_flight)} />
        <Figure k={t.overload} v={`${edge?.overload_percent ?? 0} %`} more={t.overloadHelp} />
        <Figure k={t.appointed} v={count(last?.appointed)} more={s.overview.second} />
        <Figure k={t.expected} v={count(expected)} more={t.expectedHelp} />
      </div>
      <div className="halves">
        <Card title={t.wave}><Chart label={t.wave} lines={wave} area /></Card>
        <Card title={t.refusedByClass}><Chart label={t.refusedByClass} lines={byClass} /></Card>
      </div>
      <Card title={t.refusedNow}>
        <Rows label={t.refusedNow} rows={refusals} columns={[
          { name: "check", title: t.check, show: (r) => (can("GET /rules") ? <a href={to("rules")}>{String(r.check)}</a> : String(r.check)) }, { name: "clause", title: t.clause },
          { name: "network", title: t.partner }, { name: "class", title: t.class, show: (r) => <State of={r.class} /> }, { name: "n", title: t.n, number: true },
        ]} />
      </Card>
      <Levers />
    </Page>
  );
}
