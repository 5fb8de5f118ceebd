import { s } from "../strings";
import { WorldMap } from "../ui/map";
import { Card } from "../ui/bits";
import { api, type Row } from "../api";
import { useEffect, useState } from "react";
import { type Kind, records } from "./records";

export const tones = { blocked: "bad", throttled: "warn", trusted: "good", own: "info" } as Record<string, "bad" | "warn" | "good" | "info">;

export function usePartners(): Row[] {
  const [rows, setRows] = useState<Row[]>([]);
  useEffect(() => {
    api<{ items: Row[] }>("GET /networks", { query: { limit: "500" } }).then((r) => setRows(r.items), () => undefined);
  }, []);
  return rows;
}

/** Where a partner is; none: its place is not known. */
export const placed = (r: Row) => Boolean(r.lat_cdeg) || Boolean(r.lon_cdeg);

function Where({ row }: { row: Row }) {
  if (!placed(row)) return null;
  return (
    <Card title={s.network.where}>
      <WorldMap label={s.network.where} spots={[{
        id: String(row.plmn), name: String(row.name), lat: Number(row.lat_cdeg) / 100, lon: Number(row.lon_cdeg) / 100, size: 0.4,
        tone: tones[String(row.trust)] ?? "", says: String(row.trust),
      }]} />
    </Card>
  );
}

const networks: Kind = {
  object: "network", page: "networks", ...s.kinds.network, list: "GET /networks", show: "GET /networks/{id}", make: "POST /networks",
  change: "PATCH /networks/{id}", drop: "DELETE /networks/{id}", history: "GET /networks/{id}/history",
  columns: ["plmn", "name", "trust", "realm", "steer_weight", "rate"], filters: ["trust"], search: s.name, more: Where,
};
export default records(networks);
