// The frame: what is signed in decides which pages there are.
import { ActionIcon, Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Component, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { to, usePlace } from "./route";
import { Sessions, useCan, useSession } from "./session";
import { OneTime, Second, SignIn } from "./pages/sign";
import { s } from "./strings";
import { Note, Waiting, Wrong } from "./ui/bits";
import { pages } from "./pages";

export function App() {
  return (
    <Sessions>
      <Inside />
    </Sessions>
  );
}

function Inside() {
  const { who } = useSession();
  usePlace(); // a one-time link leads on to the pages
  const once = location.pathname.slice(1);
  if (once === "setup" || once === "welcome") return <OneTime kind={once} />;
  if (!who) return <SignIn />;
  if (!who.whole) return <Second />;
  return <Frame />;
}

function Frame() {
  const { who, out } = useSession();
  const can = useCan();
  const { path } = usePlace();
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const mine = pages.filter((p) => can(p.needs));
  const id = path[0] ?? mine.find((p) => !p.hidden)?.id;
  const page = mine.find((p) => p.id === id);
  const first = useRef(true);
  useEffect(() => {
    setOpen(false);
    if (!first.current) main.current?.focus(); // a new page is read from its top
    first.current = false;
  }, [path.join("/")]);
  return (
    <div className="frame">
      <a className="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus(); }}>{s.skip}</a>
      <header className="top">
        <Button className="menu" variant="default" size="xs" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>{s.menu}</Button>
        <a className="brand" href="#/">
          <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M4 28V8h5v5h4V8h6v5h4V8h5v20z" /></svg>
          {s.product}
        </a>
        <div className="who">
          <a href={to("security")} className="small">{who!.user} <span className="quiet">({who!.tenant || s.operator}, {who!.role})</span></a>
          <Scheme />
          <Button size="xs" variant="default" onClick={() => void out()}>{s.sign.out}</Button>
        </div>
      </header>
      <nav className="nav" id="nav" aria-label={s.nav} data-open={open ? "yes" : "no"}>
        {Object.entries(s.groups).map(([group, title]) => {
          const these = mine.filter((p) => p.group === group && !p.hidden);
          return these.length ? (
            <div key={group}>
              <h2 id={"g-" + group}>{title}</h2>
              <ul aria-labelledby={"g-" + group}>
                {these.map((p) => (
                  <li key={p.id}><a href={to(p.id)} aria-current={p.id === id ? "page" : undefined}>{p.title}</a></li>
                ))}
              </ul>
            </div>
          ) : null;
        })}
      </nav>
      <main className="main" id="main" ref={main} tabIndex={-1}>
        <Catch key={path.join("/")}>
          <Suspense fallback={<Waiting />}>{page ? <page.view /> : <Note tone="warn">{s.notFound}</Note>}</Suspense>
        </Catch>
      </main>
    </div>
  );
}

function Scheme() {
  const scheme = useComputedColorScheme("light");
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true }); // else by an inline <style>
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon variant="default" size="md" aria-label={s[other]} title={s[other]} onClick={() => setColorScheme(other)}>
      <span aria-hidden="true">{scheme === "dark" ? "\u2600" : "\u263e"}</span>
    </ActionIcon>
  );
}

/** A page that fails says so and leaves the frame. */
class Catch extends Component<{ children: ReactNode }, { error: unknown }> {
  state = { error: null };
  static getDerivedStateFromError(error: unknown) {
    return { error };
  }
  render() {
    return this.state.error ? <Wrong error={this.state.error} /> : this.props.children;
  }
}
