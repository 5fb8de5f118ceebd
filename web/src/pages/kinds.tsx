// Objects whose pages are made of nothing but the model.
import { s } from "../strings";
import type { Kind } from "./records";

const k = s.kinds;

export const tenants: Kind = {
  object: "tenant", page: "tenants", ...k.tenant, list: "GET /tenants", show: "GET /tenants/{id}", make: "POST /tenants", change: "PATCH /tenants/{id}",
  drop: "DELETE /tenants/{id}", history: "GET /tenants/{id}/history", columns: ["name", "contact", "critical_max"], tenantWrites: ["contact"],
};
export const rules: Kind = {
  object: "rule", page: "rules", ...k.rule, list: "GET /rules", show: "GET /rules/{id}", make: "POST /rules", change: "PATCH /rules/{id}",
  drop: "DELETE /rules/{id}", history: "GET /rules/{id}/history", columns: ["name", "check", "mode", "plmn", "imsi_from", "imsi_to", "host"],
  filters: ["check", "mode"],
};
export const equipment: Kind = {
  object: "equipment", page: "lists", ...k.equipment, list: "GET /equipment", show: "GET /equipment/{id}", make: "POST /equipment",
  change: "PATCH /equipment/{id}", drop: "DELETE /equipment/{id}", history: "GET /equipment/{id}/history",
  columns: ["imei", "list", "reason", "expires"], filters: ["list"], search: "IMEI or TAC",
};
export const holds: Kind = {
  object: "hold", page: "holds", ...k.hold, list: "GET /holds", show: "GET /holds/{id}", make: "POST /holds", change: "PATCH /holds/{id}",
  drop: "DELETE /holds/{id}", history: "GET /holds/{id}/history", columns: ["imsi", "state", "until", "imei", "cause"], filters: ["state"], search: "IMSI",
};
export const ranges: Kind = {
  object: "range", page: "ranges", ...k.range, list: "GET /ranges", show: "GET /ranges/{id}", make: "POST /ranges", change: "PATCH /ranges/{id}",
  drop: "DELETE /ranges/{id}", history: "GET /ranges/{id}/history", columns: ["from", "to", "name", "partition", "handset"],
};
export const suppliers: Kind = {
  object: "supplier", page: "suppliers", ...k.supplier, list: "GET /suppliers", show: "GET /suppliers/{id}", make: "POST /suppliers",
  change: "PATCH /suppliers/{id}", drop: "DELETE /suppliers/{id}", history: "GET /suppliers/{id}/history", columns: ["name", "sas_until", "sas_scope"],
};
export const batches: Kind = {
  object: "batch", page: "batches", ...k.batch, list: "GET /batches", show: "GET /batches/{id}", make: "POST /batches", change: "PATCH /batches/{id}",
  drop: "DELETE /batches/{id}", history: "GET /batches/{id}/history", columns: ["name", "supplier", "iccid_from", "iccid_to", "form", "keys_until"],
};
export const platforms: Kind = {
  object: "platform", page: "platforms", ...k.platform, list: "GET /platforms", show: "GET /platforms/{id}", make: "POST /platforms",
  change: "PATCH /platforms/{id}", drop: "DELETE /platforms/{id}", history: "GET /platforms/{id}/history", columns: ["name", "tenant", "sector"],
};
export const agreements: Kind = {
  object: "agreement", page: "agreements", ...k.agreement, list: "GET /agreements", show: "GET /agreements/{id}", make: "POST /agreements",
  change: "PATCH /agreements/{id}", drop: "DELETE /agreements/{id}", history: "GET /agreements/{id}/history", columns: ["name", "tenant", "purposes", "signed", "ends"],
};
export const incidents: Kind = {
  object: "incident", page: "incidents", ...k.incident, list: "GET /incidents", show: "GET /incidents/{id}", make: "POST /incidents", change: "PATCH /incidents/{id}",
  history: "GET /incidents/{id}/history", columns: ["name", "tenant", "kind", "severity", "found", "early_sent", "notified", "closed"],
};
export const assessments: Kind = {
  object: "assessment", page: "assessments", ...k.assessment, list: "GET /assessments", show: "GET /assessments/{id}", make: "POST /assessments", change: "PATCH /assessments/{id}",
  drop: "DELETE /assessments/{id}", history: "GET /assessments/{id}/history", columns: ["name", "profile", "kind", "owner", "review", "score"],
};
export const consents: Kind = {
  object: "consent", page: "consents", ...k.consent, list: "GET /consents", show: "GET /consents/{id}", make: "POST /consents", change: "PATCH /consents/{id}",
  history: "GET /consents/{id}/history", columns: ["name", "tenant", "imsi", "purposes", "given", "withdrawn"],
};
export const jurisdictions: Kind = {
  object: "jurisdiction", page: "jurisdictions", ...k.jurisdiction, list: "GET /jurisdictions", show: "GET /jurisdictions/{id}", make: "POST /jurisdictions", change: "PATCH /jurisdictions/{id}",
  drop: "DELETE /jurisdictions/{id}", history: "GET /jurisdictions/{id}/history", columns: ["name", "law", "forbids", "consent", "early_h", "notify_h"],
};
export const overrides: Kind = {
  object: "override", page: "overrides", ...k.override, list: "GET /overrides", show: "GET /overrides/{id}", make: "POST /overrides", change: "PATCH /overrides/{id}",
  drop: "DELETE /overrides/{id}", history: "GET /overrides/{id}/history", columns: ["name", "jurisdiction", "purposes", "until", "by"],
};
export const requests: Kind = {
  object: "subject-request", page: "requests", ...k.request, list: "GET /subject-requests", show: "GET /subject-requests/{id}", make: "POST /subject-requests", change: "PATCH /subject-requests/{id}",
  history: "GET /subject-requests/{id}/history", columns: ["name", "imsi", "kind", "received", "state"],
};
export const nominations: Kind = {
  object: "nomination", page: "nominations", ...k.nomination, list: "GET /nominations", show: "GET /nominations/{id}", make: "POST /nominations", change: "PATCH /nominations/{id}",
  drop: "DELETE /nominations/{id}", history: "GET /nominations/{id}/history", columns: ["name", "tenant", "profile", "imsi", "priority", "state", "review"],
};
export const hosts: Kind = {
  object: "host", page: "hosts", ...k.host, list: "GET /hosts", show: "GET /hosts/{id}", history: "GET /hosts/{id}/history",
  columns: ["imei", "maker", "model", "software", "imsi", "seen"], search: "IMEI",
};
