// A form for any object of the model: the server says which fields there are, what they may be and what they mean.
import { Button, Checkbox, Fieldset, NativeSelect, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Row } from "../api";
import { type Field, label } from "../model";
import { s } from "../strings";

interface Props {
  fields: Field[];
  from: Row; // as it is now; {}: new
  fixed?: string[]; // fields that can't be changed
  send: (changed: Row) => Promise<void>;
  verb?: string;
}

const shown = (v: unknown): string => (v === null || v === undefined ? "" : Array.isArray(v) ? v.join(" ") : typeof v === "boolean" ? (v ? "yes" : "no") : String(v));

export function Form({ fields, from, fixed = [], send, verb }: Props) {
  const start = Object.fromEntries(fields.map((f) => [f.name, shown(from[f.name] ?? (f.name in from ? "" : f.default))]));
  const [values, setValues] = useState<Record<string, string>>(start);
  const [busy, setBusy] = useState(false);
  const isNew = Object.keys(from).length === 0;
  const set = (name: string, v: string) => setValues((old) => ({ ...old, [name]: v }));
  const submit = async () => {
    const changed: Row = {};
    for (const f of fields)
      if (!fixed.includes(f.name) && (isNew ? values[f.name] !== "" : values[f.name] !== start[f.name])) changed[f.name] = wire(f, values[f.name]);
    setBusy(true);
    try {
      await send(changed);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); void submit(); }}>
      {fields.map((f) => (
        <One key={f.name} f={f} value={values[f.name]} set={(v) => set(f.name, v)} off={fixed.includes(f.name)} />
      ))}
      <div className="row"><Button type="submit" loading={busy}>{verb ?? s.save}</Button></div>
    </form>
  );
}

/** As the API has it: numbers and flags as JSON's, all else, sets too, as text. */
export function wire(f: Field, text: string): unknown {
  switch (f.kind) {
    case "number": return Number(text);
    case "flag": return text === "yes";
    default: return text;
  }
}

function One({ f, value, set, off }: { f: Field; value: string; set: (v: string) => void; off: boolean }) {
  const about = { label: label(f.name), description: f.help, disabled: off };
  if (f.kind === "flag") return <Checkbox {...about} checked={value === "yes"} onChange={(e) => set(e.currentTarget.checked ? "yes" : "no")} />;
  if (f.kind === "choices" && f.choices) {
    const has = value.split(/\s+/).filter(Boolean);
    return (
      <Fieldset legend={label(f.name)} disabled={off}>
        <p className="quiet small">{f.help}</p>
        <div className="row">
          {f.choices.map((c) => (
            <Checkbox key={c} label={c} checked={has.includes(c)} onChange={(e) => set((e.currentTarget.checked ? [...has, c] : has.filter((h) => h !== c)).join(" "))} />
          ))}
        </div>
      </Fieldset>
    );
  }
  if (f.choices)
    return <NativeSelect {...about} value={value} onChange={(e) => set(e.currentTarget.value)} data={[...(f.choices.includes(value) ? [] : [{ value: "", label: s.none }]), ...f.choices]} />;
  return <TextInput {...about} value={value} onChange={(e) => set(e.currentTarget.value)} inputMode={f.kind === "number" ? "numeric" : undefined} />;
}
