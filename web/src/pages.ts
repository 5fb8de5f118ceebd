// Which pages there are. Each is a bundle of its own; a person sees those whose first request their role may make.
import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import type { Endpoint } from "./api.gen";
import { s } from "./strings";

const k = s.kinds;

export interface PageDef {
  id: string; // first part of the address
  title: string;
  group: keyof typeof s.groups;
  needs: Endpoint; // who may not call it does not see the page
  view: LazyExoticComponent<ComponentType>;
  hidden?: boolean; // not in the menu
}

const page = (load: () => Promise<{ default: ComponentType }>) => lazy(load);

export const pages: PageDef[] = [
  { id: "overview", title: s.overview.title, group: "watch", needs: "GET /live/seconds", view: page(() => import("./pages/overview")) },
  { id: "storm", title: s.storm.title, group: "watch", needs: "GET /live", view: page(() => import("./pages/storm")) },
  { id: "alarms", title: s.alarms.title, group: "watch", needs: "GET /alarms", view: page(() => import("./pages/alarms")) },
  { id: "events", title: s.events.title, group: "watch", needs: "GET /events", view: page(() => import("./pages/events")) },
  { id: "subscriptions", title: k.subscription.title, group: "devices", needs: "GET /subscriptions", view: page(() => import("./pages/subscriptions")) },
  { id: "profiles", title: k.profile.title, group: "devices", needs: "GET /profiles", view: page(() => import("./pages/profiles")) },
  { id: "jobs", title: s.jobs.title, group: "devices", needs: "GET /jobs", view: page(() => import("./pages/jobs")) },
  { id: "nominations", title: k.nomination.title, group: "devices", needs: "GET /nominations", view: page(() => import("./pages/nominations")) },
  { id: "holds", title: k.hold.title, group: "devices", needs: "GET /holds", view: page(() => import("./pages/holds")) },
  { id: "hosts", title: k.host.title, group: "devices", needs: "GET /hosts", view: page(() => import("./pages/hosts")) },
  { id: "batches", title: k.batch.title, group: "devices", needs: "GET /batches", view: page(() => import("./pages/batches")) },
  { id: "suppliers", title: k.supplier.title, group: "devices", needs: "GET /suppliers", view: page(() => import("./pages/suppliers")) },
  { id: "networks", title: k.network.title, group: "network", needs: "GET /networks", view: page(() => import("./pages/networks")) },
  { id: "rules", title: k.rule.title, group: "network", needs: "GET /rules", view: page(() => import("./pages/rules")) },
  { id: "lists", title: k.equipment.title, group: "network", needs: "GET /equipment", view: page(() => import("./pages/lists")) },
  { id: "ranges", title: k.range.title, group: "network", needs: "GET /ranges", view: page(() => import("./pages/ranges")) },
  { id: "platforms", title: k.platform.title, group: "network", needs: "GET /platforms", view: page(() => import("./pages/platforms")) },
  { id: "tenants", title: k.tenant.title, group: "people", needs: "GET /tenants", view: page(() => import("./pages/tenants")) },
  { id: "compliance", title: s.compliance.title, group: "assurance", needs: "GET /audit", view: page(() => import("./pages/compliance")) },
  { id: "duties", title: s.duties.title, group: "assurance", needs: "GET /duties", view: page(() => import("./pages/duties")) },
  { id: "incidents", title: k.incident.title, group: "assurance", needs: "GET /incidents", view: page(() => import("./pages/incidents")) },
  { id: "assessments", title: k.assessment.title, group: "assurance", needs: "GET /assessments", view: page(() => import("./pages/assessments")) },
  { id: "consents", title: k.consent.title, group: "assurance", needs: "GET /consents", view: page(() => import("./pages/consents")) },
  { id: "requests", title: k.request.title, group: "assurance", needs: "GET /subject-requests", view: page(() => import("./pages/requests")) },
  { id: "jurisdictions", title: k.jurisdiction.title, group: "assurance", needs: "GET /jurisdictions", view: page(() => import("./pages/jurisdictions")) },
  { id: "overrides", title: k.override.title, group: "assurance", needs: "GET /overrides", view: page(() => import("./pages/overrides")) },
  { id: "agreements", title: k.agreement.title, group: "assurance", needs: "GET /agreements", view: page(() => import("./pages/agreements")) },
  { id: "users", title: k.user.title, group: "people", needs: "GET /users", view: page(() => import("./pages/users")) },
  { id: "approvals", title: s.approvals.title, group: "assurance", needs: "GET /approvals", view: page(() => import("./pages/approvals")) },
  { id: "journal", title: s.journal.title, group: "assurance", needs: "GET /journal", view: page(() => import("./pages/journal")) },
  { id: "security", title: s.security.title, group: "people", needs: "GET /me/sessions", view: page(() => import("./pages/security")) },
];
