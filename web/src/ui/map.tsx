// Where partners are, on an outline that comes with the pages (Natural Earth, 1:110m, public domain): no tile server
// learns what an operator looks at.
import land from "world-atlas/land-110m.json";
import { useMemo } from "react";
import { s } from "../strings";
import type { Tone } from "./bits";

export interface Spot {
  id: string;
  name: string;
  lat: number;
  lon: number;
  size: number; // 0 to 1
  tone: Tone;
  says: string;
}

/** TopoJSON: arcs are deltas of quantised positions; a polygon names its arcs, ~n is arc n backwards. */
function outline(): string {
  const t = land as unknown as {
    transform: { scale: [number, number]; translate: [number, number] };
    arcs: [number, number][][];
    objects: { land: { geometries: { arcs: number[][][] }[] } };
  };
  const { scale, translate } = t.transform;
  const arcs = t.arcs.map((arc) => {
    let x = 0, y = 0;
    return arc.map(([dx, dy]) => [(x += dx) * scale[0] + translate[0], (y += dy) * scale[1] + translate[1]]);
  });
  const ring = (refs: number[]) =>
    "M" + refs.flatMap((r) => (r < 0 ? [...arcs[~r]].reverse() : arcs[r])).map(([x, y]) => `${x.toFixed(1)} ${(-y).toFixed(1)}`).join("L") + "Z";
  return t.objects.land.geometries.flatMap((g) => g.arcs.flatMap((polygon) => polygon.map(ring))).join("");
}

export function WorldMap({ label, spots }: { label: string; spots: Spot[] }) {
  const path = useMemo(outline, []);
  return (
    <svg className="map" viewBox="-180 -84 360 142" role="img" aria-label={label}>
      <path d={path} aria-hidden="true" />
      {spots.map((p) => (
        <circle key={p.id} cx={p.lon} cy={-p.lat} r={2.2 + 5 * p.size} className={p.tone || "off"}>
          <title>{`${p.name} (${p.id}): ${p.says}`}</title>
        </circle>
      ))}
      <desc>{spots.map((p) => `${p.name}: ${p.says}`).join("; ") || s.none}</desc>
    </svg>
  );
}
