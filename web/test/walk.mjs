// Walks the portal's pages in a real browser against a real portal: node test/walk.mjs '{"url":..,"link":..,"out":..}'
// Prints a line of JSON for each thing it saw: {"step","ok","detail"}. tests/peer/test_pages.py reads them.
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const conf = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const wait = conf.wait ?? 20_000;
mkdirSync(conf.out, { recursive: true });

const say = (step, ok, detail = "") => console.log(JSON.stringify({ step, ok: Boolean(ok), detail: String(detail) }));
async function step(name, act) {
  const began = Date.now();
  try {
    const detail = await act();
    say(name, true, `${detail ?? ""} ${Date.now() - began} ms`.trim());
    return true;
  } catch (e) {
    say(name, false, String(e.stack ?? e).slice(0, 1500));
    if (name === "set-up" || conf.stop) {
      say("console", false, noise.join("\n") + (await admin.locator("body").innerText()).slice(0, 600));
      await browser.close();
      process.exit(1);
    }
    return false;
  }
}
function must(what, text) {
  if (!what) throw new Error(text);
}

/** RFC 6238 with the key that the page shows. */
function totp(key, at = Date.now()) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...key.replace(/\s|=/g, "")].map((c) => letters.indexOf(c).toString(2).padStart(5, "0")).join("");
  const secret = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30000)));
  const mac = createHmac("sha1", secret).update(counter).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1e6).padStart(6, "0");
}
let used = "";
/** A code that has not counted yet: each counts once, so sometimes the next half minute must come. */
async function freshCode(key) {
  for (let code = totp(key); ; code = totp(key)) {
    if (code !== used) return (used = code);
    await new Promise((r) => setTimeout(r, 500));
  }
}

const browser = await chromium.launch({
  executablePath: conf.chromium, headless: true,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb", `--ignore-certificate-errors-spki-list=${conf.spki}`],
});
const noise = [];

async function person(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light", reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(wait);
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (e) => console.error("CSP: " + e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber + " " + e.sample));
  });
  const page = await context.newPage();
  page.on("console", (m) => {
    // What the API answers with an error is shown on the page; the browser notes it too.
    if (m.type() === "error" && !/Failed to load resource.*status of 4/.test(m.text())) noise.push(m.text());
  });
  page.on("response", async (r) => r.status() >= 500 && noise.push(`${r.status()} ${r.url()} ${(await r.text().catch(() => "")).slice(0, 200)}`));
  page.on("pageerror", (e) => noise.push(String(e)));
  return page;
}

async function authenticator(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
}

async function settled(page) {
  await page.locator("main").first().waitFor();
  await page.waitForFunction(() => !document.querySelector(".mantine-Loader-root"), null, { timeout: wait });
}

/** WCAG 2.2 A and AA, by axe: contrast, names, roles. */
async function accessible(page, where) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  const text = found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join(" | ")}`).join("\n");
  must(!text, `${where}: ${text}`);
}

/** Nothing is wider than the window (what scrolls within its own box is not). */
async function fits(page, where) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  must(wide <= 1, `${where}: ${wide} px too wide`);
}

async function shot(page, name) {
  if (conf.shots) await page.screenshot({ path: `${conf.out}/${name}.png`, animations: "disabled" });
}

const field = (page, name) => page.getByLabel(name, { exact: true });
const button = (page, name) => page.getByRole("button", { name, exact: true });
const link = (page, name) => page.getByRole("link", { name, exact: true });
async function open(page, id) {
  await page.goto(`${conf.url}/#/${id}`);
  await settled(page);
}

let proofs = 0;
/** A dangerous act asks for the second factor again, unless it was proved a moment ago. */
async function proved(page, target) {
  const ask = page.getByRole("dialog", { name: "Prove that it is you" });
  await ask.or(target).first().waitFor();
  if (await ask.isVisible()) {
    if (proofs++ === 0) {
      await accessible(page, "step-up");
      await shot(page, "step-up");
    }
    await ask.getByRole("button", { name: "Use a passkey or security key" }).click();
    await target.waitFor();
  }
}

const admin = await person();
const password = "correct battery otter staple";
let key = "";
let adaKey = "";

