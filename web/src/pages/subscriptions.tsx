// Subscriptions, and a SIM's page: what its profile lets it do, and the acts that a person may take.
import { Button, Modal } from "@mantine/core";
import { useEffect, useState } from "react";
import { api, call, type Row } from "../api";
import { useCan } from "../session";
import { s } from "../strings";
import { Card, Note, when, Wrong } from "../ui/bits";
import { what } from "./events";
import { Words } from "./profiles";
import { type Kind, records } from "./records";

const t = s.sim;

function Acts({ row, again }: { row: Row; again: () => void }) {
  const can = useCan();
  const [act, setAct] = useState<keyof typeof t.acts | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  if (!can("PATCH /subscriptions/{id}")) return null;
  const to: Record<keyof typeof t.acts, Row> = { activate: { life: "active" }, suspend: { life: "suspended" }, retire: { life: "retired" }, unbind: { imei: "" } };
  const possible = (Object.keys(to) as (keyof typeof t.acts)[]).filter((a) => (a === "unbind" ? row.imei : row.life !== to[a].life) && row.life !== "retired");
  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      const got = await call("PATCH /subscriptions/{id}", { id: String(row.imsi), body: to[act!] as never });
      setSaid(got.status === 202 ? s.waitsFor((got.body as Row).approval ?? "") : t.done[act!]);
      setAct(null);
      again();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title={t.actsTitle}>
      {said ? <Note tone="good">{said}</Note> : null}
      <div className="row">
        {possible.map((a) => (
          <Button key={a} variant="outline" color={a === "activate" || a === "unbind" ? "blue" : "red"} onClick={() => { setAct(a); setSaid(""); }}>{t.acts[a]}</Button>
        ))}
      </div>
      <Modal opened={act !== null} onClose={() => setAct(null)} title={act ? `${t.acts[act]}: ${String(row.imsi)}` : ""} closeButtonProps={{ "aria-label": s.close }}>
        <div className="stack">
          <p>{act ? t.means[act] : ""}</p>
          <Wrong error={error} />
          <Button color={act === "activate" ? "blue" : "red"} loading={busy} onClick={() => void run()} data-autofocus>{s.danger.sure}</Button>
        </div>
      </Modal>
    </Card>
  );
}

function Profile({ name }: { name: string }) {
  const [p, setP] = useState<Row | null>(null);
  useEffect(() => {
    api("GET /profiles/{id}", { id: name }).then(setP, () => undefined);
  }, [name]);
  return p ? <Card title={t.profile(name)}><Words of={p} /></Card> : null;
}

function Story({ imsi }: { imsi: string }) {
  const [rows, setRows] = useState<Row[] | null>(null);
  useEffect(() => {
    api<{ items: Row[] }>("GET /subscriptions/{id}/events", { id: imsi }).then((r) => setRows(r.items), () => undefined);
  }, [imsi]);
  if (!rows) return null;
  return (
    <Card title={t.story}>
      {rows.length ? null : <p className="quiet">{t.quiet}</p>}
      <ol className="line">
        {rows.map((e) => (
          <li key={String(e.id)} className={String(e.event).includes("refused") || e.level === "error" ? "bad" : ""}>
            <strong>{String(e.event)}</strong> <span className="quiet small">{when(e.time)}, {String(e.role)}{e.clause ? `, ${String(e.clause)}` : ""}</span>
            <div className="small">{what(e)}</div>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function More({ row, again }: { row: Row; again: () => void }) {
  return (
    <>
      <Acts row={row} again={again} />
      <Story imsi={String(row.imsi)} />
      <Profile name={String(row.profile)} />
    </>
  );
}

const subscriptions: Kind = {
  object: "subscription", page: "subscriptions", ...s.kinds.subscription, list: "GET /subscriptions", show: "GET /subscriptions/{id}",
  make: "POST /subscriptions", change: "PATCH /subscriptions/{id}", drop: "DELETE /subscriptions/{id}", history: "GET /subscriptions/{id}/history",
  columns: ["imsi", "msisdn", "iccid", "tenant", "profile", "life", "imei"], filters: ["tenant", "profile", "life"],
  search: t.searchBy, tenantWrites: ["profile", "priority", "imei", "tacs", "host", "life"], more: More,
};
export default records(subscriptions);
