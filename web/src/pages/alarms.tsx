// Alarms, and who sees to them.
import { Button, Checkbox, Modal, NativeSelect, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { api, call, Problem, type Row } from "../api";
import { to } from "../route";
import { useCan, useSession } from "../session";
import { s } from "../strings";
import { Note, Page, State, when, Wrong } from "../ui/bits";
import { useEach } from "../ui/live";
import { Rows } from "../ui/table";

const t = s.alarms;

function Care({ alarm, care, close }: { alarm: Row; care?: Row; close: (done: boolean) => void }) {
  const { who } = useSession();
  const [assigned, setAssigned] = useState(String(care?.assigned || who?.user || ""));
  const [state, setState] = useState(String(care?.state ?? "acknowledged"));
  const [note, setNote] = useState(String(care?.note ?? ""));
  const [error, setError] = useState<unknown>(null);
  const send = async () => {
    const number = String(alarm.id);
    const body = { assigned, state, note } as never;
    try {
      if (care) await call("PATCH /alarm-care/{id}", { id: number, body });
      else await call("POST /alarm-care", { body: { number, assigned, state, note } as never });
      close(true);
    } catch (e) {
      setError(e instanceof Problem ? e : String(e));
    }
  };
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); void send(); }}>
      <Wrong error={error} />
      <p>{String(alarm.help)}</p>
      <NativeSelect label={t.state} value={state} onChange={(e) => setState(e.currentTarget.value)} data={["open", "acknowledged", "closed"]} data-autofocus />
      <TextInput label={t.assigned} value={assigned} onChange={(e) => setAssigned(e.currentTarget.value)} maxLength={63} />
      <TextInput label={t.note} value={note} onChange={(e) => setNote(e.currentTarget.value)} maxLength={255} />
      <Button type="submit">{s.save}</Button>
    </form>
  );
}

export default function Alarms() {
  const can = useCan();
  const [all, setAll] = useState(false);
  const [rows, setRows] = useState<Row[]>([]);
  const [cares, setCares] = useState<Record<string, Row>>({});
  const [taking, setTaking] = useState<Row | null>(null);
  const [said, setSaid] = useState("");
  const [error, setError] = useState<unknown>(null);
  const load = async () => {
    const [a, c] = await Promise.all([
      api<{ items: Row[] }>("GET /alarms", { query: all ? { all: "1" } : {} }), api<{ items: Row[] }>("GET /alarm-care", { query: { limit: "500" } }),
    ]);
    setRows(a.items);
    setCares(Object.fromEntries(c.items.map((x) => [String(x.number), x])));
  };
  useEach(5000, load);
  useEffect(() => void load().catch(setError), [all]);
  return (
    <Page title={t.title} lead={t.lead}>
      <Wrong error={error} />
      {said ? <Note tone="good">{said}</Note> : null}
      <Checkbox label={t.all} checked={all} onChange={(e) => setAll(e.currentTarget.checked)} />
      <Rows label={t.title} rows={rows} columns={[
        { name: "severity", title: t.severity, show: (a) => <State of={a.severity} /> }, { name: "alarm", title: t.what, show: (a) => <><strong>{String(a.alarm)}</strong><div className="small quiet">{String(a.help)}</div></> },
        { name: "subject", title: t.subject }, { name: "clause", title: t.clause, show: (a) => <a href={`#/events?clause=${String(a.clause)}`}>{String(a.clause)}</a> },
        { name: "raised_us", title: t.raised, show: (a) => when(Number(a.raised_us) / 1e6) }, { name: "n", title: t.n, number: true },
        { name: "cleared_us", title: t.cleared, show: (a) => (a.cleared_us ? when(Number(a.cleared_us) / 1e6) : s.none) },
        { name: "care", title: t.care, show: (a) => { const c = cares[String(a.id)]; return c ? <><State of={c.state} /> {String(c.assigned)}<div className="small">{String(c.note)}</div></> : s.none; } },
        { name: "act", title: "", show: (a) => (can("POST /alarm-care") ? <Button size="xs" variant="default" onClick={() => { setSaid(""); setTaking(a); }}>{t.take}</Button> : null) },
      ]} />
      {can("GET /incidents") ? <p><a href={to("incidents")}>{t.incident}</a></p> : null}
      <Modal opened={taking !== null} onClose={() => setTaking(null)} title={taking ? String(taking.alarm) : ""} closeButtonProps={{ "aria-label": s.close }}>
        {taking ? <Care alarm={taking} care={cares[String(taking.id)]} close={() => { setTaking(null); setSaid(t.taken); void load(); }} /> : null}
      </Modal>
    </Page>
  );
}
