// Records of the model, whatever they are: a list and a page for each. What is special about one is a part of its own.
import { Button, Modal, TextInput } from "@mantine/core";
import { type ComponentType, type ReactNode, useCallback, useEffect, useState } from "react";
import { api, call, newKey, Problem, type Row } from "../api";
import type { Endpoint } from "../api.gen";
import { type Field, label, model, type Model } from "../model";
import { go, to, usePlace } from "../route";
import { useCan, useSession } from "../session";
import { s } from "../strings";
import { Card, Facts, Note, Page, State, Waiting, when, Wrong } from "../ui/bits";
import { Form } from "../ui/form";
import { type Column, type Filter, List, plain } from "../ui/table";

export interface Kind {
  object: string; // of the model
  page: string; // of the address
  title: string;
  one: string;
  lead: string;
  list: Endpoint;
  show: Endpoint;
  make?: Endpoint;
  change?: Endpoint;
  drop?: Endpoint;
  history?: Endpoint;
  columns: string[];
  filters?: string[];
  search?: string;
  tenantWrites?: string[]; // fields that a tenant's person may change; none given: all
  states?: string[]; // columns shown as tags
  more?: ComponentType<{ row: Row; again: () => void }>; // what else its page has
  tools?: ComponentType<{ again: () => void }>; // beside the list's title
  instead?: ReactNode; // of the usual "new" button
}

export function useModel(object: string): Model | null {
  const [m, setM] = useState<Model | null>(null);
  useEffect(() => {
    let on = true;
    model().then((all) => on && setM(all[object] ?? null), () => undefined);
    return () => {
      on = false;
    };
  }, [object]);
  return m;
}

export const times = new Set(["since", "made", "until", "expires", "seen", "grey_until", "sas_until", "certified_until", "keys_until", "signed", "ends", "found", "early_sent", "notified", "final_sent", "closed", "review", "at", "given", "withdrawn", "received"]);
const byServer = new Set(["by", "at", "last_by"]); // who and when are written by the keeper
const words = new Set(["life", "severity", "trust", "mode", "list", "state", "role", "priority"]);

export function cell(kind: Kind, name: string, row: Row): ReactNode {
  const v = row[name];
  if (words.has(name) || kind.states?.includes(name)) return <State of={v} />;
  if (times.has(name)) return when(v);
  if (name === "tenant" || name === "profile") return v ? <a href={to(name + "s", String(v))}>{String(v)}</a> : plain(v);
  return plain(v);
}

export function records(kind: Kind): ComponentType {
  return function Records() {
    const { path } = usePlace();
    return path[1] ? <RecordPage kind={kind} id={path[1]} key={path[1]} /> : <RecordsPage kind={kind} />;
  };
}

function RecordsPage({ kind }: { kind: Kind }) {
  const can = useCan();
  const m = useModel(kind.object);
  const [again, setAgain] = useState(0);
  const [making, setMaking] = useState(false);
  const key = m?.fields[0]?.name ?? kind.columns[0];
  const choices = (name: string) => m?.fields.find((f) => f.name === name)?.choices;
  const columns: Column[] = kind.columns.map((name) => ({
    name, title: label(name), sort: true, number: m?.fields.find((f) => f.name === name)?.kind === "number",
    show: (row) => (name === key ? <a href={to(kind.page, String(row[name]))} className="mono">{String(row[name])}</a> : cell(kind, name, row)),
  }));
  const filters: Filter[] = (kind.filters ?? []).map((name) => ({ name, title: label(name), of: choices(name) }));
  const Tools = kind.tools;
  return (
    <Page title={kind.title} lead={kind.lead} actions={
      <>
        {Tools ? <Tools again={() => setAgain(again + 1)} /> : null}
        {kind.make && can(kind.make) ? kind.instead ?? <Button onClick={() => setMaking(true)}>{s.add(kind.one)}</Button> : null}
      </>
    }>
      {m ? <List label={kind.title} from={kind.list} columns={columns} filters={filters} search={kind.search} again={again} /> : <Waiting />}
      <Modal opened={making} onClose={() => setMaking(false)} title={s.add(kind.one)} size="lg" closeButtonProps={{ "aria-label": s.close }}>
        {m ? <Make kind={kind} m={m} done={(id) => { setMaking(false); setAgain(again + 1); go(to(kind.page, id)); }} /> : null}
      </Modal>
    </Page>
  );
}

function Make({ kind, m, done }: { kind: Kind; m: Model; done: (id: string) => void }) {
  const { who } = useSession();
  const [error, setError] = useState<unknown>(null);
  const [once] = useState(newKey);
  const fields = m.fields.filter((f) => !byServer.has(f.name) && !(who?.tenant && f.name === "tenant"));
  const send = async (changed: Row) => {
    setError(null);
    try {
      const body = who?.tenant && m.fields.some((f) => f.name === "tenant") ? { ...changed, tenant: who.tenant } : changed;
      const { body: made } = await call(kind.make!, { body: body as never, once });
      done(String(made[m.fields[0].name] ?? changed[m.fields[0].name]));
    } catch (e) {
      setError(e);
    }
  };
  return (
    <div className="stack">
      <Wrong error={error} />
      <Form fields={fields} from={{}} send={send} verb={s.add(kind.one)} />
    </div>
  );
}

