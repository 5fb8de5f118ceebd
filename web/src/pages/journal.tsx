// The audit log: who changed what; each entry carries the hash of all before it.
import { Button } from "@mantine/core";
import { useEffect, useState } from "react";
import { api, type Items, type Row } from "../api";
import { s } from "../strings";
import { Facts, Note, Page, save, when, Wrong } from "../ui/bits";
import { Rows } from "../ui/table";
import { changes } from "./records";

const t = s.journal;

export default function Journal() {
  const [page, setPage] = useState<Items | null>(null);
  const [after, setAfter] = useState<string[]>([]);
  const [checked, setChecked] = useState<Row | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const cursor = after[after.length - 1];
  useEffect(() => {
    api<Items>("GET /journal", { query: cursor ? { after: cursor } : {} }).then(setPage, setError);
  }, [cursor]);
  const verify = () => {
    setBusy(true);
    api("GET /journal/verify").then(setChecked, setError).finally(() => setBusy(false));
  };
  const all = async () => {
    const lines: string[] = [];
    for (let from = ""; ; ) {
      const got = await api<Items>("GET /journal", { query: from ? { after: from } : {} });
      lines.push(...got.items.map((e) => JSON.stringify(e)));
      if (!got.next || got.next === from) break;
      from = String(got.next);
    }
    save("journal.jsonl", "application/jsonl", lines.join("\n") + "\n");
  };
  return (
    <Page title={t.title} lead={t.lead} actions={<><Button variant="default" onClick={() => void all().catch(setError)}>{t.take}</Button><Button onClick={verify} loading={busy}>{t.verify}</Button></>}>
      <Wrong error={error} />
      {checked ? <Note tone={checked.tampered || checked.broken ? "bad" : "good"} title={t.verified}><Facts of={Object.entries(checked).map(([k, v]) => [k.replace(/_/g, " "), typeof v === "object" ? JSON.stringify(v) : String(v)])} /></Note> : null}
      <Rows label={t.title} rows={page?.items ?? []} columns={[
        { name: "seq", title: t.number, number: true }, { name: "at_ms", title: t.when, show: (r) => when(Number(r.at_ms) / 1000) }, { name: "actor", title: t.who },
        { name: "action", title: t.what }, { name: "object", title: t.object, show: (r) => `${String(r.object)} ${String(r.key)}` },
        { name: "detail", title: t.detail, show: (r) => <span className="small">{changes(r.detail)}</span> },
        { name: "hash", title: t.hash, show: (r) => <span className="mono small" title={String(r.hash)}>{String(r.hash).slice(0, 12)}</span> },
      ]} />
      <nav className="row mid" aria-label={s.pages}>
        <Button size="xs" variant="default" disabled={!after.length} onClick={() => setAfter(after.slice(0, -1))}>{s.previous}</Button>
        <Button size="xs" variant="default" disabled={!page?.next} onClick={() => setAfter([...after, String(page!.next)])}>{s.next}</Button>
      </nav>
    </Page>
  );
}
