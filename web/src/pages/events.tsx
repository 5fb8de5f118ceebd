// Security findings: what the roles have decided and seen, filtered by the server; new ones come by themselves.
import { Button, Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { address, api, type Row } from "../api";
import { setQuery, usePlace } from "../route";
import { s } from "../strings";
import { Page, State, when, Wrong } from "../ui/bits";
import { Rows } from "../ui/table";

const t = s.events;
const common = new Set(["id", "time", "seq", "role", "level", "event", "clause"]);

export function what(e: Row): string {
  return Object.entries(e).filter(([k]) => !common.has(k)).map(([k, v]) => `${k.replace(/_/g, " ")} ${String(v)}`).join(", ");
}

export default function Events() {
  const { query } = usePlace();
  const [rows, setRows] = useState<Row[]>([]);
  const [before, setBefore] = useState("");
  const [live, setLive] = useState(true);
  const [error, setError] = useState<unknown>(null);
  const names = ["event", "check", "network", "clause", "imsi", "level"];
  const filter = Object.fromEntries(names.filter((n) => query.get(n)).map((n) => [n, query.get(n)!]));
  const key = JSON.stringify(filter);
  useEffect(() => {
    const timer = setTimeout(() => {
      api<{ items: Row[]; next: unknown }>("GET /events", { query: { ...filter, limit: "100", ...(before ? { before } : {}) } }).then((r) => { setRows(r.items); setError(null); }, setError);
    }, 250);
    return () => clearTimeout(timer);
  }, [key, before]);
  useEffect(() => {
    if (!live || before || filter.imsi) return;
    const source = new EventSource(address("GET /events/live", { query: filter }));
    source.onmessage = (m) => setRows((old) => [JSON.parse(m.data) as Row, ...old].slice(0, 200));
    return () => source.close();
  }, [key, live, before]);
  const text = (name: string) => <TextInput key={name} label={t.filter[name as keyof typeof t.filter]} value={query.get(name) ?? ""} onChange={(e) => { setBefore(""); setQuery({ [name]: e.currentTarget.value || undefined }); }} />;
  return (
    <Page title={t.title} lead={t.lead}>
      <form className="row" role="search" aria-label={t.title} onSubmit={(e) => e.preventDefault()}>
        {["event", "check", "network", "clause", "imsi"].map(text)}
        <NativeSelect label={t.level} value={query.get("level") ?? ""} onChange={(e) => setQuery({ level: e.currentTarget.value || undefined })} data={[{ value: "", label: s.any }, "error"]} />
        <Checkbox label={t.live} checked={live} onChange={(e) => setLive(e.currentTarget.checked)} />
      </form>
      <Wrong error={error} />
      <Rows label={t.title} rows={rows} columns={[
        { name: "time", title: t.time, show: (e) => when(e.time) }, { name: "role", title: t.role }, { name: "event", title: t.event },
        { name: "level", title: t.level, show: (e) => <State of={e.level} /> }, { name: "clause", title: t.clause, show: (e) => (e.clause ? <a href={`#/events?clause=${String(e.clause)}`}>{String(e.clause)}</a> : s.none) },
        { name: "detail", title: s.details, show: (e) => <span className="small">{what(e)}</span> },
      ]} />
      <nav className="row" aria-label={s.pages}>
        <Button size="xs" variant="default" disabled={!before} onClick={() => setBefore("")}>{t.newest}</Button>
        <Button size="xs" variant="default" disabled={rows.length < 100} onClick={() => setBefore(String(rows[rows.length - 1].id))}>{t.older}</Button>
      </nav>
    </Page>
  );
}
