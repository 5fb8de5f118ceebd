// What waits for a second person.
import { Button } from "@mantine/core";
import { useCallback, useEffect, useState } from "react";
import { api, type Row } from "../api";
import { useCan, useSession } from "../session";
import { s } from "../strings";
import { Note, Page, when, Wrong } from "../ui/bits";
import { Rows } from "../ui/table";

const t = s.approvals;

export default function Approvals() {
  const can = useCan();
  const { who } = useSession();
  const [items, setItems] = useState<Row[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [said, setSaid] = useState("");
  const again = useCallback(() => void api<{ items: Row[] }>("GET /approvals").then((r) => setItems(r.items), setError), []);
  useEffect(again, [again]);
  const approve = (id: string) => api("POST /approvals/{id}/approve", { id }).then(() => { setSaid(t.done(id)); setError(null); again(); }, setError);
  return (
    <Page title={t.title} lead={t.lead}>
      <Wrong error={error} />
      {said ? <Note tone="good">{said}</Note> : null}
      <Rows label={t.title} rows={items} columns={[
        { name: "approval", title: t.number, number: true },
        { name: "request", title: t.what, show: (r) => <span className="pre">{String(r.request ?? "").split("\n").join(" ")}</span> },
        { name: "reason", title: t.why }, { name: "actor", title: t.who }, { name: "until_ms", title: t.until, show: (r) => when(Number(r.until_ms) / 1000) },
        { name: "act", title: "", show: (r) => (r.actor === who?.user ? <span className="quiet small">{t.own}</span> :
          can("POST /approvals/{id}/approve") ? <Button size="xs" onClick={() => void approve(String(r.approval))}>{t.approve}</Button> : null) },
      ]} />
    </Page>
  );
}
