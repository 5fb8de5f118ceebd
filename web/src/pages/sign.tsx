// The way in: password, second factor, enrolment of the first second factor, one-time links.
import { Button, PasswordInput, TextInput } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import { api, type Row } from "../api";
import { useSession } from "../session";
import { s } from "../strings";
import { Note, Wrong } from "../ui/bits";
import { canPasskey, enrolPasskey, provePasskey } from "../ui/webauthn";
import { Factor } from "./factor";
import { Qr } from "../ui/qr";

export function Gate({ title, lead, children }: { title: string; lead?: string; children: ReactNode }) {
  useEffect(() => {
    document.title = title + " - " + s.product;
  }, [title]);
  return (
    <main className="gate" id="main">
      <div className="stack">
        <h1>{title}</h1>
        {lead ? <p className="lead">{lead}</p> : null}
        {children}
      </div>
    </main>
  );
}

function useRun() {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const run = async (act: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (e) {
      setError(e instanceof DOMException ? s.sign.refused : e);
    } finally {
      setBusy(false);
    }
  };
  return { error, busy, run };
}

export function SignIn() {
  const { refresh, ended, unset } = useSession();
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const { error, busy, run } = useRun();
  const byPassword = () => run(async () => {
    await api("POST /session", { body: { user, password }, quiet: true });
    setPassword("");
    await refresh();
  });
  const byPasskey = () => run(async () => {
    await provePasskey(user);
    await refresh();
  });
  return (
    <Gate title={s.sign.title}>
      {unset ? <Note>{s.sign.unset}</Note> : null}
      {ended ? <Note tone="warn">{s.sign.gone}</Note> : null}
      <Wrong error={error} />
      <form className="stack" onSubmit={(e) => { e.preventDefault(); void byPassword(); }}>
        <TextInput label={s.sign.user} value={user} onChange={(e) => setUser(e.currentTarget.value)} autoComplete="username webauthn" required autoFocus />
        <PasswordInput label={s.sign.password} value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="current-password"
          required visibilityToggleButtonProps={{ "aria-label": s.sign.show, tabIndex: 0 }} />
        <Button type="submit" loading={busy}>{s.sign.in}</Button>
      </form>
      {canPasskey() ? <Button variant="default" onClick={byPasskey} disabled={busy}>{s.sign.withPasskey}</Button> : null}
    </Gate>
  );
}

export function Second() {
  const { who, refresh, out } = useSession();
  if (!who) return null;
  if (!who.factors.some((f) => f !== "recovery")) return <Enrol first done={refresh} />;
  return (
    <Gate title={s.sign.second} lead={s.sign.secondLead}>
      <Factor factors={who.factors} done={() => void refresh()} />
      <Button variant="subtle" onClick={() => void out()}>{s.sign.out}</Button>
    </Gate>
  );
}

/** Add a passkey or an authenticator. `first`: it is the one that makes the session whole. */
export function Enrol({ first, done }: { first?: boolean; done: () => Promise<void> | void }) {
  const body = <EnrolForm first={first} done={done} />;
  return first ? <Gate title={s.sign.enrol} lead={s.sign.enrolLead}>{body}</Gate> : body;
}

