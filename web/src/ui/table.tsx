// A list that the server searches, filters, sorts and pages: the browser never holds more than one page of ten million.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { api, type Items, type Row } from "../api";
import type { Endpoint } from "../api.gen";
import { setQuery, usePlace } from "../route";
import { s } from "../strings";
import { Waiting, Wrong } from "./bits";

export interface Column {
  name: string;
  title: string;
  sort?: boolean;
  number?: boolean;
  show?: (row: Row) => ReactNode;
}

export interface Filter {
  name: string;
  title: string;
  of?: readonly string[]; // a choice; without: text
}

interface Props {
  label: string;
  from: Endpoint;
  columns: Column[];
  filters?: Filter[];
  search?: string; // what the search box finds by, said to the user; none: no box
  fixed?: Record<string, string>;
  again?: number; // another number: ask again
  most?: number;
}

/** Wait until typing has paused: a request for each key would be a load of its own. */
function useCalm(value: string): string {
  const [calm, setCalm] = useState(value);
  useEffect(() => {
    const t = setTimeout(() => setCalm(value), 250);
    return () => clearTimeout(t);
  }, [value]);
  return calm;
}

export function List({ label, from, columns, filters = [], search, fixed, again = 0, most = 50 }: Props) {
  const { query } = usePlace();
  const [typed, setTyped] = useState(query.get("q") ?? "");
  const find = useCalm(typed);
  const [after, setAfter] = useState<string[]>([]);
  const [page, setPage] = useState<Items | null>(null);
  const [error, setError] = useState<unknown>(null);
  const asked = useRef(0);
  const sort = query.get("sort") ?? "";
  const chosen = filters.map((f) => [f.name, query.get(f.name) ?? ""] as const);
  const ask = new URLSearchParams({ limit: String(most), ...fixed });
  if (find) ask.set("q", find);
  if (sort) ask.set("sort", sort);
  for (const [name, value] of chosen) if (value) ask.set(name, value);
  const base = ask.toString();
  const cursor = after[after.length - 1];

  useEffect(() => {
    setAfter([]);
    if ((query.get("q") ?? "") !== find) setQuery({ q: find || undefined });
  }, [base]);
  useEffect(() => {
    const mine = ++asked.current;
    const query = new URLSearchParams(base);
    if (cursor) query.set("after", cursor);
    api<Items>(from, { query }).then(
      (got) => mine === asked.current && (setPage(got), setError(null)),
      (e) => mine === asked.current && setError(e),
    );
  }, [from, base, cursor, again]);

  const order = (name: string) => setQuery({ sort: sort === name ? "-" + name : sort === "-" + name ? undefined : name });
  const rows = page?.items ?? [];
  return (
    <div className="stack">
      {search || filters.length ? (
        <form className="row noprint" role="search" aria-label={label} onSubmit={(e) => e.preventDefault()}>
          {search ? (
            <TextInput className="grow" label={s.search} placeholder={search} value={typed} type="search" onChange={(e) => setTyped(e.currentTarget.value)} />
          ) : null}
          {filters.map((f) =>
            f.of ? (
              <NativeSelect key={f.name} label={f.title} value={query.get(f.name) ?? ""} onChange={(e) => setQuery({ [f.name]: e.currentTarget.value || undefined })}
                data={[{ value: "", label: s.any }, ...f.of.map((v) => ({ value: v, label: v }))]} />
            ) : (
              <Typed key={f.name} title={f.title} value={query.get(f.name) ?? ""} set={(v) => setQuery({ [f.name]: v || undefined })} />
            ),
          )}
        </form>
      ) : null}
      <Wrong error={error} />
      {!page && !error ? <Waiting /> : null}
      {page ? (
        <>
          <Rows label={label} columns={columns} rows={rows} sort={sort} order={order} />
          <nav className="row mid noprint" aria-label={s.pages}>
            <Button size="xs" variant="default" disabled={!after.length} onClick={() => setAfter(after.slice(0, -1))}>{s.previous}</Button>
            <Button size="xs" variant="default" disabled={!page.next} onClick={() => page.next && setAfter([...after, page.next])}>{s.next}</Button>
            <span className="quiet small" role="status">
              {s.pageOf(after.length + 1, rows.length)}
              {typeof page.total === "number" ? " " + s.ofTotal(page.total) : ""}
            </span>
          </nav>
        </>
      ) : null}
    </div>
  );
}

function Typed({ title, value, set }: { title: string; value: string; set: (v: string) => void }) {
  const [text, setText] = useState(value);
  const calm = useCalm(text);
  useEffect(() => {
    if (calm !== value) set(calm);
  }, [calm]);
  return <TextInput label={title} value={text} onChange={(e) => setText(e.currentTarget.value)} />;
}

export function Rows({ label, columns, rows, sort, order }: {
  label: string; columns: Column[]; rows: Row[]; sort?: string; order?: (name: string) => void;
}) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={label}>
      <table className="t">
        <caption className="vh">{label}</caption>
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.name} scope="col" className={c.number ? "n" : undefined}
                aria-sort={sort === c.name ? "ascending" : sort === "-" + c.name ? "descending" : undefined}>
                {c.sort && order ? (
                  <button type="button" className="sort" onClick={() => order(c.name)}>
                    {c.title} <span aria-hidden="true">{sort === c.name ? "\u25b2" : sort === "-" + c.name ? "\u25bc" : "\u25b5"}</span>
                  </button>
                ) : c.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.length ? null : (
            <tr>
              <td colSpan={columns.length} className="quiet">{s.nothing}</td>
            </tr>
          )}
          {rows.map((row, i) => (
            <tr key={i}>
              {columns.map((c) => (
                <td key={c.name} className={c.number ? "n" : undefined}>{c.show ? c.show(row) : plain(row[c.name])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function plain(v: unknown): ReactNode {
  if (v === null || v === undefined || v === "") return <span className="quiet">{s.none}</span>;
  if (Array.isArray(v)) return v.length ? v.join(", ") : <span className="quiet">{s.none}</span>;
  if (typeof v === "boolean") return v ? s.yes : s.no;
  if (typeof v === "object") return JSON.stringify(v);
  return String(v);
}
