// Users: an invitation is a link that works once; a reset takes sessions, password and factors away.
import { Button, Modal, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, newKey, type Row } from "../api";
import { useCan, useSession } from "../session";
import { s } from "../strings";
import { Card, Note, Wrong } from "../ui/bits";
import { Form } from "../ui/form";
import { Drop, type Kind, records, useModel } from "./records";

const t = s.users;

function Link({ path }: { path: string }) {
  return (
    <Note tone="warn" title={t.link}>
      <p>{t.linkLead}</p>
      <TextInput aria-label={t.link} readOnly value={location.origin + path} onFocus={(e) => e.currentTarget.select()} className="mono" />
    </Note>
  );
}

function Invite({ again }: { again: () => void }) {
  const { who } = useSession();
  const can = useCan();
  const m = useModel("user");
  const [open, setOpen] = useState(false);
  const [link, setLink] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [once, setOnce] = useState(newKey);
  if (!can("POST /users")) return null;
  const fields = (m?.fields ?? []).filter((f) => ["name", "role", "full_name", "mail"].includes(f.name) || (f.name === "tenant" && !who?.tenant));
  const roles = fields.map((f) => (f.name === "role" && who?.tenant ? { ...f, choices: f.choices?.filter((c) => c.startsWith("tenant-")) } : f));
  return (
    <>
      <Button onClick={() => { setOpen(true); setLink(""); setOnce(newKey()); }}>{t.invite}</Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={t.invite} closeButtonProps={{ "aria-label": s.close }}>
        <Wrong error={error} />
        {link ? <Link path={link} /> : (
          <Form fields={roles} from={{}} verb={t.invite} send={async (body) => {
            setError(null);
            try {
              setLink(String((await api("POST /users", { body: { ...body, ...(who?.tenant ? { tenant: who.tenant } : {}) } as never, once })).link));
              again();
            } catch (e) {
              setError(e);
            }
          }} />
        )}
      </Modal>
    </>
  );
}

function Acts({ row, again }: { row: Row; again: () => void }) {
  const can = useCan();
  const { who } = useSession();
  const [reset, setReset] = useState(false);
  const [link, setLink] = useState("");
  const [said, setSaid] = useState("");
  const [error, setError] = useState<unknown>(null);
  const id = String(row.name);
  if (!can("POST /users/{id}/reset") || id === who?.user) return null;
  return (
    <Card title={s.sim.actsTitle}>
      <div className="stack">
        <Wrong error={error} />
        {said ? <Note tone="good">{said}</Note> : null}
        {link ? <Link path={link} /> : null}
        <div className="row">
          <Button variant="default" onClick={() => api("DELETE /users/{id}/sessions", { id }).then(() => setSaid(t.signedOut), setError)}>{t.signOut}</Button>
          <Button color="red" variant="outline" onClick={() => setReset(true)}>{t.reset}</Button>
        </div>
      </div>
      <Drop open={reset} id={id} verb={t.reset} close={() => setReset(false)} act={async () => {
        setLink(String((await api("POST /users/{id}/reset", { id })).link));
        setReset(false);
        again();
      }} />
    </Card>
  );
}

const users: Kind = {
  object: "user", page: "users", ...s.kinds.user, list: "GET /users", show: "GET /users/{id}", change: "PATCH /users/{id}", drop: "DELETE /users/{id}",
  history: "GET /users/{id}/history", columns: ["name", "full_name", "role", "tenant", "state"], filters: ["role", "state"], search: s.name,
  tenantWrites: ["role", "state", "full_name", "mail"], more: Acts, tools: Invite,
};
export default records(users);