await step("set-up", async () => {
  await authenticator(admin);
  const began = Date.now();
  await admin.goto(conf.link);
  await field(admin, "User name").fill("ada");
  await field(admin, "Your name").fill("Ada Bell");
  await field(admin, "Password").fill(password);
  await field(admin, "Password again").fill(password);
  await accessible(admin, "set-up");
  await shot(admin, "setup");
  await button(admin, "Go on").click();
  if (conf.passkeys) await button(admin, "Add a passkey").click();
  else {
    await button(admin, "Add an authenticator app").click();
    adaKey = await admin.getByTestId("totp-key").textContent();
    await field(admin, "Code of your authenticator").fill(await freshCode(adaKey));
    await button(admin, "Confirm").click();
  }
  const codes = await admin.getByTestId("recovery-codes").textContent();
  must(codes.trim().split("\n").length === 10, "ten recovery codes");
  await accessible(admin, "recovery codes");
  await button(admin, "I have kept them").click();
  await admin.getByRole("navigation", { name: "Pages", exact: true }).waitFor();
  return `in, with a passkey, in ${((Date.now() - began) / 1000).toFixed(1)} s`;
});

await step("the link works once", async () => {
  const other = await person();
  await other.goto(conf.link);
  await field(other, "User name").fill("eve");
  await field(other, "Password").fill(password + "!");
  await field(other, "Password again").fill(password + "!");
  await button(other, "Go on").click();
  await other.getByRole("alert").waitFor();
  await other.context().close();
});

const pages = (await admin.locator("#nav a").evaluateAll((all) => all.map((a) => [a.getAttribute("href").slice(2), a.textContent]))) ?? [];
say("pages", pages.length > 8, pages.map((p) => p[0]).join(" "));
for (const [id, title] of pages)
  await step(`page ${id}`, async () => {
    await open(admin, id);
    const h1 = await admin.locator("main h1").first().textContent();
    must((await admin.title()).startsWith(h1), `title: ${await admin.title()}, heading ${h1}, menu ${title}`);
    await accessible(admin, id);
    await shot(admin, id);
  });

await step("dark", async () => {
  await button(admin, "Dark colours").click();
  for (const id of ["subscriptions", "security", pages[0]?.[0]].filter(Boolean)) {
    await open(admin, id);
    await accessible(admin, `${id}, dark`);
  }
  await open(admin, pages[0][0]);
  await shot(admin, "dark");
  await button(admin, "Light colours").click();
});

await step("360 px", async () => {
  await admin.setViewportSize({ width: 360, height: 740 });
  for (const [id] of pages) {
    await open(admin, id);
    await fits(admin, id);
  }
  await open(admin, "subscriptions");
  await button(admin, "Menu").click();
  await link(admin, "Service profiles").waitFor();
  await shot(admin, "narrow");
  await fits(admin, "menu");
  await admin.setViewportSize({ width: 1280, height: 900 });
});

await step("search, filter, sort", async () => {
  await open(admin, "subscriptions");
  await field(admin, "Search").fill(conf.imsi);
  await admin.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 1);
  await field(admin, "Search").fill("");
  await field(admin, "Life cycle").selectOption("suspended");
  await admin.getByText("Nothing here.").waitFor();
  await field(admin, "Life cycle").selectOption("");
  await admin.getByRole("button", { name: /^IMSI/ }).click();
  await admin.getByRole("button", { name: /^IMSI/ }).click();
  await admin.locator('th[aria-sort="descending"]').waitFor();
});

await step("SIM: suspend and activate", async () => {
  await open(admin, `subscriptions/${conf.imsi}`);
  await admin.getByText("It will be able to").waitFor();
  await accessible(admin, "SIM");
  await button(admin, "Suspend").click();
  await button(admin, "Yes, do it").click();
  await admin.getByText("Suspended: where").waitFor();
  await button(admin, "Activate").click();
  await button(admin, "Yes, do it").click();
  await admin.getByText("Activated.", { exact: true }).waitFor();
  await admin.locator("ol.line li").nth(1).waitFor();
  await shot(admin, "sim");
});

await step("critical SIM: a second person", async () => {
  await open(admin, `subscriptions/${conf.critical}`);
  await button(admin, "Suspend").click();
  await button(admin, "Yes, do it").click();
  await admin.getByText("It waits as approval").waitFor();
  await open(admin, "approvals");
  await admin.getByText("your own").waitFor();
  await accessible(admin, "approvals");
  await shot(admin, "approvals");
});

