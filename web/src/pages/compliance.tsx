// The CLP.14 checklist as merlon audit last found it, each clause with its evidence a click away; to be printed; as a signed
// annex to a tenant's agreement.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { address, api, type Row } from "../api";
import { useCan } from "../session";
import { s } from "../strings";
import { Card, count, Figure, Page, State, Wrong } from "../ui/bits";
import { Rows } from "../ui/table";

const t = s.compliance;

interface Report {
  when: string;
  shown: number;
  not_shown: number;
  without_evidence: number;
  clauses: Row[];
}

function Evidence({ clause }: { clause: Row }) {
  const tries = (clause.tries as Row[] | undefined) ?? [];
  return (
    <details>
      <summary>{String(clause.evidence)}</summary>
      <ul className="plain small">
        {tries.map((e, i) => <li key={i}><State of={e.state} /> <strong>{String(e.try)}</strong> ({String(e.how)}, {String(e.when ?? s.none)}): {String(e.evidence)}</li>)}
      </ul>
      {/^R-/.test(String(clause.clause)) ? <a className="small noprint" href={`#/events?clause=${String(clause.clause)}`}>{t.events}</a> : null}
    </details>
  );
}

export default function Compliance() {
  const can = useCan();
  const [report, setReport] = useState<Report | null>(null);
  const [tenants, setTenants] = useState<string[]>([]);
  const [tenant, setTenant] = useState("");
  const [state, setState] = useState("");
  const [find, setFind] = useState("");
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    api<Report>("GET /audit").then(setReport, setError);
    api<{ items: Row[] }>("GET /tenants", { query: { limit: "500" } }).then((r) => setTenants(r.items.map((x) => String(x.name))), () => undefined);
  }, []);
  const rows = (report?.clauses ?? []).filter((c) => (!state || c.state === state) && (!find || `${c.clause} ${c.requirement}`.toLowerCase().includes(find.toLowerCase())));
  return (
    <Page title={t.title} lead={<>{t.lead} {report ? t.of(report.when) : ""}</>} actions={<Button variant="default" onClick={() => print()}>{s.print}</Button>}>
      <Wrong error={error} />
      {report ? (
        <>
          <div className="cards">
            <Figure k={t.shown} v={count(report.shown)} />
            <Figure k={t.notShown} v={count(report.not_shown)} />
            <Figure k={t.without} v={count(report.without_evidence)} />
          </div>
          {can("GET /annex/{id}") ? (
            <div className="noprint">
              <Card title={t.annex}>
                <p className="small quiet">{t.annexLead}</p>
                <div className="row">
                  <NativeSelect label={t.tenant} value={tenant} onChange={(e) => setTenant(e.currentTarget.value)} data={["", ...tenants]} />
                  {tenant ? <Button component="a" href={address("GET /annex/{id}", { id: tenant })} target="_blank" rel="noopener">{t.open}</Button> : null}
                </div>
              </Card>
            </div>
          ) : null}
          <form className="row noprint" role="search" aria-label={t.title} onSubmit={(e) => e.preventDefault()}>
            <TextInput className="grow" label={s.search} type="search" value={find} onChange={(e) => setFind(e.currentTarget.value)} />
            <NativeSelect label={t.state} value={state} onChange={(e) => setState(e.currentTarget.value)} data={[{ value: "", label: s.any }, "shown", "not shown", "without evidence"]} />
          </form>
          <Rows label={t.title} rows={rows} columns={[
            { name: "clause", title: t.clause }, { name: "strength", title: t.strength }, { name: "requirement", title: t.requirement },
            { name: "state", title: t.state, show: (c) => <State of={c.state} /> }, { name: "evidence", title: t.evidence, show: (c) => <Evidence clause={c} /> },
          ]} />
        </>
      ) : null}
    </Page>
  );
}