function EnrolForm({ first, done }: { first?: boolean; done: () => Promise<void> | void }) {
  const [label, setLabel] = useState("");
  const [key, setKey] = useState<Row | null>(null);
  const [code, setCode] = useState("");
  const [codes, setCodes] = useState<string[] | null>(null);
  const { error, busy, run } = useRun();
  const finish = async () => {
    if (first) setCodes((await api<{ codes: string[] }>("POST /me/recovery")).codes);
    else await done();
  };
  const passkey = () => run(async () => {
    await enrolPasskey(label);
    await finish();
  });
  const totp = () => run(async () => setKey(await api("POST /me/totp", { body: label ? { label } : {} })));
  const confirm = () => run(async () => {
    await api("POST /me/totp/confirm", { body: { code: code.replace(/\s/g, "") } });
    await finish();
  });
  if (codes) return <Codes codes={codes} done={() => void done()} />;
  return (
    <div className="stack">
      <Wrong error={error} />
      {key ? (
        <form className="stack" onSubmit={(e) => { e.preventDefault(); void confirm(); }}>
          <p>{s.sign.scan}</p>
          <Qr text={String(key.uri)} />
          <p>{s.sign.key}: <span className="mono" data-testid="totp-key">{String(key.secret)}</span></p>
          <TextInput label={s.sign.code} value={code} onChange={(e) => setCode(e.currentTarget.value)} inputMode="numeric" autoComplete="one-time-code" required autoFocus />
          <Button type="submit" loading={busy}>{s.sign.confirm}</Button>
        </form>
      ) : (
        <>
          <TextInput label={s.sign.label} value={label} onChange={(e) => setLabel(e.currentTarget.value)} description={s.optional} maxLength={63} />
          {canPasskey() ? <Button onClick={passkey} loading={busy}>{s.sign.makePasskey}</Button> : <Note tone="warn">{s.sign.noPasskeys}</Note>}
          <Button variant="default" onClick={totp} disabled={busy}>{s.sign.makeTotp}</Button>
        </>
      )}
    </div>
  );
}

export function Codes({ codes, done }: { codes: string[]; done: () => void }) {
  return (
    <div className="stack">
      <h2>{s.sign.recoveryTitle}</h2>
      <Note tone="warn">{s.sign.recoveryLead}</Note>
      <pre className="pre" data-testid="recovery-codes">{codes.join("\n")}</pre>
      <Button onClick={done}>{s.sign.kept}</Button>
    </div>
  );
}

/** The one-time links: the first set-up, an invitation, a reset. */
export function OneTime({ kind }: { kind: "setup" | "welcome" }) {
  const { refresh } = useSession();
  const [token] = useState(() => location.hash.slice(1)); // never sent with a request for a page
  const [user, setUser] = useState("");
  const [full, setFull] = useState("");
  const [password, setPassword] = useState("");
  const [twice, setTwice] = useState("");
  const { error, busy, run } = useRun();
  const submit = () => run(async () => {
    if (password !== twice) throw new Error(s.setup.differ);
    if (kind === "setup") await api("POST /setup", { body: { token, user, password, ...(full ? { full_name: full } : {}) }, quiet: true });
    else await api("POST /welcome", { body: { token, password }, quiet: true });
    history.replaceState(null, "", "/#/");
    dispatchEvent(new HashChangeEvent("hashchange"));
    await refresh();
  });
  if (!token) return <Gate title={s.setup.title}><Note tone="bad">{s.setup.noToken}</Note></Gate>;
  return (
    <Gate title={kind === "setup" ? s.setup.title : s.setup.welcome} lead={kind === "setup" ? s.setup.lead : s.setup.welcomeLead}>
      <Wrong error={error} />
      <form className="stack" onSubmit={(e) => { e.preventDefault(); void submit(); }}>
        {kind === "setup" ? (
          <>
            <TextInput label={s.sign.user} value={user} onChange={(e) => setUser(e.currentTarget.value)} autoComplete="username" required autoFocus />
            <TextInput label={s.setup.fullName} value={full} onChange={(e) => setFull(e.currentTarget.value)} autoComplete="name" description={s.optional} />
          </>
        ) : null}
        <PasswordInput label={s.sign.password} description={s.setup.rules} value={password} onChange={(e) => setPassword(e.currentTarget.value)}
          autoComplete="new-password" required visibilityToggleButtonProps={{ "aria-label": s.sign.show, tabIndex: 0 }} />
        <PasswordInput label={s.setup.twice} value={twice} onChange={(e) => setTwice(e.currentTarget.value)} autoComplete="new-password" required
          visibilityToggleButtonProps={{ "aria-label": s.sign.show, tabIndex: 0 }} />
        <Button type="submit" loading={busy}>{s.setup.make}</Button>
      </form>
    </Gate>
  );
}
