// What the roles count, each second, while the page is looked at.
import { useEffect, useState } from "react";
import { api, type Row } from "../api";

export interface Second {
  at_s: number;
  counts: { arrived: number; passed: number[]; refused: number[]; appointed: number; networks: Record<string, number[]> };
}
export interface Role {
  role: string;
  ready: boolean;
  limit: number;
  in_flight: number;
  overload_percent: number;
  wave_slot_ms: number;
  wave: number[];
  networks: { network: string; arrived: number; passed: number; refused: number; appointed: number }[];
}

const kept_s = 300;
export const classes = ["critical", "high", "normal", "low"];

/** Ask again a second after each answer; a hidden page asks for nothing. */
export function useEach(ms: number, ask: () => Promise<void>) {
  useEffect(() => {
    let on = true;
    let timer = 0;
    const turn = async () => {
      if (!document.hidden) await ask().catch(() => undefined);
      if (on) timer = window.setTimeout(turn, ms);
    };
    void turn();
    return () => {
      on = false;
      clearTimeout(timer);
    };
  }, []);
}

export function useSeconds(): Second[] {
  const [seconds, setSeconds] = useState<Second[]>([]);
  const [last] = useState({ at: 0 });
  useEach(1000, async () => {
    const after = last.at ? { after: String(last.at) } : { after: String(Math.floor(Date.now() / 1000) - kept_s) };
    const { items } = await api<{ items: Second[] }>("GET /live/seconds", { query: after });
    if (!items.length) return;
    last.at = items[items.length - 1].at_s;
    setSeconds((old) => [...old, ...items].slice(-kept_s));
  });
  return seconds;
}

export function useLive(): Role[] {
  const [roles, setRoles] = useState<Role[]>([]);
  useEach(1000, async () => setRoles((await api<{ live: { roles: Role[] } }>("GET /live")).live.roles));
  return roles;
}

export function useAlarms(): Row[] {
  const [rows, setRows] = useState<Row[]>([]);
  useEach(1000, async () => setRows((await api<{ items: Row[] }>("GET /alarms")).items));
  return rows;
}
