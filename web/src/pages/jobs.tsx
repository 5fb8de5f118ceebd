// Bulk jobs: tried before they are carried out, with what would follow in plain words; paused, cancelled, resumed; what
// became of each row as a file.
import { Button, NativeSelect, Progress, Textarea, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { address, api, call, newKey, type Row } from "../api";
import { go, to, usePlace } from "../route";
import { useCan, useSession } from "../session";
import { s } from "../strings";
import { Card, count, Facts, Note, Page, save, State, when, Wrong } from "../ui/bits";
import { useEach } from "../ui/live";
import { Rows } from "../ui/table";

const t = s.jobs;
const ms = (v: unknown) => (v ? when(Number(v) / 1000) : s.none);

export default function Jobs() {
  const { path } = usePlace();
  if (path[1] === "new") return <New />;
  return path[1] ? <Job id={path[1]} key={path[1]} /> : <All />;
}

function All() {
  const can = useCan();
  const [rows, setRows] = useState<Row[]>([]);
  const [error, setError] = useState<unknown>(null);
  useEach(2000, () => api<{ items: Row[] }>("GET /jobs").then((r) => setRows(r.items), setError));
  return (
    <Page title={t.title} lead={t.lead} actions={can("POST /jobs") ? <Button onClick={() => go("#/jobs/new")}>{t.make}</Button> : null}>
      <Wrong error={error} />
      <Rows label={t.title} rows={rows} columns={[
        { name: "id", title: t.number, show: (j) => <a href={to("jobs", String(j.id))}>{String(j.id)}</a> }, { name: "state", title: t.state, show: (j) => <State of={j.state} /> },
        { name: "object", title: t.object }, { name: "changes", title: t.changes, show: (j) => String(j.changes).split("\n").join(", ") }, { name: "actor", title: t.actor },
        { name: "made_ms", title: t.made, show: (j) => ms(j.made_ms) }, { name: "done", title: t.done, number: true, show: (j) => `${count(j.done)} / ${count(j.rows)}` },
      ]} />
    </Page>
  );
}

function New() {
  const { query } = usePlace();
  const { who } = useSession();
  const [object, setObject] = useState(query.get("object") ?? "subscription");
  const [filter, setFilter] = useState(query.get("filter") ?? "");
  const [changes, setChanges] = useState(query.get("changes") ?? "");
  const [csv, setCsv] = useState("");
  const [note, setNote] = useState("");
  const [pace, setPace] = useState("");
  const [once] = useState(newKey);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    setError(null);
    try {
      const lines = (x: string) => x.split("\n").map((l) => l.trim()).filter(Boolean).join("\n");
      const body = { object, ...(csv ? { csv } : { filter: lines(filter) }), ...(changes ? { changes: lines(changes) } : {}), ...(note ? { note } : {}), ...(pace ? { pace } : {}) };
      go(to("jobs", String((await api("POST /jobs", { body, once })).job)));
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  const read = async (file: File | undefined) => setCsv(file ? await file.text() : "");
  return (
    <Page title={t.make} lead={t.makeLead}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <Wrong error={error} />
        {who?.tenant ? null : <NativeSelect label={t.object} value={object} onChange={(e) => setObject(e.currentTarget.value)} data={["subscription", "profile", "equipment", "network"]} />}
        <div className="halves">
          <Textarea label={t.filter} description={t.filterHelp} value={filter} onChange={(e) => setFilter(e.currentTarget.value)} rows={3} disabled={Boolean(csv)} />
          <div>
            <label htmlFor="csv">{t.csv}</label>
            <p className="small quiet">{t.csvHelp}</p>
            <input id="csv" type="file" accept=".csv,text/csv" onChange={(e) => void read(e.currentTarget.files?.[0])} />
          </div>
        </div>
        <Textarea label={t.changes} description={t.changesHelp} value={changes} onChange={(e) => setChanges(e.currentTarget.value)} rows={3} required={!csv} />
        <div className="row">
          <TextInput label={t.note} value={note} onChange={(e) => setNote(e.currentTarget.value)} maxLength={64} />
          <TextInput label={t.pace} description={t.paceHelp} value={pace} onChange={(e) => setPace(e.currentTarget.value)} inputMode="numeric" pattern="[0-9]*" />
        </div>
        <div className="row"><Button type="submit" loading={busy}>{t.try}</Button></div>
      </form>
    </Page>
  );
}

interface Trial {
  effects?: { what: string; devices: number }[];
  tenants?: { tenant: string; touched: number; of: number }[];
}

function Job({ id }: { id: string }) {
  const can = useCan();
  const { who } = useSession();
  const [job, setJob] = useState<Row | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [said, setSaid] = useState("");
  const load = () => api("GET /jobs/{id}", { id }).then(setJob, setError);
  useEach(1000, load);
  useEffect(() => void load(), [id]);
  const act = async (endpoint: "POST /jobs/{id}/start" | "POST /jobs/{id}/pause" | "POST /jobs/{id}/cancel" | "POST /jobs/{id}/approve") => {
    setError(null);
    try {
      const got = await call(endpoint, { id });
      setSaid(got.status === 202 ? String((got.body as Row).detail) : "");
      await load();
    } catch (e) {
      setError(e);
    }
  };
  const result = async (failed: boolean) => {
    let csv = "";
    for (let after = ""; ; ) {
      const r = await fetch(address("GET /jobs/{id}/result", { id, query: { ...(failed ? { failed: "1" } : {}), ...(after ? { after } : {}) } }), { credentials: "same-origin" });
      const text = await r.text();
      csv += csv ? text.slice(text.indexOf("\n") + 1) : text;
      after = r.headers.get("X-Next") ?? "";
      if (!r.ok || !after) break;
    }
    save(`job-${id}.csv`, "text/csv", csv);
  };
  if (!job) return <Page title={`${t.one} ${id}`}><Wrong error={error} /></Page>;
  const trial = (job.trial ?? {}) as Trial;
  const state = String(job.state);
  const mine = job.actor === who?.user;
  return (
    <Page title={`${t.one} ${id}`} lead={String(job.note ?? "")} actions={
      <>
        <Button variant="default" component="a" href={to("jobs")}>{s.back}</Button>
        {can("POST /jobs/{id}/start") && ["ready", "paused"].includes(state) ? <Button color="red" onClick={() => void act("POST /jobs/{id}/start")}>{t.start}</Button> : null}
        {can("POST /jobs/{id}/approve") && state === "waiting" && !mine ? <Button color="red" onClick={() => void act("POST /jobs/{id}/approve")}>{t.approve}</Button> : null}
        {can("POST /jobs/{id}/pause") && state === "running" ? <Button variant="default" onClick={() => void act("POST /jobs/{id}/pause")}>{t.pause}</Button> : null}
        {can("POST /jobs/{id}/cancel") && !["done", "cancelled", "failed"].includes(state) ? <Button variant="outline" color="red" onClick={() => void act("POST /jobs/{id}/cancel")}>{t.cancel}</Button> : null}
      </>
    }>
      <Wrong error={error} />
      {said ? <Note tone="warn">{said}</Note> : null}
      {job.too_large_a_share ? <Note tone="bad">{t.share}</Note> : null}
      <Card title={t.progress}>
        <p><State of={state} /> {job.why ? String(job.why) : ""}</p>
        <Progress value={Number(job.rows) ? (Number(job.at) / Number(job.rows)) * 100 : 0} aria-label={t.progress} />
        <p className="small quiet" role="status">{t.counts(count(job.at), count(job.rows), count(job.done), count(job.refused))}</p>
        <div className="row">
          <Button size="xs" variant="default" onClick={() => void result(false)}>{t.result}</Button>
          <Button size="xs" variant="default" onClick={() => void result(true)}>{t.failed}</Button>
        </div>
      </Card>
      <div className="halves">
        <Card title={t.trial}>
          <p>{t.would(count(job.change), count(job.same), count(job.bad), count(job.second_person))}</p>
          <ul className="plain">{(trial.effects ?? []).map((e) => <li key={e.what}><strong>{count(e.devices)}</strong> {t.devices(e.devices)} {e.what}</li>)}</ul>
          <Rows label={t.tenants} rows={(trial.tenants ?? []) as unknown as Row[]} columns={[{ name: "tenant", title: t.tenant }, { name: "touched", title: t.touched, number: true }, { name: "of", title: t.of, number: true }]} />
        </Card>
        <Card title={s.details}>
          <Facts of={[[t.object, String(job.object)], [t.filter, String(job.filter).split("\n").join(", ")], [t.changes, String(job.changes).split("\n").join(", ")], [t.actor, String(job.actor)],
            [t.starter, String(job.starter)], [t.approver, String(job.approver)], [t.made, ms(job.made_ms)], [t.started, ms(job.started_ms)], [t.ended, ms(job.ended_ms)]]} />
        </Card>
      </div>
    </Page>
  );
}
