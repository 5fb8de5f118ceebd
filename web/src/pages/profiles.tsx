// Service profiles: in plain words, who uses one, versions, and a wizard that asks what a device is for.
import { Button, Checkbox, Modal, Radio, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { api, call, newKey, type Row } from "../api";
import { type Answers, blank, derive, words } from "../profile";
import { go, to } from "../route";
import { useCan, useSession } from "../session";
import { s } from "../strings";
import { Card, Facts, Note, Wrong } from "../ui/bits";
import { List } from "../ui/table";
import { label } from "../model";
import { type Kind, records } from "./records";

const w = s.profile;

export function Words({ of }: { of: Row }) {
  const { can, cannot } = words(of);
  return (
    <div className="halves">
      <div>
        <h3>{w.will}</h3>
        <ul className="plain can">{can.map((t) => <li key={t}>{t}</li>)}</ul>
      </div>
      <div>
        <h3>{w.willNot}</h3>
        <ul className="plain cannot">{cannot.map((t) => <li key={t}>{t}</li>)}</ul>
      </div>
    </div>
  );
}

function More({ row }: { row: Row }) {
  const can = useCan();
  return (
    <>
      {can("POST /jobs") ? <p><a href={`#/jobs/new?object=profile&filter=${encodeURIComponent(`name=${String(row.name)}`)}`}>{w.dryRun}</a></p> : null}
      <Card title={w.inWords}><Words of={row} /></Card>
      <Card title={w.usedBy}>
        <List label={w.usedBy} from="GET /subscriptions" fixed={{ profile: String(row.name) }} most={10}
          columns={[
            { name: "imsi", title: label("imsi"), show: (r) => <a className="mono" href={to("subscriptions", String(r.imsi))}>{String(r.imsi)}</a> },
            { name: "tenant", title: label("tenant") }, { name: "life", title: label("life") },
          ]} />
      </Card>
    </>
  );
}

function Choice({ title, value, set, of }: { title: string; value: string; set: (v: string) => void; of: Record<string, string> }) {
  return (
    <Radio.Group label={title} value={value} onChange={set} name={title}>
      <div className="stack">{Object.entries(of).map(([v, text]) => <Radio key={v} value={v} label={text} />)}</div>
    </Radio.Group>
  );
}

function Wizard({ done }: { done: (name: string) => void }) {
  const { who } = useSession();
  const [a, setA] = useState<Answers>({ ...blank, tenant: who?.tenant ?? "" });
  const [tenants, setTenants] = useState<string[]>([]);
  const [step, setStep] = useState(0);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [once] = useState(newKey);
  const set = (change: Partial<Answers>) => setA((old) => ({ ...old, ...change }));
  useEffect(() => {
    if (!who?.tenant) api<{ items: Row[] }>("GET /tenants", { query: { limit: "500" } }).then((r) => setTenants(r.items.map((t) => String(t.name))), () => undefined);
  }, [who]);
  const made = derive(a);
  const q = w.ask;
  const steps = [
    <div className="stack" key="0">
      <TextInput label={q.name} value={a.name} onChange={(e) => set({ name: e.currentTarget.value })} required maxLength={31} data-autofocus />
      {who?.tenant ? null : (
        <TextInput label={q.tenant} value={a.tenant} onChange={(e) => set({ tenant: e.currentTarget.value })} required list="tenants" />
      )}
      <datalist id="tenants">{tenants.map((t) => <option key={t} value={t} />)}</datalist>
      <Choice title={q.kind} value={a.kind} set={(v) => set({ kind: v as Answers["kind"] })} of={q.kinds} />
    </div>,
    <div className="stack" key="1">
      <Choice title={q.where} value={a.where} set={(v) => set({ where: v as Answers["where"] })} of={q.wheres} />
      {a.where === "anywhere" ? <Note tone="warn">{q.whereRisk}</Note> : (
        <TextInput label={q.countries} description={q.countriesHelp} value={a.countries} onChange={(e) => set({ countries: e.currentTarget.value })} required />
      )}
      <Checkbox label={q.moves} checked={a.moves} onChange={(e) => set({ moves: e.currentTarget.checked })} />
      <Choice title={q.power} value={a.power} set={(v) => set({ power: v as Answers["power"] })} of={q.powers} />
    </div>,
    <div className="stack" key="2">
      <Choice title={q.data} value={a.data} set={(v) => set({ data: v as Answers["data"] })} of={q.datas} />
      <TextInput label={q.apn} description={q.apnHelp} value={a.apn} onChange={(e) => set({ apn: e.currentTarget.value })} required />
      <TextInput label={q.reach} description={q.reachHelp} value={a.reach} onChange={(e) => set({ reach: e.currentTarget.value })} />
      <Checkbox label={q.peers} checked={a.peers} onChange={(e) => set({ peers: e.currentTarget.checked })} />
      <Choice title={q.ip} value={a.ip} set={(v) => set({ ip: v as Answers["ip"] })} of={q.ips} />
      <Choice title={q.sms} value={a.sms} set={(v) => set({ sms: v as Answers["sms"] })} of={q.smss} />
      {a.sms === "both" ? <TextInput label={q.smsTo} description={q.smsToHelp} value={a.smsTo} onChange={(e) => set({ smsTo: e.currentTarget.value })} /> : null}
      <Checkbox label={q.voice} checked={a.voice} onChange={(e) => set({ voice: e.currentTarget.checked })} />
      <Checkbox label={q.locate} checked={a.locate} onChange={(e) => set({ locate: e.currentTarget.checked })} />
      <Checkbox label={q.wifi} checked={a.wifi} onChange={(e) => set({ wifi: e.currentTarget.checked })} />
    </div>,
    <div className="stack" key="3">
      <Checkbox label={q.bound} checked={a.bound} onChange={(e) => set({ bound: e.currentTarget.checked })} />
      <Checkbox label={q.tamper} checked={a.tamper} onChange={(e) => set({ tamper: e.currentTarget.checked })} />
    </div>,
    <div className="stack" key="4">
      <Words of={made} />
      <details>
        <summary>{w.fields}</summary>
        <Facts of={Object.entries(made).map(([n, v]) => [label(n), String(v)])} />
      </details>
    </div>,
  ];
  const last = step === steps.length - 1;
  const forward = async () => {
    if (!last) return setStep(step + 1);
    setBusy(true);
    setError(null);
    try {
      await call("POST /profiles", { body: made as never, once });
      done(a.name);
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); void forward(); }}>
      <p className="quiet" role="status">{w.step(step + 1, steps.length, w.steps[step])}</p>
      {steps[step]}
      <Wrong error={error} />
      <div className="row">
        {step ? <Button variant="default" onClick={() => setStep(step - 1)}>{s.back}</Button> : null}
        <Button type="submit" loading={busy}>{last ? w.make : s.next}</Button>
      </div>
    </form>
  );
}

function Tools({ again }: { again: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>{w.wizard}</Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={w.wizard} size="lg" closeButtonProps={{ "aria-label": s.close }}>
        <Wizard done={(name) => { setOpen(false); again(); go(to("profiles", name)); }} />
      </Modal>
    </>
  );
}

const profiles: Kind = {
  object: "profile", page: "profiles", ...s.kinds.profile, list: "GET /profiles", show: "GET /profiles/{id}", change: "PATCH /profiles/{id}",
  drop: "DELETE /profiles/{id}", history: "GET /profiles/{id}/history", columns: ["name", "tenant", "priority", "binding", "rats", "services"],
  filters: ["priority"], search: s.name, more: More, tools: Tools,
};
export default records(profiles);