await step("profile wizard", async () => {
  await open(admin, "profiles");
  await button(admin, "New profile by questions").click();
  const dialog = admin.getByRole("dialog");
  await dialog.getByLabel("Name of the profile").fill("tracker");
  await dialog.getByLabel("Tenant").fill("cars");
  await button(dialog, "Next").click();
  await dialog.getByLabel("Countries or networks").fill("262 228");
  await dialog.getByLabel("It moves while it is used").check();
  await button(dialog, "Next").click();
  await dialog.getByLabel("APN", { exact: true }).fill("tracker.iot");
  await dialog.getByLabel("Receives only").check();
  await button(dialog, "Next").click();
  await button(dialog, "Next").click();
  await dialog.getByText("make voice calls").waitFor();
  await accessible(admin, "wizard");
  await shot(admin, "wizard");
  await button(dialog, "Make the profile").click();
  await admin.getByRole("heading", { name: "Profile tracker" }).waitFor();
  await admin.getByText("be used in 262, 228").waitFor();
  await accessible(admin, "profile");
  await shot(admin, "profile");
});

await step("rule in trial mode", async () => {
  await open(admin, "rules");
  await button(admin, "New Rule").click();
  const dialog = admin.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("trial");
  await dialog.getByLabel("Check", { exact: true }).selectOption("plausibility.ulr_without_air");
  await dialog.getByLabel("Mode", { exact: true }).selectOption("observe");
  await button(dialog, "New Rule").click();
  await proved(admin, admin.getByRole("heading", { name: "Rule trial" }));
  await button(admin, "Delete").click();
  await field(admin, "Type trial to confirm").fill("trial");
  await admin.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await proved(admin, admin.getByText("Nothing here."));
});

await step("overview: each second anew", async () => {
  await open(admin, "overview");
  const figure = admin.getByTestId("at");
  const seen = new Set();
  for (const end = Date.now() + wait; seen.size < 3 && Date.now() < end; await admin.waitForTimeout(300)) seen.add(await figure.textContent());
  must(seen.size >= 3, `it stays at ${[...seen].join(", ")}`);
  must(Number(await admin.getByRole("group", { name: "Arrived" }).locator(".v").textContent()) > 0, "something arrives");
  must(await admin.getByRole("img", { name: /^Requests a second/ }).isVisible(), "the chart");
  must((await admin.locator("svg.map circle").count()) > 0, "partners on the map");
  await admin.waitForTimeout(conf.shots ? 8000 : 0);
  await accessible(admin, "overview, with figures");
  await shot(admin, "overview");
});

await step("storm console: a lever", async () => {
  await open(admin, "storm");
  await admin.getByText("partner.peer_blocked").first().waitFor();
  await accessible(admin, "storm");
  await shot(admin, "storm");
  await field(admin, "Partner").selectOption("00102");
  await field(admin, "Requests a second").fill("50");
  await button(admin, "Apply").click();
  await button(admin, "Yes, do it").click();
  await proved(admin, admin.getByText("Partner 00102 is changed."));
});

await step("an alarm is seen to", async () => {
  await open(admin, "alarms");
  await button(admin, "See to it").first().click();
  await field(admin, "Note").fill("looked into");
  await button(admin, "Save").click();
  await admin.getByText("looked into").waitFor();
  await accessible(admin, "alarms");
  await shot(admin, "alarms");
});

await step("findings, filtered, as they come", async () => {
  await open(admin, "events");
  await field(admin, "Check").fill("partner.peer_blocked");
  await admin.waitForFunction(() => [...document.querySelectorAll("main tbody tr")].every((r) => /peer_blocked/.test(r.textContent)));
  const first = await admin.locator("main tbody tr").first().textContent();
  await admin.waitForFunction((was) => document.querySelector("main tbody tr").textContent !== was, first);
  await shot(admin, "events");
});

await step("bulk job: tried, then carried out", async () => {
  await open(admin, "jobs");
  await button(admin, "New bulk job").click();
  await field(admin, "Which").fill("tenant=cars");
  await field(admin, "Changes").fill("life=suspended");
  await accessible(admin, "new job");
  await button(admin, "Try it").click();
  await admin.getByText("become suspended").waitFor();
  await accessible(admin, "job");
  await shot(admin, "job");
  await button(admin, "Carry it out").click();
  await proved(admin, admin.locator(".tag", { hasText: "done" }));
  await admin.getByText(/: \d+ changed, 0 refused/).waitFor();
  await open(admin, "subscriptions?tenant=cars&life=active");
  await admin.getByText("Nothing here.").waitFor();
});

