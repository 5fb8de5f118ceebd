import { encode } from "uqr";
import { s } from "../strings";

/** As a vector: a data: image is against the portal's policy. The text stands beside it for those who can't scan. */
export function Qr({ text }: { text: string }) {
  const { data, size } = encode(text, { ecc: "M", border: 2 });
  let d = "";
  data.forEach((row, y) => row.forEach((on, x) => (d += on ? `M${x} ${y}h1v1h-1z` : "")));
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges" role="img" aria-label={s.sign.qr}>
      <path d={d} />
    </svg>
  );
}
