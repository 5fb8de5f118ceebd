// The objects of the records and their fields, as the server describes them (GET /model).
import { api } from "./api";

export interface Field {
  name: string;
  kind: string;
  help: string;
  choices?: string[];
  default?: string;
}

export interface Model {
  object: string;
  help: string;
  fields: Field[];
}

type Raw = Omit<Model, "fields"> & { fields: (Omit<Field, "choices"> & { choices: string })[] };

/** "a|b|c"; of a reference it names the object that is meant. */
function read(f: Raw["fields"][number]): Field {
  const choices = f.kind === "choice" || f.kind === "choices" ? f.choices.split("|").filter(Boolean) : undefined;
  return { ...f, choices: choices?.length ? choices : undefined };
}

let asked: Promise<Record<string, Model>> | null = null;

export function model(): Promise<Record<string, Model>> {
  asked ??= api<Raw[]>("GET /model").then((all) => Object.fromEntries(all.map((o) => [o.object, { ...o, fields: o.fields.map(read) }])));
  asked.catch(() => (asked = null));
  return asked;
}

const labels: Record<string, string> = {
  imsi: "IMSI", iccid: "ICCID", msisdn: "MSISDN", eid: "EID", imei: "Device (IMEI or TAC)", tacs: "Device types (TAC)", plmn: "Network (PLMN)",
  alg: "Algorithm", life: "Life cycle", rats: "Radio technologies", ul_bps: "Uplink, bit/s", dl_bps: "Downlink, bit/s", tau_s: "TAU timer, s",
  odb: "Barring (ODB)", sms_to: "SMS may go to", apn1: "Default APN", apn2: "Second APN", apn3: "Third APN", apn4: "Fourth APN",
  grey_until: "Greylisted until", grey_s: "Greylisting lasts, s", cert_name: "Domain of certificates", clear_ok: "May connect without TLS",
  hide: "Hide our topology", lat_cdeg: "Latitude, 1/100 degree", lon_cdeg: "Longitude, 1/100 degree", sas_until: "SAS ends", key_x: "Key, x",
  key_y: "Key, y", imsi_from: "First IMSI", imsi_to: "Last IMSI", mail: "E-mail", since: "Sessions since",
};

export function label(name: string): string {
  const t = labels[name] ?? name.replace(/_/g, " ");
  return t[0].toUpperCase() + t.slice(1);
}
