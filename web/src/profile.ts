// Least privilege from questions, and any profile in plain words. The rules are these rows; a profile that the wizard
// makes is what the answers need and nothing beside it.
import type { Row } from "./api";
import { s } from "./strings";

export interface Answers {
  name: string;
  tenant: string;
  kind: "harm" | "business" | "nuisance"; // what happens when it is off
  where: "here" | "some" | "anywhere";
  countries: string;
  moves: boolean;
  power: "mains" | "battery" | "years";
  data: "bytes" | "files" | "video";
  sms: "none" | "receive" | "both";
  smsTo: string;
  voice: boolean;
  locate: boolean;
  wifi: boolean;
  tamper: boolean; // someone may open its housing
  reach: string;
  peers: boolean;
  bound: boolean; // it keeps its device for life
  ip: "ipv4" | "ipv6" | "ipv4v6" | "non-ip";
  apn: string;
}

export const blank: Answers = {
  name: "", tenant: "", kind: "business", where: "here", countries: "", moves: false, power: "mains", data: "bytes", sms: "none", smsTo: "",
  voice: false, locate: false, wifi: false, tamper: false, reach: "", peers: false, bound: true, ip: "ipv4", apn: "",
};

const rates = { bytes: 100_000, files: 2_000_000, video: 20_000_000 };
const tau = { mains: 0, battery: 10_800, years: 86_400 };

export function derive(a: Answers): Row {
  const rats = a.voice || a.data === "video" ? ["wb-eutran"] : a.data === "files" ? ["wb-eutran", "lte-m"] : a.moves ? ["lte-m"] : ["nb-iot", "lte-m"];
  const services = [
    ...(a.sms === "both" ? ["sms-mo"] : []), ...(a.sms === "none" ? [] : ["sms-mt"]), ...(a.voice ? ["voice"] : []),
    ...(a.locate ? ["lcs"] : []), ...(a.wifi ? ["wifi-aka-prime"] : []),
  ];
  const rate = rates[a.data];
  const qci = a.kind === "harm" ? 6 : 9;
  const arp = a.kind === "harm" ? 3 : a.kind === "business" ? 9 : 12;
  return {
    name: a.name, tenant: a.tenant, priority: a.kind === "harm" ? "critical" : a.kind === "business" ? "normal" : "low",
    binding: a.bound ? (a.kind === "harm" ? "alert" : "refuse") : "alert", rats: rats.join(" "), services: services.join(" "), ul_bps: rate, dl_bps: rate,
    tau_s: tau[a.power], sms_to: a.sms === "both" ? a.smsTo : "", countries: a.where === "anywhere" ? "" : a.countries,
    apn1: `${a.apn}:${a.ip}:${qci}:${arp}:${rate}:${rate}`, tamper: a.tamper, reach: a.reach, peers: a.peers, assurance: a.bound && a.kind !== "harm" ? "bound-device" : "sim", generation: 4,
  };
}

const set = (v: unknown) => (Array.isArray(v) ? v.map(String) : String(v ?? "").split(/\s+/).filter(Boolean));
const rate = (bps: unknown) => {
  const n = Number(bps ?? 0);
  return n >= 1e6 ? `${n / 1e6} Mbit/s` : n >= 1000 ? `${n / 1000} kbit/s` : `${n} bit/s`;
};

/** What a device with this profile will, and will not, be able to do. */
export function words(p: Row): { can: string[]; cannot: string[] } {
  const w = s.profile.words;
  const can: string[] = [];
  const cannot: string[] = [];
  const rats = set(p.rats), services = set(p.services), where = set(p.countries), sms = set(p.sms_to);
  const apns = ["apn1", "apn2", "apn3", "apn4"].map((n) => String(p[n] ?? "")).filter(Boolean).map((a) => a.split(":")[0]);
  can.push(w.data(apns.join(", "), rate(p.ul_bps), rate(p.dl_bps)));
  cannot.push(w.otherNetworks(apns.length));
  const reach = set(p.reach);
  reach.length ? (can.push(w.reach(reach.join(", "))), cannot.push(w.reachElse)) : can.push(w.reachAll);
  p.peers === true || p.peers === "yes" ? can.push(w.peers) : cannot.push(w.noPeers);
  if (Number(p.day_mb) > 0) can.push(w.day(String(p.day_mb)));
  can.push(rats.length ? w.radios(rats.join(", ")) : w.anyRadio);
  const off = ["geran", "utran", "wb-eutran", "lte-m", "nb-iot", "nr"].filter((r) => rats.length && !rats.includes(r));
  if (off.length) cannot.push(w.noRadios(off.join(", ")));
  where.length ? (can.push(w.roam(where.join(", "))), cannot.push(w.roamElse)) : can.push(w.roamAll);
  services.includes("voice") ? can.push(w.voice) : cannot.push(w.noVoice);
  services.includes("sms-mt") ? can.push(w.smsMt) : cannot.push(w.noSmsMt);
  services.includes("sms-mo") ? can.push(sms.length ? w.smsTo(sms.join(", ")) : w.smsMo) : cannot.push(w.noSmsMo);
  services.includes("lcs") ? can.push(w.located) : cannot.push(w.noLocate);
  const wifi = services.filter((v) => v.startsWith("wifi-"));
  wifi.length ? can.push(w.wifi(wifi.join(", "))) : cannot.push(w.noWifi);
  services.includes("gba") ? can.push(w.gba) : cannot.push(w.noGba);
  const bind = w.binding[String(p.binding ?? "")];
  if (bind) cannot.push(bind);
  const prio = w.priority[String(p.priority ?? "")];
  if (prio) (p.priority === "low" ? cannot : can).push(prio);
  return { can, cannot };
}

/** What a change takes away or gives, sentence by sentence. */
export function difference(before: Row, after: Row): { gains: string[]; loses: string[] } {
  const a = words(before).can, b = words(after).can;
  return { gains: b.filter((t) => !a.includes(t)), loses: a.filter((t) => !b.includes(t)) };
}
