// A time series. ECharts draws it (only the modules used are in the bundle); the same numbers are a table for those who
// cannot see it. Tooltips are drawn on the canvas: HTML with style attributes would be against the portal's policy.
import { LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import * as core from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";

core.use([LineChart, GridComponent, LegendComponent, TooltipComponent, AriaComponent, CanvasRenderer]);

export interface Line {
  name: string;
  points: [number, number][]; // milliseconds since 1970, value
  dashed?: boolean;
}

const light = ["#1c5d99", "#1b6b34", "#a3221b", "#7a4f00", "#5b3a8c", "#00696f"];
const dark = ["#8cc3f5", "#8fdca6", "#ffb0a9", "#ffd488", "#d3b8ff", "#80dfe5"];

export function Chart({ label, lines, area }: { label: string; lines: Line[]; area?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<core.ECharts | null>(null);
  const scheme = useComputedColorScheme("light");
  useEffect(() => {
    if (!box.current) return;
    const c = core.init(box.current);
    chart.current = c;
    const watch = new ResizeObserver(() => c.resize());
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      c.dispose();
      chart.current = null;
    };
  }, []);
  useEffect(() => {
    const ink = scheme === "dark" ? "#d5dbe1" : "#333a41";
    const grid = scheme === "dark" ? "#3d444b" : "#dde2e7";
    chart.current?.setOption(
      {
        animation: false,
        aria: { enabled: false },
        color: scheme === "dark" ? dark : light,
        textStyle: { color: ink },
        grid: { left: 48, right: 12, top: 34, bottom: 26 },
        legend: { top: 0, type: "scroll", textStyle: { color: ink }, pageTextStyle: { color: ink } },
        tooltip: { trigger: "axis", renderMode: "richText" },
        xAxis: { type: "time", axisLabel: { color: ink, hideOverlap: true }, splitLine: { show: false } },
        yAxis: { type: "value", min: 0, minInterval: 1, axisLabel: { color: ink }, splitLine: { lineStyle: { color: grid } } },
        series: lines.map((l) => ({
          name: l.name, type: "line", showSymbol: false, data: l.points,
          lineStyle: { type: l.dashed ? "dashed" : "solid", width: 2 }, areaStyle: area ? { opacity: 0.15 } : undefined,
        })),
      },
      { replaceMerge: ["series"] },
    );
  }, [lines, scheme, area]);
  const last = lines.map((l) => `${l.name} ${l.points.length ? l.points[l.points.length - 1][1] : 0}`).join(", ");
  return <div ref={box} className="chart" role="img" aria-label={`${label}: ${last}`} />;
}
