// One second factor, proved: after the password, and again before a dangerous act.
import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { api } from "../api";
import { s } from "../strings";
import { Wrong } from "../ui/bits";
import { canPasskey, provePasskey } from "../ui/webauthn";

export function Factor({ factors, done }: { factors: string[]; done: () => void }) {
  const ways = factors.filter((f) => f !== "passkey" || canPasskey());
  const [way, setWay] = useState(ways.includes("passkey") ? "passkey" : ways.includes("totp") ? "totp" : "recovery");
  const [code, setCode] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const run = async (act: () => Promise<unknown>) => {
    setBusy(true);
    setError(null);
    try {
      await act();
      done();
    } catch (e) {
      setError(e instanceof DOMException ? s.sign.refused : e);
      setCode("");
    } finally {
      setBusy(false);
    }
  };
  const passkey = () => run(() => provePasskey());
  const typed = () => run(() => api(way === "totp" ? "POST /session/totp" : "POST /session/recovery", { body: { code: code.replace(/\s/g, "") }, quiet: true }));
  return (
    <div className="stack">
      <Wrong error={error} />
      {way === "passkey" ? (
        <Button onClick={passkey} loading={busy} data-autofocus autoFocus>{s.sign.usePasskey}</Button>
      ) : (
        <form className="stack" onSubmit={(e) => { e.preventDefault(); void typed(); }}>
          <TextInput label={way === "totp" ? s.sign.code : s.sign.recovery} description={way === "totp" ? s.sign.codeHelp : undefined}
            value={code} onChange={(e) => setCode(e.currentTarget.value)} autoComplete="one-time-code"
            inputMode={way === "totp" ? "numeric" : "text"} required data-autofocus autoFocus />
          <Button type="submit" loading={busy}>{s.sign.confirm}</Button>
        </form>
      )}
      {ways.filter((w) => w !== way).map((w) => (
        <Button key={w} variant="subtle" onClick={() => { setWay(w); setError(null); setCode(""); }}>
          {w === "passkey" ? s.sign.usePasskey : w === "totp" ? s.sign.useCode : s.sign.useRecovery}
        </Button>
      ))}
    </div>
  );
}
