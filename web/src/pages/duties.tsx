// What somebody must do by when: incidents' reports, assessments, agreements, requests of people.
import { useEffect, useState } from "react";
import { api, type Row } from "../api";
import { to } from "../route";
import { s } from "../strings";
import { Page, Tag, when, Wrong } from "../ui/bits";
import { Rows } from "../ui/table";

const t = s.duties;
const places: Record<string, string> = { profile: "profiles", tenant: "tenants", incident: "incidents", assessment: "assessments", "subject-request": "requests", agreement: "agreements", nomination: "nominations" };

export default function Duties() {
  const [rows, setRows] = useState<Row[]>([]);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    api<{ items: Row[] }>("GET /duties").then((r) => setRows(r.items), setError);
  }, []);
  return (
    <Page title={t.title} lead={t.lead}>
      <Wrong error={error} />
      <Rows label={t.title} rows={rows} columns={[
        { name: "late", title: t.state, show: (d) => (d.late ? <Tag tone="bad">{t.late}</Tag> : d.due_s ? <Tag tone="warn">{t.due}</Tag> : <Tag tone="info">{t.missing}</Tag>) },
        { name: "duty", title: t.what }, { name: "key", title: t.about, show: (d) => (places[String(d.object)] ? <a href={to(places[String(d.object)], String(d.key))}>{`${d.object} ${d.key}`}</a> : `${d.object} ${d.key}`) },
        { name: "tenant", title: t.tenant }, { name: "due_s", title: t.by, show: (d) => when(d.due_s) }, { name: "clause", title: t.clause },
      ]} />
    </Page>
  );
}
