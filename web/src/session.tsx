// Who is signed in, what they may, and the second factor that a dangerous act asks for again.
import { Button, Modal } from "@mantine/core";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from "react";
import { type Endpoint, endpoints } from "./api.gen";
import { call, onGone, onStepUp, type Problem, type Row, setCsrf } from "./api";
import { Factor } from "./pages/factor";
import { s } from "./strings";
import { Waiting, Wrong } from "./ui/bits";

export interface Who {
  user: string;
  tenant: string;
  role: string;
  whole: boolean; // second factor and all
  factors: string[]; // kinds that this person has: totp, passkey, recovery
  full_name?: string;
}

interface Session {
  who: Who | null;
  unset: boolean; // nobody has signed in yet, ever
  ended: boolean;
  refresh: () => Promise<void>;
  out: () => Promise<void>;
}

const Context = createContext<Session>({ who: null, unset: false, ended: false, refresh: async () => undefined, out: async () => undefined });
export const useSession = () => useContext(Context);

/** May this person do it at all? The server decides again; this only hides what it would refuse. */
export function useCan(): (endpoint: Endpoint) => boolean {
  const { who } = useSession();
  return useCallback((e) => !!who && (endpoints[e] as readonly string[]).includes(who.role), [who]);
}

function read(body: Row): Who | null {
  if (!body.user) return null;
  return {
    user: String(body.user), tenant: String(body.tenant ?? ""), role: String(body.role ?? ""), whole: body.next === "",
    factors: (body.factors as string[] | undefined) ?? [], full_name: body.full_name as string | undefined,
  };
}

export function Sessions({ children }: { children: ReactNode }) {
  const [who, setWho] = useState<Who | null | undefined>(undefined);
  const [ended, setEnded] = useState(false);
  const [unset, setUnset] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const refresh = useCallback(async () => {
    try {
      const { body } = await call("GET /session", { quiet: true });
      if (body.csrf) setCsrf(String(body.csrf));
      setUnset(body.next === "set-up");
      setWho(read(body));
      setError(null);
    } catch (e) {
      if ((e as Problem).status === 401) setWho(null);
      else setError(e);
    }
  }, []);
  const out = useCallback(async () => {
    await call("DELETE /session", { quiet: true }).catch(() => undefined);
    setEnded(false);
    setWho(null);
    await refresh();
  }, [refresh]);
  useEffect(() => {
    onGone(() => {
      setEnded(true);
      setWho(null);
    });
    void refresh();
  }, [refresh]);
  if (error) return <main className="gate"><Wrong error={error} /></main>;
  if (who === undefined) return <main className="gate"><Waiting /></main>;
  return (
    <Context.Provider value={{ who, unset, ended: ended && !who, refresh, out }}>
      {children}
      {who?.whole ? <StepUp who={who} refresh={refresh} /> : null}
    </Context.Provider>
  );
}

function StepUp({ who, refresh }: { who: Who; refresh: () => Promise<void> }) {
  const [asked, setAsked] = useState(false);
  const done = useRef<(ok: boolean) => void>(() => undefined);
  useEffect(() => {
    onStepUp(() => new Promise((resolve) => {
      done.current = resolve;
      setAsked(true);
    }));
  }, []);
  const end = async (ok: boolean) => {
    if (ok) await refresh(); // the CSRF token has turned
    setAsked(false);
    done.current(ok);
  };
  return (
    <Modal opened={asked} onClose={() => void end(false)} title={s.step.title} closeButtonProps={{ "aria-label": s.close }} zIndex={500}>
      <div className="stack">
        <p className="lead">{s.step.lead}</p>
        <Factor factors={who.factors.filter((f) => f !== "recovery")} done={() => void end(true)} />
        <Button variant="subtle" onClick={() => void end(false)}>{s.cancel}</Button>
      </div>
    </Modal>
  );
}