await step("dry run of a profile's change", async () => {
  await open(admin, "profiles/pacemaker");
  await admin.getByRole("link", { name: /^Try a change of this profile/ }).click();
  await field(admin, "Changes").fill("rats=nb-iot");
  await button(admin, "Try it").click();
  const effect = admin.locator("main li", { hasText: "device" }).first();
  await effect.waitFor();
  const text = await effect.textContent();
  await shot(admin, "dry-run");
  await button(admin, "Cancel the job").click();
  await admin.locator(".tag", { hasText: "cancelled" }).waitFor();
  return text;
});

let invitation = "";
await step("invite a tenant's person", async () => {
  await open(admin, "users");
  await button(admin, "Invite a person").click();
  const dialog = admin.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("mia");
  await dialog.getByLabel("Tenant", { exact: true }).fill("meters");
  await dialog.getByLabel("Role", { exact: true }).selectOption("tenant-admin");
  await button(dialog, "Invite a person").click();
  await proved(admin, dialog.getByLabel("One-time link"));
  invitation = await dialog.getByLabel("One-time link").inputValue();
  await accessible(admin, "invitation");
  await admin.keyboard.press("Escape");
});

const mia = await person();
await step("invitation, authenticator", async () => {
  await mia.goto(invitation);
  await field(mia, "Password").fill("meters are read at four in the morning");
  await field(mia, "Password again").fill("meters are read at four in the morning");
  await button(mia, "Go on").click();
  await button(mia, "Add an authenticator app").click();
  key = await mia.getByTestId("totp-key").textContent();
  await accessible(mia, "authenticator");
  await shot(mia, "authenticator");
  await field(mia, "Code of your authenticator").fill(await freshCode(key));
  await button(mia, "Confirm").click();
  await button(mia, "I have kept them").click();
  await mia.getByRole("navigation", { name: "Pages", exact: true }).waitFor();
});

await step("a tenant sees its own alone", async () => {
  await open(mia, "subscriptions");
  await mia.locator("main tbody tr").nth(1).waitFor();
  const tenants = await mia.locator("main tbody tr td:nth-child(4)").allTextContents();
  must(tenants.length > 1 && tenants.every((t) => t === "meters"), tenants.join(" "));
  await open(mia, `subscriptions/${conf.critical}`);
  await mia.getByRole("alert").waitFor();
  const nav = await mia.locator("#nav a").allTextContents();
  must(!nav.includes("Screening rules") && !nav.includes("Audit log"), nav.join(" "));
  await open(mia, "rules");
  await mia.getByText("There is no such page").waitFor();
  await open(mia, "subscriptions");
  await shot(mia, "tenant");
});

await step("sign-in by keyboard alone", async () => {
  await mia.getByRole("button", { name: "Sign out" }).focus();
  await mia.keyboard.press("Enter");
  await field(mia, "User name").waitFor();
  await accessible(mia, "sign-in");
  await shot(mia, "sign-in");
  await mia.keyboard.type("mia");
  await mia.keyboard.press("Tab");
  await mia.keyboard.type("meters are read at four in the morning");
  await mia.keyboard.press("Enter");
  await field(mia, "Code of your authenticator").waitFor();
  await accessible(mia, "second factor");
  await mia.keyboard.type(await freshCode(key));
  await mia.keyboard.press("Enter");
  await mia.getByRole("navigation", { name: "Pages", exact: true }).waitFor();
  await mia.keyboard.press("Tab");
  must((await mia.evaluate(() => document.activeElement.textContent)) === "Skip to the content", "the first stop is the way past the menu");
});

if (conf.passkeys)
await step("sign-in by passkey", async () => {
  await button(admin, "Sign out").click();
  await field(admin, "User name").fill("ada");
  await button(admin, "Sign in with a passkey").click();
  await admin.getByRole("navigation", { name: "Pages", exact: true }).waitFor();
});

await step("reset asks for the second factor again, and for the name", async () => {
  await open(admin, "users/mia");
  await button(admin, "Reset sign-in").click();
  await field(admin, "Type mia to confirm").fill("mia");
  await admin.getByRole("dialog").getByRole("button", { name: "Reset sign-in", exact: true }).click();
  await proved(admin, field(admin, "One-time link"));
  must(proofs > 0, "the second factor was not asked for again");
  return `${proofs} times`;
});

say("console", noise.length === 0, [...new Set(noise)].slice(0, 10).join("\n"));
await browser.close();
