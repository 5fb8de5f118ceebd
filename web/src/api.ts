// The portal's API as the pages use it: one place for the session's CSRF token, problems (RFC 9457), versions (ETag),
// idempotency keys and the step-up that a dangerous act asks for.
import type { Bodies, Endpoint } from "./api.gen";

export type Row = Record<string, unknown>;
export interface Items {
  items: Row[];
  next?: string;
  total?: number;
}

export class Problem extends Error {
  status: number;
  type: string;
  title: string;
  detail: string;
  more: Row;
  constructor(status: number, body: Row) {
    super(String(body.detail ?? body.title ?? status));
    this.status = status;
    this.type = String(body.type ?? "");
    this.title = String(body.title ?? "HTTP " + status);
    this.detail = String(body.detail ?? "");
    this.more = body;
  }
}

const root = "/api/v1";
let csrf = "";

let gone: () => void = () => undefined;
let prove: (why: Problem) => Promise<boolean> = () => Promise.resolve(false);

export function setCsrf(token: string) {
  csrf = token;
}

/** What is called when the session has ended, and what asks a person for a second factor. */
export function onGone(f: () => void) {
  gone = f;
}
export function onStepUp(f: (why: Problem) => Promise<boolean>) {
  prove = f;
}

export interface Answer<T> {
  body: T;
  etag: string;
  status: number;
}

export interface Ask<E extends Endpoint> {
  id?: string | number; // for the {id} of the path
  query?: URLSearchParams | Record<string, string>;
  body?: E extends keyof Bodies ? Bodies[E] : Row;
  etag?: string;
  once?: string; // idempotency key: the same request sent again is done once
  type?: string; // of a body that is no JSON
  quiet?: boolean; // a 401 is an answer, not the end of a session
}

export function address<E extends Endpoint>(endpoint: E, ask: Pick<Ask<E>, "id" | "query"> = {}): string {
  const path = endpoint.slice(endpoint.indexOf(" ") + 1).replace(/\{\w+\}/, encodeURIComponent(String(ask.id ?? "")));
  const query = new URLSearchParams(ask.query).toString();
  return root + path + (query ? "?" + query : "");
}

async function send<E extends Endpoint>(endpoint: E, ask: Ask<E>): Promise<Response> {
  const method = endpoint.slice(0, endpoint.indexOf(" "));
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  if (ask.etag) headers["If-Match"] = ask.etag;
  if (ask.once) headers["Idempotency-Key"] = ask.once;
  let body: string | undefined;
  if (method === "POST" || ask.body !== undefined) {
    headers["Content-Type"] = ask.type ?? "application/json";
    body = ask.type ? String(ask.body) : JSON.stringify(ask.body ?? {});
  }
  return fetch(address(endpoint, ask), { method, headers, body, credentials: "same-origin", redirect: "error" });
}

export async function call<T = Row, E extends Endpoint = Endpoint>(endpoint: E, ask: Ask<E> = {}): Promise<Answer<T>> {
  for (let tries = 0; ; tries++) {
    const r = await send(endpoint, ask);
    const text = await r.text();
    const json = /json/.test(r.headers.get("Content-Type") ?? "");
    const body = json && text ? JSON.parse(text) : text;
    if (json && typeof body?.csrf === "string") csrf = body.csrf; // another one whenever more was proven
    if (r.ok) return { body: body as T, etag: r.headers.get("ETag") ?? "", status: r.status };
    const problem = new Problem(r.status, json ? body : { title: r.statusText || "HTTP " + r.status, detail: text.slice(0, 200) });
    if (tries === 0 && wantsStepUp(problem) && (await prove(problem))) continue;
    if (r.status === 401 && (!ask.quiet || problem.type.endsWith("signed-out"))) gone();
    throw problem;
  }
}

/** The same, when only what is answered matters. */
export async function api<T = Row, E extends Endpoint = Endpoint>(endpoint: E, ask: Ask<E> = {}): Promise<T> {
  return (await call<T, E>(endpoint, ask)).body;
}

export function wantsStepUp(p: Problem): boolean {
  return /step-?up/.test(p.type);
}

export const newKey = () => crypto.randomUUID();
