// One's own security: factors, recovery codes, password, sessions, API keys.
import { Button, Checkbox, Fieldset, Modal, PasswordInput, TextInput } from "@mantine/core";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { api, type Row } from "../api";
import { useSession } from "../session";
import { s } from "../strings";
import { Card, Note, Page, Tag, when, Wrong } from "../ui/bits";
import { Rows } from "../ui/table";
import { Codes, Enrol } from "./sign";

const t = s.security;

function useItems(load: () => Promise<{ items: Row[] }>): [Row[], () => void, unknown] {
  const [items, setItems] = useState<Row[]>([]);
  const [error, setError] = useState<unknown>(null);
  const again = useCallback(() => void load().then((r) => setItems(r.items), setError), []);
  useEffect(again, [again]);
  return [items, again, error];
}

function Dialog({ title, open, close, children }: { title: string; open: boolean; close: () => void; children: ReactNode }) {
  return <Modal opened={open} onClose={close} title={title} closeButtonProps={{ "aria-label": s.close }}>{children}</Modal>;
}

function Factors() {
  const { refresh } = useSession();
  const [items, again, failed] = useItems(() => api("GET /me/factors"));
  const [adding, setAdding] = useState(false);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const drop = (id: string) => api("DELETE /me/factors/{id}", { id }).then(() => { again(); void refresh(); }, setError);
  const recovery = () => api<{ codes: string[] }>("POST /me/recovery").then((r) => { setCodes(r.codes); again(); void refresh(); }, setError);
  const rest = items.filter((f) => f.kind === "recovery").length;
  return (
    <Card title={t.factors} actions={<><Button variant="default" onClick={() => setAdding(true)}>{s.sign.enrol}</Button><Button variant="default" onClick={recovery}>{t.newCodes}</Button></>}>
      <Wrong error={error ?? failed} />
      <Rows label={t.factors} rows={items.filter((f) => f.kind === "totp" || f.kind === "passkey")} columns={[
        { name: "kind", title: t.kind, show: (f) => <Tag tone={f.kind === "passkey" ? "good" : "info"}>{String(f.kind)}</Tag> }, { name: "label", title: s.name },
        { name: "id", title: "", show: (f) => <Button size="xs" color="red" variant="outline" onClick={() => void drop(String(f.id))}>{s.remove} <span className="vh">{String(f.label)}</span></Button> },
      ]} />
      <p className="small quiet">{t.codesLeft(rest)}</p>
      <Dialog title={s.sign.enrol} open={adding} close={() => setAdding(false)}>
        <Enrol done={async () => { setAdding(false); again(); await refresh(); }} />
      </Dialog>
      <Dialog title={s.sign.recoveryTitle} open={codes !== null} close={() => setCodes(null)}>
        {codes ? <Codes codes={codes} done={() => setCodes(null)} /> : null}
      </Dialog>
    </Card>
  );
}

function Password() {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [said, setSaid] = useState(false);
  const send = () => api("POST /me/password", { body: { current, password } }).then(() => { setSaid(true); setError(null); setCurrent(""); setPassword(""); }, setError);
  const toggle = { visibilityToggleButtonProps: { "aria-label": s.sign.show, tabIndex: 0 } };
  return (
    <Card title={t.password}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); void send(); }}>
        <Wrong error={error} />
        {said ? <Note tone="good">{t.passwordChanged}</Note> : null}
        <PasswordInput label={t.current} value={current} onChange={(e) => setCurrent(e.currentTarget.value)} autoComplete="current-password" required {...toggle} />
        <PasswordInput label={t.fresh} description={s.setup.rules} value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="new-password" required {...toggle} />
        <div className="row"><Button type="submit">{t.change}</Button></div>
      </form>
    </Card>
  );
}

function SessionsCard() {
  const [items, again, failed] = useItems(() => api("GET /me/sessions"));
  const [error, setError] = useState<unknown>(null);
  return (
    <Card title={t.sessions}>
      <Wrong error={error ?? failed} />
      <Rows label={t.sessions} rows={items} columns={[
        { name: "address", title: t.address }, { name: "agent", title: t.agent }, { name: "used", title: t.used, show: (r) => when(r.used) },
        { name: "id", title: "", show: (r) => (r.this ? <Tag tone="good">{t.thisOne}</Tag> : (
          <Button size="xs" variant="default" onClick={() => api("DELETE /me/sessions/{id}", { id: String(r.id) }).then(again, setError)}>{t.end}</Button>
        )) },
      ]} />
    </Card>
  );
}

const scopes = ["read", "write", "bulk", "events", "audit"];

function Keys() {
  const [items, again, failed] = useItems(() => api("GET /me/api-keys"));
  const [open, setOpen] = useState(false);
  const [label, setLabel] = useState("");
  const [may, setMay] = useState<string[]>(["read"]);
  const [days, setDays] = useState("90");
  const [addresses, setAddresses] = useState("");
  const [key, setKey] = useState("");
  const [error, setError] = useState<unknown>(null);
  const make = () => {
    const expires = new Date(Date.now() + Number(days) * 86_400_000).toISOString().slice(0, 19) + "Z";
    const body = { label, scopes: may.join(" "), expires, ...(addresses ? { addresses } : {}) };
    api("POST /me/api-keys", { body }).then((r) => { setKey(String(r.key)); setError(null); again(); }, setError);
  };
  return (
    <Card title={s.kinds.key.title} actions={<Button variant="default" onClick={() => { setOpen(true); setKey(""); setError(null); }}>{s.add(s.kinds.key.one)}</Button>}>
      <Wrong error={open ? failed : error ?? failed} />
      <Rows label={s.kinds.key.title} rows={items} columns={[
        { name: "name", title: t.number }, { name: "label", title: s.name }, { name: "scopes", title: t.scopes }, { name: "expires", title: t.expires, show: (r) => when(r.expires) },
        { name: "id", title: "", show: (r) => <Button size="xs" color="red" variant="outline" onClick={() => api("DELETE /me/api-keys/{id}", { id: String(r.name) }).then(again, setError)}>{t.end}</Button> },
      ]} />
      <Dialog title={s.add(s.kinds.key.one)} open={open} close={() => setOpen(false)}>
        <Wrong error={error} />
        {key ? (
          <Note tone="warn" title={t.keyOnce}><TextInput aria-label={s.kinds.key.one} readOnly value={key} className="mono" onFocus={(e) => e.currentTarget.select()} /></Note>
        ) : (
          <form className="stack" onSubmit={(e) => { e.preventDefault(); make(); }}>
            <TextInput label={t.keyFor} value={label} onChange={(e) => setLabel(e.currentTarget.value)} required maxLength={63} data-autofocus />
            <Fieldset legend={t.scopes}>
              <div className="row">{scopes.map((c) => <Checkbox key={c} label={c} checked={may.includes(c)} onChange={(e) => setMay(e.currentTarget.checked ? [...may, c] : may.filter((m) => m !== c))} />)}</div>
            </Fieldset>
            <TextInput label={t.days} value={days} onChange={(e) => setDays(e.currentTarget.value)} inputMode="numeric" pattern="[0-9]{1,4}" required />
            <TextInput label={t.addresses} description={t.addressesHelp} value={addresses} onChange={(e) => setAddresses(e.currentTarget.value)} />
            <Button type="submit">{s.add(s.kinds.key.one)}</Button>
          </form>
        )}
      </Dialog>
    </Card>
  );
}

export default function Security() {
  const { who } = useSession();
  return (
    <Page title={t.title} lead={t.lead(who?.user ?? "")}>
      <Factors />
      <SessionsCard />
      <Keys />
      <Password />
    </Page>
  );
}
