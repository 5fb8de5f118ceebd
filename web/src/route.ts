// Addresses are fragments (#/sims/9997...): what is after the # is never sent to a server, so it is in no log.
import { useSyncExternalStore } from "react";

export interface Place {
  path: string[];
  query: URLSearchParams;
}

function read(): Place {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query ?? "") };
}

let now = read();

function listen(changed: () => void) {
  const on = () => {
    now = read();
    changed();
  };
  addEventListener("hashchange", on);
  return () => removeEventListener("hashchange", on);
}

export function usePlace(): Place {
  return useSyncExternalStore(listen, () => now);
}

export function to(...path: (string | number)[]): string {
  return "#/" + path.map((p) => encodeURIComponent(p)).join("/");
}

export function go(address: string) {
  location.hash = address;
}

/** Change the query of the address in place: a filter is a link that can be sent to a colleague. */
export function setQuery(change: Record<string, string | undefined>) {
  const { path, query } = read();
  for (const [name, value] of Object.entries(change)) value ? query.set(name, value) : query.delete(name);
  const q = query.toString();
  history.replaceState(null, "", to(...path) + (q ? "?" + q : ""));
  dispatchEvent(new HashChangeEvent("hashchange"));
}