function RecordPage({ kind, id }: { kind: Kind; id: string }) {
  const can = useCan();
  const { who } = useSession();
  const m = useModel(kind.object);
  const [row, setRow] = useState<{ body: Row; etag: string } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [said, setSaid] = useState("");
  const [open, setOpen] = useState<"" | "edit" | "drop">("");
  const [n, setN] = useState(0);
  const load = useCallback(() => {
    call(kind.show, { id }).then((got) => { setRow(got); setError(null); }, setError);
    setN((v) => v + 1);
  }, [kind, id]);
  useEffect(load, [load]);
  const change = async (changed: Row) => {
    setError(null);
    setSaid("");
    try {
      const got = await call(kind.change!, { id, body: changed as never, etag: row!.etag });
      setSaid(got.status === 202 ? s.waitsFor(got.body.approval ?? "") : s.saved);
      setOpen("");
      load();
    } catch (e) {
      setError(e instanceof Problem && e.status === 412 ? s.changedMeanwhile : e);
      if (e instanceof Problem && e.status === 412) load();
    }
  };
  if (error && !row) return <Page title={id}><Wrong error={error} /></Page>;
  if (!row || !m) return <Waiting />;
  const More = kind.more;
  const mine = (f: Field) => !who?.tenant || !kind.tenantWrites || kind.tenantWrites.includes(f.name);
  return (
    <Page title={`${kind.one} ${id}`} actions={
      <>
        <Button variant="default" component="a" href={to(kind.page)}>{s.back}</Button>
        {kind.change && can(kind.change) ? <Button variant="default" onClick={() => setOpen("edit")}>{s.edit}</Button> : null}
        {kind.drop && can(kind.drop) ? <Button color="red" variant="outline" onClick={() => setOpen("drop")}>{s.remove}</Button> : null}
      </>
    }>
      <Wrong error={open ? null : error} />
      {said ? <Note tone="good">{said}</Note> : null}
      <div className="halves">
        <Card title={s.details}>
          <Facts of={m.fields.filter((f) => row.body[f.name] !== undefined).map((f) => [label(f.name), cell(kind, f.name, row.body)])} />
        </Card>
        {kind.history && can(kind.history) ? <History from={kind.history} id={id} again={n} /> : null}
      </div>
      {More ? <More row={row.body} again={load} /> : null}
      <Modal opened={open === "edit"} onClose={() => setOpen("")} title={`${s.edit}: ${id}`} size="lg" closeButtonProps={{ "aria-label": s.close }}>
        <Wrong error={error} />
        <Form key={row.etag} fields={m.fields.filter((f, i) => i > 0 && !byServer.has(f.name) && mine(f) && f.name in row.body)} from={row.body} send={change} />
      </Modal>
      <Drop open={open === "drop"} id={id} close={() => setOpen("")} act={async () => {
        const got = await call(kind.drop!, { id, etag: row.etag });
        if (got.status === 202) {
          setSaid(s.waitsFor((got.body as Row).approval ?? ""));
          setOpen("");
        } else go(to(kind.page));
      }} />
    </Page>
  );
}

/** What cannot be taken back asks for its name to be typed. */
export function Drop({ open, id, close, act, verb }: { open: boolean; id: string; close: () => void; act: () => Promise<void>; verb?: string }) {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={open} onClose={close} title={`${verb ?? s.remove}: ${id}`} closeButtonProps={{ "aria-label": s.close }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); void run(); }}>
        <Wrong error={error} />
        <TextInput label={s.danger.typeIt(id)} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} autoComplete="off" data-autofocus />
        <Button color="red" type="submit" disabled={typed !== id} loading={busy}>{verb ?? s.remove}</Button>
      </form>
    </Modal>
  );
}

export function History({ from, id, again }: { from: Endpoint; id: string; again: number }) {
  const [items, setItems] = useState<Row[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    api<{ items: Row[] }>(from, { id }).then((r) => setItems(r.items), setError);
  }, [from, id, again]);
  return (
    <Card title={s.history}>
      <Wrong error={error} />
      {items && !items.length ? <p className="quiet">{s.nothing}</p> : null}
      <ol className="line">
        {[...(items ?? [])].reverse().map((e, i) => (
          <li key={i}>
            <strong>{String(e.action ?? "")}</strong> <span className="quiet small">{when(typeof e.at_ms === "number" ? e.at_ms / 1000 : e.time ?? e.at)}, {String(e.actor ?? "")}</span>
            <div className="small">{changes(e.detail)}</div>
          </li>
        ))}
      </ol>
    </Card>
  );
}

/** {"life": ["active", "suspended"], ...} in words. */
export function changes(detail: unknown): string {
  if (!detail || typeof detail !== "object") return String(detail ?? "");
  return Object.entries(detail as Row)
    .map(([name, v]) => `${label(name)}: ${Array.isArray(v) ? v.map((w) => (w === "" ? s.none : String(w))).join(" \u2192 ") : typeof v === "object" ? JSON.stringify(v) : String(v)}`)
    .join("; ");
}
