// Small pieces that pages are made of.
import { Alert, Loader } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { Problem } from "../api";
import { s } from "../strings";

export type Tone = "good" | "bad" | "warn" | "info" | "";

export function Tag({ tone = "", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={"tag " + tone}>{children}</span>;
}

const tones: Record<string, Tone> = {
  active: "good", shown: "good", allowed: "good", white: "good", full: "good", up: "good", done: "good", enforce: "good",
  closed: "good", cleared: "good", ok: "good", pass: "good", expected: "good", finished: "good", granted: "good", approved: "good",
  suspended: "warn", throttled: "warn", observe: "warn", grey: "warn", invited: "warn", waiting: "warn", paused: "warn",
  acknowledged: "warn", running: "info", major: "bad", warning: "warn", minor: "warn", note: "info", planned: "info",
  retired: "bad", blocked: "bad", black: "bad", disabled: "bad", critical: "bad", failed: "bad", error: "bad", raised: "bad",
  open: "bad", high: "bad", refused: "bad", "not shown": "bad", cancelled: "bad", down: "bad", medium: "warn", low: "info",
};

/** A word of the model, coloured by what it says. The word itself is always there: colour is never all. */
export function State({ of }: { of: unknown }) {
  const word = String(of ?? "");
  return word ? <Tag tone={tones[word] ?? ""}>{word}</Tag> : <span className="quiet">{s.none}</span>;
}

export function Page({ title, lead, actions, children }: { title: string; lead?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = title + " - " + s.product;
  }, [title]);
  return (
    <div className="stack">
      <div className="head">
        <div>
          <h1>{title}</h1>
          {lead ? <p className="lead">{lead}</p> : null}
        </div>
        {actions ? <div className="row noprint">{actions}</div> : null}
      </div>
      {children}
    </div>
  );
}

export function Card({ title, actions, children }: { title?: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="card" aria-label={title}>
      {title || actions ? (
        <div className="head">
          {title ? <h2>{title}</h2> : <span />}
          {actions ? <div className="row noprint">{actions}</div> : null}
        </div>
      ) : null}
      {children}
    </section>
  );
}

export function Note({ tone = "", title, children }: { tone?: Tone; title?: string; children?: ReactNode }) {
  return (
    <div className={"note " + tone} role={tone === "bad" ? "alert" : "status"}>
      {title ? <p><strong>{title}</strong></p> : null}
      {children ? <div>{children}</div> : null}
    </div>
  );
}

/** What the server said is wrong (RFC 9457). */
export function Wrong({ error }: { error: unknown }) {
  if (!error) return null;
  const p = error instanceof Problem ? error : null;
  const text = p ? p.detail || p.title : error instanceof Error ? error.message : String(error);
  return (
    <Alert color="red" variant="outline" title={p?.detail && p.title !== p.detail ? p.title : s.wrong} role="alert">
      <span>{text}</span>
    </Alert>
  );
}

export function Waiting() {
  return (
    <div role="status" className="row mid">
      <Loader size="sm" /> <span>{s.loading}</span>
    </div>
  );
}

export function Facts({ of }: { of: [string, ReactNode][] }) {
  return (
    <dl className="kv">
      {of.map(([k, v]) => (
        <Pair key={k} k={k} v={v} />
      ))}
    </dl>
  );
}

function Pair({ k, v }: { k: string; v: ReactNode }) {
  return (
    <>
      <dt>{k}</dt>
      <dd>{v === "" || v === null || v === undefined ? <span className="quiet">{s.none}</span> : v}</dd>
    </>
  );
}

export function Figure({ k, v, more }: { k: string; v: ReactNode; more?: ReactNode }) {
  return (
    <div className="card figure" role="group" aria-label={k}>
      <div className="k">{k}</div>
      <div className="v">{v}</div>
      {more ? <small>{more}</small> : null}
    </div>
  );
}

/** A share as a bar, with its number beside it for those who don't see it. */
export function Level({ part, whole, tone = "good", label }: { part: number; whole: number; tone?: Tone; label: string }) {
  const percent = whole > 0 ? Math.min(100, Math.round((part / whole) * 100)) : 0;
  return (
    <div className="level" role="img" aria-label={`${label}: ${percent} %`}>
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect width={percent} height="8" className={tone} />
      </svg>
    </div>
  );
}

export function count(n: unknown): string {
  return typeof n === "number" ? n.toLocaleString("en-GB") : s.none;
}

/** Times come as seconds since 1970 or as ISO text. */
export function when(t: unknown): string {
  if (t === null || t === undefined || t === "" || t === 0) return s.none;
  const d = typeof t === "number" ? new Date(t * 1000) : new Date(String(t));
  return Number.isNaN(d.getTime()) ? String(t) : d.toISOString().replace("T", " ").slice(0, 19) + "Z";
}

/** Save what the server gave as a file of the user's. */
export function save(name: string, type: string, text: string) {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(new Blob([text], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}
