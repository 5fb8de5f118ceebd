// What the network operations centre looks at: arrivals, what was admitted, refused and given appointments, by class;
// partners on a map; open alarms. Each second anew.
import { useMemo } from "react";
import { to } from "../route";
import { useCan } from "../session";
import { s } from "../strings";
import { Card, count, Figure, Page, State, when } from "../ui/bits";
import { Chart, type Line } from "../ui/chart";
import { classes, type Second, useAlarms, useLive, useSeconds } from "../ui/live";
import { type Spot, WorldMap } from "../ui/map";
import { Rows } from "../ui/table";
import { placed, tones, usePartners } from "./networks";

const t = s.overview;
const sum = (a: number[]) => a.reduce((x, y) => x + y, 0);

function lines(seconds: Second[]): Line[] {
  const of = (name: string, f: (c: Second["counts"]) => number, dashed = false): Line => ({ name, dashed, points: seconds.map((x) => [x.at_s * 1000, f(x.counts)]) });
  return [of(t.arrived, (c) => c.arrived), of(t.admitted, (c) => sum(c.passed)), of(t.refused, (c) => sum(c.refused)), of(t.appointed, (c) => c.appointed, true)];
}

export default function Overview() {
  const can = useCan();
  const seconds = useSeconds();
  const roles = useLive();
  const alarms = useAlarms();
  const partners = usePartners();
  const now = seconds[seconds.length - 1]?.counts;
  const drawn = useMemo(() => lines(seconds), [seconds]);
  const recent = seconds.slice(-10);
  const of = (plmn: string, i: number) => recent.reduce((n, x) => n + (x.counts.networks[plmn]?.[i] ?? 0), 0);
  const busiest = Math.max(1, ...partners.map((p) => of(String(p.plmn), 0)));
  const spots: Spot[] = partners.filter(placed).map((p) => {
    const plmn = String(p.plmn);
    return {
      id: plmn, name: String(p.name), lat: Number(p.lat_cdeg) / 100, lon: Number(p.lon_cdeg) / 100, size: of(plmn, 0) / busiest,
      tone: of(plmn, 2) > of(plmn, 1) ? "bad" : of(plmn, 2) > 0 ? "warn" : tones[String(p.trust)] ?? "", says: t.spot(of(plmn, 0), of(plmn, 2), String(p.trust)),
    };
  });
  return (
    <Page title={t.title} lead={<>{t.lead} <time data-testid="at">{seconds.length ? when(seconds[seconds.length - 1].at_s) : ""}</time></>}>
      <div className="cards">
        <Figure k={t.arrived} v={count(now?.arrived)} more={t.second} />
        <Figure k={t.admitted} v={count(now ? sum(now.passed) : undefined)} more={t.second} />
        <Figure k={t.refused} v={count(now ? sum(now.refused) : undefined)} more={t.second} />
        <Figure k={t.appointed} v={count(now?.appointed)} more={t.second} />
        <Figure k={t.alarms} v={count(alarms.length)} more={<a href={to("alarms")}>{t.show}</a>} />
        <Figure k={t.roles} v={`${roles.filter((r) => r.ready).length}/${roles.length}`} more={roles.filter((r) => !r.ready).map((r) => r.role).join(", ") || t.allUp} />
      </div>
      <Card title={t.chart}><Chart label={t.chart} lines={drawn} /></Card>
      <div className="halves">
        <Card title={t.byClass}>
          <Rows label={t.byClass} rows={classes.map((c, i) => ({ c, passed: recent.reduce((n, x) => n + x.counts.passed[i], 0), refused: recent.reduce((n, x) => n + x.counts.refused[i], 0) }))}
            columns={[{ name: "c", title: t.class }, { name: "passed", title: t.admitted, number: true }, { name: "refused", title: t.refused, number: true }]} />
          <p className="small quiet">{t.tenSeconds}</p>
        </Card>
        <Card title={t.openAlarms}>
          <Rows label={t.openAlarms} rows={alarms.slice(0, 8)} columns={[
            { name: "severity", title: t.severity, show: (a) => <State of={a.severity} /> }, { name: "alarm", title: t.what }, { name: "subject", title: t.subject },
            { name: "raised_us", title: t.since, show: (a) => when(Number(a.raised_us) / 1e6) },
          ]} />
        </Card>
      </div>
      {can("GET /networks") ? (
        <Card title={t.map}>
          <WorldMap label={t.map} spots={spots} />
          <Rows label={t.map} rows={partners.map((p) => ({ ...p, arrived: of(String(p.plmn), 0), refused: of(String(p.plmn), 2), appointed: of(String(p.plmn), 3) }))} columns={[
            { name: "plmn", title: t.network, show: (p) => <a href={to("networks", String(p.plmn))}>{String(p.name || p.plmn)}</a> }, { name: "trust", title: t.trust, show: (p) => <State of={p.trust} /> },
            { name: "arrived", title: t.arrived, number: true }, { name: "refused", title: t.refused, number: true }, { name: "appointed", title: t.appointed, number: true },
          ]} />
        </Card>
      ) : null}
    </Page>
  );
}
